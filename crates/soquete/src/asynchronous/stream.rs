//! A stream for programs that live in tokio and have a protocol of their own.

use super::dial::dial;
use super::wire::Wire;
use crate::{Endpoint, Error, Stream};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection of any kind in tokio's hands: it is `AsyncRead` and `AsyncWrite`.
///
/// What holds of a [`Stream`] holds of it: over seqpacket each write is one packet, and each read takes one. Dropping it closes
/// it at once; `shutdown` ends the direction to the peer.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use soquete::{AsyncStream, Stream};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (one, other) = Stream::pair()?;
/// let (mut one, mut other) = (AsyncStream::try_from(one)?, AsyncStream::try_from(other)?);
/// one.write_all(b"LED ON\n").await?;
/// one.shutdown().await?;
/// let mut line = String::new();
/// other.read_to_string(&mut line).await?;
/// assert_eq!(line, "LED ON\n");
/// # Ok::<(), std::io::Error>(()) })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AsyncStream(Wire);

impl AsyncStream {
    /// Connects within `timeout`; a name is looked up in a helper thread, and its addresses share the time evenly.
    ///
    /// # Errors
    ///
    /// As [`Stream::connect_timeout`]; a full queue of a Unix or `mem:` listener is waited for.
    ///
    /// # Panics
    ///
    /// Outside a runtime, or in one without IO or time.
    pub async fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, Error> {
        dial(endpoint, timeout).await.map(Self)
    }
}

impl TryFrom<Stream> for AsyncStream {
    type Error = io::Error;

    /// Hands a stream to the runtime that this runs in, and makes it non-blocking. It panics outside a runtime, or in one
    /// without IO.
    ///
    /// Fails where the runtime has no descriptor left.
    fn try_from(stream: Stream) -> io::Result<Self> {
        Wire::new(stream).map(Self)
    }
}

impl TryFrom<AsyncStream> for Stream {
    type Error = io::Error;

    /// Takes the stream back from the runtime; it is non-blocking.
    fn try_from(stream: AsyncStream) -> io::Result<Self> {
        stream.0.into_stream()
    }
}

impl AsyncRead for AsyncStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.0.poll_read_into(cx, buf.initialize_unfilled());
        read.map_ok(|len| buf.advance(len))
    }
}

impl AsyncWrite for AsyncStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown())
    }
}

impl AsFd for AsyncStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
