//! A socket of any kind, as one who only talks sees it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use soquete::{Address, Datagram, Stream};

/// A socket that does not block.
#[derive(Debug)]
pub(super) enum Socket {
    Stream(Stream),
    Datagram(Box<Datagram>),
}

/// What a receive brought.
#[derive(Debug)]
pub(super) struct Received {
    /// Its octets; of a stream, none is the end.
    pub(super) len: usize,
    /// Who sent it, of a datagram.
    pub(super) from: Option<Address>,
}

impl Socket {
    /// Says whether each message arrives by itself.
    pub(super) fn keeps_boundaries(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.keeps_packets(),
            Self::Datagram(_) => true,
        }
    }

    /// Receives.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn receive(&self, room: &mut [u8]) -> io::Result<Received> {
        match self {
            Self::Stream(stream) => (&*stream).read(room).map(|len| Received { len, from: None }),
            Self::Datagram(socket) => {
                let arrival = socket.receive_from(room)?;
                Ok(Received { len: arrival.len_bytes, from: Some(arrival.from) })
            }
        }
    }

    /// Looks at what comes first without taking it; returns its octets.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn peek(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.peek(room),
            Self::Datagram(socket) => socket.peek_from(room).map(|arrival| arrival.len_bytes),
        }
    }

    /// Sends, a datagram to `to` where it is told; returns how much was taken.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn send(&self, octets: &[u8], to: Option<&Address>) -> io::Result<usize> {
        match (self, to) {
            (Self::Stream(stream), _) => (&*stream).write(octets),
            (Self::Datagram(socket), None) => socket.send(octets).map(|()| octets.len()),
            (Self::Datagram(socket), Some(to)) => socket.send_to(octets, to).map(|()| octets.len()),
        }
    }

    /// Says that nothing more will be sent. Datagrams have no way to say so.
    pub(super) fn finish(&self) {
        if let Self::Stream(stream) = self {
            // It fails where the connection is gone, which a receive tells.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Sends one octet of urgent data.
    ///
    /// # Errors
    /// Those of the socket; it has to be TCP.
    pub(super) fn send_urgent(&self, octet: u8) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.send_urgent(octet),
            Self::Datagram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes the octet of urgent data that poll has told of, where it has come.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn receive_urgent(&self) -> io::Result<Option<u8>> {
        match self {
            Self::Stream(stream) => stream.receive_urgent(),
            Self::Datagram(_) => Ok(None),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stream(stream) => stream.as_fd(),
            Self::Datagram(socket) => socket.as_fd(),
        }
    }
}
