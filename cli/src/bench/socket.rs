//! Bare blocking sockets at an endpoint, by the system calls alone.

use rustix::fd::OwnedFd;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType};
use soquete::{DatagramOptions, Endpoint, Host, UnixName};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Connections that may wait to be accepted: as many as the library's default.
const BACKLOG: i32 = 1024;

/// A socket that listens, or receives datagrams.
pub(super) struct Listening {
    fd: OwnedFd,
    kind: Kind,
}

impl Listening {
    /// Listens at an endpoint.
    pub(super) fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        let address = address(endpoint)?;
        let fd = socket(&address)?;
        if address.kind == Kind::Tcp {
            sockopt::set_socket_reuseaddr(&fd, true)?;
        }
        net::bind(&fd, &address.at)?;
        if !address.kind.is_datagram() {
            net::listen(&fd, BACKLOG)?;
        }
        Ok(Listening { fd, kind: address.kind })
    }

    /// Returns where it listens; `asked` where that was not left open.
    pub(super) fn endpoint(&self, asked: &Endpoint) -> io::Result<Endpoint> {
        let local = || SocketAddr::try_from(net::getsockname(&self.fd)?).map_err(io::Error::from);
        match (self.kind, asked) {
            (Kind::Tcp, _) => Ok(local()?.into()),
            (Kind::Udp, Endpoint::Udp { options, .. }) => {
                let local = local()?;
                Ok(Endpoint::Udp { host: Host::Ip(local.ip()), port: local.port(), options: options.clone() })
            }
            _ => Ok(asked.clone()),
        }
    }

    /// Waits for a connection.
    pub(super) fn accept(&self) -> io::Result<Connected> {
        Ok(Connected { fd: net::accept_with(&self.fd, SocketFlags::CLOEXEC)?, kind: self.kind })
    }

    /// Says whether it receives datagrams, and has no connections.
    pub(super) fn is_of_datagrams(&self) -> bool {
        self.kind.is_datagram()
    }

    /// Waits for a datagram; returns its octets and its sender.
    pub(super) fn receive_from(&self, octets: &mut [u8]) -> io::Result<(usize, Option<SocketAddrAny>)> {
        let (_, len, from) = net::recvfrom(&self.fd, octets, RecvFlags::empty())?;
        Ok((len, from))
    }

    /// Waits for a datagram; returns its octets.
    pub(super) fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        Ok(net::recv(&self.fd, octets, RecvFlags::empty())?.0)
    }

    /// Answers the sender of a datagram.
    pub(super) fn send_to(&self, octets: &[u8], to: &SocketAddrAny) -> io::Result<()> {
        net::sendto(&self.fd, octets, SendFlags::NOSIGNAL, to)?;
        Ok(())
    }

    /// Bounds how long it waits for a datagram.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, Timeout::Recv, Some(timeout))?)
    }
}

/// A connected socket. It reads and writes with one system call each: `recv` and `send`, which cost less than `read`
/// and `write`.
pub(super) struct Connected {
    fd: OwnedFd,
    kind: Kind,
}

impl Connected {
    /// Says that nothing more will be sent.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        Ok(net::shutdown(&self.fd, net::Shutdown::Write)?)
    }

    /// Says whether each write is a datagram.
    pub(super) fn is_of_datagrams(&self) -> bool {
        self.kind.is_datagram()
    }

    /// Says whether each write is a message apart from the others.
    pub(super) fn keeps_messages(&self) -> bool {
        self.kind.is_datagram() || self.kind == Kind::Seqpacket
    }
}

impl Read for Connected {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        Ok(net::recv(&self.fd, octets, RecvFlags::empty())?.0)
    }
}

impl Write for Connected {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.fd, octets, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Unix,
    Seqpacket,
    Udp,
    Unixgram,
}

impl Kind {
    fn is_datagram(self) -> bool {
        matches!(self, Kind::Udp | Kind::Unixgram)
    }
}

/// Where a socket of an endpoint is.
#[derive(Clone)]
pub(super) struct Address {
    kind: Kind,
    at: SocketAddrAny,
}

/// Returns the address of an endpoint that has one without being looked up.
pub(super) fn address(endpoint: &Endpoint) -> io::Result<Address> {
    let kind = match endpoint {
        Endpoint::Tcp { .. } => Kind::Tcp,
        Endpoint::Unix(_) => Kind::Unix,
        Endpoint::Seqpacket(_) => Kind::Seqpacket,
        Endpoint::Udp { .. } => Kind::Udp,
        Endpoint::Unixgram(_) => Kind::Unixgram,
        _ => return Err(unsupported()),
    };
    let at = match endpoint.unix_name() {
        Some(UnixName::Path(path)) => SocketAddrUnix::new(path)?.into(),
        Some(UnixName::Abstract(name)) => SocketAddrUnix::new_abstract_name(name.as_bytes())?.into(),
        None => endpoint.socket_addr().ok_or_else(unsupported)?.into(),
    };
    Ok(Address { kind, at })
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "no bare socket reaches this kind of endpoint")
}

/// Connects to an address; `timeout` bounds each read.
pub(super) fn connect(address: &Address, timeout: Option<Duration>) -> io::Result<Connected> {
    let fd = socket(address)?;
    if timeout.is_some() {
        sockopt::set_socket_timeout(&fd, Timeout::Recv, timeout)?;
    }
    if address.kind == Kind::Unixgram {
        // With a name of the kernel's choice it can be answered.
        net::bind(&fd, &SocketAddrUnix::new_unnamed())?;
    }
    net::connect(&fd, &address.at)?;
    Ok(Connected { fd, kind: address.kind })
}

fn socket(address: &Address) -> io::Result<OwnedFd> {
    let kind = match address.kind {
        Kind::Tcp | Kind::Unix => SocketType::STREAM,
        Kind::Seqpacket => SocketType::SEQPACKET,
        Kind::Udp | Kind::Unixgram => SocketType::DGRAM,
    };
    let fd = net::socket_with(address.at.address_family(), kind, SocketFlags::CLOEXEC, None)?;
    if address.kind == Kind::Tcp {
        // On the listener too: what it accepts inherits it.
        sockopt::set_tcp_nodelay(&fd, true)?;
    }
    if address.kind.is_datagram() {
        // As the library does: what the kernel has no room for is lost.
        let size = DatagramOptions::default().receive_buffer_bytes;
        if sockopt::set_socket_recv_buffer_size_force(&fd, size).is_err() {
            sockopt::set_socket_recv_buffer_size(&fd, size)?;
        }
    }
    Ok(fd)
}
