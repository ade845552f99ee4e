//! A command whose turn has come: what each line shall get, and what became of it.

use std::time::Duration;

use crate::command::{Order, has_passed};
use crate::line::Lines;
use crate::{Cause, Failure, Instruction, Keeper, LineId, LineName, Refusal, Taken, Ticket, Value, Verb};

/// An action of the back-ends. The board never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub(crate) u64);

/// What the back-ends are at.
#[derive(Debug)]
pub(crate) struct Action {
    ticket: Option<Ticket>,
    cause: Cause,
    shares: Vec<Share>,
}

/// One line's part of an action. Its name is kept for the reply: the line may be gone by then.
#[derive(Debug)]
struct Share {
    line: LineId,
    name: LineName,
    keeper: Keeper,
    /// What was asked for, and what the back-end is told.
    asked: Verb,
    verb: Verb,
    /// `None` until the back-end has answered.
    outcome: Option<Taken>,
    /// When it was done, where the back-end has said so.
    at: Option<Duration>,
}

/// What an outcome makes of a line.
pub(crate) struct Settled {
    /// The line's value from now on; `None` where it stays as it was.
    pub(crate) value: Option<Value>,
    pub(crate) cause: Cause,
    pub(crate) then: Then,
}

/// What a line does by itself from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// What it was told.
    Do(Verb),
    /// What it did before: nothing was done.
    GoOn,
    /// Nothing.
    End,
}

impl Action {
    /// Decides what each line shall get. This is where a command that is too late ends.
    pub(crate) fn begin(order: &Order, now: Duration, lines: &Lines) -> Result<Self, Refusal> {
        if has_passed(order.deadline, now) {
            return Err(Refusal::Expired);
        }
        // The lines are there, and outputs: one that is removed or turned round takes what waits for it along.
        let shares = order.sets.iter().filter_map(|&(line, verb)| Some(Share::new(lines.get(line)?, verb)));
        let shares = shares.collect::<Result<_, _>>()?;
        Ok(Self { ticket: order.ticket(), cause: order.cause.clone(), shares })
    }

    pub(crate) fn instruction(&self, id: ActionId, order: &Order) -> Instruction {
        let sets = self.shares.iter().map(|share| (share.line, share.verb)).collect();
        Instruction::Act { action: id, sets, cause: self.cause.clone(), deadline: order.deadline, hops: order.hops }
    }

    /// Takes a line's outcome; `None` if the line is not of this action or settled already.
    pub(crate) fn settle(&mut self, line: LineId, outcome: Taken, at: Option<Duration>) -> Option<Settled> {
        let share = self.shares.iter_mut().find(|share| share.line == line && share.outcome.is_none())?;
        let value = match (share.keeper, &outcome) {
            (Keeper::Far, _) | (_, Err(Failure::NotDone(_))) => None,
            (_, Ok(value)) => Some(*value),
            (_, Err(Failure::Unknown(_))) => Some(Value::Unknown),
        };
        let then = match (share.keeper, &outcome) {
            (Keeper::Far, _) => Then::GoOn,
            (Keeper::Board, Ok(_)) => Then::Do(share.asked),
            // Of what the board itself wanted, nothing is tried again.
            (Keeper::Board, Err(Failure::NotDone(_))) if self.ticket.is_some() => Then::GoOn,
            (Keeper::Board, Err(_)) => Then::End,
        };
        (share.outcome, share.at) = (Some(outcome), at);
        Some(Settled { value, cause: self.cause.clone(), then })
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.shares.iter().all(|share| share.outcome.is_some())
    }

    /// Returns the answer to whoever wanted it, if anyone did.
    pub(crate) fn reply(self) -> Option<Instruction> {
        let ticket = self.ticket?;
        let at = self.shares.iter().map(|share| share.at);
        let done_at = at.reduce(|last, at| last.zip(at).map(|(last, at)| last.max(at))).flatten();
        Some(Instruction::Reply { ticket, result: self.result(), done_at })
    }

    fn result(self) -> Result<Vec<(LineName, Value)>, Refusal> {
        let is_done = |share: &Share| matches!(share.outcome, Some(Ok(_)));
        let any_done = self.shares.iter().any(is_done);
        let (mut not_done, mut values) = (None, Vec::with_capacity(self.shares.len()));
        for share in self.shares {
            let line = share.name;
            match share.outcome {
                Some(Err(Failure::Unknown(reason))) => return Err(Refusal::Unknown { line, reason }),
                Some(Err(Failure::NotDone(reason))) => not_done = not_done.or(Some((line, reason))),
                Some(Ok(value)) => values.push((line, value)),
                None => {}
            }
        }
        match not_done {
            None => Ok(values),
            Some((line, reason)) if any_done => Err(Refusal::Partly { line, reason }),
            Some((line, reason)) => Err(Refusal::NotDone { line, reason }),
        }
    }
}

impl Share {
    fn new(line: &crate::Line, asked: Verb) -> Result<Self, Refusal> {
        let (name, keeper) = (line.name().clone(), line.spec().keeper);
        let verb = match (keeper, asked.level(line.value())) {
            (Keeper::Far, _) => asked,
            (Keeper::Board, Some(level)) => level.into(),
            (Keeper::Board, None) => return Err(Refusal::ValueUnknown(name)),
        };
        Ok(Self { line: line.id(), name, keeper, asked, verb, outcome: None, at: None })
    }
}

#[cfg(test)]
mod tests {
    use crate::Outcome;
    use crate::fixture::{Scene, not_done, unknown};

    /// Returns the answer to a command that sets A and B, whose outcomes are these.
    fn answer(a: Outcome, b: Outcome) -> Vec<String> {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.ask(1, "A on, B off");
        assert_eq!(scene.said(), ["act: A on B off"]);
        scene.acted(a);
        assert_eq!(scene.said(), Vec::<String>::new());
        scene.acted(b);
        scene.said()
    }

    #[test]
    fn several_lines_are_answered_once_when_the_last_is_settled() {
        assert_eq!(answer(Ok(()), Ok(())), ["reply 1: A on B off"]);
    }

    #[test]
    fn what_no_line_took_is_not_done() {
        assert_eq!(answer(not_done(), not_done()), ["refuse 1: A was not set: stuck"]);
    }

    #[test]
    fn what_some_lines_took_is_partly_done() {
        assert_eq!(answer(Ok(()), not_done()), ["refuse 1: B was not set, other lines were: stuck"]);
    }

    #[test]
    fn one_line_that_is_unknown_makes_the_command_unknown() {
        assert_eq!(answer(not_done(), unknown()), ["refuse 1: whether B was set is unknown: silent"]);
        assert_eq!(answer(unknown(), Ok(())), ["refuse 1: whether A was set is unknown: silent"]);
    }

    #[test]
    fn a_line_that_is_not_done_keeps_its_value() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED on");
        scene.said();
        scene.acted(not_done());
        assert_eq!(scene.said(), ["refuse 1: LED was not set: stuck"]);
        assert_eq!(scene.value("LED"), "off");
    }

    #[test]
    fn a_line_whose_outcome_is_unknown_is_unknown_until_it_is_set_again() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED on");
        scene.ask(2, "LED toggle");
        scene.ask(3, "LED off");
        scene.said();
        scene.acted(unknown());
        assert_eq!(scene.value("LED"), "unknown");
        let said = [
            "refuse 1: whether LED was set is unknown: silent",
            "refuse 2: LED is unknown and cannot be toggled, only set on or off",
            "act: LED off",
        ];
        assert_eq!(scene.said(), said);
        scene.acted(Ok(()));
        assert_eq!(scene.value("LED"), "off");
    }
}
