//! Linux's way.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::addr::SocketAddrArg;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    self, AddressFamily, Protocol, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketFlags, SocketType,
    netdevice,
};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

pub(crate) use crate::listener::path::OwnedPath;
use crate::{Cause, Clock};

/// The peer's end is an error of the send, not a signal.
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Sends what there is room for, and does not wait.
pub(crate) const SEND_NOW: SendFlags = SendFlags::DONTWAIT;

/// Receives what is there, and does not wait.
pub(crate) const RECEIVE_NOW: RecvFlags = RecvFlags::DONTWAIT;

/// Has the kernel tell how long a packet really is.
pub(crate) const REAL_LEN: RecvFlags = RecvFlags::TRUNC;

/// Of a new socket: it does not block.
pub(crate) const NONBLOCK: SocketFlags = SocketFlags::NONBLOCK;

/// Makes a socket, which is closed in programs that this process executes.
pub(crate) fn socket(
    family: AddressFamily,
    kind: SocketType,
    flags: SocketFlags,
    protocol: Option<Protocol>,
) -> rustix::io::Result<OwnedFd> {
    net::socket_with(family, kind, flags | SocketFlags::CLOEXEC, protocol)
}

/// Takes a connection; the stream is closed in programs that this process executes.
pub(crate) fn accept(listener: &OwnedFd, flags: SocketFlags) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    match retry_on_intr(|| net::acceptfrom_with(listener, flags | SocketFlags::CLOEXEC)) {
        // The kernel's word for a socket that does not listen any more.
        Err(Errno::INVAL) => Err(Errno::SHUTDOWN),
        accepted => accepted,
    }
}

/// Connects a blocking socket. The kernel bounds the wait by the socket's send timeout: over TCP it then says
/// EINPROGRESS, or EALREADY after a signal came between; over Unix, where it waits for the queue, EAGAIN.
pub(crate) fn connect(socket: &OwnedFd, address: &impl SocketAddrArg, deadline: Option<Duration>) -> Result<(), Cause> {
    loop {
        if let Some(deadline) = deadline {
            let left = Some(deadline.saturating_sub(Clock::now())).filter(|left| !left.is_zero());
            sockopt::set_socket_timeout(socket, Timeout::Send, Some(left.ok_or(Cause::Timeout)?))?;
        }
        match net::connect(socket, address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::INPROGRESS | Errno::ALREADY | Errno::AGAIN) => return Err(Cause::Timeout),
            Err(errno) => return Err(errno.into()),
        }
    }
    if deadline.is_some() {
        sockopt::set_socket_timeout(socket, Timeout::Send, None)?;
    }
    Ok(())
}

/// Begins to connect a socket over TCP that does not block.
pub(crate) fn connect_start(socket: &OwnedFd, address: &SocketAddr) -> rustix::io::Result<()> {
    match net::connect(socket, address) {
        Err(Errno::INPROGRESS) => Ok(()),
        begun => begun,
    }
}

/// Writes several buffers with one call.
pub(crate) fn send_vectored(socket: &OwnedFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = SendAncillaryBuffer::default();
    Ok(retry_on_intr(|| net::sendmsg(socket, bufs, &mut nothing, NO_SIGNAL))?)
}

/// Lets a port be taken although connections of a former listener have not quite ended, or not.
pub(crate) fn set_reuse(socket: &OwnedFd, reuse: bool) -> rustix::io::Result<()> {
    sockopt::set_socket_reuseaddr(socket, reuse)
}

/// Bounds the octets that are taken over TCP before they are sent.
pub(crate) fn set_unsent_max(socket: &impl AsFd, max_bytes: u32) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(max_bytes)
}

/// Asks for a buffer for receiving. Beyond its bound the kernel lets only root go; what it gives is what there is.
pub(crate) fn set_receive_buffer(socket: &OwnedFd, size_bytes: usize) -> rustix::io::Result<()> {
    match sockopt::set_socket_recv_buffer_size_force(socket, size_bytes) {
        Ok(()) => Ok(()),
        Err(_) => sockopt::set_socket_recv_buffer_size(socket, size_bytes),
    }
}

/// Gives the address at which a group is received: its own, so that nothing else comes there.
pub(crate) fn group_bind(group: SocketAddr) -> SocketAddr {
    group
}

/// Gives the number of an interface by its name.
pub(crate) fn interface(socket: &OwnedFd, name: &str) -> rustix::io::Result<u32> {
    netdevice::name_to_index(socket, name)
}

/// Joins a group at an interface; 0 is the kernel's choice.
pub(crate) fn join(socket: &OwnedFd, group: &Ipv4Addr, interface: u32) -> rustix::io::Result<()> {
    sockopt::set_ip_add_membership_with_ifindex(socket, group, &Ipv4Addr::UNSPECIFIED, interface)
}

/// Has what goes to a group go by an interface.
pub(crate) fn send_by(socket: &OwnedFd, group: &Ipv4Addr, interface: u32) -> rustix::io::Result<()> {
    sockopt::set_ip_multicast_if_with_ifindex(socket, group, &Ipv4Addr::UNSPECIFIED, interface)
}

/// Gives process, user and group at the other end of a connected Unix socket.
pub(crate) fn peer_process(socket: BorrowedFd<'_>) -> Option<(u32, u32, u32)> {
    let peer = getsockopt(&socket, PeerCredentials).ok()?;
    Some((peer.pid().unsigned_abs(), peer.uid(), peer.gid()))
}

/// Tells an error of accepting that lasts for a while: no descriptor or no memory is left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Gives the time since the machine started, its sleep included.
#[inline]
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // Since the start neither is negative, and the nanoseconds are below 10^9.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Fills a buffer with random octets from the kernel.
pub(crate) fn fill_random(octets: &mut [u8]) {
    let mut filled = 0;
    while filled < octets.len() {
        // It fails only where the kernel has no such call (before 3.17) or a signal came in between.
        match getrandom(&mut octets[filled..], GetRandomFlags::empty()) {
            Ok(len) => filled += len,
            Err(Errno::INTR) => {}
            Err(errno) => panic!("the kernel gives no random octets: {errno}"),
        }
    }
}

/// What wakes a thread that waits for descriptors: it is one, readable from a ring to the silence.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub(crate) fn ring(&self) {
        // The counter is full only if it was rung and not silenced yet: it is readable.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    pub(crate) fn silence(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

super::descriptor!(Bell, |bell| &bell.0);
