//! Receiving a number of octets that is known beforehand.

use std::io;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::Stream;

impl Stream {
    /// Receives exactly as many octets as `buf` has room for, in one system call where the kernel can (MSG_WAITALL).
    ///
    /// It blocks until they are there, or until nothing arrives for as long as the timeout. Over seqpacket the kernel ends
    /// a call with each packet; then packets are received until the octets are there, and the last may not go beyond them.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] where the stream ends before; [`io::ErrorKind::WouldBlock`] when the time is over,
    /// or the stream does not block; EMSGSIZE for a packet that goes beyond `buf`: it is lost. With an error, what has
    /// arrived before it is taken from the stream and lies in `buf`, but how much is not told.
    pub fn receive_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.receive(&mut buf[filled..], RecvFlags::WAITALL) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => filled += len,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
