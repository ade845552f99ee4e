//! The only place that reads the time.

use std::time::Duration;

use crate::system;

/// The clock of this library: the time since the machine started, its sleep included.
///
/// It is Linux's `CLOCK_BOOTTIME`. The standard library's clock stands still while the machine sleeps, so a command
/// that was good for two seconds would still be carried out after a night's suspend; by this clock it is late.
/// The timers that wake the loop stand still in sleep, so what is late by this clock is found so soon after waking up.
///
/// On Windows it is the standard library's clock, and counts from its first use: it may stand still in sleep.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// Gives the time since the machine started, in nanoseconds at best; it never goes back.
    #[must_use]
    #[inline]
    pub fn now() -> Duration {
        system::now()
    }
}

#[cfg(test)]
mod tests {
    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    #[test]
    fn it_never_goes_back_and_is_not_behind_the_clock_that_stops_in_sleep() {
        let awake = clock_gettime(ClockId::Monotonic);
        let first = Clock::now();
        assert!(first.as_secs() >= awake.tv_sec.unsigned_abs());
        assert!(Clock::now() >= first);
    }
}
