//! The only place that reads the time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The clock of this library: the time since the machine started, its sleep included.
///
/// It is Linux's `CLOCK_BOOTTIME`. The standard library's clock stands still while the machine sleeps, so a command
/// that was good for two seconds would still be carried out after a night's suspend; by this clock it is late.
/// The timers that wake the loop stand still in sleep, so what is late by this clock is found so soon after waking up.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// Gives the time since the machine started, in nanoseconds at best; it never goes back.
    #[must_use]
    pub fn now() -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        // Since the start neither is negative, and the nanoseconds are below 10^9.
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_and_is_not_behind_the_clock_that_stops_in_sleep() {
        let awake = clock_gettime(ClockId::Monotonic);
        let first = Clock::now();
        assert!(first.as_secs() >= awake.tv_sec.unsigned_abs());
        assert!(Clock::now() >= first);
    }
}
