//! Deadlines on the clock of the server.

use std::time::Duration;

/// What the server's session clock said, and when we heard it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) clock_us: u64,
    pub(super) heard_at: Duration,
}

impl Sample {
    /// Says when `deadline` is on the server's clock: early by the time the sample took to come here, never late.
    pub(super) fn on_server_clock(self, deadline: Duration) -> u64 {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let there_us = match deadline.checked_sub(self.heard_at) {
            Some(left) => self.clock_us.saturating_add(us(left)),
            None => self.clock_us.saturating_sub(us(self.heard_at.saturating_sub(deadline))),
        };
        // One before the beginning of the clock must not become 0, which means none.
        there_us.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_as_far_from_the_sample_on_both_clocks() {
        let sample = Sample { clock_us: 5_000, heard_at: Duration::from_secs(100) };
        assert_eq!(sample.on_server_clock(Duration::from_secs(102)), 2_005_000);
        assert_eq!(sample.on_server_clock(Duration::from_millis(99_998)), 3_000, "one that has passed has passed");
        assert_eq!(sample.on_server_clock(Duration::from_secs(1)), 1, "never 0, which means none");
        assert_eq!(sample.on_server_clock(Duration::MAX), u64::MAX);
    }

    #[test]
    fn less_than_a_microsecond_is_rounded_towards_early() {
        let sample = Sample { clock_us: 5, heard_at: Duration::from_nanos(600) };
        assert_eq!(sample.on_server_clock(Duration::from_nanos(2_500)), 6);
    }
}
