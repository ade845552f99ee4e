//! Random numbers that can be had again: a failing test prints its seed.

use std::time::{Duration, SystemTime};

/// Random numbers out of a seed (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// Takes the seed of `SOQUETE_SEED`, else a new one; prints it for the case that the test fails.
    pub(crate) fn new() -> Self {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
        let seed = std::env::var("SOQUETE_SEED").ok().map_or_else(now, |seed| seed.parse().unwrap());
        println!("the same again: SOQUETE_SEED={seed}");
        Chance(seed)
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Returns a time up to `max`.
    pub(crate) fn time(&mut self, max: Duration) -> Duration {
        Duration::from_micros(self.below(max.as_micros().try_into().unwrap()))
    }
}
