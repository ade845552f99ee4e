//! What goes on by itself on the lines of a board.

use std::time::Duration;

use super::{Board, Phase};
use crate::action::{Settled, Then};
use crate::{ActionId, LineId, Value};

/// What time does.
impl Board {
    /// Does what is due before anything that is told at `now`: ends the leases whose time is over, and changes the lines
    /// that pulse or blink. Every fact and [`handle_timeout`](Board::handle_timeout) do so first, but for
    /// [`Acted`](crate::Fact::Acted), which ends leases alone. By itself it can come before the edges that happened meanwhile.
    pub fn catch_up(&mut self, now: Duration) {
        self.end_leases(now);
        self.step(now);
    }

    /// Says whether a line is leased, pulses or blinks. While one does, who reads after having been held up wants to call
    /// [`catch_up`](Board::catch_up) before.
    #[must_use]
    pub fn has_timers(&self) -> bool {
        self.leases.timeout().is_some() || !self.motions.is_empty()
    }

    /// Changes the lines that pulse or blink and whose time has come. One that something is done to waits for its end.
    pub(super) fn step(&mut self, now: Duration) {
        let due: Vec<LineId> = self.free_times().filter(|(_, at)| *at <= now).map(|(line, _)| line).collect();
        for line in due {
            let present = self.lines.get(line).map_or(Value::Unknown, crate::Line::value);
            if let Some((level, cause)) = self.motions.step(now, line, present) {
                let action = self.set(now, line, level.into(), cause);
                self.motions.begun(line, action);
            }
        }
    }

    /// Returns when lines change by themselves that nothing is done to.
    pub(super) fn free_times(&self) -> impl Iterator<Item = (LineId, Duration)> {
        self.motions.times().filter(|(line, _)| self.queue.is_free(*line))
    }

    /// Lets a line begin, go on with or end what it does by itself, by what became of an action.
    pub(super) fn move_on(&mut self, now: Duration, line: LineId, action: ActionId, settled: &Settled) {
        match settled.then {
            Then::Do(_) if self.motions.stepped(line, action) => {}
            Then::Do(told) if self.phase != Phase::Stopping => self.motions.begin(now, line, told, &settled.cause),
            Then::Do(_) | Then::End => self.motions.end(line),
            Then::GoOn => {}
        }
    }
}
