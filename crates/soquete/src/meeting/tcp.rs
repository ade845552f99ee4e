//! Two peers of TCP: each listens at its address and connects from it.

use super::{First, ITSELF, RETRY_FIRST, RETRY_MAX};
use crate::{Backoff, Cause, Clock, Stream, entropy, ready};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::net::SocketAddr;
use std::time::Duration;

/// Connections that may wait to be looked at: the other's, and some of strangers.
const BACKLOG: i32 = 16;

/// The two sockets of one peer, at one address.
pub(super) struct Peer {
    other: SocketAddr,
    listening: OwnedFd,
    /// Asked to connect again and again; it keeps its address meanwhile. A new one for each try could not be bound beside a
    /// socket that listens, unless the port were shared with whoever asks (SO_REUSEPORT).
    connecting: OwnedFd,
    backoff: Backoff,
    /// When to connect again; nothing while a try is under way.
    again_at: Option<Duration>,
}

impl Peer {
    pub(super) fn bind(own: SocketAddr, other: SocketAddr) -> rustix::io::Result<Self> {
        let (listening, connecting) = (bound(own)?, bound(own)?);
        // Only now: beside one that listens the second could not have been bound.
        net::listen(&listening, BACKLOG)?;
        let backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        Ok(Peer { other, listening, connecting, backoff, again_at: Some(Duration::ZERO) })
    }

    /// Makes the connection.
    pub(super) fn meet(mut self, deadline: Duration) -> Result<(Stream, First), Cause> {
        loop {
            if let Some(socket) = self.step()? {
                return finish(socket);
            }
            if Clock::now() >= deadline {
                return Err(Cause::Timeout);
            }
            self.wait(deadline)?;
        }
    }

    /// Goes as far as it can without waiting; returns the connection once it is made.
    fn step(&mut self) -> Result<Option<OwnedFd>, Cause> {
        let now = Clock::now();
        if self.again_at.is_none_or(|at| now >= at) {
            self.again_at = None;
            match net::connect(&self.connecting, &self.other) {
                Ok(()) | Err(Errno::ISCONN) => return Ok(Some(self.connecting.try_clone()?)),
                Err(Errno::INPROGRESS | Errno::ALREADY | Errno::INTR) => {}
                Err(errno) if may_pass(errno) => {
                    self.again_at = Some(now + self.backoff.next(entropy::random_u64()));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        self.accept()
    }

    /// Looks whether the other has connected; strangers are closed.
    fn accept(&self) -> Result<Option<OwnedFd>, Cause> {
        loop {
            match net::acceptfrom_with(&self.listening, SocketFlags::CLOEXEC) {
                Ok((socket, Some(from))) if SocketAddr::try_from(from.clone()) == Ok(self.other) => {
                    return Ok(Some(socket));
                }
                Ok(_) | Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits until there is something to do, at most until `deadline`.
    fn wait(&self, deadline: Duration) -> Result<(), Cause> {
        let until = self.again_at.map_or(deadline, |at| at.min(deadline));
        let listening = PollFd::new(&self.listening, PollFlags::IN);
        let connecting = PollFd::new(&self.connecting, PollFlags::OUT);
        // A socket that is not connecting is always ready.
        let watched = if self.again_at.is_none() { 2 } else { 1 };
        let timeout = until.saturating_sub(Clock::now());
        Ok(ready::wait(&mut [listening, connecting][..watched], Some(timeout))?)
    }
}

/// Tells whether a connect that failed may succeed yet: the other is not there, or its connection is just being made
/// (the two addresses are in use then), or the network is not.
fn may_pass(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::CONNREFUSED
            | Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::TIMEDOUT
            | Errno::ADDRNOTAVAIL
            | Errno::ADDRINUSE
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::NETDOWN
    )
}

fn finish(socket: OwnedFd) -> Result<(Stream, First), Cause> {
    let local = SocketAddr::try_from(net::getsockname(&socket)?)?;
    let there = net::getpeername(&socket)?.ok_or(Errno::NOTCONN)?;
    let there = SocketAddr::try_from(there)?;
    if local == there {
        // An address of all interfaces and one of this machine with the same port: the kernel connects it to itself.
        return Err(ITSELF);
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok((Stream::octets(socket), First::of(&local, &there)))
}

fn bound(own: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if own.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    if own.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    net::bind(&socket, &own)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{SockFilter, SockRef};
    use std::io::{Read, Write};

    /// Makes two peers of each other at free ports, which listen and have not connected.
    fn pair() -> (Peer, Peer) {
        let free = || -> SocketAddr {
            let socket = bound("127.0.0.1:0".parse().unwrap()).unwrap();
            net::getsockname(&socket).unwrap().try_into().unwrap()
        };
        loop {
            let (one, other) = (free(), free());
            // Somebody else may have taken a port meanwhile.
            if let (Ok(a), Ok(b)) = (Peer::bind(one, other), Peer::bind(other, one)) {
                return (a, b);
            }
        }
    }

    fn assert_talk(one: OwnedFd, other: OwnedFd) {
        let ((mut one, first), (mut other, second)) = (finish(one).unwrap(), finish(other).unwrap());
        assert_ne!(first, second);
        one.write_all(b"ping").unwrap();
        let mut heard = [0; 4];
        other.read_exact(&mut heard).unwrap();
        other.write_all(b"pong").unwrap();
        one.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"pong");
    }

    fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Clock::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Clock::now() < deadline, "waited in vain");
            std::thread::yield_now();
        }
    }

    /// Tells whether a connection is made that was asked for.
    fn is_connected(peer: &Peer) -> bool {
        matches!(net::connect(&peer.connecting, &peer.other), Ok(()) | Err(Errno::ISCONN))
    }

    #[test]
    fn two_that_connect_at_once_open_simultaneously() {
        let (mut a, mut b) = pair();
        // What reaches b's listening socket is thrown away by the kernel: a's SYN is lost, and a waits for an answer.
        let nothing = [SockFilter::new(0x06, 0, 0, 0)];
        SockRef::from(&b.listening).attach_filter(&nothing).unwrap();
        assert!(a.step().unwrap().is_none());
        assert_eq!(a.again_at, None, "it is on the way");
        // b's SYN finds a socket that has sent one itself.
        let _ = b.step().unwrap();
        until(|| (is_connected(&a) && is_connected(&b)).then_some(()));
        assert!(a.accept().unwrap().is_none() && b.accept().unwrap().is_none(), "nobody was accepted");
        assert_talk(a.connecting, b.connecting);
    }

    #[test]
    fn who_is_earlier_accepts_who_is_later() {
        let (a, mut b) = pair();
        let made = b.step().unwrap();
        let accepted = until(|| a.accept().unwrap());
        let made = made.unwrap_or_else(|| until(|| b.step().unwrap()));
        // The two addresses are in use now: a second connection between them cannot be.
        assert_eq!(net::connect(&a.connecting, &a.other), Err(Errno::ADDRNOTAVAIL));
        assert_talk(accepted, made);
    }

    #[test]
    fn one_that_was_refused_asks_again_from_the_same_address() {
        let (a, b) = pair();
        let (own, other) = (b.other, a.other);
        drop((a, b));
        let mut a = Peer::bind(own, other).unwrap();
        for _ in 0..3 {
            until(|| {
                a.step().unwrap();
                a.again_at
            });
            a.again_at = Some(Duration::ZERO);
        }
        let b = Peer::bind(other, own).unwrap();
        let made = until(|| a.step().unwrap());
        assert_talk(made, until(|| b.accept().unwrap()));
    }
}
