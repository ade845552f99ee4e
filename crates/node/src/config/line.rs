//! The lines of a process, and what they are made of.

use std::fmt;
use std::path::PathBuf;

use soquete::Endpoint;
use soquete_board::{Direction, Keeper, LineName, Preset};

use super::{Gpio, HardwareLineError, MODE_DEFAULT};

/// A line of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// What it is called.
    pub name: LineName,
    /// What it is.
    pub kind: LineKind,
    /// What an output gets at the start; off by default, and a remote one keeps what it has.
    pub start: Preset,
    /// What an output gets at a clean stop; off by default, and a remote one keeps what it has.
    pub stop: Preset,
    /// What an output gets when a lease on it ends without renewal, and one of the hardware when its process dies and somebody
    /// holds it meanwhile; off by default.
    pub safe: Preset,
    /// Whether who wants a lease on an output gets it although another has one; not by default.
    pub may_be_taken_over: bool,
}

impl LineConfig {
    /// Makes a line that is off at the start, at a stop and when it is left alone; a remote one is not touched at either.
    #[must_use]
    pub fn new(name: LineName, kind: LineKind) -> Self {
        let preset = kind.preset_default();
        Self { name, kind, start: preset, stop: preset, safe: Preset::Off, may_be_taken_over: false }
    }
}

/// What a line is: its back-end, and what that needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineKind {
    /// An output that prints each command it carries out, to stdout and syslog.
    Log,
    /// A line of memory alone, for tests and panels.
    Virtual(Direction),
    /// An input that is pressed by each line `0` written to a FIFO.
    Fifo {
        /// The FIFO, an absolute path; one that is there already is used.
        path: PathBuf,
        /// The permissions of a FIFO that is made, at most 0777; [`MODE_DEFAULT`] by default.
        mode: u32,
    },
    /// A line of the hardware.
    Gpio(Gpio),
    /// A line of another server, of which this process is a client.
    Remote {
        /// Which way it goes here. An input cannot be set from here, whatever it is there; its changes set off rules here
        /// and count from when they are heard, which is seconds late at the most: a silent far end is given up.
        direction: Direction,
        /// Where it is served, in frames: not by this very process.
        at: Endpoint,
        /// What it is called there.
        line: LineName,
    },
}

impl LineKind {
    /// Reads what an output is: `log`, `gpio:NAME`, `gpio:LABEL/OFFSET` or `virtual`. A remote one takes more than a text to say.
    ///
    /// # Errors
    /// The text names an input's kind, or none; what follows `gpio:` is no line of any hardware.
    pub fn output(text: &str) -> Result<Self, LineKindError> {
        match text {
            "log" => Ok(Self::Log),
            "virtual" => Ok(Self::Virtual(Direction::Output)),
            _ if text == "fifo" || text.starts_with("fifo:") => Err(LineKindError::OnlyInput),
            _ => other(text, Direction::Output),
        }
    }

    /// Reads what an input is: `fifo:/PATH`, `gpio:NAME`, `gpio:LABEL/OFFSET` or `virtual`. A remote one takes more than a
    /// text to say.
    ///
    /// # Errors
    /// The text names an output's kind, or none; the FIFO's path is not absolute; what follows `gpio:` is no line of any
    /// hardware.
    pub fn input(text: &str) -> Result<Self, LineKindError> {
        match (text, text.strip_prefix("fifo:")) {
            ("virtual", _) => Ok(Self::Virtual(Direction::Input)),
            ("log", _) => Err(LineKindError::OnlyOutput),
            (_, Some(path)) if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') => {
                Ok(Self::Fifo { path: path.into(), mode: MODE_DEFAULT })
            }
            ("fifo", _) | (_, Some(_)) => Err(LineKindError::NoPath),
            _ => other(text, Direction::Input),
        }
    }

    /// Tells which way the line goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match self {
            Self::Log => Direction::Output,
            Self::Virtual(direction) | Self::Remote { direction, .. } => *direction,
            Self::Gpio(gpio) => gpio.direction,
            Self::Fifo { .. } => Direction::Input,
        }
    }

    /// Tells what an output of this kind gets at the start and at a stop where nothing else is said: off, but for one that
    /// is another server's.
    #[must_use]
    pub fn preset_default(&self) -> Preset {
        match self.keeper() {
            Keeper::Board => Preset::Off,
            Keeper::Far => Preset::Keep,
        }
    }

    /// Tells who keeps its value and the order of its commands.
    pub(crate) fn keeper(&self) -> Keeper {
        if matches!(self, Self::Remote { .. }) { Keeper::Far } else { Keeper::Board }
    }
}

/// Reads what may be an input or an output, and tells one with too few or too many words from one that nobody knows.
fn other(text: &str, direction: Direction) -> Result<LineKind, LineKindError> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("gpio", line) => {
            line.parse().map(|line| LineKind::Gpio(Gpio::new(direction, line))).map_err(LineKindError::NoHardwareLine)
        }
        ("remote", _) => Err(LineKindError::RemoteAlone),
        _ => Err(LineKindError::Unknown { direction }),
    }
}

impl fmt::Display for LineKind {
    /// Writes what [`LineKind::output`] or [`LineKind::input`] reads, and `remote`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Virtual(_) => f.write_str("virtual"),
            Self::Remote { .. } => f.write_str("remote"),
            Self::Fifo { path, .. } => write!(f, "fifo:{}", path.display()),
            Self::Gpio(gpio) => write!(f, "gpio:{}", gpio.line),
        }
    }
}

/// Why a text is no kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineKindError {
    /// Nobody knows it.
    Unknown {
        /// The way it was meant to go.
        direction: Direction,
    },
    /// What follows `gpio:` names no line of the hardware.
    NoHardwareLine(HardwareLineError),
    /// It is an output, and an input was wanted.
    OnlyOutput,
    /// It is an input, and an output was wanted.
    OnlyInput,
    /// A FIFO without an absolute path of a file.
    NoPath,
    /// A remote line whose endpoint is not said, or in the same word.
    RemoteAlone,
}

impl fmt::Display for LineKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { direction: Direction::Output } => {
                f.write_str("unknown output; expected log, gpio:NAME, virtual or remote")
            }
            Self::Unknown { direction: Direction::Input } => {
                f.write_str("unknown input; expected fifo:/PATH, gpio:NAME, virtual or remote")
            }
            Self::NoHardwareLine(error) => error.fmt(f),
            Self::OnlyOutput => f.write_str("log is an output; expected fifo:/PATH, gpio:NAME, virtual or remote"),
            Self::OnlyInput => f.write_str("a fifo is an input; expected log, gpio:NAME, virtual or remote"),
            Self::NoPath => f.write_str("no absolute path of a file; expected such as fifo:/tmp/tcp_file"),
            Self::RemoteAlone => f.write_str("too much or too little; expected remote, and its endpoint as `at`"),
        }
    }
}

impl std::error::Error for LineKindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_prints() {
        for text in ["log", "virtual"] {
            let kind = LineKind::output(text).unwrap();
            assert_eq!((kind.direction(), kind.to_string().as_str()), (Direction::Output, text));
        }
        for text in ["fifo:/tmp/tcp_file", "virtual"] {
            let kind = LineKind::input(text).unwrap();
            assert_eq!((kind.direction(), kind.to_string().as_str()), (Direction::Input, text));
        }
    }

    #[test]
    fn the_wrong_way_is_told_from_an_unknown_kind() {
        assert_eq!(LineKind::output("fifo:/tmp/tcp_file"), Err(LineKindError::OnlyInput));
        assert_eq!(LineKind::input("log"), Err(LineKindError::OnlyOutput));
        assert_eq!(LineKind::output("lamp"), Err(LineKindError::Unknown { direction: Direction::Output }));
        assert_eq!(LineKind::input("gpiox"), Err(LineKindError::Unknown { direction: Direction::Input }));
    }

    #[test]
    fn hardware_goes_both_ways_and_a_remote_line_is_more_than_a_word() {
        for read in [LineKind::output, LineKind::input] {
            assert_eq!(read("gpio:pinctrl-bcm2711/17").unwrap().to_string(), "gpio:pinctrl-bcm2711/17");
            let nothing = LineKindError::NoHardwareLine(HardwareLineError::Nothing);
            assert_eq!((read("gpio"), read("gpio:")), (Err(nothing), Err(nothing)));
        }
        assert_eq!(LineKind::output("remote:tcp://10.0.0.2:5555"), Err(LineKindError::RemoteAlone));
    }

    #[test]
    fn a_fifo_has_the_absolute_path_of_a_file() {
        for text in ["fifo", "fifo:", "fifo:tmp/tcp_file", "fifo:/tmp/", "fifo:/tmp/a\0b"] {
            assert_eq!(LineKind::input(text), Err(LineKindError::NoPath), "{text:?}");
        }
    }
}
