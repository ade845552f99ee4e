//! From the clock of the kernel's time stamps to that of the board.

use rustix::time::{ClockId, clock_gettime};
use soquete::Clock;
use std::time::Duration;

/// Two readings that differ by less are of the same sleep: reading both clocks takes that long at the most.
const JITTER: Duration = Duration::from_millis(1);

/// What CLOCK_BOOTTIME, the board's clock, is ahead of CLOCK_MONOTONIC, the one that the kernel stamps edges with: the time
/// that the machine has slept. The kernel offers no stamps of CLOCK_BOOTTIME.
///
/// The sleep is measured behind the edges of a turn and used for those of the next one. An edge of which nobody can say on
/// which side of a sleep it was counts as before it: a press that is too old ends *not done*, and never fires late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps {
    slept: Duration,
}

impl Stamps {
    pub(crate) fn new() -> Self {
        Stamps { slept: slept() }
    }

    /// Turns a time stamp into a time of the board's clock, never after `now`.
    pub(crate) fn time(self, stamp: Duration, now: Duration) -> Duration {
        stamp.saturating_add(self.slept).min(now)
    }

    /// Measures again.
    pub(crate) fn measure(&mut self) {
        let slept = slept();
        if slept.abs_diff(self.slept) > JITTER {
            self.slept = slept;
        }
    }
}

fn slept() -> Duration {
    Clock::now().saturating_sub(monotonic())
}

/// Reads CLOCK_MONOTONIC.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_now_is_now_and_none_is_in_the_future() {
        let stamps = Stamps::new();
        let before = Clock::now();
        let stamp = monotonic();
        let after = Clock::now();
        let time = stamps.time(stamp, after);
        assert!(time + JITTER >= before && time <= after, "{before:?} {time:?} {after:?}");
        assert_eq!(stamps.time(stamp + Duration::from_secs(60), after), after);
    }

    #[test]
    fn an_edge_of_before_a_sleep_stays_old_until_the_sleep_is_measured() {
        // As if the machine had never slept when it was last measured.
        let mut stamps = Stamps { slept: Duration::ZERO };
        let stamp = Duration::from_secs(9);
        assert_eq!(stamps.time(stamp, Clock::now() + stamp), stamp);
        stamps.slept = slept() + Duration::from_secs(60);
        stamps.measure();
        assert!(stamps.slept.abs_diff(slept()) <= JITTER);
    }
}
