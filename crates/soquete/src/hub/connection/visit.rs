//! A connection over datagrams: what arrives for it, and what is due.

use super::{Codec, Connection, Ending, Handler, Lent, Turn};
use soquete_proto::channel::{Channel, Dropped, Packet};

/// Octets of datagrams of one sender that wait for the answer to an earlier one. Default 128 KiB: two of the longest.
const AHEAD_MAX_BYTES: usize = 128 << 10;

impl Connection {
    /// Uses a message that arrived apart from others: a datagram, or the octets of a packet of its session.
    pub(in crate::hub) fn message_turn<H: Handler>(
        &mut self,
        octets: &[u8],
        lent: &mut Lent<'_>,
        handler: &mut H,
    ) -> Turn {
        if !matches!(self.codec, Codec::Lingering { .. }) {
            self.heard_at = lent.now;
        }
        let waits = self.fate.deferred > 0 && matches!(self.codec, Codec::Line(_) | Codec::Text { .. });
        if self.input.is_empty() && !waits {
            return self.use_input(octets, lent, handler);
        }
        self.input.extend_from_slice(octets);
        self.resume_turn(lent, handler)
    }

    /// Takes a packet of the session over datagrams; what it set free is used by
    /// [`arrived_turn`](Connection::arrived_turn).
    pub(in crate::hub) fn receive_packet(&mut self, packet: &Packet<'_>, lent: &mut Lent<'_>) -> Result<(), Dropped> {
        self.wire.channel().map_or(Err(Dropped::Unknown), |channel| channel.receive(lent.now, packet))
    }

    /// Uses what has arrived in order over datagrams.
    pub(in crate::hub) fn arrived_turn<H: Handler>(
        &mut self,
        as_it_was: Turn,
        lent: &mut Lent<'_>,
        handler: &mut H,
    ) -> Turn {
        let mut turn = if as_it_was == Turn::Blocked { self.resume_turn(lent, handler) } else { as_it_was };
        while turn == Turn::Idle
            && let Some(octets) = self.wire.channel().and_then(Channel::next)
        {
            turn = self.message_turn(&octets, lent, handler);
        }
        // What is not said with an answer is said now: that it arrived.
        match (turn, self.flush(lent)) {
            (turn @ Turn::Closed(_), _) | (turn, Turn::Idle) => turn,
            (_, flushed) => flushed,
        }
    }

    /// Sends again what was not acknowledged, and ends where the other end is lost.
    pub(in crate::hub) fn due_turn(&mut self, as_it_was: Turn, lent: &mut Lent<'_>) -> Turn {
        if self.wire.channel().is_some_and(|channel| channel.is_lost(lent.now)) {
            return Turn::Closed(Ending::Left);
        }
        match self.flush(lent) {
            Turn::Idle => as_it_was,
            turn => turn,
        }
    }

    /// Says whether a message of so many octets can be taken; not where its sender asks faster than it is answered.
    pub(in crate::hub) fn has_room_ahead(&self, len_bytes: usize) -> bool {
        self.input.is_empty() || self.input.len() + len_bytes <= AHEAD_MAX_BYTES
    }

    pub(in crate::hub) fn waits_for_events(&self) -> bool {
        self.fate.stay
    }
}
