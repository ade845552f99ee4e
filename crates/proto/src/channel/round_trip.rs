//! How long a round trip takes, and so how long to wait for an acknowledgement.

use super::{REPEAT_FIRST, REPEAT_MIN};
use std::time::Duration;

/// The estimate of RFC 6298: a smoothed mean, and how far from it round trips are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    estimate: Option<(Duration, Duration)>,
}

impl RoundTrip {
    pub(super) fn measured(&mut self, sample: Duration) {
        self.estimate = Some(match self.estimate {
            None => (sample, sample / 2),
            Some((mean, deviation)) => ((mean * 7 + sample) / 8, (deviation * 3 + mean.abs_diff(sample)) / 4),
        });
    }

    /// How long to wait for the acknowledgement of what was sent `times` + 1 times, at most `max`.
    pub(super) fn patience(&self, times: u32, max: Duration) -> Duration {
        let once = self.estimate.map_or(REPEAT_FIRST, |(mean, deviation)| mean.saturating_add(deviation * 4));
        once.max(REPEAT_MIN).saturating_mul(1 << times.min(16)).min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::REPEAT_MAX;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn patience_follows_the_path_within_its_bounds() {
        let mut path = RoundTrip::default();
        assert_eq!(path.patience(0, REPEAT_MAX), REPEAT_FIRST);
        path.measured(ms(60));
        assert_eq!(
            path.patience(0, REPEAT_MAX),
            ms(180),
            "the mean and four deviations, the first of which is half of it"
        );
        for _ in 0..100 {
            path.measured(ms(60));
        }
        assert!((ms(60)..ms(65)).contains(&path.patience(0, REPEAT_MAX)), "{:?}", path.patience(0, REPEAT_MAX));
        path.measured(Duration::from_secs(1 << 30));
        assert_eq!(path.patience(0, REPEAT_MAX), REPEAT_MAX);
    }

    #[test]
    fn patience_is_doubled_up_to_its_bound() {
        let mut path = RoundTrip::default();
        path.measured(Duration::ZERO);
        let patience: Vec<u64> =
            (0..8).map(|times| path.patience(times, REPEAT_MAX).as_millis().try_into().unwrap_or(0)).collect();
        assert_eq!(patience, [20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(path.patience(u32::MAX, REPEAT_MAX), REPEAT_MAX);
    }
}
