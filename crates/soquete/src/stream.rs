//! A connected byte stream, whatever it runs over.

mod close;
mod connect;
#[cfg(unix)]
mod descriptors;
mod exact;
mod peer;
#[cfg(unix)]
mod urgent;

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SocketType};

use crate::system;
pub use close::Closed;
#[cfg(unix)]
pub use descriptors::{DESCRIPTORS_MAX, Handed};
pub use peer::Peer;

/// A connection of any kind: TCP, Unix, seqpacket or `mem:`.
///
/// It is one descriptor; dropping it closes it at once, while the kernel goes on sending what was written;
/// [`close_within`](Stream::close_within) waits for that, and [`abort`](Stream::abort) throws it away. `&Stream` reads and
/// writes too, so one thread can read while another writes. A signal interrupts neither; the time of a timeout then begins
/// anew. A write to a stream whose peer is gone is an error (EPIPE), never a signal. Small writes leave at once:
/// TCP_NODELAY is set.
///
/// Over **seqpacket** each write is one packet, and each read takes one. A packet longer than the kernel takes (about
/// 208 KiB), or longer than the buffer of the read, is an error (EMSGSIZE), never cut in silence. The kernel does not
/// tell an empty packet from the end of the stream: none is sent, and a read takes one for the end.
///
/// A new one blocks. With a timeout set, or made non-blocking, a read or write that would have to wait longer fails
/// with [`io::ErrorKind::WouldBlock`].
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut one, mut other) = soquete::Stream::pair()?;
/// one.write_all(b"LED ON\n")?;
/// one.shutdown(std::net::Shutdown::Write)?;
/// let mut line = String::new();
/// other.read_to_string(&mut line)?;
/// assert_eq!(line, "LED ON\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    cut: Cut,
}

/// What the kernel keeps apart on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Octets,
    Packets,
}

impl Cut {
    /// Reads what is there; a packet that does not fit is an error, never cut.
    pub(crate) fn receive(self, socket: impl AsFd, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        let max_bytes = buf.len();
        let (_, len) = retry_on_intr(|| net::recv(socket.as_fd(), &mut *buf, flags | self.flags()))?;
        whole(len, max_bytes)
    }

    /// Reads behind what is in `input`, as much as it has room for.
    #[cfg(all(unix, feature = "tokio"))]
    pub(crate) fn receive_behind(self, socket: impl AsFd, input: &mut Vec<u8>) -> io::Result<usize> {
        let max_bytes = input.capacity() - input.len();
        whole(net::recv(socket, rustix::buffer::spare_capacity(input), self.flags())?.1, max_bytes)
    }

    /// With TRUNC the kernel tells how long a packet really is; of a stream it would throw octets away.
    fn flags(self) -> RecvFlags {
        match self {
            Self::Octets => RecvFlags::empty(),
            Self::Packets => system::REAL_LEN,
        }
    }
}

impl Stream {
    /// Makes two streams connected to each other, as `mem:` has them; both block.
    ///
    /// # Errors
    ///
    /// EMFILE or ENFILE when no descriptor is left.
    #[cfg(unix)]
    pub fn pair() -> io::Result<(Self, Self)> {
        use rustix::net::{AddressFamily, SocketFlags};
        let (one, other) = net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self::octets(one), Self::octets(other)))
    }

    /// Takes over a connected socket that is known to carry octets.
    pub(crate) fn octets(fd: OwnedFd) -> Self {
        Self { fd, cut: Cut::Octets }
    }

    /// Takes over a connected socket that is known to carry packets.
    pub(crate) fn packets(fd: OwnedFd) -> Self {
        Self { fd, cut: Cut::Packets }
    }

    /// Tells whether the kernel keeps packets apart on it: then it is a seqpacket socket.
    #[must_use]
    pub fn keeps_packets(&self) -> bool {
        self.cut == Cut::Packets
    }

    /// Makes reads and writes return at once (`true`) or block (`false`).
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.fd, nonblocking)?)
    }

    /// Bounds how long a blocking read waits for the first octet; `None`, the default, is for ever.
    ///
    /// # Errors
    ///
    /// EINVAL for a timeout of zero.
    pub fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, Timeout::Recv, timeout)?)
    }

    /// Bounds how long a blocking write waits for room; `None`, the default, is for ever.
    ///
    /// # Errors
    ///
    /// EINVAL for a timeout of zero.
    pub fn set_send_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, Timeout::Send, timeout)?)
    }

    /// Bounds the octets that the kernel takes over TCP before it sends them (TCP_NOTSENT_LOWAT): above it a write blocks,
    /// or would. They may be more by one piece of 64 KiB; 0 stands for the default, all that the send buffer holds.
    ///
    /// # Errors
    ///
    /// EOPNOTSUPP for a stream that is not TCP.
    pub fn set_unsent_max(&self, max_bytes: u32) -> io::Result<()> {
        system::set_unsent_max(self, max_bytes)
    }

    /// Ends one direction or both; a read or write that blocks in another thread wakes up.
    ///
    /// After `Shutdown::Write` the peer reads what was sent and then the end, and can still answer. After `Shutdown::Read`
    /// a read gives what has arrived, and then the end; the peer hears nothing of it over TCP, where what it sends goes on to
    /// arrive and can be read, and meets EPIPE with its next write over Unix, seqpacket and `mem:`.
    ///
    /// # Errors
    ///
    /// ENOTCONN when a TCP stream is not connected, any more or yet.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        shutdown(&self.fd, how)
    }

    /// Says how long a packet may be, in octets: what the kernel takes with its send buffer as it is; `None` where there are
    /// no packets.
    #[must_use]
    pub fn packet_max_bytes(&self) -> Option<usize> {
        if self.cut == Cut::Packets { packet_max_bytes(&self.fd) } else { None }
    }

    /// Reads what is there without taking it: the next read gives it again. It blocks as a read does.
    ///
    /// # Errors
    ///
    /// Those of a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf, RecvFlags::PEEK)
    }

    fn receive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        self.cut.receive(&self.fd, buf, flags)
    }

    pub(crate) fn cut(&self) -> Cut {
        self.cut
    }

    /// Says who is at the other end.
    ///
    /// # Errors
    ///
    /// ENOTCONN when a TCP stream is not connected, any more or yet.
    pub fn peer(&self) -> io::Result<Peer> {
        Ok(Peer::of(&self.fd)?)
    }
}

/// Refuses what was cut: a packet or datagram longer than the buffer.
pub(crate) fn whole(len_bytes: usize, max_bytes: usize) -> io::Result<usize> {
    if len_bytes > max_bytes { Err(Errno::MSGSIZE.into()) } else { Ok(len_bytes) }
}

/// Sends octets, or one packet.
pub(crate) fn send(socket: impl AsFd, octets: &[u8]) -> io::Result<usize> {
    if octets.is_empty() {
        // As a packet it would be read as the end.
        return Ok(0);
    }
    Ok(retry_on_intr(|| net::send(socket.as_fd(), octets, system::NO_SIGNAL))?)
}

pub(crate) fn shutdown(socket: impl AsFd, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => net::Shutdown::Read,
        Shutdown::Write => net::Shutdown::Write,
        Shutdown::Both => net::Shutdown::Both,
    };
    Ok(net::shutdown(socket, how)?)
}

/// Says how long a packet over Unix may be. The kernel sets 32 octets apart of the buffer for sending (`af_unix.c`).
pub(crate) fn packet_max_bytes(socket: &OwnedFd) -> Option<usize> {
    sockopt::socket_send_buffer_size(socket).ok().map(|size| size.saturating_sub(32))
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf, RecvFlags::empty())
    }
}

impl Write for &Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        send(&self.fd, buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        system::send_vectored(&self.fd, bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

system::descriptor!(Stream, |stream| &stream.fd);
system::numbered_descriptor!(Stream);

impl From<OwnedFd> for Stream {
    /// Takes over a connected socket of any kind: one that was inherited, say. What is no socket fails at the first use.
    fn from(fd: OwnedFd) -> Self {
        match sockopt::socket_type(&fd) {
            Ok(SocketType::SEQPACKET) => Self::packets(fd),
            _ => Self::octets(fd),
        }
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.fd
    }
}

#[cfg(test)]
mod tests {
    use rustix::fd::RawFd;

    use super::*;

    #[test]
    fn a_stream_is_a_descriptor_and_its_kind() {
        assert_eq!(size_of::<Stream>(), 2 * size_of::<RawFd>());
        assert_eq!(size_of::<Option<Stream>>(), size_of::<Stream>());
    }

    #[test]
    fn a_header_and_a_payload_leave_with_one_write() {
        let (mut one, mut other) = Stream::pair().unwrap();
        let len = one.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"load")]).unwrap();
        let mut buf = [0; 8];
        other.read_exact(&mut buf).unwrap();
        assert_eq!((len, &buf), (8, b"headload"));
    }

    #[test]
    fn a_timeout_of_zero_is_refused() {
        let (one, _other) = Stream::pair().unwrap();
        assert!(one.set_receive_timeout(Some(Duration::ZERO)).is_err());
        assert!(one.set_send_timeout(Some(Duration::ZERO)).is_err());
    }

    #[test]
    fn what_is_no_socket_fails_at_the_first_use() {
        let mut stream = Stream::from(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
        assert!(stream.read(&mut [0]).is_err());
    }
}
