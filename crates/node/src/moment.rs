//! From the clock of the loop to that of people.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use soquete::Clock;

/// How far the two clocks may have moved apart before the one of people was set. Both are slewed alike.
const SET_BY: Duration = Duration::from_millis(1);

/// How often the distance is measured; whoever is held between two readings measures too much.
const MEASUREMENTS: usize = 5;

thread_local! {
    /// How far the clock of people is ahead. It is kept, so that what came later never seems to have come earlier.
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Says when an instant of the loop's clock was, in microseconds since the Unix epoch.
pub(crate) fn unix_us(at: Duration) -> u64 {
    let kept = AHEAD.get();
    let (_, ahead) = measured();
    let ahead = if ahead.abs_diff(kept) < SET_BY { kept } else { best_of(MEASUREMENTS, kept) };
    AHEAD.set(ahead);
    u64::try_from((at + ahead).as_micros()).unwrap_or(u64::MAX)
}

/// Measures several times; the quickest counts, unless it says that nothing has changed.
fn best_of(measurements: usize, kept: Duration) -> Duration {
    let (_, ahead) = (0..measurements).map(|_| measured()).min().unwrap_or_default();
    if ahead.abs_diff(kept) < SET_BY { kept } else { ahead }
}

/// Returns how long the measurement took, and how far the clock of people is ahead.
fn measured() -> (Duration, Duration) {
    let before = Clock::now();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Clock::now().saturating_sub(before), since_epoch.saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_never_seems_to_have_come_earlier() {
        let mut last = 0;
        for nth in 0..10_000 {
            let told = unix_us(Clock::now());
            assert!(told >= last, "{nth}: {told} after {last}");
            last = told;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        assert!(u128::from(last).abs_diff(now) < 60_000_000, "{last} {now}");
    }

    #[test]
    fn a_clock_that_was_set_is_followed() {
        AHEAD.set(Duration::from_secs(1));
        unix_us(Clock::now());
        assert!(AHEAD.get() > Duration::from_secs(1_000_000_000));
    }
}
