//! Bare blocking sockets at an endpoint, by the system calls alone.

use rustix::fd::OwnedFd;
use rustix::net::addr::SocketAddrArg;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use soquete::{Endpoint, UnixName};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Connections that may wait to be accepted: as many as the library's default.
const BACKLOG: i32 = 1024;

/// A socket that listens.
pub(super) struct Listening {
    fd: OwnedFd,
    is_tcp: bool,
}

impl Listening {
    /// Listens at an endpoint.
    pub(super) fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        let (fd, is_tcp) = match address(endpoint)? {
            Address::Tcp(address) => {
                let fd = socket(&Address::Tcp(address))?;
                sockopt::set_socket_reuseaddr(&fd, true)?;
                net::bind(&fd, &address)?;
                (fd, true)
            }
            Address::Unix(address) => {
                let fd = socket(&Address::Unix(address.clone()))?;
                net::bind(&fd, &address)?;
                (fd, false)
            }
        };
        net::listen(&fd, BACKLOG)?;
        Ok(Listening { fd, is_tcp })
    }

    /// Returns where it listens; `asked` where that was not left open.
    pub(super) fn endpoint(&self, asked: &Endpoint) -> io::Result<Endpoint> {
        if !self.is_tcp {
            return Ok(asked.clone());
        }
        Ok(SocketAddr::try_from(net::getsockname(&self.fd)?)?.into())
    }

    /// Waits for a connection.
    pub(super) fn accept(&self) -> io::Result<Connected> {
        Ok(Connected(net::accept_with(&self.fd, SocketFlags::CLOEXEC)?))
    }
}

/// A connected socket. It reads and writes with one system call each: `recv` and `send`, which cost less than `read`
/// and `write`.
pub(super) struct Connected(OwnedFd);

impl Connected {
    /// Says that nothing more will be sent.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        Ok(net::shutdown(&self.0, net::Shutdown::Write)?)
    }
}

impl Read for Connected {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        Ok(net::recv(&self.0, octets, RecvFlags::empty())?.0)
    }
}

impl Write for Connected {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.0, octets, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a socket of an endpoint is.
#[derive(Clone)]
pub(super) enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix stream.
    Unix(SocketAddrUnix),
}

/// Returns the address of an endpoint that has one without being looked up.
pub(super) fn address(endpoint: &Endpoint) -> io::Result<Address> {
    match endpoint {
        Endpoint::Unix(UnixName::Path(path)) => Ok(Address::Unix(SocketAddrUnix::new(path)?)),
        Endpoint::Unix(UnixName::Abstract(name)) => {
            Ok(Address::Unix(SocketAddrUnix::new_abstract_name(name.as_bytes())?))
        }
        _ => match endpoint.socket_addr() {
            Some(address) => Ok(Address::Tcp(address)),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "no bare socket reaches this kind of endpoint")),
        },
    }
}

/// Connects to an address; `timeout` bounds each read.
pub(super) fn connect(address: &Address, timeout: Option<Duration>) -> io::Result<Connected> {
    let fd = socket(address)?;
    if timeout.is_some() {
        sockopt::set_socket_timeout(&fd, Timeout::Recv, timeout)?;
    }
    match address {
        Address::Tcp(address) => connect_to(&fd, address)?,
        Address::Unix(address) => connect_to(&fd, address)?,
    }
    Ok(Connected(fd))
}

fn connect_to(fd: &OwnedFd, address: &impl SocketAddrArg) -> io::Result<()> {
    Ok(net::connect(fd, address)?)
}

fn socket(address: &Address) -> io::Result<OwnedFd> {
    let family = match address {
        Address::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
        Address::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
        Address::Unix(_) => AddressFamily::UNIX,
    };
    let fd = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if let Address::Tcp(_) = address {
        // On the listener too: what it accepts inherits it.
        sockopt::set_tcp_nodelay(&fd, true)?;
    }
    Ok(fd)
}
