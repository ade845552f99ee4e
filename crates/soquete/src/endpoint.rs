//! Where one listens or connects, as a URL: one grammar for library, configuration, command line and errors.

mod fault;
mod parse;
mod udp;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
#[cfg(unix)]
use {rustix::net::SocketAddrUnix, std::ffi::OsStr, std::os::unix::ffi::OsStrExt};

pub use fault::EndpointError;
pub use udp::{INTERFACE_LEN_MAX, UdpOptions};

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
/// | `unix:@NAME` | the same in Linux's abstract namespace, at most 107 octets |
/// | `seqpacket:///PATH`, `seqpacket:@NAME` | a Unix socket that is connected as a stream is, and keeps packets apart |
/// | `udp://HOST:PORT` | datagrams; to a group of machines where HOST is a multicast address |
/// | `udp://HOST:PORT?interface=eth0&ttl=4&broadcast=yes` | the same, with any of the [options](UdpOptions) |
/// | `unixgram:///PATH`, `unixgram:@NAME` | datagrams between the processes of a machine |
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
    /// A Unix socket that is connected and keeps packets apart (SOCK_SEQPACKET).
    Seqpacket(UnixName),
    /// Datagrams over IPv4 or IPv6.
    Udp {
        /// The machine or group, or the address of this machine to receive at.
        host: Host,
        /// The port; 0 lets the kernel choose a free one to receive at.
        port: u16,
        /// What else is to be set on the socket.
        options: UdpOptions,
    },
    /// Unix datagrams.
    Unixgram(UnixName),
    /// A name that only this process knows.
    Mem(String),
}

/// The machine of an endpoint of TCP or UDP.
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
    /// Makes an endpoint of UDP without options; the scope of an IPv6 address is lost.
    #[must_use]
    pub fn udp(addr: SocketAddr) -> Self {
        Self::Udp { host: Host::Ip(addr.ip()), port: addr.port(), options: UdpOptions::default() }
    }

    /// Gives the same endpoint with a literal address in the place of its name; one without host stays as it is.
    pub(crate) fn at(&self, addr: SocketAddr) -> Self {
        match self {
            Self::Tcp { .. } => addr.into(),
            Self::Udp { options, .. } => {
                Self::Udp { host: Host::Ip(addr.ip()), port: addr.port(), options: options.clone() }
            }
            other => other.clone(),
        }
    }

    /// Tells whether only this machine can reach it: Unix of all kinds, `mem:`, and TCP and UDP on a loopback address
    /// or `localhost`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host().is_none_or(|(host, _)| host.is_loopback())
    }

    /// Tells whether it carries datagrams: UDP and Unix datagrams, which nobody connects to.
    #[must_use]
    pub fn is_datagram(&self) -> bool {
        matches!(self, Self::Udp { .. } | Self::Unixgram(_))
    }

    /// Tells whether it is a group of machines: UDP at a multicast address (`224.0.0.0/4`, `[ff00::]/8`).
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        matches!(self, Self::Udp { host: Host::Ip(ip), .. } if ip.is_multicast())
    }

    /// Tells whether what is sent there may reach any number of machines: a group, or UDP with `broadcast=yes`.
    #[must_use]
    pub fn reaches_many(&self) -> bool {
        self.is_multicast() || matches!(self, Self::Udp { options, .. } if options.broadcast)
    }

    /// Gives machine and port of an endpoint of TCP or UDP; `None` for another kind.
    #[must_use]
    pub fn host(&self) -> Option<(&Host, u16)> {
        match self {
            Self::Tcp { host, port } | Self::Udp { host, port, .. } => Some((host, *port)),
            Self::Unix(_) | Self::Seqpacket(_) | Self::Unixgram(_) | Self::Mem(_) => None,
        }
    }

    /// Gives the name of a Unix endpoint of any kind; `None` for another.
    #[must_use]
    pub fn unix_name(&self) -> Option<&UnixName> {
        match self {
            Self::Unix(name) | Self::Seqpacket(name) | Self::Unixgram(name) => Some(name),
            Self::Tcp { .. } | Self::Udp { .. } | Self::Mem(_) => None,
        }
    }

    /// Gives the socket address of an endpoint of TCP or UDP with a literal address; `None` for a name or another kind.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.host() {
            Some((Host::Ip(ip), port)) => Some(SocketAddr::new(*ip, port)),
            _ => None,
        }
    }
}

#[cfg(unix)]
impl UnixName {
    /// Gives the kernel's form of it.
    pub(crate) fn socket_addr(&self) -> rustix::io::Result<SocketAddrUnix> {
        match self {
            Self::Path(path) => SocketAddrUnix::new(path),
            Self::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        }
    }

    /// Takes it from the kernel's form. What is no text is shown as well as it can be.
    pub(crate) fn of(address: &SocketAddrUnix) -> Self {
        match address.path_bytes() {
            Some(path) => Self::Path(OsStr::from_bytes(path).into()),
            None => {
                let name = address.abstract_name().unwrap_or_default();
                Self::Abstract(String::from_utf8_lossy(name).into_owned())
            }
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
            Self::Unix(name) => write!(f, "unix:{name}"),
            Self::Seqpacket(name) => write!(f, "seqpacket:{name}"),
            Self::Udp { host, port, options } => write!(f, "udp://{host}:{port}{options}"),
            Self::Unixgram(name) => write!(f, "unixgram:{name}"),
            Self::Mem(name) => write!(f, "mem:{name}"),
        }
    }
}

impl fmt::Display for UnixName {
    /// Prints what comes behind the scheme and its colon: `//` and the path, or `@` and the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "//{}", path.display()),
            Self::Abstract(name) => write!(f, "@{name}"),
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
            "seqpacket:///run/soquete/led.sock",
            "seqpacket:@led",
            "udp://127.0.0.1:5555",
            "udp://[ff02::1]:5555?interface=eth0&ttl=4",
            "udp://10.0.0.255:5555?broadcast=yes",
            "unixgram:///run/soquete/led.sock",
            "unixgram:@led",
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
        for local in ["tcp://[::ffff:127.0.0.1]:1", "udp://127.0.0.1:1", "seqpacket:@x", "unixgram:///x"] {
            assert!(endpoint(local).is_local(), "{local}");
        }
        for far in ["tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://10.0.0.1:1", "tcp://led:1", "udp://239.0.0.1:1"] {
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

    #[test]
    fn a_group_is_told_by_its_address() {
        for group in ["udp://224.0.0.1:1", "udp://239.255.255.255:1?ttl=0", "udp://[ff05::1]:1"] {
            assert!(endpoint(group).is_multicast() && endpoint(group).is_datagram(), "{group}");
        }
        for other in ["udp://223.255.255.255:1", "udp://[fe80::1]:1", "tcp://224.0.0.1:1", "udp://group:1"] {
            assert!(!endpoint(other).is_multicast(), "{other}");
        }
        assert!(endpoint("unixgram:@x").is_datagram() && !endpoint("seqpacket:@x").is_datagram());
    }
}
