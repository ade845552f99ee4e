//! A connected stream in tokio's hands.

use crate::Stream;
use crate::hub::PACKET_MAX_BYTES;
use crate::stream::set_unsent_max;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};

/// A connected stream; `mem:` is a Unix one.
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    /// Hands a stream to the runtime.
    pub(super) fn new(stream: Stream, is_tcp: bool) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let fd = OwnedFd::from(stream);
        Ok(match is_tcp {
            true => Wire::Tcp(TcpStream::from_std(fd.into())?),
            false => Wire::Unix(UnixStream::from_std(fd.into())?),
        })
    }

    /// Bounds what the kernel holds unsent, where it can.
    pub(super) fn set_unsent_max(&self, max_bytes: u32) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => set_unsent_max(stream, max_bytes),
            Wire::Unix(_) => Ok(()),
        }
    }

    /// Takes it back from the runtime.
    pub(super) fn into_stream(self) -> io::Result<Stream> {
        Ok(Stream::from(match self {
            Wire::Tcp(stream) => OwnedFd::from(stream.into_std()?),
            Wire::Unix(stream) => OwnedFd::from(stream.into_std()?),
        }))
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => stream.writable().await,
            Wire::Unix(stream) => stream.writable().await,
        }
    }

    /// Reads behind what is in `input`, as much as it has room for.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        loop {
            let ready = match self {
                Wire::Tcp(stream) => stream.poll_read_ready(cx),
                Wire::Unix(stream) => stream.poll_read_ready(cx),
            };
            match ready {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let read = match self {
                Wire::Tcp(stream) => stream.try_read_buf(input),
                Wire::Unix(stream) => {
                    // It may be a seqpacket socket, whose packets must not be cut.
                    input.reserve(PACKET_MAX_BYTES);
                    stream.try_read_buf(input)
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Writes what the peer takes at once; waits where it takes nothing.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let written = match self {
                Wire::Tcp(stream) => stream.try_write(octets),
                Wire::Unix(stream) => stream.try_write(&octets[..octets.len().min(PACKET_MAX_BYTES)]),
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            let ready = match self {
                Wire::Tcp(stream) => stream.poll_write_ready(cx),
                Wire::Unix(stream) => stream.poll_write_ready(cx),
            };
            match ready {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
