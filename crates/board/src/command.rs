//! What somebody wants done, and whether it can be.

use std::time::Duration;

use crate::line::Lines;
use crate::{Cause, Direction, LineId, LineName, OwnerId, Refusal, Verb};

/// The most lines of one command: what one request to a GPIO chip can hold.
pub const LINES_PER_COMMAND_MAX: usize = 64;

/// A command, for its reply. The caller chooses the number; the board only gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Outputs to be set, all together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What its reply is marked with.
    pub ticket: Ticket,
    /// Who wants it, in words.
    pub cause: Cause,
    /// Who wants it, to be held against the leases on its outputs.
    pub owner: OwnerId,
    /// From 1 to [`LINES_PER_COMMAND_MAX`] outputs, none twice, and what to do to each.
    pub sets: Vec<(LineName, Verb)>,
    /// From when on it must not be begun any more; `None` for never.
    pub deadline: Option<Duration>,
    /// How many servers it has passed before; the board hands it on to the back-end and does not look at it.
    pub hops: u8,
}

/// A command that is in order, the board's own included.
#[derive(Debug)]
pub(crate) struct Order {
    /// Whom to answer, and who that is; `None` for the board's own.
    pub(crate) asker: Option<(Ticket, OwnerId)>,
    pub(crate) cause: Cause,
    /// At least one output, none twice.
    pub(crate) sets: Vec<(LineId, Verb)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) hops: u8,
}

impl Command {
    /// Checks everything that can be known before its turn comes.
    pub(crate) fn check(self, now: Duration, lines: &Lines) -> Result<Order, Refusal> {
        let Command { ticket, cause, owner, sets: named, deadline, hops } = self;
        named.iter().try_for_each(|(_, verb)| verb.check())?;
        let ids = outputs(named.iter().map(|(name, _)| name), lines)?;
        if has_passed(deadline, now) {
            return Err(Refusal::Expired);
        }
        let sets = ids.into_iter().zip(named).map(|(id, (_, verb))| (id, verb)).collect();
        Ok(Order { asker: Some((ticket, owner)), cause, sets, deadline, hops })
    }
}

/// Finds the outputs that a command names: from 1 to [`LINES_PER_COMMAND_MAX`], none twice.
pub(crate) fn outputs<'a>(
    names: impl IntoIterator<Item = &'a LineName, IntoIter: ExactSizeIterator>,
    lines: &Lines,
) -> Result<Vec<LineId>, Refusal> {
    let names = names.into_iter();
    if names.len() == 0 {
        return Err(Refusal::NoLine);
    }
    if names.len() > LINES_PER_COMMAND_MAX {
        return Err(Refusal::TooManyLines { lines: names.len() });
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let line = lines.find(name)?;
        if line.direction() != Direction::Output {
            return Err(Refusal::NotAnOutput(name.clone()));
        }
        if ids.contains(&line.id()) {
            return Err(Refusal::RepeatedLine(name.clone()));
        }
        ids.push(line.id());
    }
    Ok(ids)
}

impl Order {
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.asker.as_ref().map(|&(ticket, _)| ticket)
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = LineId> {
        self.sets.iter().map(|&(line, _)| line)
    }
}

/// Says whether it is too late. The deadline itself is too late.
pub(crate) fn has_passed(deadline: Option<Duration>, now: Duration) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use crate::fixture::{Scene, command, ms};

    /// Returns what a board with the outputs A and B and the input IN says to it, being otherwise idle.
    fn answer(command: Command) -> Vec<String> {
        let mut scene = Scene::new(&["A", "B"], &["IN"]);
        scene.board.handle(ms(10), Fact::Command(command));
        scene.said()
    }

    #[test]
    fn nothing_is_done_when_one_name_of_several_is_wrong() {
        assert_eq!(answer(command(1, "A on, B on, C on")), ["refuse 1: there is no line C"]);
    }

    #[test]
    fn nothing_is_done_when_one_line_is_an_input() {
        assert_eq!(answer(command(1, "A on, IN on")), ["refuse 1: IN is an input and cannot be set"]);
    }

    #[test]
    fn nothing_is_done_when_a_line_is_named_twice() {
        assert_eq!(answer(command(1, "A on, a off")), ["refuse 1: the command names a twice"]);
    }

    #[test]
    fn nothing_is_done_when_one_line_cannot_be_toggled() {
        let refusal = "refuse 1: A is unknown and cannot be toggled, only set on or off";
        assert_eq!(answer(command(1, "B on, A toggle")), [refusal]);
    }

    #[test]
    fn a_command_names_from_one_to_sixty_four_lines() {
        assert_eq!(answer(command(1, "")), ["refuse 1: the command names no line"]);
        let many = answer(command(1, &"A on,".repeat(65)));
        assert_eq!(many, ["refuse 1: the command names 65 lines, at most 64 are allowed"]);
    }

    #[test]
    fn a_command_that_comes_at_its_deadline_is_refused() {
        let due_at = |deadline| Command { deadline: Some(deadline), ..command(1, "A on") };
        assert_eq!(answer(due_at(ms(10))), ["refuse 1: the deadline passed before it was done"]);
        assert_eq!(answer(due_at(ms(11))), ["act: A on"]);
    }
}
