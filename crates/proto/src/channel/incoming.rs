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

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_in_order_and_each_once() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.put(2, b"two"), Ok(Place::BehindGap));
        assert_eq!((incoming.received(), incoming.take()), (0, None));
        assert_eq!(incoming.put(2, b"two"), Err(Dropped::Duplicate));
        assert_eq!(incoming.put(1, b"one"), Ok(Place::InOrder));
        assert_eq!(incoming.received(), 2);
        assert_eq!(incoming.take().as_deref(), Some(&b"one"[..]));
        assert_eq!(incoming.put(1, b"one"), Err(Dropped::Duplicate));
        assert_eq!(incoming.take().as_deref(), Some(&b"two"[..]));
        assert_eq!((incoming.take(), incoming.held_bytes, incoming.held.len()), (None, 0, 0));
    }

    #[test]
    fn no_more_packets_are_held_than_the_window_has() {
        let mut incoming = Incoming::default();
        let window = WINDOW_MAX as u64;
        assert_eq!(incoming.put(window + 1, b"x"), Err(Dropped::Ahead));
        for packet in (1..=window).rev() {
            assert!(incoming.put(packet, b"x").is_ok());
        }
        assert_eq!(incoming.put(window + 1, b"x"), Err(Dropped::Full), "nothing was taken");
        assert!(incoming.take().is_some());
        assert_eq!(incoming.put(window + 1, b"x"), Ok(Place::InOrder));
    }

    #[test]
    fn no_more_octets_are_held_than_the_window_has_and_one_packet() {
        let mut incoming = Incoming::default();
        let half = vec![0; WINDOW_MAX_BYTES / 2];
        assert!(incoming.put(2, &half).is_ok() && incoming.put(3, &half).is_ok());
        assert_eq!(incoming.put(4, b"x"), Err(Dropped::Full));
        assert_eq!(incoming.put(1, &half), Ok(Place::InOrder), "what can be taken next has its place");
        assert_eq!(incoming.put(4, b"x"), Err(Dropped::Full));
        assert!(incoming.take().is_some() && incoming.take().is_some());
        assert_eq!(incoming.put(4, b"x"), Ok(Place::InOrder));
    }
}
