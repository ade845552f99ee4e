//! A client's session over datagrams: a socket, and the channel that makes a connection of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use soquete_proto::channel::{Channel, DATAGRAM_MAX_BYTES, Datagram as Kind};

use super::{Datagram, DatagramOptions};
use crate::{Endpoint, Error};

/// Datagrams received in a row at the most; the others come in the next turn.
const DATAGRAMS_MAX: usize = 64;

/// What a client over datagrams has in the place of a stream. It never blocks.
#[derive(Debug)]
pub(crate) struct Carrier {
    socket: Datagram,
    channel: Channel,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Carrier {
    /// Aims at an endpoint; nothing is sent yet.
    pub(crate) fn connect(endpoint: &Endpoint, now: Duration) -> Result<Self, Error> {
        let options = DatagramOptions { nonblocking: true, ..DatagramOptions::default() };
        let socket = Datagram::connect(endpoint, &options)?;
        let channel = Channel::connect(now, crate::entropy::random_u64().max(1));
        Ok(Self { socket, channel, buffer: vec![0; DATAGRAM_MAX_BYTES], out: Vec::new() })
    }

    /// Takes the frames that are gathered, and sends what is due; says whether there is room for more.
    ///
    /// # Errors
    ///
    /// What the kernel says; that nobody receives there (ECONNREFUSED) is about an earlier datagram, and counts.
    pub(crate) fn send(&mut self, now: Duration, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.channel.is_lost(now) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.channel.put(out);
        loop {
            self.out.clear();
            if !self.channel.transmit(now, &mut self.out) {
                return Ok(self.channel.has_room());
            }
            match self.socket.send(&self.out) {
                // It may be lost here as well as on its way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => sent?,
            }
        }
    }

    /// Appends to `input` what has arrived in order; says how many octets.
    ///
    /// # Errors
    ///
    /// As [`send`](Carrier::send); ECONNRESET where the server does not know this session any more.
    pub(crate) fn receive(&mut self, now: Duration, input: &mut Vec<u8>) -> io::Result<usize> {
        let before = input.len();
        for _ in 0..DATAGRAMS_MAX {
            match self.socket.receive(&mut self.buffer) {
                Ok(len) => self.arrive(now, len)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while let Some(octets) = self.channel.next() {
            input.extend_from_slice(&octets);
        }
        Ok(input.len() - before)
    }

    fn arrive(&mut self, now: Duration, len: usize) -> io::Result<()> {
        match Kind::read(&self.buffer[..len]) {
            // What does not fit is dropped; the server sends again what it was not told of.
            Ok(Kind::Of(packet)) => drop(self.channel.receive(now, &packet)),
            Ok(Kind::Reset { session }) if self.channel.is_reset_by(session) => {
                return Err(rustix::io::Errno::CONNRESET.into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns when something is to be sent again, or the server counts as lost.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.channel.timeout()
    }

    /// Says whether everything was sent once.
    pub(crate) fn is_sent(&self) -> bool {
        self.channel.is_sent()
    }

    /// Says whether everything that was sent has arrived.
    pub(crate) fn is_settled(&self) -> bool {
        self.channel.is_settled()
    }
}

impl AsFd for Carrier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
