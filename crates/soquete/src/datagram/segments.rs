//! Many datagrams a system call: the kernel cuts what is sent (UDP_SEGMENT) and joins what arrives (UDP_GRO).

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
#[cfg(unix)]
use {
    super::message::{self, Control, ip_of},
    nix::sys::socket::sockopt::UdpGroSegment,
    nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt},
    std::io::{IoSlice, IoSliceMut},
    std::os::fd::AsRawFd,
};

use super::{Address, DATAGRAM_MAX_BYTES, Datagram, Via};
use crate::Endpoint;
use crate::stream::whole;

/// The most datagrams of one system call: 64, the least that the kernels have which can do it.
const SEGMENTS_MAX: usize = 64;

/// Datagrams of one sender that were received at once, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// The octets of all of them.
    pub len_bytes: usize,
    /// The octets of each; the last may be shorter.
    pub segment_len_bytes: usize,
    /// Their sender.
    pub from: Address,
}

impl Segments {
    /// Gives one datagram after the other out of the buffer that they were received into.
    pub fn each<'a>(&self, buf: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let received = &buf[..self.len_bytes.min(buf.len())];
        // A datagram without an octet is one, too.
        let empty = received.is_empty().then_some(received);
        empty.into_iter().chain(received.chunks(self.segment_len_bytes.max(1)))
    }
}

impl Datagram {
    /// Sends octets as datagrams of `segment_len_bytes` each, the last one shorter if need be, to the endpoint it is aimed at.
    ///
    /// Returns the octets that went, whole datagrams: fewer than all where the kernel had no room for the next one. Over UDP
    /// one system call sends up to 64 of them, cut by the kernel or the network card. Where that cannot be (Unix, an old
    /// kernel, a segment that does not fit a packet of the network), it is one call a datagram.
    ///
    /// # Errors
    ///
    /// As [`send`](Datagram::send), for the first datagram; [`io::ErrorKind::InvalidInput`] for segments of 0 octets.
    pub fn send_segments(&self, octets: &[u8], segment_len_bytes: usize) -> io::Result<usize> {
        match &self.aim {
            Some(aim) => self.send_segments_to(octets, segment_len_bytes, aim),
            None => self.send_cut(octets, segment_len_bytes, None),
        }
    }

    /// Sends octets as datagrams to an address.
    ///
    /// # Errors
    ///
    /// As [`send_segments`](Datagram::send_segments); EDESTADDRREQ for a sender without a name.
    pub fn send_segments_to(&self, octets: &[u8], segment_len_bytes: usize, to: &Address) -> io::Result<usize> {
        self.send_cut(octets, segment_len_bytes, Some(to))
    }

    fn send_cut(&self, octets: &[u8], segment_len_bytes: usize, to: Option<&Address>) -> io::Result<usize> {
        if segment_len_bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a segment has at least one octet"));
        }
        if octets.len() <= segment_len_bytes {
            return self.send_each(octets, segment_len_bytes, to);
        }
        let socket_addr = to.and_then(Address::socket_addr);
        // One datagram is sent as one, and what the kernel does not cut too.
        let is_cut_here = matches!(self.local, Endpoint::Udp { .. }) && to.is_some() == socket_addr.is_some();
        let call_bytes = call_bytes(segment_len_bytes);
        let mut sent = 0;
        for chunk in octets.chunks(call_bytes) {
            let cut =
                u16::try_from(segment_len_bytes).ok().filter(|len| is_cut_here && chunk.len() > usize::from(*len));
            let went = match cut.map(|len| self.send_at_once(chunk, len, socket_addr)) {
                Some(Err(error)) if !is_of_the_cut(&error) => Err(error),
                Some(Ok(len_bytes)) => Ok(len_bytes),
                _ => self.send_each(chunk, segment_len_bytes, to),
            };
            match went {
                Ok(len_bytes) => sent += len_bytes,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            if sent % call_bytes != 0 {
                break;
            }
        }
        Ok(sent)
    }

    /// Says that the kernel does not cut.
    #[cfg(windows)]
    fn send_at_once(&self, _: &[u8], _: u16, _: Option<SocketAddr>) -> io::Result<usize> {
        Err(Errno::OPNOTSUPP.into())
    }

    #[cfg(unix)]
    fn send_at_once(&self, chunk: &[u8], segment_len_bytes: u16, to: Option<SocketAddr>) -> io::Result<usize> {
        let cut = [ControlMessage::UdpGsoSegments(&segment_len_bytes)];
        let to = to.map(SockaddrStorage::from);
        loop {
            let slices = [IoSlice::new(chunk)];
            match sendmsg(self.fd.as_raw_fd(), &slices, &cut, MsgFlags::MSG_NOSIGNAL, to.as_ref()) {
                Err(nix::Error::EINTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    /// Sends one datagram after the other, as far as the kernel has room.
    fn send_each(&self, chunk: &[u8], segment_len_bytes: usize, to: Option<&Address>) -> io::Result<usize> {
        let mut sent = 0;
        for datagram in chunk.chunks(segment_len_bytes) {
            let went = match to {
                Some(to) => self.send_to(datagram, to),
                None => self.send(datagram),
            };
            match went {
                Ok(()) => sent += datagram.len(),
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    /// Lets the kernel join datagrams of one sender that come together (UDP_GRO), for
    /// [`receive_segments`](Datagram::receive_segments). From then on every other way to receive is refused
    /// ([`io::ErrorKind::InvalidInput`]): it would take several datagrams for one.
    ///
    /// Where the kernel or the kind has no such thing, nothing changes but that.
    pub fn join_segments(&mut self) {
        self.set_joining(true);
    }

    /// Has the kernel join datagrams, or not any more.
    pub(crate) fn set_joining(&mut self, joins: bool) {
        if self.joins != joins {
            self.joins = joins;
            // One at a time is right, too.
            #[cfg(unix)]
            let _ = setsockopt(&self.fd, UdpGroSegment, &joins);
        }
    }

    /// Says whether datagrams may come joined.
    #[cfg(unix)]
    pub(crate) fn joins_segments(&self) -> bool {
        self.joins
    }

    /// Receives the datagrams of one sender that have come together: one or more. It blocks until there is one.
    ///
    /// `buf` has to hold all that the kernel joins: 65,535 octets are always enough. Without
    /// [`join_segments`](Datagram::join_segments) it is one datagram.
    ///
    /// # Errors
    ///
    /// As [`receive`](Datagram::receive).
    pub fn receive_segments(&self, buf: &mut [u8]) -> io::Result<Segments> {
        self.receive_segments_via(buf).map(|(segments, _)| segments)
    }

    /// Receives as [`receive_segments`](Datagram::receive_segments); says as well how an answer is to go, if the kernel tells.
    pub(crate) fn receive_segments_via(&self, buf: &mut [u8]) -> io::Result<(Segments, Option<Via>)> {
        #[cfg(unix)]
        if let Endpoint::Unixgram(_) = self.local {
            let arrival = message::receive_unix(&self.fd, buf, false)?;
            self.check_open(arrival.len_bytes)?;
            let (len_bytes, from) = (arrival.len_bytes, arrival.from);
            return Ok((Segments { len_bytes, segment_len_bytes: len_bytes, from }, None));
        }
        let (segments, via) = loop {
            match self.receive_joined(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received?,
            }
        };
        whole(segments.len_bytes, buf.len())?;
        Ok((segments, via))
    }

    /// Receives one: the kernel does not join, nor tell.
    #[cfg(windows)]
    fn receive_joined(&self, buf: &mut [u8]) -> io::Result<(Segments, Option<Via>)> {
        let (_, len_bytes, from) = rustix::net::recvfrom(&self.fd, buf, rustix::net::RecvFlags::empty())?;
        self.check_open(len_bytes)?;
        Ok((Segments { len_bytes, segment_len_bytes: len_bytes, from: Address::new(from) }, None))
    }

    #[cfg(unix)]
    fn receive_joined(&self, buf: &mut [u8]) -> io::Result<(Segments, Option<Via>)> {
        let mut control = Control::EMPTY;
        let mut slices = [IoSliceMut::new(buf)];
        let (socket, flags) = (self.fd.as_raw_fd(), MsgFlags::MSG_TRUNC);
        let message = recvmsg::<SockaddrStorage>(socket, &mut slices, Some(&mut control.0), flags)?;
        // The end has no address to look at.
        self.check_open(message.bytes)?;
        let (mut segment_len_bytes, mut via) = (message.bytes, None);
        for told in message.cmsgs()? {
            match told {
                ControlMessageOwned::UdpGroSegments(len) => {
                    segment_len_bytes = usize::try_from(len).unwrap_or(segment_len_bytes);
                }
                told => via = via.or(Via::of(&told)),
            }
        }
        let from = message.address.as_ref().and_then(ip_of);
        let from = Address::new(from.map(Into::into));
        Ok((Segments { len_bytes: message.bytes, segment_len_bytes, from }, via))
    }
}

/// Says how many octets one system call takes at the most, in segments of so many.
pub(crate) fn call_bytes(segment_len_bytes: usize) -> usize {
    let per_call = DATAGRAM_MAX_BYTES / segment_len_bytes.max(1);
    per_call.clamp(1, SEGMENTS_MAX).saturating_mul(segment_len_bytes)
}

/// Tells an error that one datagram a call does not meet: EINVAL and EMSGSIZE of a kernel that does not cut, or not into
/// such segments, EIO of a network that cannot compute checksums.
fn is_of_the_cut(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        #[cfg(unix)]
        Some(Errno::IO) => true,
        errno => matches!(errno, Some(Errno::INVAL | Errno::MSGSIZE | Errno::OPNOTSUPP)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_given_one_by_one() {
        let from = Address::from("127.0.0.1:1".parse::<SocketAddr>().unwrap());
        let each = |len_bytes, segment_len_bytes| {
            let segments = Segments { len_bytes, segment_len_bytes, from: from.clone() };
            segments.each(b"LED ON").map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(each(6, 3), [b"LED".to_vec(), b" ON".to_vec()]);
        assert_eq!(each(5, 3), [b"LED".to_vec(), b" O".to_vec()]);
        assert_eq!(each(6, 6), [b"LED ON".to_vec()]);
        assert_eq!(each(0, 0), [b"".to_vec()]);
    }
}
