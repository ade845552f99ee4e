//! Windows' way, by Winsock. It is compiled and was never run.
//!
//! `WSAStartup` is called by the first socket that `socket2` makes, and all are made by it.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType, sockopt,
};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::{Address, Cause, Clock, Datagram};

/// A path that is bound: there is none.
#[derive(Debug)]
pub(crate) enum OwnedPath {}

impl OwnedPath {
    pub(crate) fn leave(self) {
        match self {}
    }
}

/// By which address of this machine a datagram came: that is not asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Via {}

impl Datagram {
    /// Sends as [`send_to`](Datagram::send_to).
    pub(crate) fn send_via(&self, datagram: &[u8], to: &Address, _: Option<Via>) -> io::Result<()> {
        self.send_to(datagram, to)
    }
}

/// There are no signals.
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// No call says that it does not wait: [`crate::Client`] has a socket that does not.
pub(crate) const SEND_NOW: SendFlags = SendFlags::empty();

/// As [`SEND_NOW`].
pub(crate) const RECEIVE_NOW: RecvFlags = RecvFlags::empty();

/// A datagram that does not fit is an error by itself.
pub(crate) const REAL_LEN: RecvFlags = RecvFlags::empty();

/// Of a new socket: it does not block. The bit is ours.
pub(crate) const NONBLOCK: SocketFlags = SocketFlags::from_bits_retain(1);

/// Makes a socket, which programs that this process executes do not inherit.
pub(crate) fn socket(
    family: AddressFamily,
    kind: SocketType,
    flags: SocketFlags,
    protocol: Option<Protocol>,
) -> rustix::io::Result<OwnedFd> {
    let protocol = protocol.map(|protocol| socket2::Protocol::from(protocol.as_raw().get().cast_signed()));
    let (domain, kind) = (Domain::from(i32::from(family.as_raw())), Type::from(kind.as_raw().cast_signed()));
    prepared(Socket::new(domain, kind, protocol).map_err(errno)?, flags)
}

/// Takes a connection, which programs that this process executes do not inherit.
pub(crate) fn accept(listener: &OwnedFd, flags: SocketFlags) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (stream, address) = SockRef::from(listener).accept().map_err(errno)?;
    let stream = prepared(stream, flags)?;
    // Whether it inherits that of the listener is not written anywhere.
    sockopt::set_tcp_nodelay(&stream, true)?;
    Ok((stream, address.as_socket().map(Into::into)))
}

fn prepared(socket: Socket, flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    // What is accepted takes over the listener's mode, so it is set in any case.
    socket.set_nonblocking(flags.contains(NONBLOCK)).map_err(errno)?;
    Ok(socket.into())
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::INVAL)
}

/// Connects a blocking socket.
pub(crate) fn connect(socket: &OwnedFd, address: &SocketAddr, deadline: Option<Duration>) -> Result<(), Cause> {
    let Some(deadline) = deadline else { return Ok(net::connect(socket, address)?) };
    let left = Some(deadline.saturating_sub(Clock::now())).filter(|left| !left.is_zero()).ok_or(Cause::Timeout)?;
    match SockRef::from(socket).connect_timeout(&SockAddr::from(*address), left) {
        // Its own word, not the system's.
        Err(error) if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() => Err(Cause::Timeout),
        connected => Ok(connected?),
    }
}

/// Begins to connect a socket that does not block.
pub(crate) fn connect_start(socket: &OwnedFd, address: &SocketAddr) -> rustix::io::Result<()> {
    match net::connect(socket, address) {
        Err(Errno::WOULDBLOCK) => Ok(()),
        begun => begun,
    }
}

/// Writes several buffers with one call.
pub(crate) fn send_vectored(socket: &OwnedFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(socket).send_vectored(bufs)
}

/// Does nothing: a port is free at once, and SO_REUSEADDR would let two programs listen at one.
pub(crate) fn set_reuse(_socket: &OwnedFd, _reuse: bool) -> rustix::io::Result<()> {
    Ok(())
}

/// Says that there is no such bound.
pub(crate) fn set_unsent_max(_socket: &impl AsFd, _max_bytes: u32) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// Asks for a buffer for receiving.
pub(crate) fn set_receive_buffer(socket: &OwnedFd, size_bytes: usize) -> rustix::io::Result<()> {
    sockopt::set_socket_recv_buffer_size(socket, size_bytes)
}

/// Gives the address at which a group is received: Winsock binds to no group, only to its port.
pub(crate) fn group_bind(group: SocketAddr) -> SocketAddr {
    match group {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, group.port()).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, group.port()).into(),
    }
}

/// Takes the number of an interface for its name: `netsh interface show interface` and `Get-NetAdapter` have it.
pub(crate) fn interface(_socket: &OwnedFd, name: &str) -> rustix::io::Result<u32> {
    name.parse().map_err(|_| Errno::ADDRNOTAVAIL)
}

/// Joins a group at an interface; Winsock takes an address of `0.0.0.0/8` for the number of one.
pub(crate) fn join(socket: &OwnedFd, group: &Ipv4Addr, interface: u32) -> rustix::io::Result<()> {
    sockopt::set_ip_add_membership(socket, group, &Ipv4Addr::from_bits(interface))
}

/// Has what goes to a group go by an interface; as [`join`].
pub(crate) fn send_by(socket: &OwnedFd, _group: &Ipv4Addr, interface: u32) -> rustix::io::Result<()> {
    sockopt::set_ip_multicast_if(socket, &Ipv4Addr::from_bits(interface))
}

/// Says that there are no Unix sockets.
pub(crate) fn peer_process(_socket: BorrowedFd<'_>) -> Option<(u32, u32, u32)> {
    None
}

/// Tells an error of accepting that lasts for a while: no socket or no memory is left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NOBUFS))
}

/// Gives the time since this was first asked; it may stand still while the machine sleeps.
pub(crate) fn now() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed()
}

/// Fills a buffer with random octets from the system.
pub(crate) fn fill_random(octets: &mut [u8]) {
    if let Err(error) = getrandom::fill(octets) {
        panic!("the system gives no random octets: {error}");
    }
}

/// What wakes a thread that waits for sockets: it is one, of UDP, which sends to itself and hears nobody else.
#[derive(Debug)]
pub(crate) struct Bell(UdpSocket);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Bell(socket))
    }

    pub(crate) fn ring(&self) {
        // There is no room only if it was rung and not silenced yet: it is readable.
        let _ = self.0.send(&[1]);
    }

    pub(crate) fn silence(&self) {
        while self.0.recv(&mut [0; 8]).is_ok() {}
    }
}

super::descriptor!(Bell, |bell| &bell.0);
