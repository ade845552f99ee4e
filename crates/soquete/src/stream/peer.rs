//! Who is at the other end.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rustix::fd::AsFd;
use rustix::net::{self, SocketAddrAny};

use crate::system;

/// Who is at the other end of a stream, or sent a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// The address and port of a TCP peer.
    Tcp(SocketAddr),
    /// The address and port that a datagram says it is from; nobody vouches for it.
    Udp(SocketAddr),
    /// The process at the other end of a Unix socket as it was when it connected or began to listen; the kernel
    /// vouches for it.
    Unix {
        /// Its process.
        pid: u32,
        /// Its effective user.
        uid: u32,
        /// Its effective group.
        gid: u32,
    },
    /// A process at the other end of a Unix socket that this one cannot see, being in a container itself; nothing
    /// is known about it, its user neither.
    Outside,
    /// This same process.
    Mem,
}

impl Peer {
    /// Gives the address of a peer of TCP or UDP.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) | Self::Udp(address) => Some(address.ip()),
            Self::Unix { .. } | Self::Outside | Self::Mem => None,
        }
    }

    /// Tells whether it is on this machine: Unix, `mem:`, and TCP and UDP from a loopback address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }

    /// Asks the kernel who is at the other end of a socket.
    ///
    /// Only the ends of a `socketpair` have no name at both ends; one made by this process is a `mem:` stream.
    pub(super) fn of(socket: impl AsFd) -> rustix::io::Result<Self> {
        let socket = socket.as_fd();
        let address = net::getpeername(socket)?;
        if let Some(Ok(address)) = address.clone().map(SocketAddr::try_from) {
            return Ok(Self::Tcp(address));
        }
        let is_pair = address.as_ref().is_none_or(is_unnamed) && is_unnamed(&net::getsockname(socket)?);
        match Self::of_unix(socket) {
            Self::Unix { pid, .. } if is_pair && pid == std::process::id() => Ok(Self::Mem),
            peer => Ok(peer),
        }
    }

    /// Asks the kernel for the process at the other end of a connected Unix socket that is no `mem:` stream.
    ///
    /// The kernel always answers, but gives a process that it does not show us the pid 0 and a user that means nothing.
    pub(crate) fn of_unix(socket: impl AsFd) -> Self {
        match system::peer_process(socket.as_fd()) {
            Some((pid, uid, gid)) if pid != 0 => Self::Unix { pid, uid, gid },
            _ => Self::Outside,
        }
    }
}

/// Tells whether a Unix address has no name: then it is its family alone, two octets.
fn is_unnamed(address: &SocketAddrAny) -> bool {
    address.addr_len() <= 2
}

impl fmt::Display for Peer {
    /// Prints `tcp://127.0.0.1:44800`, `udp://127.0.0.1:44800`, `unix: pid 123 uid 1000`, `unix: outside this container` or `mem`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Unix { pid, uid, .. } => write!(f, "unix: pid {pid} uid {uid}"),
            Self::Outside => f.write_str("unix: outside this container"),
            Self::Mem => f.write_str("mem"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_in_a_few_words_and_stays_compact() {
        assert_eq!(Peer::Tcp("127.0.0.1:44800".parse().unwrap()).to_string(), "tcp://127.0.0.1:44800");
        assert_eq!(Peer::Tcp("[::1]:44800".parse().unwrap()).to_string(), "tcp://[::1]:44800");
        assert_eq!(Peer::Unix { pid: 123, uid: 1000, gid: 100 }.to_string(), "unix: pid 123 uid 1000");
        assert_eq!(Peer::Outside.to_string(), "unix: outside this container");
        assert_eq!(Peer::Mem.to_string(), "mem");
        assert!(size_of::<Peer>() <= 40);
    }

    #[test]
    fn only_a_far_address_is_not_local() {
        assert!(Peer::Mem.is_local());
        assert!(Peer::Tcp("127.0.0.9:1".parse().unwrap()).is_local());
        assert!(!Peer::Tcp("10.0.0.9:1".parse().unwrap()).is_local());
    }
}
