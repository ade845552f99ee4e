//! Announcements that arrive: each once, whatever is repeated or doubled on its way.

use super::Dropped;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Senders of announcements remembered. Reason: 400 a second for as long as each is kept, where each announcement has a
/// sender of its own; some 700 KiB.
pub const SENDERS_MAX: usize = 4_096;

/// How long a silent sender is remembered where room is short. Reason: longer than a datagram lives on its way.
pub const SENDER_KEPT: Duration = Duration::from_secs(10);

/// How far back from the newest announcement of a sender one is told from those that came before.
const BACK_MAX: u64 = 64;

/// What was heard of each sender, so that an announcement is delivered at most once. `A` is a sender's address.
///
/// A sender is its address and the number it chose, so one that was started again is another.
#[derive(Debug)]
pub struct Announcements<A> {
    senders: HashMap<(A, u64), Heard>,
    /// Before this nobody has been silent for long enough.
    full_until: Duration,
}

#[derive(Debug)]
struct Heard {
    newest: u64,
    /// Bit n: whether the one n before the newest came.
    came: u64,
    at: Duration,
}

impl<A> Default for Announcements<A> {
    fn default() -> Self {
        Announcements { senders: HashMap::new(), full_until: Duration::ZERO }
    }
}

impl<A: Eq + Hash + Clone> Announcements<A> {
    /// Notes announcement `packet` of the sender `number` at `from`; to be delivered unless this is an error.
    ///
    /// # Errors
    /// [`Dropped::Duplicate`] for one that came before, or is more than 64 older than the newest;
    /// [`Dropped::Crowded`] for a new sender while [`SENDERS_MAX`] others were heard within [`SENDER_KEPT`].
    pub fn admit(&mut self, now: Duration, from: &A, number: u64, packet: u64) -> Result<(), Dropped> {
        let key = (from.clone(), number);
        if let Some(heard) = self.senders.get_mut(&key) {
            return heard.admit(now, packet);
        }
        self.make_room(now)?;
        self.senders.insert(key, Heard { newest: packet, came: 1, at: now });
        Ok(())
    }

    /// Forgets who was silent for long enough, where the table is full.
    fn make_room(&mut self, now: Duration) -> Result<(), Dropped> {
        if self.senders.len() < SENDERS_MAX {
            return Ok(());
        }
        // A crowd of strangers must not have the whole table looked through for each of them.
        if now >= self.full_until {
            self.senders.retain(|_, heard| now < heard.at.saturating_add(SENDER_KEPT));
            let oldest = self.senders.values().map(|heard| heard.at).min().unwrap_or(now);
            self.full_until = oldest.saturating_add(SENDER_KEPT);
        }
        if self.senders.len() < SENDERS_MAX { Ok(()) } else { Err(Dropped::Crowded) }
    }

    /// Returns how many senders are remembered.
    pub fn senders(&self) -> usize {
        self.senders.len()
    }
}

impl Heard {
    fn admit(&mut self, now: Duration, packet: u64) -> Result<(), Dropped> {
        if let Some(ahead) = packet.checked_sub(self.newest).filter(|ahead| *ahead > 0) {
            self.came = if ahead < BACK_MAX { self.came << ahead } else { 0 } | 1;
            self.newest = packet;
        } else {
            let back = self.newest - packet;
            if back >= BACK_MAX || self.came >> back & 1 == 1 {
                return Err(Dropped::Duplicate);
            }
            self.came |= 1 << back;
        }
        self.at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUPLICATE: Result<(), Dropped> = Err(Dropped::Duplicate);

    #[test]
    fn each_is_delivered_once_in_whatever_order_they_come() {
        let mut announcements = Announcements::default();
        let mut admit = |packet| announcements.admit(Duration::ZERO, &"board", 7, packet);
        assert_eq!([3, 1, 3, 2, 1, 2].map(&mut admit), [Ok(()), Ok(()), DUPLICATE, Ok(()), DUPLICATE, DUPLICATE]);
        assert_eq!(admit(66), Ok(()));
        assert_eq!([2, 3, 4, 66].map(&mut admit), [DUPLICATE, DUPLICATE, Ok(()), DUPLICATE], "64 are told apart");
        assert_eq!([u64::MAX, u64::MAX, 66].map(&mut admit), [Ok(()), DUPLICATE, DUPLICATE]);
        assert_eq!(announcements.admit(Duration::ZERO, &"another board", 7, 3), Ok(()));
        assert_eq!(announcements.admit(Duration::ZERO, &"board", 8, 3), Ok(()), "started again");
    }

    #[test]
    fn each_announcement_may_have_a_sender_of_its_own_two_hundred_times_a_second() {
        let mut announcements = Announcements::default();
        for number in 0..20_000 {
            let now = Duration::from_millis(5) * u32::try_from(number).unwrap_or(u32::MAX);
            assert_eq!(announcements.admit(now, &(), number, 1), Ok(()), "{number}");
            assert_eq!(announcements.admit(now, &(), number, 1), DUPLICATE);
        }
    }

    #[test]
    fn a_crowd_of_senders_is_refused_until_some_are_silent() {
        let mut announcements = Announcements::default();
        let start = Duration::from_secs(1_000);
        for sender in 0..SENDERS_MAX as u64 {
            assert_eq!(announcements.admit(start, &(), sender, 1), Ok(()));
        }
        let almost = start + SENDER_KEPT - Duration::from_nanos(1);
        assert_eq!(announcements.admit(almost, &(), u64::MAX, 1), Err(Dropped::Crowded));
        assert_eq!(announcements.admit(almost, &(), 5, 2), Ok(()), "who is known is heard");
        assert_eq!(announcements.admit(start + SENDER_KEPT, &(), u64::MAX, 1), Ok(()));
        assert_eq!(announcements.senders(), 2, "those that spoke last");
    }
}
