//! What the board is told, and what it says: its whole conversation.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::{
    ActionId, Cause, Command, Event, LeaseNews, Level, LineId, LineName, PressId, Refusal, RuleId, Ticket, Value, Verb,
    WatcherId,
};

/// What happened, for [`Board::handle`](crate::Board::handle).
///
/// A fact about a line, action or press that is not there (any more) is ignored: it was under way when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Somebody wants outputs set. Answered by one [`Instruction::Reply`].
    Command(Command),
    /// A line of an [`Instruction::Act`] is settled. Each of its lines wants one such fact, in any order.
    Acted {
        /// The action.
        action: ActionId,
        /// The line of it.
        line: LineId,
        /// What the line has now, if it did what it was told.
        outcome: Taken,
        /// When it did, on the clock of `now` and not after; `None` where nobody can say, and it counts as now.
        at: Option<Duration>,
    },
    /// An input was pressed or released; the rules hear of it. The value it has already is no edge.
    Edge {
        /// The input; edges of an output are ignored.
        line: LineId,
        /// On for pressed, off for released.
        level: Level,
        /// When it happened, on the clock of `now`.
        at: Duration,
    },
    /// A back-end says unasked what a line has: an input at the start, a far board's news. No rule hears of it.
    Confirmed {
        /// The line.
        line: LineId,
        /// What it has.
        level: Level,
        /// Who changed it.
        cause: Cause,
    },
    /// Nobody can say any more what a line has: its chip or its far board is gone.
    Lost {
        /// The line.
        line: LineId,
        /// What happened.
        cause: Cause,
    },
    /// The press of an [`Instruction::Deliver`] is settled.
    Delivered {
        /// The press.
        press: PressId,
        /// Whether its command was done.
        outcome: Outcome,
    },
}

/// What is to be done, from [`Board::poll`](crate::Board::poll).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Do this to these lines, together. Answered by one [`Fact::Acted`] for each line.
    Act {
        /// The action.
        action: ActionId,
        /// At least one line, none twice, and what is to be done to it; it may have that already. Only a line that a far
        /// board keeps is told anything but on and off.
        sets: Vec<(LineId, Verb)>,
        /// Who wants it.
        cause: Cause,
        /// From when on it must not be done any more. It has not passed, and whoever acts later has to heed it.
        deadline: Option<Duration>,
        /// How many servers the command had passed when it came here.
        hops: u8,
    },
    /// Answer a command.
    Reply {
        /// The command's ticket.
        ticket: Ticket,
        /// What the command gave each line, in the command's order.
        result: Result<Vec<(LineName, Value)>, Refusal>,
        /// When the last of its lines was settled; `None` where nobody can say, or the command was never begun.
        done_at: Option<Duration>,
    },
    /// Tell a watcher of a change.
    Notify {
        /// The watcher.
        watcher: WatcherId,
        /// The change.
        event: Event,
        /// How many changes the watcher will never hear of, before this one.
        missed: u32,
    },
    /// Send a rule's command. Answered by one [`Fact::Delivered`].
    Deliver {
        /// The rule.
        rule: RuleId,
        /// The press.
        press: PressId,
        /// Which of the rule's commands, from 0.
        step: usize,
        /// From when on it must not be done any more.
        deadline: Duration,
        /// When the rule was set off: the time of the edge, or when the time of a hold was over.
        caused_at: Duration,
    },
    /// Note how a press ended.
    Report {
        /// The rule.
        rule: RuleId,
        /// The press.
        press: PressId,
        /// The step it was delivered with, or would have been.
        step: usize,
        /// How it ended.
        outcome: Outcome,
    },
    /// Note who owns a line now, or no more.
    Leased {
        /// The line.
        line: LineName,
        /// What became of the lease on it. A renewal is no news.
        news: LeaseNews,
    },
}

/// Instructions in the order they are to be carried out.
pub(crate) type Instructions = VecDeque<Instruction>;

/// How a press ended: done, or not.
pub type Outcome = Result<(), Failure>;

/// How an action on one line ended: what the line has now, or that it was not done.
pub type Taken = Result<Value, Failure>;

/// Why something is not known to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It had no effect and never will; it is safe to repeat.
    NotDone(Cow<'static, str>),
    /// It may have had its effect.
    Unknown(Cow<'static, str>),
}

impl Failure {
    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NotDone(reason) | Self::Unknown(reason) => reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDone(reason) => write!(f, "not done: {reason}"),
            Self::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

impl std::error::Error for Failure {}
