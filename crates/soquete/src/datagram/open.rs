//! Taking an address for datagrams, or aiming at one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use nix::sys::socket::sockopt::UdpGroSegment;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    self, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, ipproto, netdevice, sockopt,
};

use super::{Address, Datagram};
use crate::listener::path::{self, OwnedPath};
use crate::{Cause, Endpoint, Error, ListenOptions, Operation, UdpOptions, UnixName, listener, resolve};

/// How a socket of datagrams is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatagramOptions {
    /// The mode of a Unix path, 0 to 0o777: who may send needs the right to write. Default: 0o777 without the bits of the
    /// umask.
    pub mode: Option<u32>,
    /// Makes it non-blocking; default no.
    pub nonblocking: bool,
    /// How many octets the kernel keeps until they are received (SO_RCVBUF); what comes beyond is lost over UDP, and
    /// makes the sender wait over Unix. Default 4 MiB, of which the kernel gives an ordinary user as much as
    /// `net.core.rmem_max` says: the usual 208 KiB lose nearly half of a fast sender's datagrams.
    pub receive_buffer_bytes: usize,
}

impl Default for DatagramOptions {
    fn default() -> Self {
        Self { mode: None, nonblocking: false, receive_buffer_bytes: 4 << 20 }
    }
}

impl Datagram {
    /// Takes an address and receives there.
    ///
    /// A host name is resolved, which may block for seconds. At a multicast address the group is joined, and others of
    /// this machine may receive there as well (SO_REUSEADDR). At a Unix path what a dead socket left is replaced, as
    /// [`Listener::bind`](crate::Listener::bind) does.
    ///
    /// # Errors
    ///
    /// As [`Listener::bind`](crate::Listener::bind); ENODEV for an interface that is not there.
    pub fn bind(endpoint: &Endpoint, options: &DatagramOptions) -> Result<Self, Error> {
        let checked = listener::check_mode(endpoint, &ListenOptions { mode: options.mode, ..ListenOptions::default() });
        checked.map_err(Operation::Bind.failed(endpoint))?;
        let bound = match endpoint {
            Endpoint::Udp { host, port, options: udp } => {
                let addresses = resolve::resolve(host, *port)?;
                bind_udp(addresses[0], udp).map_err(Cause::from).map(|fd| (None, fd))
            }
            Endpoint::Unixgram(UnixName::Path(path)) => {
                path::bind(path, options.mode).map(|(fd, path)| (Some(path), fd))
            }
            Endpoint::Unixgram(name @ UnixName::Abstract(_)) => {
                bind_abstract(name).map_err(Cause::from).map(|fd| (None, fd))
            }
            _ => Err(NOT_OF_DATAGRAMS),
        };
        let opened = bound.and_then(|(path, fd)| Self::over(path, fd, None, endpoint, options));
        opened.map_err(Operation::Bind.failed(endpoint))
    }

    /// Aims at an endpoint, with an address of its own at which it can be answered.
    ///
    /// Over UDP the kernel chooses a port, and only what comes from the endpoint is received; aimed at a group or with
    /// `broadcast=yes`, whoever answers is. A Unix one is bound to a path in the folder for temporary files (to an
    /// abstract name where the endpoint is one), whose file goes with it.
    ///
    /// # Errors
    ///
    /// ENOENT, ECONNREFUSED or EACCES for a Unix endpoint nobody receives at, or where this user may not send; EACCES for
    /// a broadcast address without the option; over UDP nothing is said about the other end.
    pub fn connect(endpoint: &Endpoint, options: &DatagramOptions) -> Result<Self, Error> {
        let to = Address::of(endpoint)?;
        let opened = match endpoint {
            Endpoint::Udp { options: udp, .. } => connect_udp(endpoint, &to, udp).map(|(fd, aim)| (None, fd, aim)),
            Endpoint::Unixgram(name) => connect_unix(name).map(|(path, fd)| (path, fd, None)),
            _ => Err(NOT_OF_DATAGRAMS),
        };
        let opened = opened.and_then(|(path, fd, aim)| Self::over(path, fd, aim, endpoint, options));
        opened.map_err(Operation::Connect.failed(endpoint))
    }

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
                sockopt::set_socket_passcred(&fd, true)?;
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

    fn over(
        path: Option<OwnedPath>,
        fd: OwnedFd,
        aim: Option<Address>,
        endpoint: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Self, Cause> {
        if let Endpoint::Unixgram(_) = endpoint {
            // Each datagram then tells the process that sent it.
            sockopt::set_socket_passcred(&fd, true)?;
        }
        // Beyond its bound the kernel lets only root go; what it gives is what there is.
        if sockopt::set_socket_recv_buffer_size_force(&fd, options.receive_buffer_bytes).is_err() {
            sockopt::set_socket_recv_buffer_size(&fd, options.receive_buffer_bytes)?;
        }
        let own = net::getsockname(&fd)?;
        let mut local = Address::new(Some(own)).endpoint().unwrap_or_else(|| endpoint.clone());
        if let (Endpoint::Udp { options: local, .. }, Endpoint::Udp { options: asked, .. }) = (&mut local, endpoint)
            && aim.is_none()
        {
            *local = asked.clone();
        }
        let socket = Self { path, fd, local, aim, joins: false, is_ended: AtomicBool::new(false) };
        socket.set_nonblocking(options.nonblocking)?;
        Ok(socket)
    }
}

const NOT_A_SOCKET: Cause = Cause::Misuse("the descriptor is no socket of UDP or Unix datagrams");

const NOT_OF_DATAGRAMS: Cause = Cause::Misuse("only udp: and unixgram: carry datagrams");

fn bind_udp(address: SocketAddr, options: &UdpOptions) -> rustix::io::Result<OwnedFd> {
    let fd = udp_socket(address.ip(), options)?;
    if address.ip().is_multicast() {
        sockopt::set_socket_reuseaddr(&fd, true)?;
        join(&fd, address.ip(), options)?;
    }
    net::bind(&fd, &address)?;
    Ok(fd)
}

/// Makes a socket of UDP with what the endpoint says about sending.
fn udp_socket(ip: IpAddr, options: &UdpOptions) -> rustix::io::Result<OwnedFd> {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::UDP))?;
    sockopt::set_socket_broadcast(&fd, options.broadcast)?;
    if ip.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    if let (Some(_), IpAddr::V4(group)) = (&options.interface, ip) {
        sockopt::set_ip_multicast_if_with_ifindex(&fd, &group, &Ipv4Addr::UNSPECIFIED, interface(&fd, options)?)?;
    } else if let (Some(_), IpAddr::V6(_)) = (&options.interface, ip) {
        sockopt::set_ipv6_multicast_if(&fd, interface(&fd, options)?)?;
    }
    match (options.ttl, ip) {
        (None, _) => {}
        (Some(ttl), IpAddr::V4(ip)) if ip.is_multicast() => sockopt::set_ip_multicast_ttl(&fd, ttl.into())?,
        (Some(ttl), IpAddr::V4(_)) => sockopt::set_ip_ttl(&fd, ttl.into())?,
        (Some(ttl), IpAddr::V6(ip)) if ip.is_multicast() => sockopt::set_ipv6_multicast_hops(&fd, ttl.into())?,
        (Some(ttl), IpAddr::V6(_)) => sockopt::set_ipv6_unicast_hops(&fd, Some(ttl))?,
    }
    Ok(fd)
}

/// Gives the number of the interface that the options name; 0, the kernel's own choice, where they name none.
fn interface(fd: &OwnedFd, options: &UdpOptions) -> rustix::io::Result<u32> {
    options.interface.as_ref().map_or(Ok(0), |name| netdevice::name_to_index(fd, name))
}

fn join(fd: &OwnedFd, group: IpAddr, options: &UdpOptions) -> rustix::io::Result<()> {
    let interface = interface(fd, options)?;
    match group {
        IpAddr::V4(group) => sockopt::set_ip_add_membership_with_ifindex(fd, &group, &Ipv4Addr::UNSPECIFIED, interface),
        IpAddr::V6(group) => sockopt::set_ipv6_add_membership(fd, &group, interface),
    }
}

/// Connects, so that only the endpoint is heard; what means many is only aimed at.
fn connect_udp(endpoint: &Endpoint, to: &Address, options: &UdpOptions) -> Result<(OwnedFd, Option<Address>), Cause> {
    let Some(address) = to.socket_addr() else { return Err(Errno::AFNOSUPPORT.into()) };
    let fd = udp_socket(address.ip(), options)?;
    if endpoint.is_multicast() || options.broadcast {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        if let Ok(any) = any.parse::<SocketAddr>() {
            net::bind(&fd, &any)?;
        }
        return Ok((fd, Some(to.clone())));
    }
    net::connect(&fd, &address)?;
    Ok((fd, None))
}

fn bind_abstract(name: &UnixName) -> rustix::io::Result<OwnedFd> {
    let fd = unix_socket()?;
    net::bind(&fd, &name.socket_addr()?)?;
    Ok(fd)
}

fn connect_unix(name: &UnixName) -> Result<(Option<OwnedPath>, OwnedFd), Cause> {
    let (path, fd) = match name {
        UnixName::Path(_) => {
            let (fd, path) = path::bind(&answer_path(), None)?;
            (Some(path), fd)
        }
        UnixName::Abstract(_) => {
            let fd = unix_socket()?;
            // Without a name the kernel chooses one.
            net::bind(&fd, &SocketAddrAny::from(SocketAddrUnix::new_unnamed()))?;
            (None, fd)
        }
    };
    net::connect(&fd, &name.socket_addr()?)?;
    Ok((path, fd))
}

/// Makes up a path that nobody has.
fn answer_path() -> PathBuf {
    let name = format!("soquete-{}-{:016x}.sock", std::process::id(), crate::entropy::random_u64());
    std::env::temp_dir().join(name)
}

fn unix_socket() -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}
