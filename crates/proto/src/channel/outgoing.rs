//! What goes out over a channel, until it is acknowledged.

use super::round_trip::RoundTrip;
use super::{Dropped, LOST_AFTER, WINDOW_MAX, WINDOW_MAX_BYTES};
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
    /// How often packet 1 may be sent of our own accord.
    first_max: u32,
    round_trip: RoundTrip,
    /// How often in a row patience had an end.
    impatient: u32,
    /// When the first packet is to be sent again.
    repeat_at: Duration,
    /// Whether it is to be sent again now.
    repeat_now: bool,
    /// What had been sent when the last loss was found: an acknowledgement of less shows another one.
    sent_at_loss: u64,
    said_again: u32,
    /// Since when something is unacknowledged.
    since: Duration,
}

impl Outgoing {
    pub(super) fn new(first_max: u32) -> Self {
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
            said_again: 0,
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

    pub(super) fn is_sent(&self) -> bool {
        self.in_flight == self.queue.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn put(&mut self, octets: &[u8]) {
        self.queue_bytes += octets.len();
        self.queue.push_back(Unacknowledged { octets: octets.into(), times: 0, sent_at: Duration::ZERO });
    }

    /// The first packet is to be sent again, if it has no acknowledgement yet.
    pub(super) fn repeat_first(&mut self) {
        self.repeat_now |= !self.is_proved() && self.in_flight > 0;
    }

    /// Returns number and octets of what is to be sent next, if anything is.
    pub(super) fn next(&mut self, now: Duration) -> Option<(u64, &[u8])> {
        let index = if self.in_flight > 0 && (self.repeat_now || self.repeat_at().is_some_and(|at| now >= at)) {
            self.impatient += u32::from(!self.repeat_now);
            self.repeat_now = false;
            self.sent_at_loss = self.acknowledged + self.in_flight as u64;
            self.repeat_at = now.saturating_add(self.round_trip.patience(self.impatient));
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
            self.repeat_at = now.saturating_add(self.round_trip.patience(self.impatient));
        } else if !is_open {
            return None;
        }
        self.in_flight += 1;
        self.in_flight_bytes += len_bytes;
        Some(self.in_flight - 1)
    }

    pub(super) fn acknowledge(&mut self, now: Duration, ack: u64) -> Result<(), Dropped> {
        let Some(news) = ack.checked_sub(self.acknowledged) else { return Ok(()) };
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
        let Some(sent_at) = last else { return Ok(()) };
        // Nobody can tell which sending of a packet was acknowledged (Karn).
        if is_first_time {
            self.round_trip.measured(now.saturating_sub(sent_at));
        }
        self.acknowledged = ack;
        self.impatient = 0;
        self.said_again = 0;
        self.since = now;
        self.repeat_at = now.saturating_add(self.round_trip.patience(0));
        self.repeat_now = self.in_flight > 0 && ack < self.sent_at_loss;
        Ok(())
    }

    /// The other end said `ack` without sending anything: where it says so again, what comes after it is missing.
    pub(super) fn said(&mut self, ack: u64) {
        if ack == self.acknowledged && self.in_flight > 0 && self.is_proved() {
            self.said_again = self.said_again.saturating_add(1);
            self.repeat_now |= self.said_again == SAID_AGAIN && ack >= self.sent_at_loss;
        }
    }

    /// When the first packet is to be sent again of our own accord, if at all.
    fn repeat_at(&self) -> Option<Duration> {
        let first = self.queue.front().filter(|_| self.in_flight > 0)?;
        (self.is_proved() || first.times < self.first_max).then_some(self.repeat_at)
    }

    /// When the other end counts as lost, that was last heard at `heard_at`.
    pub(super) fn lost_at(&self, heard_at: Duration) -> Option<Duration> {
        (self.in_flight > 0).then(|| self.since.max(heard_at).saturating_add(LOST_AFTER))
    }

    pub(super) fn timeout(&self, heard_at: Duration) -> Option<Duration> {
        self.repeat_at().into_iter().chain(self.lost_at(heard_at)).min()
    }
}
