//! Sockets that send and receive datagrams: UDP and Unix.

mod address;
#[cfg(unix)]
mod answer;
mod carrier;
#[cfg(unix)]
mod message;
mod open;
mod segments;
#[cfg(unix)]
mod unixgram;
#[cfg(unix)]
mod unreachable;
#[cfg(unix)]
mod via;

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags};

use crate::stream::{self, whole};
#[cfg(windows)]
pub(crate) use crate::system::Via;
use crate::system::{self, OwnedPath};
use crate::{Endpoint, Peer};
pub use address::Address;
pub(crate) use carrier::{Carrier, Gate, unless_full};
pub use open::DatagramOptions;
pub use segments::Segments;
pub(crate) use segments::call_bytes;
pub use soquete_proto::channel::DATAGRAM_MAX_BYTES;
#[cfg(unix)]
pub(crate) use via::Via;

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
    path: Option<OwnedPath>,
    fd: OwnedFd,
    local: Endpoint,
    /// Where [`send`](Datagram::send) goes where the kernel does not keep it: a group's members answer from addresses of
    /// their own, which a connected socket would not hear.
    aim: Option<Address>,
    /// Whether the kernel may join datagrams.
    joins: bool,
    /// Whether receiving was ended: the kernel then says 0, as for a datagram without an octet.
    is_ended: AtomicBool,
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
    /// nothing; EACCES for a broadcast address without the option; ECONNREFUSED, ENETUNREACH, …; ENOBUFS where the
    /// network interface takes no more at this moment: it is lost, as it could be anywhere on its way. None of them names an
    /// address: [`Error::of_send`](crate::Error::of_send) does.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        if let Some(aim) = &self.aim {
            return self.send_to(datagram, aim);
        }
        check_len(datagram)?;
        retry_on_intr(|| net::send(&self.fd, datagram, system::NO_SIGNAL))?;
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
        retry_on_intr(|| net::sendto(&self.fd, datagram, system::NO_SIGNAL, to))?;
        Ok(())
    }

    /// Receives one datagram; returns its octets.
    ///
    /// # Errors
    ///
    /// EMSGSIZE for one that is longer than `buf`: it is lost. ECONNREFUSED where nobody received an earlier one that
    /// was sent; receiving can go on. ESHUTDOWN after [`shutdown`](Datagram::shutdown).
    pub fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.check_apart()?;
        let max_bytes = buf.len();
        let (_, len_bytes) = retry_on_intr(|| net::recv(&self.fd, &mut *buf, system::REAL_LEN))?;
        self.check_open(len_bytes)?;
        whole(len_bytes, max_bytes)
    }

    /// Receives one datagram, with its sender.
    ///
    /// Descriptors that come with a Unix datagram are closed, and nothing is known about its process then
    /// ([`Peer::Outside`]).
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
        self.check_apart()?;
        #[cfg(unix)]
        if let Endpoint::Unixgram(_) = self.local {
            let arrival = message::receive_unix(&self.fd, buf, flags.contains(RecvFlags::PEEK))?;
            self.check_open(arrival.len_bytes)?;
            return Ok(arrival);
        }
        let max_bytes = buf.len();
        let flags = flags | system::REAL_LEN;
        let (_, len_bytes, from) = retry_on_intr(|| net::recvfrom(&self.fd, &mut *buf, flags))?;
        self.check_open(len_bytes)?;
        let from = Address::new(from);
        let peer = from.socket_addr().map_or(Peer::Outside, Peer::Udp);
        Ok(Arrival { len_bytes: whole(len_bytes, max_bytes)?, from, peer })
    }

    /// Ends one direction or both on this side; a receive that blocks in another thread wakes up.
    ///
    /// The peer hears nothing of it: datagrams have no end. A receive is then ESHUTDOWN and a send EPIPE; what was received
    /// before can still be taken, up to a datagram without an octet.
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write {
            self.is_ended.store(true, Ordering::Release);
        }
        match stream::shutdown(&self.fd, how) {
            // Linux says so of UDP that is not connected, and does it all the same.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }

    /// Says how long a datagram may be, in octets: [`DATAGRAM_MAX_BYTES`], or less where the kernel's buffer for sending over
    /// Unix is smaller.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        match (&self.local, stream::packet_max_bytes(&self.fd)) {
            (Endpoint::Unixgram(_), Some(max_bytes)) => max_bytes.min(DATAGRAM_MAX_BYTES),
            _ => DATAGRAM_MAX_BYTES,
        }
    }

    /// Refuses to take for one datagram what may be several.
    fn check_apart(&self) -> io::Result<()> {
        if self.joins {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "use receive_segments: datagrams may come joined"));
        }
        Ok(())
    }

    /// Tells the end of receiving from a datagram without an octet.
    fn check_open(&self, len_bytes: usize) -> io::Result<()> {
        if len_bytes == 0 && self.is_ended.load(Ordering::Acquire) { Err(Errno::SHUTDOWN.into()) } else { Ok(()) }
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

system::descriptor!(Datagram, |socket| &socket.fd);
system::numbered_descriptor!(Datagram);

impl From<Datagram> for OwnedFd {
    /// Gives the bare descriptor; the file of a Unix path stays, for whoever uses it next.
    fn from(socket: Datagram) -> Self {
        socket.path.into_iter().for_each(OwnedPath::leave);
        socket.fd
    }
}
