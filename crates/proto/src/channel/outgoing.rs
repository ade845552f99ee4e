//! What goes out over a channel, until it is acknowledged.

use super::round_trip::RoundTrip;
use super::{ANNOUNCED, Dropped, LOST_AFTER, REPEAT_MAX, WINDOW_MAX, WINDOW_MAX_BYTES};
use crate::frame::{Front, Header, Kind, overtakes};
use std::collections::VecDeque;
use std::time::Duration;

/// How often an acknowledgement must be said again without a packet before the one after it counts as missing.
const SAID_AGAIN: u32 = 2;

/// A packet that has no acknowledgement yet.
#[derive(Debug)]
struct Unacknowledged {
    octets: Box<[u8]>,
    /// How often it was sent, and when last.
    times: u32,
    sent_at: Duration,
}

/// Packets in order, from the first that has no acknowledgement; the first `in_flight` of them were sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: VecDeque<Unacknowledged>,
    queue_bytes: usize,
    in_flight: usize,
    in_flight_bytes: usize,
    /// The packet up to which the other end has all.
    acknowledged: u64,
    /// How long to wait at most before packet 1 is sent again.
    first_max: Duration,
    round_trip: RoundTrip,
    /// How often in a row patience had an end.
    impatient: u32,
    /// When the first packet is to be sent again.
    repeat_at: Duration,
    /// Whether it is to be sent again now.
    repeat_now: bool,
    /// What had been sent when the last loss was found: an acknowledgement of less shows another one.
    sent_at_loss: u64,
    times_again: u32,
    /// Since when something is unacknowledged.
    since: Duration,
}

impl Outgoing {
    pub(super) fn new(first_max: Duration) -> Self {
        Outgoing {
            queue: VecDeque::new(),
            queue_bytes: 0,
            in_flight: 0,
            in_flight_bytes: 0,
            acknowledged: 0,
            first_max,
            round_trip: RoundTrip::default(),
            impatient: 0,
            repeat_at: Duration::ZERO,
            repeat_now: false,
            sent_at_loss: 0,
            times_again: 0,
            since: Duration::ZERO,
        }
    }

    /// Whether the other end has shown that it is where we send to: it has our packet 1.
    pub(super) fn is_proved(&self) -> bool {
        self.acknowledged > 0
    }

    /// Whether nothing was put yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.acknowledged == 0 && self.queue.is_empty()
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.queue_bytes
    }

    pub(super) fn urgent_bytes(&self) -> usize {
        let unsent = self.queue.range(self.in_flight..);
        unsent.map(|packet| Front::default().urgent_bytes(&packet.octets)).sum()
    }

    /// Whether nothing waits, or only a GOODBYE that was sent as often as is worth while.
    pub(super) fn has_taken_leave(&self) -> bool {
        let is_goodbye = |packet: &Unacknowledged| {
            let head = packet.octets.first_chunk().map(Header::decode);
            packet.times >= ANNOUNCED && matches!(head, Some(Ok(Header { kind: Kind::Goodbye, .. })))
        };
        self.queue.is_empty() || self.queue.len() == 1 && self.queue.front().is_some_and(is_goodbye)
    }

    pub(super) fn is_sent(&self) -> bool {
        self.in_flight == self.queue.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn put(&mut self, octets: &[u8]) {
        self.queue_bytes += octets.len();
        // What was not sent has no number yet, so it can be overtaken.
        let unsent = self.queue.range(self.in_flight..);
        let overtaken = unsent.rev().take_while(|waiting| overtakes(octets, &waiting.octets)).count();
        let packet = Unacknowledged { octets: octets.into(), times: 0, sent_at: Duration::ZERO };
        self.queue.insert(self.queue.len() - overtaken, packet);
    }

    /// The first packet is to be sent again, if it has no acknowledgement yet.
    pub(super) fn repeat_first(&mut self) {
        self.repeat_now |= !self.is_proved() && self.in_flight > 0;
    }

    /// Returns number and octets of what is to be sent next, if anything is.
    pub(super) fn next(&mut self, now: Duration) -> Option<(u64, &[u8])> {
        let index = if self.in_flight > 0 && (self.repeat_now || now >= self.repeat_at) {
            self.impatient += u32::from(!self.repeat_now);
            self.repeat_now = false;
            self.sent_at_loss = self.acknowledged + self.in_flight as u64;
            self.be_patient(now);
            0
        } else {
            self.begin(now)?
        };
        let next = self.queue.get_mut(index)?;
        next.times = next.times.saturating_add(1);
        next.sent_at = now;
        Some((self.acknowledged + 1 + index as u64, &next.octets))
    }

    /// Lets one more packet be in flight, if the window is open.
    fn begin(&mut self, now: Duration) -> Option<usize> {
        let len_bytes = self.queue.get(self.in_flight)?.octets.len();
        let window = if self.is_proved() { WINDOW_MAX } else { 1 };
        let is_open = self.in_flight < window && self.in_flight_bytes + len_bytes <= WINDOW_MAX_BYTES;
        if self.in_flight == 0 {
            self.since = now;
            self.be_patient(now);
        } else if !is_open {
            return None;
        }
        self.in_flight += 1;
        self.in_flight_bytes += len_bytes;
        Some(self.in_flight - 1)
    }

    /// Says whether that is news.
    pub(super) fn acknowledge(&mut self, now: Duration, ack: u64) -> Result<bool, Dropped> {
        let news = ack.saturating_sub(self.acknowledged);
        if news > self.in_flight as u64 {
            return Err(Dropped::Unsent);
        }
        let mut last = None;
        let mut is_first_time = true;
        for _ in 0..news {
            let Some(arrived) = self.queue.pop_front() else { break };
            self.queue_bytes -= arrived.octets.len();
            self.in_flight_bytes -= arrived.octets.len();
            self.in_flight -= 1;
            is_first_time &= arrived.times == 1;
            last = Some(arrived.sent_at);
        }
        let Some(sent_at) = last else { return Ok(false) };
        // Nobody can tell which sending of a packet was acknowledged (Karn).
        if is_first_time {
            self.round_trip.measured(now.saturating_sub(sent_at));
        }
        self.acknowledged = ack;
        self.impatient = 0;
        self.times_again = 0;
        self.since = now;
        self.be_patient(now);
        self.repeat_now = self.in_flight > 0 && ack < self.sent_at_loss;
        Ok(true)
    }

    /// The other end said `ack` again, and nothing else: what comes after it is missing.
    pub(super) fn said_again(&mut self, ack: u64) {
        if ack == self.acknowledged && self.in_flight > 0 && self.is_proved() {
            self.times_again = self.times_again.saturating_add(1);
            self.repeat_now |= self.times_again == SAID_AGAIN && ack >= self.sent_at_loss;
        }
    }

    fn be_patient(&mut self, now: Duration) {
        let max = if self.is_proved() { REPEAT_MAX } else { self.first_max };
        self.repeat_at = now.saturating_add(self.round_trip.patience(self.impatient, max));
    }

    /// When the other end counts as lost, that was last heard at `heard_at`.
    pub(super) fn lost_at(&self, heard_at: Duration) -> Option<Duration> {
        (self.in_flight > 0).then(|| self.since.max(heard_at).saturating_add(LOST_AFTER))
    }

    pub(super) fn timeout(&self, heard_at: Duration) -> Option<Duration> {
        self.lost_at(heard_at).map(|lost_at| lost_at.min(self.repeat_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Flags, header};
    use crate::opening::OPENING;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// One whose packet 1 was acknowledged within `round_trip`.
    fn proved(round_trip: Duration) -> Outgoing {
        let mut outgoing = Outgoing::new(REPEAT_MAX);
        outgoing.put(b"x");
        assert!(outgoing.next(ms(0)).is_some());
        assert_eq!(outgoing.acknowledge(round_trip, 1), Ok(true));
        outgoing
    }

    fn sent(outgoing: &mut Outgoing, now: Duration) -> Vec<u64> {
        std::iter::from_fn(|| outgoing.next(now).map(|(packet, _)| packet)).collect()
    }

    #[test]
    fn no_more_is_in_flight_than_the_window_has() {
        let mut outgoing = proved(ms(1));
        for _ in 0..=WINDOW_MAX {
            outgoing.put(b"x");
        }
        assert_eq!(sent(&mut outgoing, ms(1)).len(), WINDOW_MAX);
        assert_eq!(outgoing.acknowledge(ms(2), 2), Ok(true));
        assert_eq!(sent(&mut outgoing, ms(2)), [WINDOW_MAX as u64 + 2]);

        let mut outgoing = proved(ms(1));
        for len_bytes in [WINDOW_MAX_BYTES - 1, 1, 1, WINDOW_MAX_BYTES + 1] {
            outgoing.put(&vec![0; len_bytes]);
        }
        assert_eq!(sent(&mut outgoing, ms(1)), [2, 3]);
        assert_eq!(outgoing.acknowledge(ms(2), 3), Ok(true));
        assert_eq!(sent(&mut outgoing, ms(2)), [4]);
        assert_eq!(outgoing.acknowledge(ms(3), 4), Ok(true));
        assert_eq!(sent(&mut outgoing, ms(3)), [5], "one is always let through");
        assert_eq!(outgoing.acknowledge(ms(4), 5), Ok(true));
        assert_eq!((outgoing.waiting_bytes(), outgoing.in_flight_bytes, outgoing.waiting()), (0, 0, 0));
    }

    #[test]
    fn what_is_urgent_overtakes_what_was_not_sent() {
        let message = |flags, topic| Header { flags, topic, ..header(Kind::Message, 0) }.encode();
        let mut outgoing = Outgoing::new(REPEAT_MAX);
        let opening = [&OPENING[..], &header(Kind::Hello, 0).encode()].concat();
        outgoing.put(&opening);
        outgoing.put(&message(Flags::NONE, 1));
        outgoing.put(&message(Flags::URGENT, 2));
        outgoing.put(&message(Flags::URGENT, 3));
        assert_eq!(outgoing.next(ms(0)), Some((1, &opening[..])), "nothing is before the opening octets");
        assert_eq!(outgoing.acknowledge(ms(1), 1), Ok(true));
        assert_eq!(outgoing.next(ms(1)), Some((2, &message(Flags::URGENT, 2)[..])));
        outgoing.put(&message(Flags::URGENT, 4));
        let topics = std::iter::from_fn(|| outgoing.next(ms(1)).map(|(_, octets)| octets[6]));
        assert_eq!(topics.collect::<Vec<_>>(), [3, 4, 1]);
    }

    #[test]
    fn the_first_is_sent_again_with_less_and_less_haste() {
        let mut outgoing = proved(ms(0));
        outgoing.put(b"x");
        outgoing.put(b"x");
        assert_eq!(sent(&mut outgoing, ms(0)), [2, 3]);
        for at in [20, 60, 140, 300, 620, 1260, 2260, 3260] {
            assert_eq!(sent(&mut outgoing, ms(at - 1)), [0; 0], "before {at}");
            assert_eq!(outgoing.timeout(ms(0)), Some(ms(at)));
            assert_eq!(sent(&mut outgoing, ms(at)), [2]);
        }
        assert_eq!(outgoing.lost_at(ms(0)), Some(LOST_AFTER));
        assert_eq!(outgoing.lost_at(ms(3000)), Some(ms(3000) + LOST_AFTER), "whoever is heard is not lost");
    }

    #[test]
    fn what_the_other_end_misses_is_sent_again_at_once() {
        let mut outgoing = proved(ms(100));
        for _ in 0..6 {
            outgoing.put(b"x");
        }
        assert_eq!(sent(&mut outgoing, ms(100)), [2, 3, 4, 5, 6, 7]);
        outgoing.said_again(1);
        assert_eq!(sent(&mut outgoing, ms(200)), [0; 0], "one may have been passed on its way");
        outgoing.said_again(1);
        assert_eq!(sent(&mut outgoing, ms(200)), [2]);
        outgoing.said_again(1);
        assert_eq!(sent(&mut outgoing, ms(200)), [0; 0], "once");
        assert_eq!(outgoing.acknowledge(ms(300), 4), Ok(true));
        assert_eq!(sent(&mut outgoing, ms(300)), [5], "less than was sent then: another one is missing");
        assert_eq!(outgoing.acknowledge(ms(400), 7), Ok(true));
        assert_eq!((sent(&mut outgoing, ms(400)), outgoing.timeout(ms(400))), (vec![], None));
    }

    #[test]
    fn a_goodbye_is_said_three_times_and_a_reply_until_it_has_arrived() {
        for (kind, has_taken_leave) in [(Kind::Goodbye, true), (Kind::Reply, false)] {
            let mut outgoing = proved(ms(0));
            outgoing.put(&header(kind, 0).encode());
            for at in [0, 20, 60] {
                assert!(!outgoing.has_taken_leave());
                assert_eq!(sent(&mut outgoing, ms(at)), [2]);
            }
            assert_eq!(outgoing.has_taken_leave(), has_taken_leave);
            assert_eq!(outgoing.acknowledge(ms(61), 2), Ok(true));
            assert!(outgoing.has_taken_leave());
        }
    }

    #[test]
    fn what_was_sent_twice_measures_nothing() {
        let mut outgoing = proved(ms(0));
        let before = outgoing.round_trip.patience(0, REPEAT_MAX);
        outgoing.put(b"x");
        assert_eq!(sent(&mut outgoing, ms(0)), [2]);
        assert_eq!(sent(&mut outgoing, ms(500)), [2]);
        assert_eq!(outgoing.acknowledge(ms(501), 2), Ok(true));
        assert_eq!(outgoing.round_trip.patience(0, REPEAT_MAX), before);
    }
}
