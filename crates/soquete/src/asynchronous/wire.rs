//! A connected stream in tokio's hands.

use crate::Stream;
use crate::hub::PACKET_MAX_BYTES;
use crate::stream::Cut;
use crate::system::set_unsent_max;
use rustix::net::{AddressFamily, RecvFlags, sockopt};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A connected stream of any kind. The runtime tells when it is ready; reading and writing are the library's own, so packets
/// stay whole.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    cut: Cut,
}

/// What the runtime knows: `mem:` and seqpacket are Unix ones to it.
#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    /// Hands a stream to the runtime.
    pub(super) fn new(stream: Stream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (is_unix, cut) = (sockopt::socket_domain(&stream)? == AddressFamily::UNIX, stream.cut());
        let fd = OwnedFd::from(stream);
        let socket = match is_unix {
            true => Socket::Unix(UnixStream::from_std(fd.into())?),
            false => Socket::Tcp(TcpStream::from_std(fd.into())?),
        };
        Ok(Self { socket, cut })
    }

    /// Bounds what the kernel holds unsent, where it can.
    pub(super) fn set_unsent_max(&self, max_bytes: u32) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(stream) => set_unsent_max(stream, max_bytes),
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Takes it back from the runtime.
    pub(super) fn into_stream(self) -> io::Result<Stream> {
        Ok(Stream::from(match self.socket {
            Socket::Tcp(stream) => OwnedFd::from(stream.into_std()?),
            Socket::Unix(stream) => OwnedFd::from(stream.into_std()?),
        }))
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(stream) => stream.writable().await,
            Socket::Unix(stream) => stream.writable().await,
        }
    }

    /// Reads behind what is in `input`, as much as it has room for; a packet always finds room.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if self.cut == Cut::Packets {
            input.reserve(PACKET_MAX_BYTES);
        }
        self.poll_read_by(cx, |fd, cut| cut.receive_behind(fd, input))
    }

    /// Reads what is there.
    pub(super) fn poll_read_into(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_by(cx, |fd, cut| cut.receive(fd, buf, RecvFlags::empty()))
    }

    fn poll_read_by(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>, Cut) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(match &self.socket {
                Socket::Tcp(stream) => stream.poll_read_ready(cx),
                Socket::Unix(stream) => stream.poll_read_ready(cx),
            })?;
            match self.try_io(Interest::READABLE, || read(self.as_fd(), self.cut)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Writes frames as [`poll_write`](Wire::poll_write) does, in packets that the kernel takes.
    pub(super) fn poll_write_frames(&self, cx: &mut Context<'_>, frames: &[u8]) -> Poll<io::Result<usize>> {
        let max_bytes = if self.cut == Cut::Packets { PACKET_MAX_BYTES } else { usize::MAX };
        self.poll_write(cx, &frames[..frames.len().min(max_bytes)])
    }

    /// Writes what the peer takes at once; waits where it takes nothing.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_io(Interest::WRITABLE, || crate::stream::send(self.as_fd(), octets)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            ready!(match &self.socket {
                Socket::Tcp(stream) => stream.poll_write_ready(cx),
                Socket::Unix(stream) => stream.poll_write_ready(cx),
            })?;
        }
    }

    fn try_io(&self, interest: Interest, call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp(stream) => stream.try_io(interest, call),
            Socket::Unix(stream) => stream.try_io(interest, call),
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match crate::stream::shutdown(self.as_fd(), Shutdown::Write) {
            // The peer ended the connection first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}
