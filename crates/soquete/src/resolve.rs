//! Host names into addresses, without ever holding up the loop.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{io, thread};

use crate::{Cause, Error, Host, Operation};

/// The most addresses of one name that are used: 16. Each may cost a connect's timeout.
pub const ADDRESSES_MAX: usize = 16;

/// The most look-ups in helper threads at one time: 16. A name server that is gone holds each for seconds, and a
/// client that tries again and again must not fill the process with threads.
pub const LOOKUPS_MAX: usize = 16;

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Looks up a host: at least one and at most [`ADDRESSES_MAX`] addresses, the preferred one first.
///
/// A literal address is answered at once; for a name it blocks as long as the system's resolver does, which may be
/// many seconds.
///
/// # Errors
///
/// [`Cause::Unresolved`] when the name is unknown or no name server answers.
pub fn resolve(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let name = match host {
        Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => name.as_str(),
    };
    let unresolved = |error| Error::new(Operation::Resolve, host, Cause::Unresolved(error));
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (name, port).to_socket_addrs().map_err(unresolved)? {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(unresolved(io::Error::other("no address")));
    }
    Ok(addresses)
}

/// Looks up a host in a helper thread, which calls `done` with what [`resolve`] gives; it does not block itself.
///
/// The loop lets `done` put the answer where it finds it and ring its eventfd. A literal address needs no look-up:
/// [`Endpoint::socket_addr`](crate::Endpoint::socket_addr) has it.
///
/// # Errors
///
/// [`Cause::Busy`] when [`LOOKUPS_MAX`] look-ups are under way, [`Cause::Io`] when no thread can be started;
/// `done` is then not called.
pub fn resolve_then(
    host: Host,
    port: u16,
    done: impl FnOnce(Result<Vec<SocketAddr>, Error>) + Send + 'static,
) -> Result<(), Error> {
    let address = host.to_string();
    let lookup = Lookup::begin(&LOOKUPS).map_err(Operation::Resolve.failed(&address))?;
    thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            let answer = resolve(&host, port);
            drop(lookup);
            done(answer);
        })
        .map_err(Operation::Resolve.failed(&address))?;
    Ok(())
}

/// Looks up a host, but blocks no longer than `timeout`; the helper thread may go on for a while.
pub(crate) fn resolve_within(host: &Host, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, Error> {
    if matches!(host, Host::Ip(_)) {
        return resolve(host, port);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    // Nobody listens any more when the time was over first.
    resolve_then(host.clone(), port, move |answer| drop(sender.send(answer)))?;
    let late = |_| Error::new(Operation::Resolve, host, Cause::Timeout);
    receiver.recv_timeout(timeout).map_err(late)?
}

/// One look-up under way; at most [`LOOKUPS_MAX`] are counted.
struct Lookup(&'static AtomicUsize);

impl Lookup {
    fn begin(count: &'static AtomicUsize) -> Result<Self, Cause> {
        let one_more = |count| (count < LOOKUPS_MAX).then_some(count + 1);
        match count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Self(count)),
            Err(_) => Err(Cause::Busy("too many names are being looked up")),
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Host {
        Host::Name(name.into())
    }

    #[test]
    fn a_literal_address_is_its_own_answer() {
        let host = Host::Ip([127, 0, 0, 1].into());
        let expected: SocketAddr = "127.0.0.1:5555".parse().unwrap();
        assert_eq!(resolve(&host, 5555).unwrap(), [expected]);
        assert_eq!(resolve_within(&host, 5555, Duration::ZERO).unwrap(), [expected]);
    }

    #[test]
    fn localhost_is_loopback_and_the_helper_thread_agrees() {
        let addresses = resolve(&name("localhost"), 1).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        let (sender, receiver) = mpsc::channel();
        resolve_then(name("localhost"), 1, move |answer| sender.send(answer).unwrap()).unwrap();
        assert_eq!(receiver.recv().unwrap().unwrap(), addresses);
    }

    #[test]
    fn a_name_that_cannot_be_is_unknown() {
        // A NUL is refused before any name server is asked.
        let error = resolve(&name("led\0"), 1).unwrap_err();
        assert_eq!(error.cause().to_string(), "unknown host name");
        assert!(error.act().is_some());
    }

    #[test]
    fn look_ups_under_way_are_bounded() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let held: Vec<_> = (0..LOOKUPS_MAX).map(|_| Lookup::begin(&COUNT).unwrap()).collect();
        let full = Lookup::begin(&COUNT).err().unwrap();
        assert_eq!(full.to_string(), "too many names are being looked up");
        drop(held);
        assert!(Lookup::begin(&COUNT).is_ok());
    }
}
