//! What can be wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use soquete::Endpoint;
use soquete_board::{LINES_PER_COMMAND_MAX, LineName, Refusal};
use soquete_proto::lines::LINE_MAX_BYTES;
use soquete_proto::text;

use super::{BACKLOG_MAX, DEBOUNCE_MAX, HardwareLine, ProcessName, TimeoutError};

/// A mistake in a configuration. It prints as its problem does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub problem: Problem,
}

/// A place in a configuration; every number counts from 0, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The configuration as a whole.
    Whole,
    /// A process.
    Process(usize),
    /// An endpoint that a process serves.
    Serve {
        /// The process.
        process: usize,
        /// Which of its endpoints.
        nth: usize,
    },
    /// A line of a process.
    Line {
        /// The process.
        process: usize,
        /// Which of its lines.
        nth: usize,
    },
    /// The endpoint of a remote line.
    At {
        /// The process.
        process: usize,
        /// Which of its lines.
        line: usize,
    },
    /// A rule of a process.
    Rule {
        /// The process.
        process: usize,
        /// Which of its rules.
        nth: usize,
    },
    /// The input and trigger of a rule.
    On {
        /// The process.
        process: usize,
        /// Which of its rules.
        rule: usize,
    },
    /// A command of a rule.
    Send {
        /// The process.
        process: usize,
        /// Which of its rules.
        rule: usize,
        /// Which of its commands.
        nth: usize,
    },
    /// How long a rule leases what it sends to.
    Lease {
        /// The process.
        process: usize,
        /// Which of its rules.
        rule: usize,
    },
    /// An endpoint that a rule sends to.
    To {
        /// The process.
        process: usize,
        /// Which of its rules.
        rule: usize,
        /// Which of its endpoints.
        nth: usize,
    },
}

impl Place {
    /// Returns the place of the endpoint of the line here; any other place as it is.
    pub(super) fn at(self) -> Self {
        match self {
            Self::Line { process, nth } => Self::At { process, line: nth },
            _ => self,
        }
    }

    /// Returns the place of what the rule here is set off by; any other place as it is.
    pub(super) fn on(self) -> Self {
        match self {
            Self::Rule { process, nth } => Self::On { process, rule: nth },
            _ => self,
        }
    }

    /// Returns the place of the nth command of the rule here; any other place as it is.
    pub(super) fn send(self, nth: usize) -> Self {
        match self {
            Self::Rule { process, nth: rule } => Self::Send { process, rule, nth },
            _ => self,
        }
    }

    /// Returns the place of the lease of the rule here; any other place as it is.
    pub(super) fn lease(self) -> Self {
        match self {
            Self::Rule { process, nth } => Self::Lease { process, rule: nth },
            _ => self,
        }
    }

    /// Returns the place of the nth endpoint that the rule here sends to; any other place as it is.
    pub(super) fn to(self, nth: usize) -> Self {
        match self {
            Self::Rule { process, nth: rule } => Self::To { process, rule, nth },
            _ => self,
        }
    }
}

/// What there can be too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Processes of a configuration.
    Processes,
    /// Endpoints that a process serves.
    Endpoints,
    /// Networks that an endpoint admits.
    Networks,
    /// Lines of a process.
    Lines,
    /// Endpoints that the remote lines of a process lead to.
    Far,
    /// Rules of a process.
    Rules,
    /// Commands that a rule sends in turn.
    Commands,
    /// Endpoints that a rule sends to.
    Targets,
}

/// What is wrong with a configuration. It prints what is wrong and what was expected, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A remote line leads to a group, of which none could say what it has.
    RemoteGroup(Endpoint),
    /// There is no process at all.
    NoProcess,
    /// A rule sends text in datagrams, or what is for many, to a name instead of an address.
    NameOfDatagrams(Endpoint),
    /// A rule sends what must not be done twice as text in a datagram, which may arrive twice.
    Doubled(text::Verb),
    /// A pulse or blink of a rule is out of bounds.
    BadVerb(Refusal),
    /// There are more of something than the bound allows.
    TooMany {
        /// Of what.
        counted: Counted,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Two processes have this name.
    RepeatedProcess(ProcessName),
    /// The path of the syslog socket is relative.
    RelativeSyslog,
    /// An endpoint that other machines can reach, and nothing says which of them may use it.
    OffLoopback(Endpoint),
    /// Networks for an endpoint that has none.
    NetworksWithoutTcp(Endpoint),
    /// A mode for an endpoint that makes no file.
    ModeWithoutFile(Endpoint),
    /// A mode with more than permissions.
    BadMode(u32),
    /// An endpoint that speaks no language.
    NoLanguage,
    /// A backlog of none or of more than [`BACKLOG_MAX`].
    BadBacklog(u32),
    /// An endpoint that is served twice.
    RepeatedEndpoint(Endpoint),
    /// The file of an endpoint is that of another kind of endpoint, too.
    RepeatedFile(Endpoint),
    /// Two lines of one process have this name.
    RepeatedLine(LineName),
    /// The path of a FIFO is relative.
    RelativeFifo(PathBuf),
    /// Two lines read this FIFO, and each would take presses from the other.
    RepeatedFifo(PathBuf),
    /// Two lines are this one of the hardware.
    RepeatedHardware(HardwareLine),
    /// The debounce time of a line is out of its bounds.
    BadDebounce,
    /// A remote line leads to an endpoint that its own process serves.
    RelayToItself(Endpoint),
    /// The line of a rule is none of its process.
    NoSuchInput(LineName),
    /// The line of a rule is an output.
    NotAnInput(LineName),
    /// A rule sends nothing.
    NoCommand,
    /// A command has more octets than a line of text.
    LongCommand {
        /// The octets it has.
        len_bytes: usize,
    },
    /// A command sets more lines than the bound allows.
    WideCommand {
        /// How many it sets.
        lines: usize,
    },
    /// A command that only asks.
    SetsNothing(String),
    /// A text that is no command.
    BadCommand(text::Malformed),
    /// A command sets what can be no line.
    BadLineName(soquete_board::NameError),
    /// A command sets a line twice.
    RepeatedInCommand(LineName),
    /// A rule without `to` sets a line that its process does not have.
    NoSuchOutput(LineName),
    /// A rule without `to` sets an input.
    NotAnOutput(LineName),
    /// A rule without `to` is to be delivered as text.
    TextToItself,
    /// A rule sends or a remote line leads to port 0, at which nobody listens.
    NoPort(Endpoint),
    /// A rule sends to an endpoint twice.
    RepeatedTarget(Endpoint),
    /// A rule takes a lease that it cannot have.
    BadLease(LeaseProblem),
    /// A time of a rule is out of its bounds.
    BadWithin(TimeoutError),
}

/// Why a rule cannot have the lease that it is to take. It prints what is wrong and what was expected, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseProblem {
    /// The rule has no `to`: with its process everything would be gone that could make a line safe.
    ToItself,
    /// The rule sends text.
    InText,
    /// Its lines are those of a group, of which none could say who owns them.
    OfGroup(Endpoint),
    /// It is on more lines than one command may name.
    Wide {
        /// How many.
        lines: usize,
    },
    /// It lasts too short or too long.
    Time,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Mistake {}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processes => "processes",
            Self::Endpoints => "endpoints served by one process",
            Self::Networks => "networks of one endpoint",
            Self::Lines => "lines of one process",
            Self::Far => "endpoints of the remote lines of one process",
            Self::Rules => "rules of one process",
            Self::Commands => "commands of one rule",
            Self::Targets => "endpoints of one rule",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoteGroup(at) => write!(f, "{at} is a group; expected one server"),
            Self::NoProcess => f.write_str("no process; expected at least one, such as [processes.led_process]"),
            Self::TooMany { counted, count, max } => write!(f, "{count} {counted}; expected at most {max}"),
            Self::RepeatedProcess(name) => write!(f, "a second process {name}; expected each name once"),
            Self::RelativeSyslog => f.write_str("relative path of the syslog socket; expected such as /dev/log"),
            Self::OffLoopback(at) => write!(
                f,
                "{at} is off loopback and wants `anyone-from`, the networks whose every machine may use the port; \
                 expected such as anyone-from = [\"10.0.0.0/24\"]"
            ),
            Self::NetworksWithoutTcp(at) => {
                write!(f, "networks for {at}; expected `anyone-from` at tcp:// and udp:// only")
            }
            Self::ModeWithoutFile(at) => {
                write!(
                    f,
                    "a mode for {at}, which makes no file; expected it at unix:///, seqpacket:/// and unixgram:/// only"
                )
            }
            Self::BadMode(mode) => write!(f, "mode {mode:04o}; expected permissions from 0000 to 0777"),
            Self::NoLanguage => f.write_str("no language; expected at least one of text, frames and http"),
            Self::BadBacklog(backlog) => write!(f, "backlog {backlog}; expected 1 to {BACKLOG_MAX}"),
            Self::RepeatedEndpoint(at) => write!(f, "{at} is served a second time; expected each endpoint once"),
            Self::RepeatedFile(at) => {
                write!(f, "the path of {at} is served a second time; expected each path once, whatever its kind")
            }
            Self::RepeatedLine(line) => {
                write!(f, "a second line {line}; expected each name once, whatever its case")
            }
            Self::RelativeFifo(path) => write!(f, "relative path {}; expected an absolute one", path.display()),
            Self::RepeatedFifo(path) => {
                write!(f, "{} is read by a second line; expected a fifo for each", path.display())
            }
            Self::RepeatedHardware(line) => {
                write!(f, "gpio:{line} is another line already; expected each line of the hardware once")
            }
            Self::BadDebounce => write!(f, "a debounce out of bounds; expected 1ms to {}s", DEBOUNCE_MAX.as_secs()),
            Self::RelayToItself(at) => {
                write!(f, "{at} is served by this process itself; expected the endpoint of another")
            }
            _ => self.fmt_of_rule(f),
        }
    }
}

impl Problem {
    /// Says what is wrong with a rule.
    fn fmt_of_rule(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameOfDatagrams(to) => {
                write!(f, "{to}: what goes without a session goes to an address; expected no name")
            }
            Self::Doubled(verb) => write!(
                f,
                "{verb} as text in a datagram, which may arrive twice; expected ON or OFF, or `as = \"frames\"`"
            ),
            Self::BadVerb(refusal) => write!(f, "{refusal}; expected such as LED PULSE 500ms or LED BLINK 500ms"),
            Self::NoSuchInput(line) => write!(f, "no line {line} in this process; expected one of its inputs"),
            Self::NotAnInput(line) => write!(f, "{line} is an output; expected an input"),
            Self::NoCommand => f.write_str("nothing to send; expected at least one command, such as LED TOGGLE"),
            Self::LongCommand { len_bytes } => {
                write!(f, "a command of {len_bytes} octets; expected at most {LINE_MAX_BYTES}")
            }
            Self::WideCommand { lines } => {
                write!(f, "a command to {lines} lines; expected at most {LINES_PER_COMMAND_MAX}")
            }
            Self::SetsNothing(command) => {
                write!(f, "{command:?} sets no line; expected such as LED ON, LED TOGGLE or LED PULSE 500ms")
            }
            Self::BadCommand(malformed) => {
                write!(f, "{malformed}; expected such as LED ON, LED TOGGLE or LED PULSE 500ms")
            }
            Self::BadLineName(error) => write!(f, "{error}; expected such as LED ON, LED TOGGLE or LED PULSE 500ms"),
            Self::RepeatedInCommand(line) => write!(f, "the command sets {line} twice; expected each line once"),
            Self::NoSuchOutput(line) => write!(
                f,
                "no line {line} in this process; expected one of its outputs, or `to`, the endpoint of another process"
            ),
            Self::NotAnOutput(line) => write!(f, "{line} is an input; expected an output of this process"),
            Self::TextToItself => f.write_str("text to this process itself; expected `as` only where there is a `to`"),
            Self::NoPort(to) => write!(f, "nobody listens at {to}; expected a port from 1 to 65535"),
            Self::RepeatedTarget(to) => write!(f, "{to} is sent to a second time; expected each endpoint once"),
            Self::BadLease(problem) => fmt::Display::fmt(problem, f),
            Self::BadWithin(error) => fmt::Display::fmt(error, f),
            other => unreachable!("{other:?} is none of a rule's"),
        }
    }
}

impl fmt::Display for LeaseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToItself => f.write_str(
                "a lease on lines of this process itself, which end with it; expected `lease` only where there is a `to`",
            ),
            Self::InText => {
                f.write_str("a lease for a rule that sends text; expected `lease` only with `as = \"frames\"`")
            }
            Self::OfGroup(to) => write!(f, "a lease at {to}, which is a group; expected one server"),
            Self::Wide { lines } => write!(f, "a lease on {lines} lines; expected at most {LINES_PER_COMMAND_MAX}"),
            Self::Time => f.write_str("a lease too short or too long; expected 100ms to 1m"),
        }
    }
}
