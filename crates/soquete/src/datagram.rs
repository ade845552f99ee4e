//! Sockets that send and receive datagrams: UDP and Unix.

mod address;
mod carrier;
mod open;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags};

use crate::listener::path::OwnedPath;
use crate::{Endpoint, Peer};
pub use address::Address;
pub(crate) use carrier::Carrier;
pub use open::DatagramOptions;
pub use soquete_proto::channel::DATAGRAM_MAX_BYTES;

/// A socket of datagrams, UDP or Unix: bound where others can send to, or aimed at one endpoint.
///
/// A datagram arrives whole or not at all, over UDP perhaps twice, and perhaps before an earlier one. One longer than the
/// buffer of a receive is an error (EMSGSIZE), never cut in silence. `&self` sends and receives, so threads can share it.
///
/// A new one blocks. With a timeout set, or made non-blocking, what would have to wait longer fails with
/// [`io::ErrorKind::WouldBlock`].
///
/// # Examples
///
/// ```
/// use soquete::{Datagram, DatagramOptions};
///
/// let options = DatagramOptions::default();
/// let board = Datagram::bind(&"udp://127.0.0.1:0".parse()?, &options)?;
/// let button = Datagram::connect(board.local(), &options)?;
/// button.send(b"LED ON\n")?;
/// let mut buf = [0; 64];
/// let arrival = board.receive_from(&mut buf)?;
/// assert_eq!(&buf[..arrival.len_bytes], b"LED ON\n");
/// board.send_to(b"OK LED ON\n", &arrival.from)?;
/// assert_eq!(button.receive(&mut buf)?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Datagram {
    /// Before `fd`, as in a listener: a path is only ever taken over when nobody is behind it.
    _path: Option<OwnedPath>,
    fd: OwnedFd,
    local: Endpoint,
    /// Where [`send`](Datagram::send) goes where the kernel does not keep it: a group's members answer from addresses of
    /// their own, which a connected socket would not hear.
    aim: Option<Address>,
}

/// A datagram that was received: its length and its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Its octets. None is legal.
    pub len_bytes: usize,
    /// Where an answer goes; [`Address::is_nowhere`] for a Unix sender without a name.
    pub from: Address,
    /// Who sent it, as far as the kernel knows.
    pub peer: Peer,
}

impl Datagram {
    /// Says where it receives: a port of 0 is answered with the real one.
    #[must_use]
    pub fn local(&self) -> &Endpoint {
        &self.local
    }

    /// Sends one datagram to the endpoint it is aimed at.
    ///
    /// It blocks while the kernel has no room. Over UDP a send says nothing about the arrival; ECONNREFUSED is about an
    /// earlier one, whose receiver was not there.
    ///
    /// # Errors
    ///
    /// EMSGSIZE above [`DATAGRAM_MAX_BYTES`], or above what the kernel takes; EDESTADDRREQ for one that is aimed at
    /// nothing; EACCES for a broadcast address without the option; ECONNREFUSED, ENETUNREACH, …
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        if let Some(aim) = &self.aim {
            return self.send_to(datagram, aim);
        }
        check_len(datagram)?;
        retry_on_intr(|| net::send(&self.fd, datagram, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// Sends one datagram to an address.
    ///
    /// # Errors
    ///
    /// As [`send`](Datagram::send); EDESTADDRREQ for a sender without a name.
    pub fn send_to(&self, datagram: &[u8], to: &Address) -> io::Result<()> {
        check_len(datagram)?;
        let to = to.kernel().ok_or(Errno::DESTADDRREQ)?;
        retry_on_intr(|| net::sendto(&self.fd, datagram, SendFlags::NOSIGNAL, to))?;
        Ok(())
    }

    /// Receives one datagram; returns its octets.
    ///
    /// # Errors
    ///
    /// EMSGSIZE for one that is longer than `buf`: it is lost. ECONNREFUSED where nobody received an earlier one that
    /// was sent; receiving can go on.
    pub fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let max_bytes = buf.len();
        let (_, len_bytes) = retry_on_intr(|| net::recv(&self.fd, &mut *buf, RecvFlags::TRUNC))?;
        whole(len_bytes, max_bytes)
    }

    /// Receives one datagram, with its sender.
    ///
    /// # Errors
    ///
    /// As [`receive`](Datagram::receive).
    pub fn receive_from(&self, buf: &mut [u8]) -> io::Result<Arrival> {
        self.arrive(buf, RecvFlags::empty())
    }

    /// Looks at the next datagram without taking it: the next receive gives it again. It blocks as a receive does.
    ///
    /// # Errors
    ///
    /// As [`receive`](Datagram::receive); one that is longer than `buf` is not lost.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<Arrival> {
        self.arrive(buf, RecvFlags::PEEK)
    }

    fn arrive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<Arrival> {
        if let Endpoint::Unixgram(_) = self.local {
            return address::receive_unix(&self.fd, buf, flags.contains(RecvFlags::PEEK));
        }
        let max_bytes = buf.len();
        let flags = flags | RecvFlags::TRUNC;
        let (_, len_bytes, from) = retry_on_intr(|| net::recvfrom(&self.fd, &mut *buf, flags))?;
        let from = Address::new(from);
        let peer = from.socket_addr().map_or(Peer::Outside, Peer::Udp);
        Ok(Arrival { len_bytes: whole(len_bytes, max_bytes)?, from, peer })
    }

    /// Makes sends and receives return at once (`true`) or block (`false`).
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.fd, nonblocking)?)
    }

    /// Bounds how long a blocking receive waits; `None`, the default, is for ever.
    ///
    /// # Errors
    ///
    /// EINVAL for a timeout of zero.
    pub fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, Timeout::Recv, timeout)?)
    }

    /// Bounds how long a blocking send waits for room; `None`, the default, is for ever.
    ///
    /// # Errors
    ///
    /// EINVAL for a timeout of zero.
    pub fn set_send_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, Timeout::Send, timeout)?)
    }
}

fn check_len(datagram: &[u8]) -> io::Result<()> {
    if datagram.len() > DATAGRAM_MAX_BYTES { Err(Errno::MSGSIZE.into()) } else { Ok(()) }
}

/// Refuses what was cut: a datagram longer than the buffer.
fn whole(len_bytes: usize, max_bytes: usize) -> io::Result<usize> {
    if len_bytes > max_bytes { Err(Errno::MSGSIZE.into()) } else { Ok(len_bytes) }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Datagram {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
