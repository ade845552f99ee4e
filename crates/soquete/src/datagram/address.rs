//! Where a datagram came from.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, UnixAddr, recvmsg};
use rustix::net::{SocketAddrAny, SocketAddrUnix};

use super::{Arrival, Control};
use crate::stream::whole;
use crate::{Cause, Endpoint, Error, Operation, Peer, UnixName, resolve};

/// Where a datagram came from, or goes to, as the kernel has it: an IP address and a port, or the name of a Unix socket.
///
/// It is what answers are sent to, and a key by which what arrives can be sorted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Option<SocketAddrAny>);

impl Address {
    pub(super) fn new(address: Option<SocketAddrAny>) -> Self {
        // A Unix socket without a name has its family alone, two octets.
        Self(address.filter(|address| address.addr_len() > 2))
    }

    /// Takes the address of an endpoint; a name is looked up, which may block for seconds, and its first address taken.
    ///
    /// # Errors
    ///
    /// What the look-up says; [`Cause::Misuse`] for an endpoint that is not of datagrams.
    pub fn of(endpoint: &Endpoint) -> Result<Self, Error> {
        let failed = Operation::Resolve.failed(endpoint);
        match endpoint {
            Endpoint::Udp { host, port, .. } => Ok(Self(Some(resolve::resolve(host, *port)?[0].into()))),
            Endpoint::Unixgram(name) => match name.socket_addr() {
                Ok(address) => Ok(Self(Some(address.into()))),
                Err(errno) => Err(failed(Cause::from(errno))),
            },
            _ => Err(failed(Cause::Misuse("only udp: and unixgram: have an address of datagrams"))),
        }
    }

    /// Tells whether nothing can be sent there: its sender is a Unix socket without a name.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.0.is_none()
    }

    /// Gives the IP address and port; `None` for a Unix socket.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.0.clone().and_then(|address| address.try_into().ok())
    }

    /// Gives the endpoint that it is; `None` for nowhere.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        let address = self.0.clone()?;
        if let Some(address) = self.socket_addr() {
            return Some(Endpoint::udp(address));
        }
        Some(Endpoint::Unixgram(UnixName::of(&SocketAddrUnix::try_from(address).ok()?)))
    }

    pub(super) fn kernel(&self) -> Option<&SocketAddrAny> {
        self.0.as_ref()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Some(address.into()))
    }
}

impl fmt::Display for Address {
    /// Prints the endpoint that it is, or `unixgram: no name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint() {
            Some(endpoint) => endpoint.fmt(f),
            None => f.write_str("unixgram: no name"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Receives a Unix datagram with its sender's name and, as the kernel vouches for it, process.
pub(super) fn receive_unix(socket: &OwnedFd, buf: &mut [u8], is_peek: bool) -> io::Result<Arrival> {
    let mut flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_CMSG_CLOEXEC;
    flags.set(MsgFlags::MSG_PEEK, is_peek);
    let max_bytes = buf.len();
    loop {
        match receive_message(socket, buf, flags) {
            Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(arrival) => {
                whole(arrival.len_bytes, max_bytes)?;
                return Ok(arrival);
            }
        }
    }
}

fn receive_message(socket: &OwnedFd, buf: &mut [u8], flags: MsgFlags) -> nix::Result<Arrival> {
    let mut control = Control::EMPTY;
    let mut slices = [IoSliceMut::new(buf)];
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
    let mut peer = Peer::Outside;
    for told in message.cmsgs()? {
        if let ControlMessageOwned::ScmCredentials(sender) = told
            && sender.pid() != 0
        {
            peer = Peer::Unix { pid: sender.pid().unsigned_abs(), uid: sender.uid(), gid: sender.gid() };
        }
    }
    let from = message.address.as_ref().and_then(name_of);
    Ok(Arrival { len_bytes: message.bytes, from: Address(from.map(Into::into)), peer })
}

/// Gives the IP address and port of an address in the form of nix; `None` for another kind, or none.
pub(super) fn ip_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|&address| SocketAddr::V4(address.into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|&address| SocketAddr::V6(address.into())))
}

fn name_of(address: &UnixAddr) -> Option<SocketAddrUnix> {
    if address.len() <= 2 {
        // A sender without a name. Of length 0, as the kernel leaves it, every other question would panic.
        return None;
    }
    match (address.path(), address.as_abstract()) {
        (Some(path), _) => SocketAddrUnix::new(path).ok(),
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(name).ok(),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_an_endpoint() {
        for text in ["udp://127.0.0.1:5555", "udp://[::1]:5555", "unixgram:///tmp/led.sock", "unixgram:@led"] {
            let endpoint: Endpoint = text.parse().unwrap();
            let address = Address::of(&endpoint).unwrap();
            assert_eq!(address.endpoint(), Some(endpoint));
            assert_eq!(address.to_string(), text);
            assert_eq!(address.clone(), address);
        }
        assert!(Address(None).is_nowhere());
        assert_eq!(Address(None).to_string(), "unixgram: no name");
        let mistake = Address::of(&"tcp://127.0.0.1:1".parse().unwrap()).unwrap_err();
        assert_eq!(
            mistake.to_string(),
            "resolve tcp://127.0.0.1:1: only udp: and unixgram: have an address of datagrams"
        );
    }
}
