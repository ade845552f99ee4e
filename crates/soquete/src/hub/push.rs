//! What a server says without being asked.

use super::connection::{Connection, Lent, Turn};
use super::{ConnectionId, Handler, Hub, Slot};
use crate::Clock;
use soquete_proto::fault::Misuse;
use soquete_proto::handshake::{EventHead, put_event};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Octets of events that may wait for a slow subscriber, and of urgent ones beside them. Default 64 KiB: some thousand
/// changes.
const WAITING_MAX_BYTES: usize = 64 << 10;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is sent, or waits to be.
    Queued,
    /// The subscriber is too slow: it was not queued. [`Hub::next_drained`] tells when there is room again.
    Full,
    /// It is longer than the subscriber takes: it was not queued, and never can be.
    TooLong,
    /// The connection is gone.
    Gone,
}

impl Hub {
    /// Sends an event to the subscription that request `id` of a connection made; in text, a line, without its LF.
    ///
    /// The lag of its head is told to a client that wants to hear it ([`timed`](soquete_proto::client::Options::timed)), and
    /// to no other.
    pub fn push<H: Handler>(
        &mut self,
        to: ConnectionId,
        id: u32,
        head: EventHead,
        payload: &[u8],
        handler: &mut H,
    ) -> Pushed {
        let Some(connection) = self.connection_mut(to).filter(|connection| !connection.is_ending()) else {
            return Pushed::Gone;
        };
        if connection.output_len() > 0 && connection.output_len() + payload.len() > WAITING_MAX_BYTES {
            connection.is_lagging = true;
            return Pushed::Full;
        }
        self.gather(to, handler, |connection, lent| {
            let Some(max_bytes) = connection.payload_max_bytes() else {
                lent.out.extend_from_slice(payload);
                lent.out.push(b'\n');
                return Ok(());
            };
            put_event(lent.out, id, connection.event_head(head), payload, max_bytes)
        })
    }

    /// Sends an event as [`push`](Hub::push), before what waits to be sent and is not begun, behind earlier urgent ones.
    ///
    /// What the kernel holds is sent before it; [`ListenOptions::unsent_max_bytes`](crate::ListenOptions::unsent_max_bytes)
    /// bounds that. It is [`Full`](Pushed::Full) only where 64 KiB of urgent events wait already. A client that does not
    /// know the feature, and one of text, gets it in its turn, as by `push`.
    pub fn push_urgent<H: Handler>(
        &mut self,
        to: ConnectionId,
        id: u32,
        head: EventHead,
        payload: &[u8],
        handler: &mut H,
    ) -> Pushed {
        let Some(connection) = self.connection_mut(to).filter(|connection| !connection.is_ending()) else {
            return Pushed::Gone;
        };
        if !connection.takes_urgent() {
            return self.push(to, id, head, payload, handler);
        }
        let waiting = connection.urgent_len();
        if waiting > 0 && waiting + payload.len() > WAITING_MAX_BYTES {
            connection.is_lagging = true;
            return Pushed::Full;
        }
        self.gather(to, handler, |connection, lent| {
            connection.put_urgent(id, connection.event_head(head), payload, lent)
        })
    }

    /// Has an event gathered for a connection that is there, and sends it.
    fn gather<H: Handler>(
        &mut self,
        to: ConnectionId,
        handler: &mut H,
        put: impl FnOnce(&mut Connection, &mut Lent<'_>) -> Result<(), Misuse>,
    ) -> Pushed {
        let mut pushed = Pushed::Queued;
        self.with(to.key(), Clock::now(), handler, |connection, lent, _, interest| {
            if put(connection, lent).is_err() {
                pushed = Pushed::TooLong;
            }
            Self::flush_only(connection, lent, interest.turn())
        });
        pushed
    }

    /// Sends what is gathered and leaves the connection otherwise as it was.
    fn flush_only(connection: &mut Connection, lent: &mut Lent<'_>, as_it_was: Turn) -> Turn {
        match connection.flush(lent) {
            Turn::Idle => as_it_was,
            turn => turn,
        }
    }

    /// Returns the next connection that was too slow and has taken everything since.
    pub fn next_drained(&mut self) -> Option<ConnectionId> {
        self.drained.pop_front()
    }

    /// Says whether a connection speaks frames; nothing where it is gone.
    pub fn speaks_frames(&self, id: ConnectionId) -> Option<bool> {
        match self.slots.get(id.key()) {
            Some(Slot::Connection { connection, .. }) if connection.id == id => Some(connection.is_frames()),
            _ => None,
        }
    }

    /// Takes no more connections; those that are there go on.
    pub fn close_listeners(&mut self) {
        let is_listener = |slot: &Slot| matches!(slot, Slot::Listener { .. });
        let listeners: Vec<usize> =
            self.slots.iter().filter(|(_, slot)| is_listener(slot)).map(|(key, _)| key).collect();
        for (_, slot) in &mut self.slots {
            if let Slot::Port(port) = slot {
                port.is_closed = true;
            }
        }
        for key in listeners {
            // Closing the descriptor takes it out of the epoll set.
            self.slots.remove(key);
        }
    }

    /// Says goodbye to every connection; each closes once its answers are given and sent.
    pub fn goodbye<H: Handler>(&mut self, text: &str, handler: &mut H) {
        let now = Clock::now();
        for key in self.keys() {
            self.with(key, now, handler, |connection, lent, _, _| connection.goodbye(text, lent));
        }
    }

    /// Serves what is left after [`goodbye`](Hub::goodbye), until nobody is there or the time is over.
    pub fn drain<H: Handler>(&mut self, timeout: Duration, handler: &mut H) {
        let deadline = Clock::now() + timeout;
        while self.counts.connections > 0 {
            // Nobody asks for these any more, and while they wait a turn does not sleep.
            self.ready.clear();
            self.drained.clear();
            let left = deadline.saturating_sub(Clock::now());
            if left.is_zero() || self.turn(Some(left), handler).is_err() {
                return;
            }
        }
    }
}

impl AsFd for Hub {
    /// Returns a descriptor that is readable while a turn has something to do, so that another loop can drive this.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}
