//! What a line that pulses or blinks should have, edge by edge.

use std::time::Duration;

use soquete_board::{Level, Verb};

/// A line that pulses or blinks.
pub(crate) struct Motion {
    /// How the board names who wanted it.
    pub(crate) cause: String,
    began: Duration,
    on: Duration,
    off: Duration,
    count: Option<u32>,
}

impl Motion {
    /// Begins what was told, if it is a pulse or a blink.
    pub(crate) fn begin(now: Duration, told: Verb, by: &str) -> Option<Self> {
        let (word, on, off, count) = match told {
            Verb::Pulse(time) => ("pulse", time, time, Some(1)),
            Verb::Blink(blink) => ("blink", blink.on, blink.off, blink.count),
            _ => return None,
        };
        Some(Self { cause: format!("the {word} of {by}"), began: now, on, off, count })
    }

    /// Walks from edge to edge until `now`; returns what the line should have, and when it changes next.
    pub(crate) fn at(&self, now: Duration) -> (Level, Option<Duration>) {
        let (mut level, mut next, mut times) = (Level::On, Some(self.began + self.on), 1);
        while let Some(edge) = next.filter(|edge| *edge <= now) {
            (level, next) = match level {
                Level::On if self.count == Some(times) => (Level::Off, None),
                Level::On => (Level::Off, Some(edge + self.off)),
                Level::Off => (Level::On, Some(edge + self.on)),
            };
            times += u32::from(level == Level::On);
        }
        (level, next)
    }
}
