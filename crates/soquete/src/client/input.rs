//! What a client has received and not used yet.

use soquete_proto::frame;
use std::ops::Range;

/// Octets that one receive may bring at first, and once so many have come at a time: a client of commands stays small,
/// one of a stream reads in large pieces.
const CHUNK_MIN_BYTES: usize = 4 << 10;
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// The longest packet or datagram that is received, in octets: 256 KiB, more than the kernel takes from an ordinary sender.
const MESSAGE_MAX_BYTES: usize = 256 << 10;

/// A buffer with octets from `start` to `end`; it grows only for a message that is longer than it.
pub(super) struct Input {
    octets: Vec<u8>,
    start: usize,
    end: usize,
    chunk: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Input { octets: Vec::new(), start: 0, end: 0, chunk: CHUNK_MIN_BYTES }
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    /// Takes `len` octets off the front; returns where they lie until the next receive.
    #[inline]
    pub(super) fn advance(&mut self, len: usize) -> Range<usize> {
        let range = self.start..self.start + len;
        self.start = range.end;
        range
    }

    #[inline]
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        &self.octets[range]
    }

    /// Puts octets that were kept elsewhere where they can be looked at.
    pub(super) fn keep(&mut self, payload: Vec<u8>) -> Range<usize> {
        let unread = self.unread().to_vec();
        let len = payload.len();
        self.octets = payload;
        self.octets.extend_from_slice(&unread);
        (self.start, self.end) = (len, len + unread.len());
        0..len
    }

    /// Returns room for a receive: all of the buffer where nothing is unread; in raw framing never more than
    /// `max_bytes`, which bounds the message.
    #[inline]
    pub(super) fn room(&mut self, is_frames: bool, max_bytes: usize) -> &mut [u8] {
        if self.start == self.end {
            self.clear();
        }
        if !is_frames {
            self.make_room(max_bytes.clamp(1, self.chunk));
            let end = self.octets.len().min(self.end + max_bytes);
            return &mut self.octets[self.end..end];
        }
        let needed = frame::needed(self.unread()).unwrap_or(0).saturating_sub(self.end - self.start);
        // The header was checked against the limit when it was looked at.
        self.make_room(needed.clamp(1, self.chunk.max(self.end - self.start)).max(self.least_room()));
        &mut self.octets[self.end..]
    }

    /// Returns room for a whole message of at most `max_bytes`, behind what is unread.
    pub(super) fn message_room(&mut self, max_bytes: usize) -> &mut [u8] {
        if self.start == self.end {
            self.clear();
        }
        let max_bytes = max_bytes.clamp(1, MESSAGE_MAX_BYTES);
        self.make_room(max_bytes);
        &mut self.octets[self.end..self.end + max_bytes]
    }

    /// Takes over the first `len` octets of what arrived elsewhere.
    pub(super) fn append(&mut self, arrived: &mut Vec<u8>, len: usize) {
        self.make_room(len);
        self.octets[self.end..self.end + len].copy_from_slice(&arrived[..len]);
        self.end += len;
        arrived.clear();
    }

    /// Returns room although much may be unread.
    pub(super) fn more_room(&mut self) -> &mut [u8] {
        self.make_room(CHUNK_MAX_BYTES);
        &mut self.octets[self.end..]
    }

    fn make_room(&mut self, len: usize) {
        if self.octets.len() - self.end >= len {
            return;
        }
        self.octets.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let wanted = self.end + len;
        if self.octets.len() < wanted {
            self.octets.resize(wanted, 0);
        }
    }

    /// Returns how much room there must be: a chunk where nothing is unread, so that no receive is cut short.
    #[inline]
    fn least_room(&self) -> usize {
        if self.end == 0 { self.chunk } else { 1 }
    }

    #[inline]
    pub(super) fn filled(&mut self, len: usize) {
        self.end += len;
        if self.end == self.octets.len() && self.chunk < CHUNK_MAX_BYTES {
            self.chunk *= 4;
        }
    }
}
