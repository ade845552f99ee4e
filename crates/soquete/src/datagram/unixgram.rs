//! Taking a name for Unix datagrams, or aiming at one; sockets that were inherited.

use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;

use nix::sys::socket::sockopt::UdpGroSegment;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{self, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::{Address, Datagram, answer};
use crate::listener::path::{self, OwnedPath};
use crate::{Cause, Endpoint, Error, Operation, UnixName, system};

impl Datagram {
    /// Takes over a socket of datagrams, such as one inherited from systemd.
    ///
    /// It goes on to block or not as it did, and programs that this process executes do not inherit it. The file of a Unix
    /// path is left when it is dropped: it belongs to who bound it. A Unix socket without a name is shown as `unixgram:@`.
    ///
    /// # Errors
    ///
    /// [`Cause::Misuse`] when the descriptor is no socket of UDP or Unix datagrams.
    pub fn from_fd(fd: OwnedFd) -> Result<Self, Error> {
        let taken = match sockopt::socket_type(&fd) {
            Ok(SocketType::DGRAM) => Self::over_inherited(fd),
            _ => Err(NOT_A_SOCKET),
        };
        taken.map_err(|cause| Error::without_address(Operation::Bind, cause))
    }

    fn over_inherited(fd: OwnedFd) -> Result<Self, Cause> {
        let local = match sockopt::socket_domain(&fd)? {
            AddressFamily::UNIX => {
                tell_senders(&fd)?;
                let named = Address::new(Some(net::getsockname(&fd)?)).endpoint();
                named.unwrap_or(Endpoint::Unixgram(UnixName::Abstract(String::new())))
            }
            AddressFamily::INET | AddressFamily::INET6 => Endpoint::udp(net::getsockname(&fd)?.try_into()?),
            _ => return Err(NOT_A_SOCKET),
        };
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        let joins = nix::sys::socket::getsockopt(&fd, UdpGroSegment) == Ok(true);
        Ok(Self { path: None, fd, local, aim: None, joins, is_ended: AtomicBool::new(false) })
    }
}

const NOT_A_SOCKET: Cause = Cause::Misuse("the descriptor is no socket of UDP or Unix datagrams");

/// Takes a name.
pub(super) fn bind(name: &UnixName, mode: Option<u32>) -> Result<(Option<OwnedPath>, OwnedFd), Cause> {
    let (path, fd) = match name {
        UnixName::Path(path) => path::bind(path, mode).map(|(fd, path)| (Some(path), fd))?,
        UnixName::Abstract(_) => {
            let fd = unix_socket()?;
            net::bind(&fd, &name.socket_addr()?)?;
            (None, fd)
        }
    };
    tell_senders(&fd)?;
    Ok((path, fd))
}

/// Aims at a name, with one of its own at which it can be answered.
pub(super) fn connect(name: &UnixName) -> Result<(Option<OwnedPath>, OwnedFd), Cause> {
    let fd = unix_socket()?;
    // First: what has no name yet hears nobody, and what is connected hears nobody else.
    net::connect(&fd, &name.socket_addr()?)?;
    let path = match name {
        UnixName::Path(_) => Some(answer::bind(&fd)?),
        UnixName::Abstract(_) => {
            // Without a name the kernel chooses one.
            net::bind(&fd, &SocketAddrAny::from(SocketAddrUnix::new_unnamed()))?;
            None
        }
    };
    tell_senders(&fd)?;
    Ok((path, fd))
}

/// Has each datagram tell the process that sent it.
fn tell_senders(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_passcred(fd, true)
}

fn unix_socket() -> rustix::io::Result<OwnedFd> {
    system::socket(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::empty(), None)
}
