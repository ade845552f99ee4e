//! What arrives over a channel, put in order.

use super::{Dropped, WINDOW_MAX, WINDOW_MAX_BYTES};
use std::collections::VecDeque;

/// Packets from the first that was not taken on; those at the front are in order up to `received`.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The last packet that was taken.
    taken: u64,
    /// The packet up to which all have arrived.
    received: u64,
    /// Packet `taken + 1` and those after it, as far as they are there.
    held: VecDeque<Option<Box<[u8]>>>,
    held_bytes: usize,
}

/// Where a packet that arrived belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    InOrder,
    /// One before it is missing.
    BehindGap,
}

impl Incoming {
    /// The packet up to which all have arrived; 0 for none.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn take(&mut self) -> Option<Box<[u8]>> {
        let octets = self.held.front_mut()?.take()?;
        self.held.pop_front();
        self.held_bytes -= octets.len();
        self.taken += 1;
        Some(octets)
    }

    pub(super) fn put(&mut self, packet: u64, octets: &[u8]) -> Result<Place, Dropped> {
        if packet <= self.received {
            return Err(Dropped::Duplicate);
        }
        if packet - self.received > WINDOW_MAX as u64 {
            return Err(Dropped::Ahead);
        }
        let Ok(index) = usize::try_from(packet - self.taken - 1) else { return Err(Dropped::Ahead) };
        if self.held.get(index).is_some_and(Option::is_some) {
            return Err(Dropped::Duplicate);
        }
        // What can be taken next always has its place, or nothing would ever be taken.
        let has_room = index < WINDOW_MAX && self.held_bytes + octets.len() <= WINDOW_MAX_BYTES;
        if index > 0 && !has_room {
            return Err(Dropped::Full);
        }
        if index >= self.held.len() {
            self.held.resize_with(index + 1, || None);
        }
        self.held[index] = Some(octets.into());
        self.held_bytes += octets.len();
        let place = if packet == self.received + 1 { Place::InOrder } else { Place::BehindGap };
        let before = usize::try_from(self.received - self.taken).unwrap_or(usize::MAX);
        self.received += self.held.iter().skip(before).take_while(|held| held.is_some()).count() as u64;
        Ok(place)
    }
}
