//! How long to wait before trying again.

use std::time::Duration;

/// The waits between attempts: each is random between nothing and a ceiling that doubles up to a maximum.
///
/// The whole wait is random ("full jitter"), so that a hundred clients of a server that came back do not all knock
/// at the same moment. It is pure: the caller brings the entropy and does the waiting.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut backoff = soquete::Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// assert!(backoff.next(u64::MAX) <= Duration::from_millis(100));
/// assert!(backoff.next(u64::MAX) <= Duration::from_millis(200));
/// backoff.reset();
/// assert!(backoff.next(u64::MAX) <= Duration::from_millis(100));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    /// Never above `max`.
    ceiling: Duration,
}

impl Backoff {
    /// Makes one whose first wait is at most `first` and whose later ones are at most `max`, whichever is less.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, ceiling: first.min(max) }
    }

    /// Gives the next wait, which `entropy` places evenly between zero and the ceiling, and doubles the ceiling.
    pub fn next(&mut self, entropy: u64) -> Duration {
        let wait = share(self.ceiling, entropy);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        wait
    }

    /// Starts again from the first wait: call it when an attempt has succeeded.
    pub fn reset(&mut self) {
        self.ceiling = self.first.min(self.max);
    }
}

impl Default for Backoff {
    /// Waits at most 50 ms at first, since a server that is restarted is soon back, and at most 5 s later, since a
    /// person who waits for it should not have to wait longer.
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(5))
    }
}

/// Gives `entropy / 2^64` of a duration; one of more than 584 years counts as 584 years.
fn share(whole: Duration, entropy: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(entropy)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_millis(350);
    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn the_ceiling_doubles_until_it_is_the_maximum() {
        let mut backoff = Backoff::new(FIRST, MAX);
        for ceiling in [FIRST, FIRST * 2, MAX, MAX, MAX] {
            assert_eq!(backoff.next(u64::MAX), ceiling - NANO);
        }
    }

    #[test]
    fn entropy_places_the_wait_evenly_below_the_ceiling() {
        for (entropy, wait) in [(0, Duration::ZERO), (1 << 62, FIRST / 4), (1 << 63, FIRST / 2)] {
            assert_eq!(Backoff::new(FIRST, MAX).next(entropy), wait);
        }
    }

    #[test]
    fn a_reset_starts_again() {
        let mut backoff = Backoff::new(FIRST, MAX);
        backoff.next(7);
        backoff.next(7);
        backoff.reset();
        assert_eq!(backoff, Backoff::new(FIRST, MAX));
    }

    #[test]
    fn the_maximum_bounds_the_first_wait_too_and_nothing_overflows() {
        assert_eq!(Backoff::new(MAX, FIRST).next(u64::MAX), FIRST - NANO);
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX);
        endless.next(u64::MAX);
        assert!(endless.next(u64::MAX) > Duration::from_secs(1 << 33));
    }
}
