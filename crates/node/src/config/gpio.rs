//! A line of the hardware: which one, and how it is to be used, in the words of libgpiod.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use soquete_board::Direction;

/// The longest name of a line and label of a chip, in octets: all that the kernel keeps.
const NAME_BYTES_MAX: usize = 31;

/// The longest debounce time: a button that bounces longer is broken, and the kernel's counter ends not much later.
pub const DEBOUNCE_MAX: Duration = Duration::from_secs(60);

/// A line of the Linux GPIO character device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpio {
    /// Which way it goes.
    pub direction: Direction,
    /// Which line of the machine it is.
    pub line: HardwareLine,
    /// What pulls it where nobody drives it; as it is by default.
    pub bias: Bias,
    /// Whether it is on, or pressed, while it is physically low; false by default.
    pub active_low: bool,
    /// How an output drives it; push-pull by default. An input has none.
    pub drive: Drive,
    /// For how long the contact of an input bounces at most; 1 ms to [`DEBOUNCE_MAX`], and nothing by default. An output
    /// has none.
    pub debounce: Option<Duration>,
    /// Which edges count of those of a contact that bounces, [`DebounceMode::Settled`] by default. Without a debounce time
    /// all do.
    pub debounce_mode: DebounceMode,
}

impl Gpio {
    /// Describes a line that is left as it is in everything but its direction.
    #[must_use]
    pub fn new(direction: Direction, line: HardwareLine) -> Self {
        let (bias, drive, debounce_mode) = (Bias::default(), Drive::default(), DebounceMode::default());
        Self { direction, line, bias, active_low: false, drive, debounce: None, debounce_mode }
    }
}

/// What a line of the machine is found by: never the number of a chip, which changes between kernels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HardwareLine {
    /// Its name, such as `GPIO17`.
    Name(String),
    /// The label of its chip and its place there, such as `pinctrl-bcm2711/17`.
    Place {
        /// The label.
        label: String,
        /// The place, from 0.
        offset: u32,
    },
}

impl FromStr for HardwareLine {
    type Err = HardwareLineError;

    /// Reads a name, or a label, `/` and an offset.
    fn from_str(text: &str) -> Result<Self, HardwareLineError> {
        let place = text.rsplit_once('/').and_then(|(label, offset)| Some((label, number(offset)?)));
        let name = place.map_or(text, |(label, _)| label);
        let is_chip_number = |name: &str| name.strip_prefix("gpiochip").is_some_and(|rest| number(rest).is_some());
        match name {
            "" => Err(HardwareLineError::Nothing),
            _ if name.len() > NAME_BYTES_MAX => Err(HardwareLineError::TooLong { len_bytes: name.len() }),
            _ if name.chars().any(char::is_control) => Err(HardwareLineError::Control),
            _ if place.is_some() && is_chip_number(name) => Err(HardwareLineError::ChipNumber),
            _ => Ok(match place {
                Some((label, offset)) => Self::Place { label: label.to_owned(), offset },
                None => Self::Name(name.to_owned()),
            }),
        }
    }
}

/// Reads digits and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for HardwareLine {
    /// Writes what [`from_str`](FromStr::from_str) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Place { label, offset } => write!(f, "{label}/{offset}"),
        }
    }
}

/// Why a text names no line of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HardwareLineError {
    /// It has no name and no label.
    Nothing,
    /// Its name or label is longer than any that the kernel keeps.
    TooLong {
        /// The octets it has.
        len_bytes: usize,
    },
    /// It has control characters.
    Control,
    /// It counts chips, whose numbers change between kernels.
    ChipNumber,
}

impl fmt::Display for HardwareLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no line named"),
            Self::TooLong { len_bytes } => write!(f, "a name of {len_bytes} octets, of {NAME_BYTES_MAX} at most"),
            Self::Control => f.write_str("a control character in the name"),
            Self::ChipNumber => f.write_str("a chip by its number, which changes between kernels"),
        }?;
        f.write_str("; expected such as gpio:GPIO17 or gpio:pinctrl-bcm2711/17")
    }
}

impl std::error::Error for HardwareLineError {}

/// Which edges count of those of a contact that bounces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DebounceMode {
    /// One after which nothing happened for the debounce time; it counts when that is over. A single spike counts nothing.
    /// The kernel does it where the driver can.
    #[default]
    Settled,
    /// The first, at once; those within the debounce time after it count nothing. What the line has then, if it is
    /// something else, counts, too.
    FirstEdge,
}

impl fmt::Display for DebounceMode {
    /// Writes `settled` or `first-edge`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Settled => "settled",
            Self::FirstEdge => "first-edge",
        })
    }
}

/// What pulls a line where nobody drives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Bias {
    /// It is left as whoever was before has left it.
    #[default]
    AsIs,
    /// Nothing.
    Disabled,
    /// A resistor to the supply.
    PullUp,
    /// A resistor to ground.
    PullDown,
}

impl fmt::Display for Bias {
    /// Writes `as-is`, `disabled`, `pull-up` or `pull-down`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AsIs => "as-is",
            Self::Disabled => "disabled",
            Self::PullUp => "pull-up",
            Self::PullDown => "pull-down",
        })
    }
}

/// How an output drives its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Drive {
    /// Both ways.
    #[default]
    PushPull,
    /// Low only; high, it lets go.
    OpenDrain,
    /// High only; low, it lets go.
    OpenSource,
}

impl fmt::Display for Drive {
    /// Writes `push-pull`, `open-drain` or `open-source`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PushPull => "push-pull",
            Self::OpenDrain => "open-drain",
            Self::OpenSource => "open-source",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_or_placed_and_prints_as_it_is_read() {
        let place = |label: &str, offset| HardwareLine::Place { label: label.into(), offset };
        for (text, line) in [
            ("GPIO17", HardwareLine::Name("GPIO17".into())),
            ("7J1 Header Pin3", HardwareLine::Name("7J1 Header Pin3".into())),
            ("CAM/LED", HardwareLine::Name("CAM/LED".into())),
            ("pinctrl-bcm2711/17", place("pinctrl-bcm2711", 17)),
            ("gpio-brcmstb@107d508500/0", place("gpio-brcmstb@107d508500", 0)),
        ] {
            assert_eq!(text.parse(), Ok(line.clone()));
            assert_eq!(line.to_string(), text);
        }
    }

    #[test]
    fn a_chip_is_never_found_by_its_number() {
        assert_eq!("gpiochip0/17".parse::<HardwareLine>(), Err(HardwareLineError::ChipNumber));
        assert!("gpiochip-x/17".parse::<HardwareLine>().is_ok());
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for text in ["", "/17"] {
            assert_eq!(text.parse::<HardwareLine>(), Err(HardwareLineError::Nothing), "{text:?}");
        }
        let long = "x".repeat(32);
        assert_eq!(long.parse::<HardwareLine>(), Err(HardwareLineError::TooLong { len_bytes: 32 }));
        assert_eq!("a\nb".parse::<HardwareLine>(), Err(HardwareLineError::Control));
    }
}
