//! Safe values that a back-end could not set: what a line is owed, until it has it or was told something else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{ActionId, Cause, Failure, Level, LineId, Taken};

/// The pause before a safe value is tried again: 100 ms; each later one is twice as long. Whatever refuses for a moment, a
/// bus that is busy or a chip that resets, is over by then.
pub const OWED_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: 5 s. A line that is not safe is worth an attempt, and a back-end that is broken no more of them.
pub const OWED_PAUSE_MAX: Duration = Duration::from_secs(5);

/// A safe value that could not be set yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    level: Level,
    cause: Cause,
    failure: Failure,
    pause: Duration,
    step: Step,
}

/// Where the next attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A back-end is at it, or it waits for its turn.
    Asked(ActionId),
    /// It is to be made then.
    Due(Duration),
}

impl Owed {
    /// Returns the safe value.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns what made it due: `the end of the lease of …`.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Returns why the latest attempt failed.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

/// What every line is owed.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    /// What is set for the first time, and has not failed.
    fresh: BTreeMap<LineId, (ActionId, Level, Cause)>,
    owed: BTreeMap<LineId, Owed>,
}

impl Debts {
    /// A line is to get its safe value, by an action that was begun or waits for its turn.
    pub(crate) fn begin(&mut self, line: LineId, action: ActionId, level: Level, cause: Cause) {
        self.owed.remove(&line);
        self.fresh.insert(line, (action, level, cause));
    }

    /// A back-end is asked once more.
    pub(crate) fn asked(&mut self, line: LineId, action: ActionId) {
        if let Some(owed) = self.owed.get_mut(&line) {
            owed.step = Step::Asked(action);
        }
    }

    /// Takes what became of an action on a line. One that is not ours came after it, and pays unless nothing was done.
    pub(crate) fn settled(&mut self, now: Duration, line: LineId, action: ActionId, outcome: &Taken) {
        if self.fresh.get(&line).is_some_and(|(ours, ..)| *ours == action) {
            let Some((_, level, cause)) = self.fresh.remove(&line) else { return };
            if let Err(failure) = outcome {
                let (failure, pause) = (failure.clone(), OWED_PAUSE_MIN);
                let step = Step::Due(now.saturating_add(pause));
                self.owed.insert(line, Owed { level, cause, failure, pause, step });
            }
            return;
        }
        let Some(owed) = self.owed.get_mut(&line) else { return };
        match outcome {
            Err(failure) if owed.step == Step::Asked(action) => {
                owed.failure = failure.clone();
                owed.pause = (owed.pause * 2).min(OWED_PAUSE_MAX);
                owed.step = Step::Due(now.saturating_add(owed.pause));
            }
            Err(Failure::NotDone(_)) => {}
            Ok(_) | Err(Failure::Unknown(_)) => drop(self.owed.remove(&line)),
        }
    }

    /// A back-end tells what a line has now; one that has something else is asked at once, for it answers again.
    pub(crate) fn told(&mut self, now: Duration, line: LineId, level: Level) {
        match self.owed.get_mut(&line) {
            Some(owed) if owed.level == level => drop(self.owed.remove(&line)),
            Some(Owed { step: step @ Step::Due(_), .. }) => *step = Step::Due(now),
            _ => {}
        }
    }

    pub(crate) fn get(&self, line: LineId) -> Option<&Owed> {
        self.owed.get(&line)
    }

    /// Returns when which lines are to be tried again.
    pub(crate) fn times(&self) -> impl Iterator<Item = (LineId, Duration)> {
        self.owed.iter().filter_map(|(line, owed)| match owed.step {
            Step::Due(at) => Some((*line, at)),
            Step::Asked(_) => None,
        })
    }

    pub(crate) fn forget(&mut self, line: LineId) {
        self.fresh.remove(&line);
        self.owed.remove(&line);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, ms, name, not_done, unknown};
    use crate::{Fact, LineSpec, Preset};

    const NOTHING: [&str; 0] = [];

    /// Makes a board with PUMP, which is safe on, whose lease has ended and whose back-end has refused to set it.
    fn refused() -> Scene {
        let mut scene = Scene::new(&[], &[]);
        let pump = LineSpec { safe: Preset::On, ..LineSpec::output(name("PUMP")) };
        scene.board.add_line(ms(0), pump).unwrap();
        scene.confirm("PUMP", Level::Off);
        scene.lease("eve", "PUMP", 1000).unwrap();
        scene.wait_until(1000);
        assert_eq!(scene.said()[2..], ["act: PUMP on"]);
        assert_eq!(scene.board.owed(scene.line("PUMP")), None);
        scene.acted(not_done());
        assert_eq!(scene.said(), NOTHING);
        scene
    }

    #[test]
    fn a_safe_value_that_was_refused_is_tried_again_at_growing_pauses_until_it_is_set() {
        let mut scene = refused();
        let line = scene.line("PUMP");
        let mut at_ms = 1000;
        for pause_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let owed = scene.board.owed(line).unwrap();
            assert_eq!((owed.level(), owed.cause().as_str()), (Level::On, "the end of the lease of eve"));
            let failure = if pause_ms == 400 { unknown() } else { not_done() };
            assert_eq!(owed.failure(), &failure.unwrap_err());
            at_ms += pause_ms;
            assert_eq!(scene.board.timeout(), Some(ms(at_ms)));
            scene.wait_until(at_ms - 1);
            assert_eq!(scene.said(), NOTHING);
            scene.wait_until(at_ms);
            assert_eq!((scene.said(), scene.board.timeout()), (vec!["act: PUMP on".to_owned()], None));
            scene.acted(if pause_ms == 200 { unknown() } else { not_done() });
        }
        scene.wait_until(at_ms + 5000);
        scene.said();
        scene.acted(Ok(()));
        assert_eq!((scene.value("PUMP").as_str(), scene.board.owed(line), scene.board.timeout()), ("on", None, None));
    }

    #[test]
    fn what_the_line_is_told_meanwhile_pays_unless_it_is_not_done_either() {
        for (outcome, is_paid) in [(Ok(()), true), (unknown(), true), (not_done(), false)] {
            let mut scene = refused();
            scene.ask(1, "PUMP off");
            scene.said();
            scene.acted(outcome);
            assert_eq!(scene.board.owed(scene.line("PUMP")).is_none(), is_paid);
            assert_eq!(scene.board.timeout().is_none(), is_paid);
        }
    }

    #[test]
    fn it_waits_for_what_is_done_to_the_line_and_for_what_waits() {
        let mut scene = refused();
        scene.ask(1, "PUMP off");
        scene.ask(2, "PUMP on");
        scene.wait_until(2000);
        assert_eq!((scene.said(), scene.board.timeout()), (vec!["act: PUMP off".to_owned()], None));
        scene.acted(not_done());
        assert_eq!(scene.said()[1..], ["act: PUMP on"]);
        scene.acted(not_done());
        scene.said();
        assert_eq!(scene.board.timeout(), Some(ms(1100)));
        scene.wait_until(2000);
        assert_eq!(scene.said(), ["act: PUMP on"]);
    }

    #[test]
    fn a_back_end_that_answers_again_is_asked_at_once_or_has_it_already() {
        let mut scene = refused();
        scene.board.handle(ms(1001), Fact::Lost { line: scene.line("PUMP"), cause: "chip gone".into() });
        scene.now = ms(1050);
        scene.confirm("PUMP", Level::Off);
        assert_eq!(scene.board.timeout(), Some(ms(1050)));
        scene.wait_until(1050);
        assert_eq!(scene.said(), ["act: PUMP on"]);
        scene.acted(not_done());
        scene.confirm("PUMP", Level::On);
        assert_eq!((scene.board.owed(scene.line("PUMP")), scene.board.timeout()), (None, None));
    }

    #[test]
    fn a_new_lease_pays_nothing_and_a_line_that_goes_or_stops_takes_it_along() {
        let mut scene = refused();
        scene.lease("bob", "PUMP", 5000).unwrap();
        scene.said();
        scene.wait_until(1100);
        assert_eq!(scene.said(), ["act: PUMP on"]);
        scene.acted(not_done());
        scene.board.stop(ms(1200));
        assert_eq!(scene.said(), ["act: PUMP off"]);
        scene.acted(Ok(()));
        assert_eq!(scene.board.timeout(), None);
        let mut scene = refused();
        scene.board.remove_line(ms(1001), &name("PUMP")).unwrap();
        assert_eq!(scene.board.timeout(), None);
    }

    #[test]
    fn an_output_that_keeps_what_it_has_is_owed_nothing() {
        let mut scene = Scene::new(&[], &[]);
        let lamp = LineSpec { safe: Preset::Keep, ..LineSpec::output(name("LAMP")) };
        scene.board.add_line(ms(0), lamp).unwrap();
        scene.lease("eve", "LAMP", 1000).unwrap();
        scene.said();
        scene.wait_until(1000);
        assert_eq!((scene.said(), scene.board.timeout()), (vec!["LAMP: the lease of eve ended".to_owned()], None));
    }
}
