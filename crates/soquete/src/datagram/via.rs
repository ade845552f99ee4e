//! By which address of this machine a datagram came, where a socket has them all: an answer has to go by the same, since
//! who asked hears only whom it asked.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};

use super::message::{Control, ip_of};
use super::{Address, Arrival, Datagram, check_len, whole};
use crate::Peer;

/// How long a datagram to a group or to many may lie unread before it is refused. Reason: it can carry no deadline, and half
/// of what a press has by default leaves time for its way.
pub(crate) const LATE_AFTER: Duration = Duration::from_secs(1);

/// Says whether what came in at that time, on the clock of the wall, has lain for too long. Where that clock is set forward
/// meanwhile, a datagram is lost; where it is set back, a late one passes.
fn is_late(stamp: Duration) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(stamp) > LATE_AFTER
}

/// An address of this machine, and the number of the network interface for one that means something there alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Via {
    ip: IpAddr,
    interface: u32,
}

impl Via {
    /// Takes it from what the kernel tells beside a datagram.
    pub(super) fn of(told: &ControlMessageOwned) -> Option<Self> {
        match told {
            // Where it went to many, this is the address that this machine has there.
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let ip = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                Some(Via { ip: ip.into(), interface: 0 })
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let interface = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                (!ip.is_multicast()).then_some(Via { ip: ip.into(), interface })
            }
            _ => None,
        }
    }
}

impl Datagram {
    /// Says whether it receives at every address of the machine.
    fn is_anywhere(&self) -> bool {
        self.local.socket_addr().is_some_and(|local| local.ip().is_unspecified())
    }

    /// Has the kernel tell by which address datagrams come, where that is not one alone.
    pub(crate) fn tell_via(&self) -> io::Result<()> {
        match self.local.socket_addr() {
            Some(SocketAddr::V4(local)) if local.ip().is_unspecified() => {
                setsockopt(&self.fd, sockopt::Ipv4PacketInfo, &true)?;
            }
            Some(SocketAddr::V6(local)) if local.ip().is_unspecified() => {
                setsockopt(&self.fd, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Receives as [`receive_from`](Datagram::receive_from); says as well how an answer is to go. Where
    /// [lateness](Datagram::tell_lateness) is told, one that lay unread for [`LATE_AFTER`] is lost, which is ETIMEDOUT.
    pub(crate) fn receive_via(&self, buf: &mut [u8]) -> io::Result<(Arrival, Option<Via>)> {
        if !self.is_anywhere() && !self.local.reaches_many() {
            return self.receive_from(buf).map(|arrival| (arrival, None));
        }
        loop {
            match self.receive_told(buf) {
                Err(nix::Error::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok((.., stamp)) if stamp.is_some_and(is_late) => return Err(io::ErrorKind::TimedOut.into()),
                Ok((arrival, via, _)) => {
                    whole(arrival.len_bytes, buf.len())?;
                    return Ok((arrival, via));
                }
            }
        }
    }

    /// Has the kernel tell when datagrams to a group or to many came in, so that late ones can be refused.
    pub(crate) fn tell_lateness(&self) -> io::Result<()> {
        if self.local.reaches_many() {
            setsockopt(&self.fd, sockopt::ReceiveTimestampns, &true)?;
        }
        Ok(())
    }

    fn receive_told(&self, buf: &mut [u8]) -> nix::Result<(Arrival, Option<Via>, Option<Duration>)> {
        let mut control = Control::EMPTY;
        let mut slices = [IoSliceMut::new(buf)];
        let flags = MsgFlags::MSG_TRUNC;
        let message = recvmsg::<SockaddrStorage>(self.fd.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
        let (mut via, mut stamp) = (None, None);
        for told in message.cmsgs()? {
            via = via.or_else(|| Via::of(&told));
            if let ControlMessageOwned::ScmTimestampns(time) = told {
                stamp = Some(Duration::from(time));
            }
        }
        let from = message.address.as_ref().and_then(ip_of);
        let peer = from.map_or(Peer::Outside, Peer::Udp);
        let from = Address::new(from.map(Into::into));
        Ok((Arrival { len_bytes: message.bytes, from, peer }, via, stamp))
    }

    /// Sends as [`send_to`](Datagram::send_to), by an address of this machine.
    pub(crate) fn send_via(&self, datagram: &[u8], to: &Address, via: Option<Via>) -> io::Result<()> {
        let (Some(via), Some(to)) = (via, to.socket_addr()) else { return self.send_to(datagram, to) };
        check_len(datagram)?;
        match via.ip {
            IpAddr::V4(ip) => {
                let ip = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ip, ipi_addr: in_addr { s_addr: 0 } };
                self.send_told(datagram, to, &ControlMessage::Ipv4PacketInfo(&info))
            }
            IpAddr::V6(ip) => {
                let ipi6_addr = in6_addr { s6_addr: ip.octets() };
                let info = in6_pktinfo { ipi6_addr, ipi6_ifindex: via.interface };
                self.send_told(datagram, to, &ControlMessage::Ipv6PacketInfo(&info))
            }
        }
    }

    fn send_told(&self, datagram: &[u8], to: SocketAddr, told: &ControlMessage<'_>) -> io::Result<()> {
        let (slices, to) = ([IoSlice::new(datagram)], SockaddrStorage::from(to));
        loop {
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg(self.fd.as_raw_fd(), &slices, std::slice::from_ref(told), flags, Some(&to)) {
                Err(nix::Error::EINTR) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
    }
}
