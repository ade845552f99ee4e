//! How long something took, over many times, in memory that does not grow with their number.

use crate::status::LatencyStatus;
use std::time::Duration;

/// Buckets of each octave, as a power of two: 16. What is told of a time is at most 1/32 of it (3.2 %) beside it.
const PARTS_BITS: u32 = 4;

/// The longest time that is told apart, 1 h: nothing waits longer. Longer ones count as that, but for the longest of all.
const LONGEST_US: u64 = 3_600_000_000;

/// A distribution of times: from 1 us to 1 h, to 3.2 %. At most 459 counts, as many as the longest time needs.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// How many times fell into each bucket; those from one on that are 0 are not there.
    counts: Vec<u32>,
    n: u64,
    max_us: u64,
}

impl Histogram {
    /// Adds one time.
    pub fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(us.min(LONGEST_US));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.n += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Returns what is told of it; nothing where there is no time.
    #[must_use]
    pub fn status(&self) -> Option<LatencyStatus> {
        let counts = self.counts.iter().enumerate().map(|(bucket, count)| (middle_us(bucket), u64::from(*count)));
        let [p50_us, p99_us] = percentiles(counts, self.n, [500, 990]).map(|us| us.min(self.max_us));
        (self.n > 0).then_some(LatencyStatus { count: self.n, p50_us, p99_us, max_us: self.max_us })
    }
}

/// Returns the values that this many thousandths of `n` do not exceed, and 0 where there are none.
///
/// `counts` are values, rising, and how often each was there, `n` times in all; `per_mille` rises, too.
pub fn percentiles<const N: usize>(counts: impl Iterator<Item = (u64, u64)>, n: u64, per_mille: [u64; N]) -> [u64; N] {
    let mut percentiles = [0; N];
    let mut wanted = percentiles.iter_mut().zip(per_mille).peekable();
    let mut seen = 0;
    for (value, count) in counts.filter(|(_, count)| *count > 0) {
        seen += count;
        while let Some((percentile, _)) = wanted.next_if(|(_, mille)| seen >= (n * mille).div_ceil(1000)) {
            *percentile = value;
        }
    }
    percentiles
}

/// Returns the bucket of a time: one for each microsecond up to 31, then 16 for each octave.
fn bucket(us: u64) -> usize {
    let shift = us.max(1).ilog2().saturating_sub(PARTS_BITS);
    // Below 2^9, since the longest time is below 2^32.
    usize::try_from((u64::from(shift) << PARTS_BITS) + (us >> shift)).unwrap_or(usize::MAX)
}

/// Returns the time in the middle of a bucket.
fn middle_us(bucket: usize) -> u64 {
    let shift = (bucket >> PARTS_BITS).saturating_sub(1);
    let lowest = (bucket - (shift << PARTS_BITS)) << shift;
    u64::try_from(lowest + (1 << shift) / 2).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_time_is_at_most_a_thirty_second_beside_it() {
        let times = (0..32).flat_map(|octave| (0..50).map(move |part| (1u64 << octave) * (50 + part) / 50));
        let mut before = 0;
        for us in times.chain([0, 31, 32, 33, LONGEST_US - 1]).filter(|us| *us <= LONGEST_US) {
            let told = middle_us(bucket(us));
            assert!(told.abs_diff(us) * 32 <= us, "{us} is told as {told}");
            if us >= before {
                assert!(bucket(us) >= bucket(before), "{before} {us}");
                before = us;
            }
        }
        assert_eq!(bucket(LONGEST_US), 458);
    }

    #[test]
    fn up_to_thirty_one_microseconds_and_at_the_longest_it_is_exact() {
        for us in [0, 1, 15, 16, 31, 1_234_567] {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_micros(us));
            let told = histogram.status().unwrap();
            assert_eq!((told.count, told.max_us), (1, us));
            assert!(us > 31 || (told.p50_us, told.p99_us) == (us, us), "{told:?}");
            assert!(told.p50_us <= told.p99_us && told.p99_us <= told.max_us);
        }
    }

    #[test]
    fn however_long_and_often_it_was_there_are_no_more_buckets() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.status(), None);
        for took in [Duration::MAX, Duration::from_secs(7200), Duration::ZERO, Duration::ZERO] {
            histogram.add(took);
        }
        assert_eq!(histogram.counts.len(), 459);
        let told = histogram.status().unwrap();
        assert_eq!((told.count, told.p50_us, told.max_us), (4, 0, u64::MAX));
        assert!(told.p99_us.abs_diff(LONGEST_US) * 32 <= LONGEST_US);
    }

    #[test]
    fn percentiles_are_those_of_the_values_in_their_order() {
        let counts = || [(7, 50), (8, 0), (9, 49), (300, 1)].into_iter();
        assert_eq!(percentiles(counts(), 100, [1, 500, 510, 990, 1000]), [7, 7, 9, 9, 300]);
        assert_eq!(percentiles(std::iter::empty(), 0, [500, 990]), [0, 0]);
    }
}
