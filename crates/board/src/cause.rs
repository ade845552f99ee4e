//! Who or what changed a line.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who or what changed a line, in words for logs and status: `text 127.0.0.1:40312`, `start`; and when that was, where it
/// is known: the edge of a button that a command comes from.
///
/// The board never looks into it. A clone shares the text. Its own causes are `start`, `stop`, `edge`, `removed`,
/// `redirected`, `the end of the lease of …`, `the pulse of …` and `the blink of …`.
#[derive(Clone, PartialEq, Eq)]
pub struct Cause {
    words: Arc<str>,
    at: Option<Duration>,
}

impl Cause {
    /// Returns the words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.words
    }

    /// Says when it happened, on the caller's clock. Default unknown.
    #[must_use]
    pub fn happened_at(self, at: Option<Duration>) -> Self {
        Self { at, ..self }
    }

    /// Returns when it happened, on the caller's clock, where that is known.
    #[must_use]
    pub fn at(&self) -> Option<Duration> {
        self.at
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Self { words: text.into(), at: None }
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self { words: text.into(), at: None }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({})", self.words)?;
        self.at.iter().try_for_each(|at| write!(f, " at {at:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, command, ms, name};
    use crate::{Command, Fact, Instruction, Level, Trigger, Value, WatcherId};

    #[test]
    fn the_time_of_an_edge_goes_with_its_press_however_long_that_waits() {
        let mut scene = Scene::new(&[], &["KEY"]);
        scene.confirm("KEY", Level::Off);
        scene.rule("KEY", Trigger::Press, 1, 100);
        let line = scene.line("KEY");
        for (at, level) in [(3, Level::On), (4, Level::Off), (5, Level::On)] {
            scene.board.handle(ms(9), Fact::Edge { line, level, at: ms(at) });
        }
        for edge in [3, 5] {
            let Some(Instruction::Deliver { press, caused_at, .. }) = scene.board.poll() else { panic!() };
            assert_eq!(caused_at, ms(edge));
            scene.board.handle(ms(50), Fact::Delivered { press, outcome: Ok(()) });
            assert!(matches!(scene.board.poll(), Some(Instruction::Report { .. })));
        }
    }

    #[test]
    fn a_hold_is_caused_when_its_time_is_over() {
        let mut scene = Scene::new(&[], &["KEY"]);
        scene.confirm("KEY", Level::Off);
        scene.rule("KEY", Trigger::Hold(ms(20)), 1, 100);
        scene.edge("KEY", Level::On);
        scene.wait_until(27);
        let Some(Instruction::Deliver { caused_at, .. }) = scene.board.poll() else { panic!() };
        assert_eq!(caused_at, ms(20));
    }

    /// Sets A and B, caused at 2 ms; the back-end says at 9 ms when it did each. Returns the change of A and when all was done.
    fn set(a: Option<Duration>, b: Option<Duration>) -> (crate::Event, Option<Duration>) {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.board.watch(WatcherId(1), vec![name("A")]).unwrap();
        let cause = Cause::from("button").happened_at(Some(ms(2)));
        scene.board.handle(ms(5), Fact::Command(Command { cause: cause.clone(), ..command(1, "A on, B on") }));
        let Some(Instruction::Act { action, sets, cause: acting, .. }) = scene.board.poll() else { panic!() };
        assert_eq!(acting, cause);
        for ((line, _), at) in sets.into_iter().zip([a, b]) {
            scene.board.handle(ms(9), Fact::Acted { action, line, outcome: Ok(Value::On), at });
        }
        let Some(Instruction::Notify { event, .. }) = scene.board.poll() else { panic!() };
        let Some(Instruction::Reply { done_at, .. }) = scene.board.poll() else { panic!() };
        (event, done_at)
    }

    #[test]
    fn a_change_knows_when_its_cause_was_and_an_answer_when_its_last_line_was_set() {
        let (event, done_at) = set(Some(ms(8)), Some(ms(7)));
        assert_eq!((event.at, event.cause.at(), done_at), (ms(8), Some(ms(2)), Some(ms(8))));
    }

    #[test]
    fn where_nobody_can_say_of_a_line_when_it_was_set_nobody_can_of_all() {
        let (event, done_at) = set(None, Some(ms(7)));
        assert_eq!((event.at, done_at), (ms(9), None));
    }
}
