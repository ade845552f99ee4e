//! A client's session over datagrams: a socket, and the channel that makes a connection of it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use soquete_proto::channel::{Channel, DATAGRAM_MAX_BYTES, Datagram as Kind};

use super::{Datagram, DatagramOptions};
use crate::error::NO_SESSION;
use crate::{Endpoint, Error, Operation};

/// Datagrams received in a row at the most; the others come in the next turn.
const DATAGRAMS_MAX: usize = 64;

/// What a client over datagrams has in the place of a stream. It never blocks.
#[derive(Debug)]
pub(crate) struct Carrier {
    socket: Datagram,
    channel: Channel,
    gate: Gate,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Carrier {
    /// Aims at an endpoint; nothing is sent yet. A group is refused: any of it would be the server, and some would be asked
    /// for what only one has done.
    pub(crate) fn connect(endpoint: &Endpoint, now: Duration) -> Result<Self, Error> {
        if endpoint.reaches_many() {
            return Err(Error::new(Operation::Connect, endpoint, NO_SESSION));
        }
        let options = DatagramOptions { nonblocking: true, ..DatagramOptions::default() };
        let socket = Datagram::connect(endpoint, &options)?;
        let channel = Channel::connect(now, crate::entropy::random_u64().max(1));
        let (gate, buffer, out) = (Gate::default(), vec![0; DATAGRAM_MAX_BYTES], Vec::new());
        Ok(Self { socket, channel, gate, buffer, out })
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
        self.gate.send(&mut self.channel, now, &mut self.out, |datagram| self.socket.send(datagram))?;
        Ok(self.channel.has_room())
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
                return Err(Errno::CONNRESET.into());
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
        self.channel.is_sent() && !self.is_full()
    }

    /// Says whether the kernel has no room for a datagram at this moment.
    pub(crate) fn is_full(&self) -> bool {
        self.gate.unsent_bytes() > 0
    }

    /// Says whether everything that was sent has arrived.
    pub(crate) fn is_settled(&self) -> bool {
        self.channel.is_settled()
    }
}

crate::system::descriptor!(Carrier, |carrier| &carrier.socket);

/// Where what a channel says goes to the kernel.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// The datagram that found no room. It waits rather than be lost: over Unix the receiver holds ten.
    unsent: Vec<u8>,
}

impl Gate {
    /// Sends what waits and what is due, through `out`, until the kernel takes no more.
    pub(crate) fn send(
        &mut self,
        channel: &mut Channel,
        now: Duration,
        out: &mut Vec<u8>,
        mut send: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        out.clear();
        if self.unsent_bytes() > 0 {
            *out = std::mem::take(&mut self.unsent);
        }
        if channel.timeout().is_some_and(|due| due <= now) {
            // It counts as lost now, and the first is sent again.
            out.clear();
        }
        while !out.is_empty() || channel.transmit(now, out) {
            let sent = send(out);
            if sent.as_ref().is_err_and(is_full) {
                self.unsent = std::mem::take(out);
                return Ok(());
            }
            out.clear();
            sent?;
        }
        Ok(())
    }

    /// Returns the octets that wait.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent.len()
    }
}

fn is_full(error: &io::Error) -> bool {
    let is_short = Errno::from_io_error(error) == Some(Errno::NOBUFS);
    error.kind() == io::ErrorKind::WouldBlock || is_short
}

/// Takes a datagram that found no room for one that was sent: it may be lost on its way as well.
pub(crate) fn unless_full(sent: io::Result<()>) -> io::Result<()> {
    if sent.as_ref().is_err_and(is_full) { Ok(()) } else { sent }
}
