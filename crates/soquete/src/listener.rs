//! Where connections arrive.

#[cfg(unix)]
pub(crate) mod path;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
#[cfg(unix)]
use {
    crate::mem::Inbox,
    rustix::fs::{OFlags, fcntl_getfl},
    rustix::io::{FdFlags, fcntl_setfd},
    rustix::net::SocketAddrUnix,
};

use crate::system::{self, OwnedPath};
use crate::{Cause, Endpoint, Error, Operation, Peer, Stream, UnixName, resolve};

/// How a listener listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted; default 1,024, and the kernel's `somaxconn` bounds it.
    ///
    /// When they are that many (Linux counts one more), the next client waits over Unix and seqpacket until one is accepted,
    /// or is told [`Cause::Busy`] where it does not block. Over TCP the kernel drops its packets, which it sends again after
    /// 1 s, 3 s, 7 s, and gives up after two minutes with ETIMEDOUT. Over `mem:` it is told [`Cause::Busy`] at once. Nobody
    /// hears ECONNREFUSED, as textbooks say; so the 1 of many an example costs clients that come together seconds.
    pub backlog: u32,
    /// The mode of a Unix path, 0 to 0o777: who may connect needs the right to write. Default: 0o777 without the
    /// bits of the umask.
    pub mode: Option<u32>,
    /// Takes a TCP port although connections of a former listener have not quite ended (SO_REUSEADDR); default yes.
    /// A port where another program listens stays taken in any case. On Windows, where it would not, it has no effect.
    pub reuse_address: bool,
    /// Makes the listener, and every stream it accepts, non-blocking; default no.
    pub nonblocking: bool,
    /// Octets that the kernel may take over each accepted TCP connection before it sends them (TCP_NOTSENT_LOWAT); default
    /// as many as the send buffer holds. It bounds what an urgent event cannot overtake; see
    /// [`ClientOptions::unsent_max_bytes`](crate::ClientOptions::unsent_max_bytes).
    pub unsent_max_bytes: Option<u32>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 1024, mode: None, reuse_address: true, nonblocking: false, unsent_max_bytes: None }
    }
}

/// Where connections arrive: a listening socket, or a `mem:` name of this process.
///
/// It is one descriptor that is ready for reading while there is a connection to accept. Dropping it stops
/// listening and removes the file of a Unix path, if the file is still its own.
///
/// # Examples
///
/// ```
/// use soquete::{ListenOptions, Listener, Stream};
///
/// let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &ListenOptions::default())?;
/// let client = Stream::connect(listener.local())?;
/// let (served, peer) = listener.accept()?;
/// println!("{peer} is here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    source: Source,
    local: Endpoint,
    nonblocking: bool,
}

#[derive(Debug)]
enum Source {
    Socket {
        /// Before `fd`, so that it is dropped first: a path is only ever taken over when nobody listens behind it.
        _path: Option<OwnedPath>,
        fd: OwnedFd,
    },
    #[cfg(unix)]
    Mem(Inbox),
}

impl Listener {
    /// Takes an address and listens there.
    ///
    /// A host name is resolved, which may block for seconds, and the first of its addresses that can be had is
    /// taken. `[::]` is every IPv6 address and only those (IPV6_V6ONLY), so `0.0.0.0` can be had beside it. At a Unix
    /// path the socket file that a dead server left is replaced; while another process does the same in that folder
    /// this one waits, for at most 1 s. A living server there notices a client that connects and closes at once.
    ///
    /// # Errors
    ///
    /// EADDRINUSE when somebody else listens there; EADDRNOTAVAIL when the address is not of this machine; EACCES
    /// when this user may not; [`Cause::FileInTheWay`] when the path is a file that is no socket, which is left
    /// alone; [`Cause::Misuse`] for a `mode` above 0o777, or with anything but a Unix path.
    pub fn bind(endpoint: &Endpoint, options: &ListenOptions) -> Result<Self, Error> {
        check_mode(endpoint, options).map_err(Operation::Bind.failed(endpoint))?;
        let source = match endpoint {
            Endpoint::Tcp { host, port } => Source::tcp(&resolve::resolve(host, *port)?, options),
            #[cfg(unix)]
            Endpoint::Unix(name) => Source::unix(name, SocketType::STREAM, options),
            #[cfg(unix)]
            Endpoint::Seqpacket(name) => Source::unix(name, SocketType::SEQPACKET, options),
            #[cfg(unix)]
            Endpoint::Mem(name) => Source::mem(name, options),
            Endpoint::Udp { .. } | Endpoint::Unixgram(_) => {
                Err(Cause::Misuse("nobody connects over datagrams: open a Datagram there"))
            }
            #[cfg(windows)]
            _ => Err(system::NOT_HERE),
        };
        source.and_then(|source| Self::over(source, options)).map_err(Operation::Bind.failed(endpoint))
    }

    fn over(source: Source, options: &ListenOptions) -> Result<Self, Cause> {
        let mut listener = Self { local: source.local()?, source, nonblocking: false };
        listener.set_nonblocking(options.nonblocking)?;
        Ok(listener)
    }

    /// Takes over a socket that listens already, such as one inherited from systemd.
    ///
    /// It goes on to block or not as it did, and programs that this process executes do not inherit it. The file of
    /// a Unix path is left when the listener is dropped: it belongs to who bound it.
    ///
    /// # Errors
    ///
    /// [`Cause::Misuse`] when the descriptor is no socket of TCP, Unix or seqpacket that listens.
    #[cfg(unix)]
    pub fn from_fd(fd: OwnedFd) -> Result<Self, Error> {
        let listens = sockopt::socket_acceptconn(&fd) == Ok(true);
        let taken = match sockopt::socket_type(&fd) {
            Ok(SocketType::STREAM | SocketType::SEQPACKET) if listens => Self::over_inherited(fd).map_err(Cause::from),
            _ => Err(Cause::Misuse("the descriptor is no socket that listens")),
        };
        taken.map_err(|cause| Error::without_address(Operation::Listen, cause))
    }

    #[cfg(unix)]
    fn over_inherited(fd: OwnedFd) -> rustix::io::Result<Self> {
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        let nonblocking = fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK);
        let source = Source::Socket { _path: None, fd };
        let local = source.local()?;
        if let Endpoint::Tcp { .. } = local {
            sockopt::set_tcp_nodelay(&source, true)?;
        }
        Ok(Self { source, local, nonblocking })
    }

    /// Takes the connection that waits longest, with who made it; one system call over TCP.
    ///
    /// It blocks while there is none, unless the listener is non-blocking. The stream is non-blocking if the
    /// listener is, and is closed in programs that this process executes.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is none. ECONNABORTED and network errors belong to a connection
    /// that is gone already: go on accepting. EMFILE, ENFILE, ENOBUFS and ENOMEM last for a while: the listener stays
    /// readable, so wait before the next try. ESHUTDOWN after [`shutdown`](Listener::shutdown).
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let fd = match &self.source {
            Source::Socket { fd, .. } => fd,
            #[cfg(unix)]
            Source::Mem(inbox) => {
                let stream = inbox.accept()?;
                stream.set_nonblocking(self.nonblocking)?;
                return Ok((stream, Peer::Mem));
            }
        };
        let flags = if self.nonblocking { system::NONBLOCK } else { SocketFlags::empty() };
        let (stream, address) = system::accept(fd, flags)?;
        let peer = match address.map(SocketAddr::try_from) {
            Some(Ok(address)) => Peer::Tcp(address),
            _ => Peer::of_unix(&stream),
        };
        let stream =
            if let Endpoint::Seqpacket(_) = self.local { Stream::packets(stream) } else { Stream::octets(stream) };
        Ok((stream, peer))
    }

    /// Stops listening for good: an accept that blocks in another thread wakes up, and new clients are refused.
    ///
    /// Connections that wait to be accepted end: over TCP by a reset, over `mem:` at once, over Unix and seqpacket when the
    /// listener is dropped. Until then the address stays taken.
    ///
    /// # Errors
    ///
    /// None for a socket that listens; the system call has a result all the same.
    #[cfg(unix)]
    pub fn shutdown(&self) -> io::Result<()> {
        match &self.source {
            Source::Socket { fd, .. } => Ok(net::shutdown(fd, net::Shutdown::Read)?),
            Source::Mem(inbox) => Ok(inbox.shutdown()?),
        }
    }

    /// Says where it listens: a port of 0 is answered with the real one, a name with the address taken.
    #[must_use]
    pub fn local(&self) -> &Endpoint {
        &self.local
    }

    /// Makes it and the streams it will accept non-blocking (`true`) or blocking (`false`).
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&*self, nonblocking)?;
        self.nonblocking = nonblocking;
        Ok(())
    }
}

impl Source {
    /// Listens at the first of some addresses that can be had.
    fn tcp(addresses: &[SocketAddr], options: &ListenOptions) -> Result<Self, Cause> {
        let mut failed = io::Error::from(Errno::ADDRNOTAVAIL);
        for address in addresses {
            match listen_tcp(*address, options) {
                Ok(fd) => return Ok(Self::Socket { _path: None, fd }),
                Err(error) => failed = error,
            }
        }
        Err(failed.into())
    }

    #[cfg(unix)]
    fn unix(name: &UnixName, kind: SocketType, options: &ListenOptions) -> Result<Self, Cause> {
        if let UnixName::Path(path) = name {
            let (fd, path) = path::listen(path, kind, options)?;
            return Ok(Self::Socket { _path: Some(path), fd });
        }
        let fd = system::socket(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
        net::bind(&fd, &name.socket_addr()?)?;
        listen(&fd, options)?;
        Ok(Self::Socket { _path: None, fd })
    }

    #[cfg(unix)]
    fn mem(name: &str, options: &ListenOptions) -> Result<Self, Cause> {
        Ok(Self::Mem(Inbox::bind(name, options.backlog)?))
    }

    /// Says where it listens; the kernel knows it for a socket. What is no text is shown as well as it can be.
    fn local(&self) -> rustix::io::Result<Endpoint> {
        let fd = match self {
            Self::Socket { fd, .. } => fd,
            #[cfg(unix)]
            Self::Mem(inbox) => return Ok(Endpoint::Mem(inbox.name().to_owned())),
        };
        let address = net::getsockname(fd)?;
        match SocketAddr::try_from(address.clone()) {
            Ok(address) => Ok(address.into()),
            #[cfg(windows)]
            Err(errno) => Err(errno),
            #[cfg(unix)]
            Err(_) => {
                let name = UnixName::of(&SocketAddrUnix::try_from(address)?);
                let keeps_packets = sockopt::socket_type(fd)? == SocketType::SEQPACKET;
                Ok(if keeps_packets { Endpoint::Seqpacket(name) } else { Endpoint::Unix(name) })
            }
        }
    }
}

system::descriptor!(Source, |source| match source {
    Source::Socket { fd, .. } => fd,
    #[cfg(unix)]
    Source::Mem(inbox) => inbox.bell(),
});
system::descriptor!(Listener, |listener| &listener.source);
system::numbered_descriptor!(Listener);

/// Has the kernel find out within two minutes that a silent peer is gone; what is accepted inherits it.
fn keep_alive(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(fd, true)?;
    sockopt::set_tcp_keepidle(fd, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(fd, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(fd, 6)
}

/// A mode that would have no effect is refused: who sets one believes that others are kept out.
pub(crate) fn check_mode(endpoint: &Endpoint, options: &ListenOptions) -> Result<(), Cause> {
    match (options.mode, endpoint.unix_name()) {
        (None | Some(0..=0o777), Some(UnixName::Path(_))) | (None, _) => Ok(()),
        (Some(_), Some(UnixName::Path(_))) => Err(Cause::Misuse("a mode is at most 0777")),
        (Some(_), _) => Err(Cause::Misuse("only the path of a Unix socket has a mode")),
    }
}

fn listen_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = system::socket(family, SocketType::STREAM, SocketFlags::empty(), Some(ipproto::TCP))?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    system::set_reuse(&fd, options.reuse_address)?;
    // What is accepted inherits it: a system call less for each connection.
    sockopt::set_tcp_nodelay(&fd, true)?;
    keep_alive(&fd)?;
    if let Some(max_bytes) = options.unsent_max_bytes {
        system::set_unsent_max(&fd, max_bytes)?;
    }
    net::bind(&fd, &address)?;
    listen(&fd, options)?;
    Ok(fd)
}

fn listen(fd: &OwnedFd, options: &ListenOptions) -> rustix::io::Result<()> {
    net::listen(fd, i32::try_from(options.backlog).unwrap_or(i32::MAX))
}
