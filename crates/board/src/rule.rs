//! Rules: the edge of an input becomes a press, and presses are delivered one after the other.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::fact::Instructions;
use crate::gesture::Gesture;
use crate::{Failure, Instruction, Level, LineName, Outcome, Refusal, Trigger};

/// The most rules of one board: an edge is held against each of them.
pub const RULES_MAX: usize = 256;

/// The most presses of one rule that wait behind the one being delivered: more than a hand makes in any sensible time.
pub const PRESSES_WAITING_MAX: usize = 64;

const TOO_MANY: &str = "too many presses wait";
const TOO_LATE: &str = "its time was over before its turn came";
const STOPPING: &str = "the board is stopping";

/// A rule: its place in the order in which the rules were added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(usize);

impl RuleId {
    /// Returns the place, an index into the caller's own list of rules.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// A press: what set off one rule once. Numbered from 1, in one sequence over all rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PressId(u64);

/// What a rule shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// The input. A name, so that the line may go and come back.
    pub line: LineName,
    /// What it does to set off the rule.
    pub on: Trigger,
    /// How many commands the rule sends in turn. The commands themselves are the caller's.
    pub steps: NonZeroUsize,
    /// How long after it was set off a press may still be delivered.
    pub within: Duration,
}

/// A rule and its presses.
#[derive(Clone, Debug)]
pub struct Rule {
    id: RuleId,
    spec: RuleSpec,
    gesture: Gesture,
    step: usize,
    /// The press being delivered. While there is none, none waits.
    front: Option<PressId>,
    waiting: VecDeque<Waiting>,
    counts: PressCounts,
}

/// A press that waits behind the one being delivered.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    press: PressId,
    deadline: Duration,
    caused_at: Duration,
}

/// How the presses of a rule ended, and how many have not ended yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PressCounts {
    /// Those that had their effect.
    pub done: u64,
    /// Those that had none.
    pub not_done: u64,
    /// Those that may have had their effect.
    pub unknown: u64,
    /// Those without an outcome yet, the one being delivered included.
    pub waiting: usize,
}

impl Rule {
    /// Returns what the board calls it.
    #[must_use]
    pub fn id(&self) -> RuleId {
        self.id
    }

    /// Returns what it shall be.
    #[must_use]
    pub fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// Returns the step of the press in front, or of the next one. A press that is not done leaves it where it is; any
    /// other end moves it on, after the last step to the first.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Returns how its presses ended since it was added.
    #[must_use]
    pub fn counts(&self) -> PressCounts {
        PressCounts { waiting: self.waiting.len() + usize::from(self.front.is_some()), ..self.counts }
    }

    fn press(&mut self, now: Duration, press: PressId, caused_at: Duration, out: &mut Instructions) {
        if self.waiting.len() >= PRESSES_WAITING_MAX {
            return self.give_up(press, TOO_MANY, out);
        }
        let deadline = caused_at.saturating_add(self.spec.within);
        self.waiting.push_back(Waiting { press, deadline, caused_at });
        self.deliver_next(now, out);
    }

    fn deliver_next(&mut self, now: Duration, out: &mut Instructions) {
        while self.front.is_none()
            && let Some(Waiting { press, deadline, caused_at }) = self.waiting.pop_front()
        {
            if deadline <= now {
                self.give_up(press, TOO_LATE, out);
            } else {
                self.front = Some(press);
                let (rule, step) = (self.id, self.step);
                out.push_back(Instruction::Deliver { rule, press, step, deadline, caused_at });
            }
        }
    }

    fn finish_front(&mut self, now: Duration, press: PressId, outcome: Outcome, out: &mut Instructions) {
        let moves_on = !matches!(outcome, Err(Failure::NotDone(_)));
        self.front = None;
        self.report(press, outcome, out);
        if moves_on {
            self.step = (self.step + 1) % self.spec.steps;
        }
        self.deliver_next(now, out);
    }

    fn expire(&mut self, now: Duration, out: &mut Instructions) {
        let is_late = |waiting: &Waiting| waiting.deadline <= now;
        let late: Vec<Waiting> = self.waiting.iter().copied().filter(is_late).collect();
        self.waiting.retain(|waiting| !is_late(waiting));
        for waiting in late {
            self.give_up(waiting.press, TOO_LATE, out);
        }
    }

    fn give_up(&mut self, press: PressId, reason: &'static str, out: &mut Instructions) {
        self.report(press, Err(Failure::NotDone(reason.into())), out);
    }

    fn report(&mut self, press: PressId, outcome: Outcome, out: &mut Instructions) {
        match outcome {
            Ok(()) => self.counts.done += 1,
            Err(Failure::NotDone(_)) => self.counts.not_done += 1,
            Err(Failure::Unknown(_)) => self.counts.unknown += 1,
        }
        out.push_back(Instruction::Report { rule: self.id, press, step: self.step, outcome });
    }
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The place of a rule is its number.
    rules: Vec<Rule>,
    last_press: u64,
    is_closed: bool,
}

impl Rules {
    pub(crate) fn add(&mut self, spec: RuleSpec) -> Result<RuleId, Refusal> {
        if self.rules.len() >= RULES_MAX {
            return Err(Refusal::RulesFull);
        }
        let id = RuleId(self.rules.len());
        let (waiting, counts) = (VecDeque::new(), PressCounts::default());
        let gesture = Gesture::new(spec.on);
        self.rules.push(Rule { id, spec, gesture, step: 0, front: None, waiting, counts });
        Ok(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Shows an edge to the rules of its line; sets off those that have waited for it.
    pub(crate) fn edge(&mut self, now: Duration, line: &LineName, level: Level, at: Duration, out: &mut Instructions) {
        for rule in 0..self.rules.len() {
            if self.rules[rule].spec.line == *line
                && let Some(at) = self.rules[rule].gesture.edge(level, at)
            {
                self.set_off(now, rule, at, out);
            }
        }
    }

    fn set_off(&mut self, now: Duration, rule: usize, at: Duration, out: &mut Instructions) {
        self.last_press += 1;
        let (press, rule) = (PressId(self.last_press), &mut self.rules[rule]);
        if self.is_closed {
            rule.give_up(press, STOPPING, out);
        } else {
            rule.press(now, press, at, out);
        }
    }

    /// Forgets what an input has begun that was no press yet: what it did meanwhile is not known.
    pub(crate) fn forget(&mut self, line: &LineName) {
        self.rules.iter_mut().filter(|rule| rule.spec.line == *line).for_each(|rule| rule.gesture.forget());
    }

    pub(crate) fn delivered(&mut self, now: Duration, press: PressId, outcome: Outcome, out: &mut Instructions) {
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.front == Some(press)) {
            rule.finish_front(now, press, outcome, out);
        }
    }

    /// Ends what waits and what is still to come as not done; what is being delivered goes on.
    pub(crate) fn close(&mut self, out: &mut Instructions) {
        self.is_closed = true;
        for rule in &mut self.rules {
            rule.gesture.forget();
            for waiting in std::mem::take(&mut rule.waiting) {
                rule.give_up(waiting.press, STOPPING, out);
            }
        }
    }

    /// Sets off the rules whose time has come, and gives up the presses whose time is over.
    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Instructions) {
        for rule in 0..self.rules.len() {
            if let Some(at) = self.rules[rule].gesture.handle_timeout(now) {
                self.set_off(now, rule, at, out);
            }
        }
        self.rules.iter_mut().for_each(|rule| rule.expire(now, out));
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        let deadlines = self.rules.iter().flat_map(|rule| &rule.waiting).map(|waiting| waiting.deadline);
        deadlines.chain(self.rules.iter().filter_map(|rule| rule.gesture.timeout())).min()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.rules.iter().all(|rule| rule.front.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, ms, name, not_done, unknown};

    const NOTHING: [&str; 0] = [];

    /// Makes a board with the released input KEY and a rule of two steps on its press.
    fn scene() -> Scene {
        let mut scene = Scene::new(&[], &["KEY"]);
        scene.confirm("KEY", Level::Off);
        scene.rule("KEY", Trigger::Press, 2, 100);
        scene
    }

    #[test]
    fn a_press_sets_off_its_rules_and_the_same_value_again_is_no_edge() {
        let mut scene = scene();
        scene.rule("KEY", Trigger::Release, 1, 100);
        scene.edge("KEY", Level::Off);
        assert_eq!(scene.said(), NOTHING);
        scene.edge("KEY", Level::On);
        scene.edge("KEY", Level::On);
        assert_eq!(scene.said(), ["deliver 0: step 0"]);
        scene.edge("KEY", Level::Off);
        assert_eq!(scene.said(), ["deliver 1: step 0"]);
    }

    #[test]
    fn presses_are_delivered_strictly_one_after_the_other() {
        let mut scene = scene();
        scene.press("KEY");
        scene.press("KEY");
        assert_eq!(scene.said(), ["deliver 0: step 0"]);
        scene.delivered(Ok(()));
        assert_eq!(scene.said(), ["report 0: step 0 done", "deliver 0: step 1"]);
    }

    #[test]
    fn the_step_stays_on_not_done_and_moves_on_done_and_unknown() {
        let mut scene = scene();
        for _ in 0..4 {
            scene.press("KEY");
        }
        scene.said();
        for (outcome, report) in [
            (not_done(), "report 0: step 0 not done: stuck"),
            (Ok(()), "report 0: step 0 done"),
            (unknown(), "report 0: step 1 unknown: silent"),
            (not_done(), "report 0: step 0 not done: stuck"),
        ] {
            scene.delivered(outcome);
            assert_eq!(scene.said()[0], report);
        }
        let rule = scene.board.rules().next().unwrap();
        assert_eq!(rule.counts(), PressCounts { done: 1, not_done: 2, unknown: 1, waiting: 0 });
        assert_eq!(rule.step(), 0);
    }

    #[test]
    fn the_sixty_fifth_waiting_press_ends_not_done() {
        let mut scene = scene();
        for _ in 0..=PRESSES_WAITING_MAX {
            scene.press("KEY");
        }
        assert_eq!(scene.said(), ["deliver 0: step 0"]);
        scene.press("KEY");
        assert_eq!(scene.said(), ["report 0: step 0 not done: too many presses wait"]);
        let counts = PressCounts { not_done: 1, waiting: PRESSES_WAITING_MAX + 1, ..PressCounts::default() };
        assert_eq!(scene.board.rules().next().unwrap().counts(), counts);
    }

    #[test]
    fn a_press_that_waits_beyond_its_time_ends_not_done() {
        let mut scene = scene();
        scene.press("KEY");
        scene.wait_until(30);
        scene.press("KEY");
        scene.said();
        assert_eq!(scene.board.timeout(), Some(ms(130)));
        scene.wait_until(129);
        assert_eq!(scene.said(), NOTHING);
        scene.wait_until(130);
        assert_eq!(scene.said(), [format!("report 0: step 0 not done: {TOO_LATE}")]);
        scene.delivered(Ok(()));
        assert_eq!(scene.said(), ["report 0: step 0 done"]);
        assert!(scene.board.is_idle());
    }

    #[test]
    fn a_press_is_not_delivered_late_even_when_the_timeout_was_not_handled() {
        let mut scene = scene();
        scene.press("KEY");
        scene.press("KEY");
        scene.said();
        scene.now = ms(100);
        scene.delivered(Ok(()));
        assert_eq!(scene.said(), ["report 0: step 0 done", &format!("report 0: step 1 not done: {TOO_LATE}")]);
    }

    #[test]
    fn a_press_heard_of_too_late_is_not_delivered() {
        let mut scene = scene();
        let line = scene.line("KEY");
        let edge = crate::Fact::Edge { line, level: Level::On, at: ms(5) };
        scene.board.handle(ms(105), edge);
        assert_eq!(scene.said(), [format!("report 0: step 0 not done: {TOO_LATE}")]);
    }

    #[test]
    fn a_held_input_sets_off_its_rule_when_its_time_is_over() {
        let mut scene = scene();
        scene.rule("KEY", Trigger::Hold(ms(1000)), 1, 100);
        scene.edge("KEY", Level::On);
        assert_eq!(scene.said(), ["deliver 0: step 0"]);
        assert_eq!(scene.board.timeout(), Some(ms(1000)));
        scene.wait_until(1000);
        assert_eq!(scene.said(), ["deliver 1: step 0"]);
        scene.edge("KEY", Level::Off);
        assert_eq!(scene.said(), NOTHING);
    }

    #[test]
    fn a_second_press_is_a_press_and_a_double_too() {
        let mut scene = scene();
        scene.rule("KEY", Trigger::Double(ms(500)), 1, 100);
        scene.press("KEY");
        assert_eq!(scene.said(), ["deliver 0: step 0"]);
        scene.delivered(Ok(()));
        scene.said();
        scene.press("KEY");
        assert_eq!(scene.said(), ["deliver 0: step 1", "deliver 1: step 0"]);
    }

    #[test]
    fn an_input_that_is_lost_is_not_held() {
        let mut scene = scene();
        scene.rule("KEY", Trigger::Hold(ms(1000)), 1, 100);
        for confirm in [true, false] {
            scene.confirm("KEY", Level::Off);
            scene.edge("KEY", Level::On);
            let line = scene.line("KEY");
            if confirm {
                scene.confirm("KEY", Level::Off);
            } else {
                scene.board.handle(scene.now, crate::Fact::Lost { line, cause: "gone".into() });
            }
            scene.said();
            scene.wait_until(5000);
            assert!(!scene.said().iter().any(|said| said.contains("deliver 1")));
        }
    }

    #[test]
    fn a_value_confirmed_unasked_sets_off_no_rule() {
        let mut scene = scene();
        scene.confirm("KEY", Level::On);
        assert_eq!(scene.said(), NOTHING);
    }

    #[test]
    fn a_stopping_board_ends_presses_not_done() {
        let mut scene = scene();
        scene.press("KEY");
        scene.press("KEY");
        scene.said();
        scene.board.stop(ms(1));
        assert_eq!(scene.said(), ["report 0: step 0 not done: the board is stopping"]);
        scene.press("KEY");
        assert_eq!(scene.said(), ["report 0: step 0 not done: the board is stopping"]);
        assert!(!scene.board.is_idle());
        scene.delivered(Ok(()));
        assert!(scene.board.is_idle());
    }

    #[test]
    fn a_rule_wants_an_input() {
        let mut scene = Scene::new(&["LED"], &[]);
        let rule = |line| RuleSpec { line, on: Trigger::Press, steps: NonZeroUsize::MIN, within: ms(1) };
        assert_eq!(scene.board.add_rule(rule(name("LED"))), Err(Refusal::NotAnInput(name("LED"))));
        assert_eq!(scene.board.add_rule(rule(name("X"))), Err(Refusal::UnknownLine(name("X"))));
    }
}
