//! Rules: which command an edge of an input becomes, and where it goes.

use std::fmt;
use std::time::Duration;

use soquete::Endpoint;
use soquete_board::{LineName, Trigger};

/// How long a press may take to be delivered, by default: a person who sees nothing for two seconds presses again.
pub const WITHIN_DEFAULT: Duration = Duration::from_secs(2);

/// How long an input is held before that is a hold, by default: longer than any press that is meant as one.
pub const HOLD_TIME_DEFAULT: Duration = Duration::from_secs(1);

/// How long after a press another one makes both a double, by default: as long as two clicks of a mouse may be apart.
pub const DOUBLE_TIME_DEFAULT: Duration = Duration::from_millis(500);

/// The longest lease of a rule: 1 min, as long as a server remembers a session without a connection. So a process that
/// has lost its session has lost the lease, too, and is not held up by its own.
pub const RULE_LEASE_MAX: Duration = Duration::from_secs(60);

/// The most commands that one rule sends in turn.
pub const COMMANDS_MAX: usize = 64;

/// The most endpoints that one press goes to: each costs a connection that is kept.
pub const TARGETS_MAX: usize = 16;

/// An input's event turned into a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleConfig {
    /// The input.
    pub line: LineName,
    /// What it does to set off the rule. The time of a hold or a double is 1 ms to 1 h, [`HOLD_TIME_DEFAULT`] and
    /// [`DOUBLE_TIME_DEFAULT`] where nothing is said.
    pub on: Trigger,
    /// What is sent in turn: text commands that set lines, such as `LED TOGGLE`; 1 to [`COMMANDS_MAX`].
    pub send: Vec<String>,
    /// Where each command goes, at most [`TARGETS_MAX`]; none: the outputs of this same process.
    pub to: Vec<Endpoint>,
    /// In which language it goes there; frames by default.
    pub delivery: Delivery,
    /// How long the lease is that it takes on the lines it sets and renews while its process lives; 100 ms to
    /// [`RULE_LEASE_MAX`]. None by default.
    pub lease: Option<Duration>,
    /// What is not delivered this long after the edge is reported not done; 1 ms to 1 h, [`WITHIN_DEFAULT`] by default.
    pub within: Duration,
}

impl RuleConfig {
    /// Makes a rule that sends one command to the outputs of its own process.
    #[must_use]
    pub fn new(line: LineName, on: Trigger, command: impl Into<String>) -> Self {
        Self {
            line,
            on,
            send: vec![command.into()],
            to: Vec::new(),
            delivery: Delivery::Frames,
            lease: None,
            within: WITHIN_DEFAULT,
        }
    }
}

impl RuleConfig {
    /// Says what sets it off: `BUTTON press`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {}", self.line, self.on)
    }
}

/// In which language a rule's commands travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Frames over a session that survives its connections: never twice, never late.
    Frames,
    /// Text, a connection for each press, for programs that know no frames.
    Text,
}

impl fmt::Display for Delivery {
    /// Writes `frames` or `text`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Frames => "frames",
            Self::Text => "text",
        })
    }
}
