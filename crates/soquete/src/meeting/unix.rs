//! Two peers of Unix sockets: the lower name listens, the other connects to it with its own name.

use super::{First, RETRY_FIRST, RETRY_MAX};
use crate::listener::path::{self, OwnedPath};
use crate::{
    Backoff, Cause, Clock, Endpoint, Error, ListenOptions, Listener, Operation, Stream, UnixName, entropy, ready,
};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::time::Duration;

/// One of the two.
pub(super) enum Peer {
    /// It has the lower name, and listens.
    Lower { listener: Listener, other: UnixName },
    /// It connects. Its path is needed until the other knows its name, which the kernel notes in the moment of the connect.
    Higher { _path: Option<OwnedPath>, socket: OwnedFd, other: SocketAddrUnix },
}

impl Peer {
    pub(super) fn bind(own: &Endpoint, other: &Endpoint) -> Result<Self, Error> {
        let failed = |cause: Cause| Error::new(Operation::Bind, own, cause);
        let (Some(own_name), Some(other)) = (own.unix_name(), other.unix_name()) else {
            return Err(failed(Errno::AFNOSUPPORT.into()));
        };
        let address = |name: &UnixName| name.socket_addr().map_err(|errno| failed(errno.into()));
        if let First::Own = First::of(&address(own_name)?, &address(other)?) {
            let options = ListenOptions { nonblocking: true, ..ListenOptions::default() };
            return Ok(Peer::Lower { listener: Listener::bind(own, &options)?, other: other.clone() });
        }
        let kind = if let Endpoint::Seqpacket(_) = own { SocketType::SEQPACKET } else { SocketType::STREAM };
        let (socket, _path) = bind(own_name, kind).map_err(failed)?;
        Ok(Peer::Higher { _path, socket, other: address(other)? })
    }

    /// Makes the connection.
    pub(super) fn meet(self, deadline: Duration) -> Result<(Stream, First), Cause> {
        match self {
            Peer::Lower { listener, other } => Ok((accept(&listener, &other, deadline)?, First::Own)),
            Peer::Higher { socket, other, .. } => Ok((connect(socket, &other, deadline)?, First::Other)),
        }
    }
}

/// Waits for the other; strangers are closed.
fn accept(listener: &Listener, other: &UnixName, deadline: Duration) -> Result<Stream, Cause> {
    loop {
        match listener.accept() {
            Ok((stream, _)) if name_of_peer(&stream).as_ref() == Some(other) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_sub(Clock::now());
                if left.is_zero() {
                    return Err(Cause::Timeout);
                }
                ready::wait(&mut [PollFd::new(listener, PollFlags::IN)], Some(left))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn name_of_peer(stream: impl AsFd) -> Option<UnixName> {
    let address = net::getpeername(stream).ok().flatten()?;
    let address = SocketAddrUnix::try_from(address).ok()?;
    let has_name = address.path_bytes().is_some() || address.abstract_name().is_some();
    has_name.then(|| UnixName::of(&address))
}

/// Connects as soon as the other listens.
fn connect(socket: OwnedFd, other: &SocketAddrUnix, deadline: Duration) -> Result<Stream, Cause> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    loop {
        match net::connect(&socket, other) {
            Ok(()) => break,
            // It is not there yet, or strangers fill its queue.
            Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let left = deadline.saturating_sub(Clock::now());
        if left.is_zero() {
            return Err(Cause::Timeout);
        }
        std::thread::sleep(backoff.next(entropy::random_u64()).min(left));
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(Stream::from(socket))
}

fn bind(own: &UnixName, kind: SocketType) -> Result<(OwnedFd, Option<OwnedPath>), Cause> {
    match own {
        UnixName::Path(path) => {
            let (socket, path) = path::bind_as(path, kind, None)?;
            Ok((socket, Some(path)))
        }
        UnixName::Abstract(_) => {
            let socket = net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            net::bind(&socket, &own.socket_addr()?)?;
            Ok((socket, None))
        }
    }
}
