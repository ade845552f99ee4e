//! Datagrams with what the kernel tells beside them.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, UnixAddr, recvmsg};
use rustix::net::SocketAddrUnix;

use super::{Address, Arrival};
use crate::Peer;
use crate::stream::whole;

/// Room for the control messages of one datagram, without an allocation a call. The kernel writes numbers into it, so it
/// begins where a number may.
#[repr(align(8))]
pub(super) struct Control(pub(super) [u8; CONTROL_BYTES]);

/// The most that is asked for, twice: an error of IPv6 with the address of who reports it.
const CONTROL_BYTES: usize = 128;

impl Control {
    pub(super) const EMPTY: Self = Self([0; CONTROL_BYTES]);
}

/// The control message that names the sender of a Unix datagram, and no octet more: descriptors that are sent along find no
/// room, so the kernel closes them. Taken in, they would fill the table of a process that does not want them.
const CREDENTIALS_BYTES: usize = 32;

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
    let room = &mut control.0[..CREDENTIALS_BYTES];
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(room), flags)?;
    let mut peer = Peer::Outside;
    // Where more was sent along, nothing of it can be read.
    for told in message.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmCredentials(sender) = told
            && sender.pid() != 0
        {
            peer = Peer::Unix { pid: sender.pid().unsigned_abs(), uid: sender.uid(), gid: sender.gid() };
        }
    }
    let from = message.address.as_ref().and_then(name_of);
    Ok(Arrival { len_bytes: message.bytes, from: Address::new(from.map(Into::into)), peer })
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
