//! How long round trips took.

use std::time::Duration;

use soquete_node::histogram::percentiles;

/// Times below this many nanoseconds are counted one by one in a table; those above are kept in a list, of which
/// there can be no more than a thousand a second.
const TABLE_LEN: usize = 1 << 20;

/// Every sample, exact to the nanosecond, in memory that does not grow with their number.
pub(super) struct Samples {
    counts: Box<[u32]>,
    long_ns: Vec<u64>,
    n: u64,
}

impl Samples {
    pub(super) fn new() -> Self {
        // Written once, so that no page is missing when a round trip is measured.
        let mut counts = vec![1; TABLE_LEN].into_boxed_slice();
        counts.fill(0);
        Samples { counts, long_ns: Vec::with_capacity(1 << 16), n: 0 }
    }

    /// Adds one.
    pub(super) fn add(&mut self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        match usize::try_from(ns).ok().and_then(|ns| self.counts.get_mut(ns)) {
            Some(count) => *count += 1,
            None => self.long_ns.push(ns),
        }
        self.n += 1;
    }

    /// Returns how many there are.
    pub(super) fn n(&self) -> u64 {
        self.n
    }

    /// Returns the times that this many thousandths of the samples do not exceed, in nanoseconds, and 0 where there is
    /// no sample. `per_mille` rises.
    pub(super) fn percentiles_ns<const N: usize>(&mut self, per_mille: [u64; N]) -> [u64; N] {
        self.long_ns.sort_unstable();
        let short = (0..).zip(self.counts.iter().map(|count| u64::from(*count)));
        percentiles(short.chain(self.long_ns.iter().map(|ns| (*ns, 1))), self.n, per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_below_and_above_the_table() {
        let mut samples = Samples::new();
        for ns in (1..=1000).rev() {
            samples.add(Duration::from_nanos(ns));
        }
        assert_eq!(samples.percentiles_ns([500, 900, 990, 999, 1000]), [500, 900, 990, 999, 1000]);
        samples.add(Duration::from_secs(1));
        assert_eq!(samples.n(), 1001);
        assert_eq!(samples.percentiles_ns([500, 1000]), [501, 1_000_000_000]);
    }

    #[test]
    fn one_sample_is_every_percentile_and_none_is_nothing() {
        let mut samples = Samples::new();
        assert_eq!(samples.percentiles_ns([500, 1000]), [0, 0]);
        samples.add(Duration::from_nanos(7));
        assert_eq!(samples.percentiles_ns([1, 500, 1000]), [7, 7, 7]);
    }
}
