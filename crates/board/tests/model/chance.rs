//! Chance, the same way each time.

use std::time::Duration;

use soquete_board::{Blink, Failure, Outcome, Verb};

/// A xorshift generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    pub(crate) fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        let len = from.len() as u64;
        (len > 0).then(|| from.swap_remove(usize::try_from(self.below(len)).unwrap()))
    }

    pub(crate) fn outcome(&mut self) -> Outcome {
        match self.below(4) {
            0 => Err(Failure::NotDone("stuck".into())),
            1 => Err(Failure::Unknown("silent".into())),
            _ => Ok(()),
        }
    }

    pub(crate) fn verb(&mut self) -> Verb {
        let mut time = |from: u64| Duration::from_millis(from + self.below(40));
        let (pulse, on, off) = (time(1), time(10), time(10));
        let count = self.pick(&[None, Some(1), Some(2), Some(3)]);
        self.pick(&[Verb::On, Verb::Off, Verb::Toggle, Verb::Pulse(pulse), Verb::Blink(Blink { on, off, count })])
    }
}
