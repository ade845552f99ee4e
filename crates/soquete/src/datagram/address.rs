//! Where a datagram came from.

use std::fmt;
use std::net::SocketAddr;

use rustix::net::SocketAddrAny;
#[cfg(unix)]
use rustix::net::SocketAddrUnix;

#[cfg(unix)]
use crate::UnixName;
use crate::{Cause, Endpoint, Error, Operation, resolve};

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
            #[cfg(unix)]
            Endpoint::Unixgram(name) => match name.socket_addr() {
                Ok(address) => Ok(Self(Some(address.into()))),
                Err(errno) => Err(failed(Cause::from(errno))),
            },
            #[cfg(windows)]
            Endpoint::Unixgram(_) => Err(failed(crate::system::NOT_HERE)),
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
        match SocketAddr::try_from(address.clone()) {
            Ok(address) => Some(Endpoint::udp(address)),
            #[cfg(unix)]
            Err(_) => Some(Endpoint::Unixgram(UnixName::of(&SocketAddrUnix::try_from(address).ok()?))),
            #[cfg(windows)]
            Err(_) => None,
        }
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
