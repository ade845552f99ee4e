//! The requests of a client that have no answer yet, by id.

use std::collections::VecDeque;
use std::time::Duration;

/// The most ids from the oldest without an answer to the newest. 16 octets each: one request that is never answered
/// must not cost more than 16 MiB, however many others are.
pub(crate) const SPAN_MAX: usize = 1 << 20;

/// A request that is kept until it is answered, because it waits to be sent or may be sent again.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) topic: u16,
    pub(crate) once: bool,
    pub(crate) hops: u8,
    pub(crate) deadline: Option<Duration>,
    pub(crate) caused_at: Option<Duration>,
    pub(crate) payload: Box<[u8]>,
    /// The connection it was sent over last, counted from 1; 0 where it was not sent at all, or the server has said
    /// that it took up nothing of it.
    pub(crate) sent_on: u32,
    /// When it was sent first, while `sent_on` is not 0.
    pub(crate) sent_at: Duration,
    /// Whether it was sent over an earlier connection than that, too, and may have been taken up there.
    pub(crate) sent_before: bool,
    /// Whether it was taken back after it was sent.
    pub(crate) cancelled: bool,
}

/// What is known of one id.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Answered, or given up.
    Settled,
    /// Sent over the present connection, and lost with it.
    Plain,
    /// Kept.
    Kept(Box<Kept>),
}

/// Slots of consecutive ids; those at the front that are settled are forgotten.
#[derive(Debug)]
pub(crate) struct Window {
    slots: VecDeque<Slot>,
    /// The id of the first slot.
    lowest: u32,
    /// How many ids were given out, as far as 32 bits tell.
    given: u32,
    unsettled: usize,
    kept: usize,
}

impl Window {
    pub(crate) fn new() -> Self {
        Window { slots: VecDeque::new(), lowest: 1, given: 0, unsettled: 0, kept: 0 }
    }

    /// Returns the lowest id that has no answer yet, or the next id.
    pub(crate) fn lowest(&self) -> u32 {
        self.lowest
    }

    /// Returns how many ids have no answer yet.
    pub(crate) fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Gives out the next id; never 0, which stands for no request.
    #[inline]
    pub(crate) fn push(&mut self, slot: Slot) -> u32 {
        if self.next() == 0 {
            self.given = self.given.saturating_add(1);
            self.slots.push_back(Slot::Settled);
            self.pop_settled();
        }
        let id = self.next();
        self.given = self.given.saturating_add(1);
        self.unsettled += 1;
        self.kept += usize::from(matches!(slot, Slot::Kept(_)));
        self.slots.push_back(slot);
        id
    }

    #[inline]
    fn next(&self) -> u32 {
        self.lowest.wrapping_add(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    /// Says whether `id` was ever given out, as far as ids that wrap around tell.
    pub(crate) fn knows(&self, id: u32) -> bool {
        let back = self.next().wrapping_sub(id);
        id != 0 && back != 0 && back <= self.given && crate::id::is_before(id, self.next())
    }

    /// Says whether `id` has no answer yet and may have been taken up by a server.
    pub(crate) fn was_sent(&self, id: u32) -> bool {
        match self.slots.get(id.wrapping_sub(self.lowest) as usize) {
            Some(Slot::Kept(kept)) => kept.sent_on != 0 || kept.sent_before,
            Some(Slot::Plain) => true,
            Some(Slot::Settled) | None => false,
        }
    }

    /// Says whether anything is kept.
    #[inline]
    pub(crate) fn has_kept(&self) -> bool {
        self.kept > 0
    }

    /// Says whether the next id would be too far from the oldest without an answer.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= SPAN_MAX
    }

    /// Returns what is kept of `id`, if anything.
    pub(crate) fn kept(&mut self, id: u32) -> Option<&mut Kept> {
        match self.slots.get_mut(id.wrapping_sub(self.lowest) as usize)? {
            Slot::Kept(kept) => Some(kept),
            Slot::Settled | Slot::Plain => None,
        }
    }

    /// Settles `id`; returns what it was, or nothing where it was settled before or never given out.
    #[inline]
    pub(crate) fn settle(&mut self, id: u32) -> Option<Slot> {
        let slot = self.slots.get_mut(id.wrapping_sub(self.lowest) as usize)?;
        let was = std::mem::replace(slot, Slot::Settled);
        if matches!(was, Slot::Settled) {
            return None;
        }
        self.unsettled -= 1;
        self.kept -= usize::from(matches!(was, Slot::Kept(_)));
        self.pop_settled();
        Some(was)
    }

    /// Settles `id` if it is the oldest without an answer and nothing is kept of it.
    #[inline]
    pub(crate) fn settle_oldest(&mut self, id: u32) -> bool {
        let is_plain = id == self.lowest && matches!(self.slots.front(), Some(Slot::Plain));
        if is_plain {
            self.slots.pop_front();
            self.lowest = self.lowest.wrapping_add(1);
            self.unsettled -= 1;
            self.pop_settled();
        }
        is_plain
    }

    #[inline]
    fn pop_settled(&mut self) {
        while let Some(Slot::Settled) = self.slots.front() {
            self.slots.pop_front();
            self.lowest = self.lowest.wrapping_add(1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.slots.iter().enumerate().map(|(index, slot)| (self.id(index), slot))
    }

    /// Goes through the requests that are kept, if there are any.
    pub(crate) fn kept_mut(&mut self) -> impl Iterator<Item = (u32, &mut Kept)> {
        let lowest = self.lowest;
        let any = if self.kept == 0 { 0 } else { self.slots.len() };
        self.slots.iter_mut().take(any).zip(0u32..).filter_map(move |(slot, index)| match slot {
            Slot::Kept(kept) => Some((lowest.wrapping_add(index), &mut **kept)),
            _ => None,
        })
    }

    fn id(&self, index: usize) -> u32 {
        self.lowest.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_moves_over_what_is_settled() {
        let mut window = Window::new();
        let ids: Vec<u32> = (0..3).map(|_| window.push(Slot::Plain)).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(window.settle(2).is_some());
        assert_eq!(window.lowest(), 1);
        assert!(window.settle(1).is_some());
        assert_eq!((window.lowest(), window.unsettled()), (3, 1));
        assert!(window.settle(2).is_none(), "settled before");
        assert!(window.settle(4).is_none(), "never given out");
        assert!(window.knows(2) && !window.knows(4) && !window.knows(0));
        assert!(!window.knows(u32::MAX), "not before the ids have wrapped around");
    }

    #[test]
    fn ids_wrap_around_and_leave_zero_out() {
        let mut window = Window { lowest: u32::MAX, ..Window::new() };
        let ids: Vec<u32> = (0..3).map(|_| window.push(Slot::Plain)).collect();
        assert_eq!(ids, [u32::MAX, 1, 2]);
        for id in ids {
            assert!(window.settle(id).is_some());
        }
        assert_eq!((window.lowest(), window.unsettled()), (3, 0));
        assert!(window.knows(u32::MAX) && window.knows(1) && !window.knows(0) && !window.knows(u32::MAX - 1));
    }

    #[test]
    fn one_that_is_never_answered_holds_up_a_bounded_number() {
        let mut window = Window::new();
        window.push(Slot::Plain);
        for _ in 1..SPAN_MAX {
            assert!(!window.is_full());
            let id = window.push(Slot::Plain);
            window.settle(id);
        }
        assert!(window.is_full());
        window.settle(1);
        assert!(!window.is_full());
    }
}
