//! Datagrams for programs that live in tokio.

use crate::{Address, Arrival, Datagram, Endpoint};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::time::sleep;

/// How soon a datagram is sent again to a Unix socket that had no room. Reason: it has some by then, or nobody reads there.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// A socket of datagrams in tokio's hands. `&self` sends and receives, so tasks can share it.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use soquete::{AsyncDatagram, Datagram, DatagramOptions};
///
/// let options = DatagramOptions::default();
/// let board = AsyncDatagram::try_from(Datagram::bind(&"udp://127.0.0.1:0".parse()?, &options)?)?;
/// let button = AsyncDatagram::try_from(Datagram::connect(board.socket().local(), &options)?)?;
/// button.send(b"LED ON").await?;
/// let mut buf = [0; 64];
/// let arrival = board.receive_from(&mut buf).await?;
/// assert_eq!(&buf[..arrival.len_bytes], b"LED ON");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AsyncDatagram {
    socket: Datagram,
    readiness: Readiness,
}

/// A second descriptor of the socket, by which the runtime tells when it is ready.
#[derive(Debug)]
enum Readiness {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl AsyncDatagram {
    /// Gives the socket, for what needs no waiting; it is non-blocking.
    #[must_use]
    pub fn socket(&self) -> &Datagram {
        &self.socket
    }

    /// Sends one datagram to the endpoint it is aimed at; waits while the kernel has no room.
    ///
    /// # Errors
    ///
    /// As [`Datagram::send`].
    pub async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.when(Interest::WRITABLE, || self.socket.send(datagram)).await
    }

    /// Sends one datagram to an address; waits while the kernel has no room.
    ///
    /// # Errors
    ///
    /// As [`Datagram::send_to`].
    ///
    /// # Panics
    ///
    /// Over Unix, in a runtime without time, where it has to wait.
    pub async fn send_to(&self, datagram: &[u8], to: &Address) -> io::Result<()> {
        if let Readiness::Udp(_) = self.readiness {
            return self.when(Interest::WRITABLE, || self.socket.send_to(datagram, to)).await;
        }
        loop {
            match self.socket.send_to(datagram, to) {
                // Of a socket that is not connected the kernel says that it is ready, whoever has no room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(RETRY_AFTER).await,
                sent => return sent,
            }
        }
    }

    /// Receives one datagram, with its sender.
    ///
    /// # Errors
    ///
    /// As [`Datagram::receive_from`].
    pub async fn receive_from(&self, buf: &mut [u8]) -> io::Result<Arrival> {
        self.when(Interest::READABLE, || self.socket.receive_from(buf)).await
    }

    async fn when<T>(&self, ready: Interest, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match &self.readiness {
            Readiness::Udp(socket) => socket.async_io(ready, call).await,
            Readiness::Unix(socket) => socket.async_io(ready, call).await,
        }
    }
}

impl TryFrom<Datagram> for AsyncDatagram {
    type Error = io::Error;

    /// Hands a socket to the runtime that this runs in, and makes it non-blocking. It panics outside a runtime, or in one
    /// without IO.
    ///
    /// Fails where no descriptor is left: it takes a second one.
    fn try_from(socket: Datagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let second = socket.as_fd().try_clone_to_owned()?;
        let readiness = match socket.local() {
            Endpoint::Unixgram(_) => Readiness::Unix(UnixDatagram::from_std(second.into())?),
            _ => Readiness::Udp(UdpSocket::from_std(second.into())?),
        };
        Ok(Self { socket, readiness })
    }
}

impl From<AsyncDatagram> for Datagram {
    /// Takes the socket back from the runtime; it is non-blocking.
    fn from(socket: AsyncDatagram) -> Self {
        socket.socket
    }
}

impl AsFd for AsyncDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
