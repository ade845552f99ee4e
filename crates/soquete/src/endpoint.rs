//! Where one listens or connects, as a URL: one grammar for library, configuration, command line and errors.

mod fault;
mod parse;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rustix::net::SocketAddrUnix;

pub use fault::EndpointError;

/// The most octets a host name may have: 253, the limit of DNS.
pub const HOST_LEN_MAX: usize = 253;

/// The most octets a Unix path or abstract name may have: 107. The kernel's `sun_path` has 108; one is the
/// NUL that ends a path or begins an abstract name.
pub const UNIX_NAME_LEN_MAX: usize = 107;

/// The most octets the name of a `mem:` endpoint may have: 64, ample for a name somebody types.
pub const MEM_NAME_LEN_MAX: usize = 64;

/// Where one listens or connects.
///
/// | written | means |
/// |---|---|
/// | `tcp://HOST:PORT` | TCP; HOST is an IPv4 address, an IPv6 address in brackets, or a name; PORT is 0 to 65535 |
/// | `unix:///PATH` | a Unix stream socket at an absolute path of at most 107 octets |
/// | `unix:@NAME` | a Unix stream socket in Linux's abstract namespace, at most 107 octets |
/// | `mem:NAME` | threads of one process, at most 64 octets |
///
/// What [`str::parse`] accepts prints as it is written, except that host names become lower-case and addresses
/// canonical; what is printed parses to an equal value. An endpoint put together by hand may exceed the grammar
/// (a relative path, say); it can still be bound or connected where the kernel agrees.
///
/// # Examples
///
/// ```
/// use soquete::Endpoint;
///
/// let endpoint: Endpoint = "tcp://[::1]:5555".parse()?;
/// assert!(endpoint.is_local());
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
///
/// let mistake = "127.0.0.1:5555".parse::<Endpoint>().unwrap_err();
/// assert_eq!(mistake.to_string(), "no scheme: write `tcp://127.0.0.1:5555`");
/// # Ok::<(), soquete::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// TCP over IPv4 or IPv6.
    Tcp {
        /// The machine, or the address of this one to listen at.
        host: Host,
        /// The port; 0 lets the kernel choose a free one to listen at.
        port: u16,
    },
    /// A Unix stream socket.
    Unix(UnixName),
    /// A name that only this process knows.
    Mem(String),
}

/// The machine of a TCP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A literal address. An IPv6 scope (`%eth0`) is not kept, so link-local addresses are out of reach.
    Ip(IpAddr),
    /// A name to be resolved: lower-case, at most 253 octets.
    Name(String),
}

/// The name of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixName {
    /// A file, whose folder and mode say who may connect.
    Path(PathBuf),
    /// A name in Linux's abstract namespace: no file, no mode, free again when its socket closes.
    Abstract(String),
}

impl Endpoint {
    /// Tells whether only this machine can reach it: Unix, `mem:`, and TCP on a loopback address or `localhost`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => host.is_loopback(),
            Self::Unix(_) | Self::Mem(_) => true,
        }
    }

    /// Gives the socket address of a TCP endpoint with a literal address; `None` for a name or another kind.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { host: Host::Ip(ip), port } => Some(SocketAddr::new(*ip, *port)),
            _ => None,
        }
    }
}

impl UnixName {
    /// Gives the kernel's form of it.
    pub(crate) fn socket_addr(&self) -> rustix::io::Result<SocketAddrUnix> {
        match self {
            Self::Path(path) => SocketAddrUnix::new(path),
            Self::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        }
    }
}

impl Host {
    /// Tells whether it is a loopback address (`127.0.0.0/8`, `[::1]`, also IPv4-mapped) or the name `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.to_canonical().is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    /// Makes a TCP endpoint of a socket address; the scope of an IPv6 address is lost.
    fn from(addr: SocketAddr) -> Self {
        Self::Tcp { host: Host::Ip(addr.ip()), port: addr.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Unix(UnixName::Path(path)) => write!(f, "unix://{}", path.display()),
            Self::Unix(UnixName::Abstract(name)) => write!(f, "unix:@{name}"),
            Self::Mem(name) => write!(f, "mem:{name}"),
        }
    }
}

impl fmt::Display for Host {
    /// Prints an IPv6 address in brackets, as URLs have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_prints_as_it_is_written() {
        for text in [
            "tcp://127.0.0.1:5555",
            "tcp://[::1]:0",
            "tcp://led.example.org:65535",
            "unix:///run/soquete/led.sock",
            "unix:///tmp/a folder/löt.sock",
            "unix:@led",
            "mem:led",
        ] {
            assert_eq!(endpoint(text).to_string(), text);
            assert_eq!(endpoint(&endpoint(text).to_string()), endpoint(text));
        }
    }

    #[test]
    fn only_loopback_unix_and_mem_are_local() {
        for local in ["tcp://127.8.9.1:1", "tcp://[::1]:1", "tcp://localhost:1", "unix:@x", "unix:///x", "mem:x"] {
            assert!(endpoint(local).is_local(), "{local}");
        }
        assert!(endpoint("tcp://[::ffff:127.0.0.1]:1").is_local());
        for far in ["tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://10.0.0.1:1", "tcp://led:1"] {
            assert!(!endpoint(far).is_local(), "{far}");
        }
    }

    #[test]
    fn a_literal_address_gives_its_socket_address_and_back() {
        let addr: SocketAddr = "[::1]:5555".parse().unwrap();
        assert_eq!(Endpoint::from(addr).socket_addr(), Some(addr));
        assert_eq!(endpoint("tcp://localhost:5555").socket_addr(), None);
        assert_eq!(endpoint("mem:x").socket_addr(), None);
    }
}
