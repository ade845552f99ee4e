//! Why the board did not do what it was asked.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::{
    BLINKS_MAX, COMMANDS_WAITING_MAX, Cause, LINES_MAX, LINES_PER_COMMAND_MAX, LineName, RULES_MAX, WATCHERS_MAX,
};

/// Why the board did not do what it was asked; it prints as one lower-case line for whoever asked.
///
/// All but [`Unknown`](Self::Unknown) and [`Partly`](Self::Partly) promise that nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    // The asker's mistake: it will be refused again.
    /// No line has this name.
    UnknownLine(LineName),
    /// The line is an input, and only an output can be set.
    NotAnOutput(LineName),
    /// The line is an output, and only an input has edges.
    NotAnInput(LineName),
    /// The command names the line twice.
    RepeatedLine(LineName),
    /// The command names no line.
    NoLine,
    /// The command names more lines than [`LINES_PER_COMMAND_MAX`].
    TooManyLines {
        /// How many it names.
        lines: usize,
    },
    /// Another line has the name.
    NameTaken(LineName),
    /// Another watcher has the number.
    WatcherTaken,
    /// A lease is to be shorter than [`LEASE_MIN`](crate::LEASE_MIN) or longer than [`LEASE_MAX`](crate::LEASE_MAX).
    LeaseTime,
    /// A pulse is to be shorter than [`PULSE_MIN`](crate::PULSE_MIN) or longer than [`PULSE_MAX`](crate::PULSE_MAX).
    PulseTime,
    /// A blink is to be on or off for less than [`BLINK_MIN`](crate::BLINK_MIN) or more than
    /// [`BLINK_MAX`](crate::BLINK_MAX).
    BlinkTime,
    /// A blink is to be on no times, or more than [`BLINKS_MAX`].
    BlinkCount,
    /// A far board keeps the line, and would take all who ask here for one owner.
    FarLine(LineName),
    /// What is to be released is leased by nobody, or no more.
    NotLeased(LineName),

    // The state of the board: it may be granted another time.
    /// A toggle of a line whose value nobody knows.
    ValueUnknown(LineName),
    /// Somebody else owns the line.
    Leased {
        /// The line.
        line: LineName,
        /// Who owns it.
        by: Cause,
        /// For how long, unless the lease is renewed.
        left: Duration,
    },
    /// Somebody took the line over from who asks.
    TakenOver {
        /// The line.
        line: LineName,
        /// Who owns it now.
        by: Cause,
        /// For how long, unless the lease is renewed.
        left: Duration,
    },
    /// The asker's lease on the line ended while the command waited for it.
    LeaseEnded(LineName),
    /// The deadline passed before the command's turn came.
    Expired,
    /// [`COMMANDS_WAITING_MAX`] commands wait for the line.
    Busy(LineName),
    /// The line was removed while the command waited for it.
    Removed(LineName),
    /// [`Board::stop`](crate::Board::stop) was called.
    Stopping,
    /// The board has [`LINES_MAX`] lines.
    LinesFull,
    /// The board has [`WATCHERS_MAX`] watchers.
    WatchersFull,
    /// The board has [`RULES_MAX`] rules.
    RulesFull,

    // The back-end's word.
    /// The back-end could not do it, and no line has changed.
    NotDone {
        /// The first line it failed on.
        line: LineName,
        /// What the back-end said.
        reason: Cow<'static, str>,
    },
    /// Some lines took their level and some did not; to repeat the command is not safe.
    Partly {
        /// The first line that did not.
        line: LineName,
        /// What the back-end said.
        reason: Cow<'static, str>,
    },
    /// Nobody knows whether a line took its level; to repeat the command is not safe.
    Unknown {
        /// The first such line.
        line: LineName,
        /// What the back-end said.
        reason: Cow<'static, str>,
    },
}

impl Refusal {
    /// Says whether nothing was done, so that even a toggle can be sent again without having its effect twice.
    #[must_use]
    pub fn is_safe_to_repeat(&self) -> bool {
        !matches!(self, Self::Partly { .. } | Self::Unknown { .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLine(line) => write!(f, "there is no line {line}"),
            Self::NotAnOutput(line) => write!(f, "{line} is an input and cannot be set"),
            Self::NotAnInput(line) => write!(f, "{line} is an output and has no edges"),
            Self::RepeatedLine(line) => write!(f, "the command names {line} twice"),
            Self::NoLine => write!(f, "the command names no line"),
            Self::TooManyLines { lines } => {
                write!(f, "the command names {lines} lines, at most {LINES_PER_COMMAND_MAX} are allowed")
            }
            Self::NameTaken(line) => write!(f, "there is a line {line} already"),
            Self::WatcherTaken => write!(f, "there is a watcher of this number already"),
            Self::LeaseTime => write!(f, "a lease lasts from 100 ms to 1 h"),
            Self::PulseTime => write!(f, "a pulse lasts from 1 ms to 1 h"),
            Self::BlinkTime => write!(f, "a line that blinks is on and off for 10 ms to 1 h each"),
            Self::BlinkCount => write!(f, "a line blinks from 1 to {BLINKS_MAX} times"),
            Self::FarLine(line) => write!(f, "{line} is a line of another server, which alone can lease it"),
            Self::NotLeased(line) => write!(f, "nobody has a lease on {line}"),
            Self::Leased { line, by, left } => write!(f, "{line} is leased by {by}, for {} more", Left(*left)),
            Self::TakenOver { line, by, left } => {
                write!(f, "{line} was taken over by {by}, who has it for {} more", Left(*left))
            }
            Self::LeaseEnded(line) => write!(f, "the lease on {line} ended before it was done"),
            Self::ValueUnknown(line) => write!(f, "{line} is unknown and cannot be toggled, only set on or off"),
            Self::Expired => write!(f, "the deadline passed before it was done"),
            Self::Busy(line) => write!(f, "{COMMANDS_WAITING_MAX} commands wait for {line} already"),
            Self::Removed(line) => write!(f, "{line} was removed"),
            Self::Stopping => write!(f, "the board is stopping"),
            Self::LinesFull => write!(f, "the board has {LINES_MAX} lines already"),
            Self::WatchersFull => write!(f, "the board has {WATCHERS_MAX} watchers already"),
            Self::RulesFull => write!(f, "the board has {RULES_MAX} rules already"),
            Self::NotDone { line, reason } => write!(f, "{line} was not set: {reason}"),
            Self::Partly { line, reason } => write!(f, "{line} was not set, other lines were: {reason}"),
            Self::Unknown { line, reason } => write!(f, "whether {line} was set is unknown: {reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A time that is left, in tenths of a second and never 0.
struct Left(Duration);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis().div_ceil(100).max(1);
        write!(f, "{}.{} s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::name;

    #[test]
    fn a_refusal_reads_as_one_line() {
        assert_eq!(Refusal::UnknownLine(name("LAMP")).to_string(), "there is no line LAMP");
        assert_eq!(Refusal::Busy(name("LED")).to_string(), "64 commands wait for LED already");
        let refusal = Refusal::Unknown { line: name("LED"), reason: "the far board is gone".into() };
        assert_eq!(refusal.to_string(), "whether LED was set is unknown: the far board is gone");
    }

    #[test]
    fn only_what_may_have_changed_a_line_is_unsafe_to_repeat() {
        let (line, reason) = (name("LED"), Cow::from("no such chip"));
        assert!(Refusal::Expired.is_safe_to_repeat());
        assert!(Refusal::NotDone { line: line.clone(), reason: reason.clone() }.is_safe_to_repeat());
        assert!(!Refusal::Partly { line: line.clone(), reason: reason.clone() }.is_safe_to_repeat());
        assert!(!Refusal::Unknown { line, reason }.is_safe_to_repeat());
    }
}
