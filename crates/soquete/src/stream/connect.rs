//! The ways to make a connection: blocking, bounded in time, and in the background.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};

use super::Stream;
use crate::{Cause, Clock, Endpoint, Error, Operation, resolve, system};
#[cfg(unix)]
use crate::{UnixName, mem};

/// Says why there is no stream to an endpoint of another kind.
fn no_stream(endpoint: &Endpoint) -> Cause {
    match endpoint {
        Endpoint::Udp { .. } | Endpoint::Unixgram(_) => {
            Cause::Misuse("datagrams have no connections: open a Datagram there")
        }
        _ => system::NOT_HERE,
    }
}

impl Stream {
    /// Connects and blocks until that is done; a name is resolved and each of its addresses tried in turn.
    ///
    /// Over TCP it may take the kernel two minutes to give up on a machine that does not answer.
    ///
    /// # Errors
    ///
    /// An error of [`Operation::Resolve`], or of [`Operation::Connect`] with the cause of the last address tried:
    /// refused, no route, no such path, ... A `mem:` listener whose queue is full is [`Cause::Busy`] at once.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        connect_by(endpoint, None)
    }

    /// Connects as [`Stream::connect`] does, but blocks no longer than `timeout`, the look-up of a name included.
    /// The time that is left is shared evenly by the addresses still to try.
    ///
    /// # Errors
    ///
    /// As [`Stream::connect`]; [`Cause::Timeout`] when the time is over.
    pub fn connect_timeout(endpoint: &Endpoint, timeout: Duration) -> Result<Self, Error> {
        connect_by(endpoint, Clock::now().checked_add(timeout))
    }

    /// Starts to connect and returns at once with a non-blocking stream.
    ///
    /// When it becomes ready for writing the connection is made or has failed; [`Stream::finish_connect`] tells.
    ///
    /// # Errors
    ///
    /// As [`Stream::connect`]; [`Cause::Misuse`] for a name, which must be resolved first; [`Cause::Busy`] when the
    /// queue of a Unix or `mem:` listener is full.
    pub fn connect_start(endpoint: &Endpoint) -> Result<Self, Error> {
        let started = match endpoint {
            Endpoint::Tcp { .. } => match endpoint.socket_addr() {
                Some(address) => start_tcp(address),
                None => Err(Cause::Misuse("resolve the host name first")),
            },
            #[cfg(unix)]
            Endpoint::Unix(name) => start_unix(name, SocketType::STREAM),
            #[cfg(unix)]
            Endpoint::Seqpacket(name) => start_unix(name, SocketType::SEQPACKET),
            #[cfg(unix)]
            Endpoint::Mem(name) => mem::connect(name, SocketFlags::NONBLOCK),
            other => Err(no_stream(other)),
        };
        started.map_err(Operation::Connect.failed(endpoint))
    }

    /// Tells whether the connection begun by [`Stream::connect_start`] is made.
    ///
    /// # Errors
    ///
    /// What the kernel met on the way (it says so once): ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ...; ENOTCONN while
    /// it is still on the way.
    pub fn finish_connect(&self) -> io::Result<()> {
        sockopt::socket_error(self)??;
        let peer = net::getpeername(self)?;
        Ok(refuse_self(self, peer.and_then(|address| address.try_into().ok()))?)
    }
}

fn connect_by(endpoint: &Endpoint, deadline: Option<Duration>) -> Result<Stream, Error> {
    let connected = match endpoint {
        Endpoint::Tcp { host, port } => {
            let addresses = match deadline {
                Some(deadline) => resolve::resolve_within(host, *port, left(deadline))?,
                None => resolve::resolve(host, *port)?,
            };
            connect_any(&addresses, deadline)
        }
        #[cfg(unix)]
        Endpoint::Unix(name) => connect_unix(name, SocketType::STREAM, deadline),
        #[cfg(unix)]
        Endpoint::Seqpacket(name) => connect_unix(name, SocketType::SEQPACKET, deadline),
        #[cfg(unix)]
        Endpoint::Mem(name) => mem::connect(name, SocketFlags::empty()),
        other => Err(no_stream(other)),
    };
    connected.map_err(Operation::Connect.failed(endpoint))
}

fn connect_any(addresses: &[SocketAddr], deadline: Option<Duration>) -> Result<Stream, Cause> {
    let mut failed = Cause::Timeout;
    for (place, address) in (0u32..).zip(addresses) {
        let untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - place;
        let deadline = deadline.map(|deadline| Clock::now() + left(deadline) / untried);
        match connect_tcp(*address, deadline) {
            Ok(stream) => return Ok(stream),
            Err(cause) => failed = cause,
        }
    }
    Err(failed)
}

fn connect_tcp(address: SocketAddr, deadline: Option<Duration>) -> Result<Stream, Cause> {
    let socket = tcp_socket(address, SocketFlags::empty())?;
    system::connect(&socket, &address, deadline)?;
    refuse_self(&socket, Some(address))?;
    Ok(Stream::octets(socket))
}

#[cfg(unix)]
fn connect_unix(name: &UnixName, kind: SocketType, deadline: Option<Duration>) -> Result<Stream, Cause> {
    let socket = unix_socket(kind, SocketFlags::empty())?;
    system::connect(&socket, &name.socket_addr()?, deadline)?;
    Ok(Stream::from(socket))
}

fn start_tcp(address: SocketAddr) -> Result<Stream, Cause> {
    let socket = tcp_socket(address, system::NONBLOCK)?;
    system::connect_start(&socket, &address)?;
    Ok(Stream::octets(socket))
}

#[cfg(unix)]
fn start_unix(name: &UnixName, kind: SocketType) -> Result<Stream, Cause> {
    let socket = unix_socket(kind, SocketFlags::NONBLOCK)?;
    match net::connect(&socket, &name.socket_addr()?) {
        Ok(()) => Ok(Stream::from(socket)),
        Err(Errno::AGAIN) => Err(Cause::Busy(mem::QUEUE_FULL)),
        Err(errno) => Err(errno.into()),
    }
}

fn tcp_socket(address: SocketAddr, flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = system::socket(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

#[cfg(unix)]
fn unix_socket(kind: SocketType, flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    system::socket(AddressFamily::UNIX, kind, flags, None)
}

/// Refuses a TCP connection to itself. A client that knocks again and again at a free port of this machine is one
/// day given that very port as its own, and the kernel connects it to itself; it would also keep the server out.
fn refuse_self(socket: impl AsFd, peer: Option<SocketAddr>) -> rustix::io::Result<()> {
    let Some(peer) = peer else { return Ok(()) };
    match SocketAddr::try_from(net::getsockname(socket)?) {
        Ok(own) if own == peer => Err(Errno::CONNREFUSED),
        _ => Ok(()),
    }
}

fn left(deadline: Duration) -> Duration {
    deadline.saturating_sub(Clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_connected_to_itself_is_refused() {
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let socket = tcp_socket(address, SocketFlags::empty()).unwrap();
        net::bind(&socket, &address).unwrap();
        let own: SocketAddr = net::getsockname(&socket).unwrap().try_into().unwrap();
        net::connect(&socket, &own).unwrap();
        assert_eq!(refuse_self(&socket, Some(own)), Err(Errno::CONNREFUSED));
        let error = Stream::octets(socket).finish_connect().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_connect_whose_time_is_over_is_not_tried() {
        let error = Stream::connect_timeout(&"tcp://127.0.0.1:1".parse().unwrap(), Duration::ZERO).unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "connect tcp://127.0.0.1:1: timed out");
    }

    #[test]
    fn a_name_must_be_resolved_before_a_connect_in_the_background() {
        let error = Stream::connect_start(&"tcp://localhost:1".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "connect tcp://localhost:1: resolve the host name first");
    }
}
