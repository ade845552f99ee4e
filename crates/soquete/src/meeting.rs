//! Peers without a server: both bind, both connect, and one connection comes of it.

mod tcp;
mod unix;

use crate::{Cause, Clock, Endpoint, Error, Operation, Stream, resolve};
use std::net::SocketAddr;
use std::time::Duration;

/// The longest wait between two tries to connect. The first is at most [`RETRY_FIRST`].
///
/// Who comes later connects at once and is accepted; so this only counts where its way is barred, by a firewall say.
const RETRY_MAX: Duration = Duration::from_millis(250);

/// The longest first wait.
const RETRY_FIRST: Duration = Duration::from_millis(10);

/// Which of two peers speaks first: the one whose address is the lower, as both can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// This one.
    Own,
    /// The other one.
    Other,
}

impl First {
    fn of<T: Ord>(own: &T, other: &T) -> Self {
        if own < other { First::Own } else { First::Other }
    }
}

impl Stream {
    /// Connects two equals: both call this, with `own` and `other` exchanged, at the same moment or one of them earlier.
    ///
    /// Exactly one connection comes of it, from `own` to `other`; whoever else connects to `own` meanwhile is closed at
    /// once. The peer with the lower address speaks first: by IP address and port, or by the octets of the name. Blocks no
    /// longer than `timeout`, the look-up of names included. When only one of the two runs out of time, just as the
    /// other comes, that other finds its connection closed.
    ///
    /// Over **TCP** both listen at their address and connect from it. Whichever SYN comes first makes the connection;
    /// where both are on the way at once, the kernel makes one of them (simultaneous open). The same two addresses allow
    /// no second one. Both ports must be known, so neither is 0, and no translation of addresses may lie between. `own`
    /// may be an address of all interfaces. Over **Unix** and **seqpacket** the lower name listens, and the other connects
    /// to it with its own name; the file of a path is gone when this returns.
    ///
    /// # Errors
    ///
    /// [`Cause::Timeout`] when the other does not come; its line names both addresses. [`Cause::Misuse`] for a peer that
    /// would meet itself, or did, for endpoints of two kinds, for port 0, and for `mem:` and datagrams, where there are no
    /// two processes or no connections. EADDRINUSE when somebody else has `own`.
    ///
    /// # Examples
    ///
    /// ```
    /// use soquete::{Endpoint, First, Stream};
    /// use std::io::{Read, Write};
    /// use std::time::Duration;
    ///
    /// # let name = |end: &str| format!("unix:@meet-example-{}-{end}", std::process::id());
    /// # let (left, right): (Endpoint, Endpoint) = (name("left").parse()?, name("right").parse()?);
    /// let talk = |own: &Endpoint, other: &Endpoint| -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    ///     let (mut stream, first) = Stream::meet(own, other, Duration::from_secs(10))?;
    ///     let mut heard = [0; 5];
    ///     if first == First::Own {
    ///         stream.write_all(b"hello")?;
    ///     }
    ///     stream.read_exact(&mut heard)?;
    ///     if first == First::Other {
    ///         stream.write_all(b"world")?;
    ///     }
    ///     Ok(String::from_utf8(heard.into())?)
    /// };
    /// std::thread::scope(|scope| {
    ///     let one = scope.spawn(|| talk(&left, &right).unwrap());
    ///     assert_eq!(talk(&right, &left).unwrap(), "hello");
    ///     assert_eq!(one.join().unwrap(), "world");
    /// });
    /// # Ok::<(), soquete::EndpointError>(())
    /// ```
    pub fn meet(own: &Endpoint, other: &Endpoint, timeout: Duration) -> Result<(Self, First), Error> {
        let deadline = Clock::now().saturating_add(timeout);
        let failed = |cause: Cause| Error::new(Operation::Meet, format_args!("{other} from {own}"), cause);
        let met = match (own, other) {
            _ if own == other => Err(ITSELF),
            (Endpoint::Tcp { .. }, Endpoint::Tcp { .. }) => {
                let (local, there) = addresses(own, other, deadline)?;
                check(local, there).map_err(failed)?;
                tcp::Peer::bind(local, there).map_err(Operation::Bind.failed(own))?.meet(deadline)
            }
            (Endpoint::Unix(_), Endpoint::Unix(_)) | (Endpoint::Seqpacket(_), Endpoint::Seqpacket(_)) => {
                unix::Peer::bind(own, other)?.meet(deadline)
            }
            (Endpoint::Mem(_), _) | (_, Endpoint::Mem(_)) => {
                Err(Cause::Misuse("the threads of a process are no peers"))
            }
            _ if own.is_datagram() || other.is_datagram() => {
                Err(Cause::Misuse("datagrams have no connections: use DatagramPeers"))
            }
            _ => Err(Cause::Misuse("the two are endpoints of different kinds")),
        };
        met.map_err(failed)
    }
}

const ITSELF: Cause = Cause::Misuse("a peer cannot meet itself: give each an address of its own");

/// Looks up both addresses: the first of each that are of one family.
fn addresses(own: &Endpoint, other: &Endpoint, deadline: Duration) -> Result<(SocketAddr, SocketAddr), Error> {
    let look_up = |endpoint: &Endpoint| match endpoint.host() {
        Some((host, port)) => resolve::resolve_within(host, port, deadline.saturating_sub(Clock::now())),
        None => Ok(Vec::new()),
    };
    let (owns, others) = (look_up(own)?, look_up(other)?);
    let pairs = owns.iter().flat_map(|own| others.iter().map(move |other| (*own, *other)));
    let mut fitting = pairs.filter(|(own, other)| own.is_ipv4() == other.is_ipv4());
    let families = || Cause::Misuse("one is an address of IPv4, the other of IPv6");
    fitting.next().ok_or_else(|| Error::new(Operation::Meet, format_args!("{other} from {own}"), families()))
}

fn check(own: SocketAddr, other: SocketAddr) -> Result<(), Cause> {
    match () {
        () if own.port() == 0 || other.port() == 0 => Err(Cause::Misuse("both ports must be known")),
        () if own == other => Err(ITSELF),
        () => Ok(()),
    }
}
