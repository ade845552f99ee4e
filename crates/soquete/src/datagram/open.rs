//! Taking an address for datagrams, or aiming at one.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

#[cfg(unix)]
use super::unixgram;
use super::{Address, Datagram};
use crate::system::{self, OwnedPath};
use crate::{Cause, Endpoint, Error, ListenOptions, Operation, UdpOptions, listener, resolve};

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
            #[cfg(unix)]
            Endpoint::Unixgram(name) => unixgram::bind(name, options.mode),
            other => Err(no_datagrams(other)),
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
            #[cfg(unix)]
            Endpoint::Unixgram(name) => unixgram::connect(name).map(|(path, fd)| (path, fd, None)),
            other => Err(no_datagrams(other)),
        };
        let opened = opened.and_then(|(path, fd, aim)| Self::over(path, fd, aim, endpoint, options));
        opened.map_err(Operation::Connect.failed(endpoint))
    }

    fn over(
        path: Option<OwnedPath>,
        fd: OwnedFd,
        aim: Option<Address>,
        endpoint: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Self, Cause> {
        system::set_receive_buffer(&fd, options.receive_buffer_bytes)?;
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

/// Says why there are no datagrams at an endpoint of another kind.
fn no_datagrams(endpoint: &Endpoint) -> Cause {
    match endpoint {
        Endpoint::Unixgram(_) => system::NOT_HERE,
        _ => Cause::Misuse("only udp: and unixgram: carry datagrams"),
    }
}

fn bind_udp(address: SocketAddr, options: &UdpOptions) -> rustix::io::Result<OwnedFd> {
    let fd = udp_socket(address.ip(), options)?;
    let mut at = scoped(&fd, address, options)?;
    if address.ip().is_multicast() {
        sockopt::set_socket_reuseaddr(&fd, true)?;
        join(&fd, address.ip(), options)?;
        at = system::group_bind(at);
    }
    net::bind(&fd, &at)?;
    Ok(fd)
}

/// Makes a socket of UDP with what the endpoint says about sending.
fn udp_socket(ip: IpAddr, options: &UdpOptions) -> rustix::io::Result<OwnedFd> {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = system::socket(family, SocketType::DGRAM, SocketFlags::empty(), Some(ipproto::UDP))?;
    sockopt::set_socket_broadcast(&fd, options.broadcast)?;
    if ip.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    if let (Some(_), IpAddr::V4(group)) = (&options.interface, ip) {
        system::send_by(&fd, &group, interface(&fd, options)?)?;
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
    options.interface.as_ref().map_or(Ok(0), |name| system::interface(fd, name))
}

/// Puts the interface into an address of IPv6: one of a link, such as the groups `ff02::`, means something only there.
fn scoped(fd: &OwnedFd, mut address: SocketAddr, options: &UdpOptions) -> rustix::io::Result<SocketAddr> {
    if let SocketAddr::V6(address) = &mut address
        && address.scope_id() == 0
    {
        address.set_scope_id(interface(fd, options)?);
    }
    Ok(address)
}

fn join(fd: &OwnedFd, group: IpAddr, options: &UdpOptions) -> rustix::io::Result<()> {
    let interface = interface(fd, options)?;
    match group {
        IpAddr::V4(group) => system::join(fd, &group, interface),
        IpAddr::V6(group) => sockopt::set_ipv6_add_membership(fd, &group, interface),
    }
}

/// Connects, so that only the endpoint is heard; what means many is only aimed at.
fn connect_udp(endpoint: &Endpoint, to: &Address, options: &UdpOptions) -> Result<(OwnedFd, Option<Address>), Cause> {
    let Some(address) = to.socket_addr() else { return Err(Errno::AFNOSUPPORT.into()) };
    let fd = udp_socket(address.ip(), options)?;
    let address = scoped(&fd, address, options)?;
    if endpoint.is_multicast() || options.broadcast {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        if let Ok(any) = any.parse::<SocketAddr>() {
            net::bind(&fd, &any)?;
        }
        return Ok((fd, Some(address.into())));
    }
    net::connect(&fd, &address)?;
    Ok((fd, None))
}
