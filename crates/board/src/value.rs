//! What a line has, and what it may be told.

use std::fmt;
use std::time::Duration;

use crate::{Blink, PULSE_MAX, PULSE_MIN, Refusal};

/// What a line is known to have.
///
/// An input that is pressed is on, whatever its voltage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value {
    /// Off, or released.
    Off,
    /// On, or pressed.
    On,
    /// Nobody can say: not reported yet, a far board, a chip that is gone, an action whose end was not heard.
    Unknown,
}

impl From<Level> for Value {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::On => Self::On,
        }
    }
}

impl fmt::Display for Value {
    /// Writes `off`, `on` or `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Unknown => "unknown",
        })
    }
}

/// What a line may be told, and what an input reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Off, or released.
    Off,
    /// On, or pressed.
    On,
}

/// What a command does to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Switches it on.
    On,
    /// Switches it off.
    Off,
    /// Switches it to what it is not; refused where its value is unknown to who keeps it.
    Toggle,
    /// Switches it on, and off again after a time from [`PULSE_MIN`] to [`PULSE_MAX`], which counts from when it is
    /// confirmed to be on. A line that is on stays on for the time.
    Pulse(Duration),
    /// Switches it on, and off and on by itself from then on.
    Blink(Blink),
}

impl From<Level> for Verb {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::On => Self::On,
        }
    }
}

impl Verb {
    /// Checks its times.
    ///
    /// # Errors
    ///
    /// [`Refusal::PulseTime`], [`Refusal::BlinkTime`] or [`Refusal::BlinkCount`]: they are out of bounds.
    pub fn check(self) -> Result<(), Refusal> {
        match self {
            Self::Pulse(time) if !(PULSE_MIN..=PULSE_MAX).contains(&time) => Err(Refusal::PulseTime),
            Self::Blink(blink) => blink.check(),
            Self::On | Self::Off | Self::Toggle | Self::Pulse(_) => Ok(()),
        }
    }

    /// Returns the level that a line of this value shall get; `None` for a toggle of an unknown value.
    pub(crate) fn level(self, present: Value) -> Option<Level> {
        match (self, present) {
            (Self::On | Self::Pulse(_) | Self::Blink(_), _) | (Self::Toggle, Value::Off) => Some(Level::On),
            (Self::Off, _) | (Self::Toggle, Value::On) => Some(Level::Off),
            (Self::Toggle, Value::Unknown) => None,
        }
    }
}

/// Which way a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The world sets it, the board hears of it.
    Input,
    /// The board sets it.
    Output,
}

/// Who keeps an output: its value, and the order of its commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keeper {
    /// This board. Commands have their turns one after the other, a toggle is decided here, and what the back-end says
    /// of an action is the value.
    #[default]
    Board,
    /// A far board, which does all that for everyone who commands it. Commands go to the back-end as they come, a toggle
    /// as a toggle and a pulse as a pulse, and only what the back-end tells unasked is the value: what it says of an action may be outdated.
    Far,
}

/// What an output gets when the board starts or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// It is switched on.
    On,
    /// It is switched off.
    Off,
    /// It is left as it is.
    Keep,
}

impl Preset {
    /// Returns what it gets; nothing where it is left as it is.
    #[must_use]
    pub fn level(self) -> Option<Level> {
        match self {
            Self::On => Some(Level::On),
            Self::Off => Some(Level::Off),
            Self::Keep => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_toggle_needs_to_know_the_value() {
        assert_eq!(Verb::On.level(Value::Unknown), Some(Level::On));
        assert_eq!(Verb::Off.level(Value::Unknown), Some(Level::Off));
        assert_eq!(Verb::Toggle.level(Value::Unknown), None);
        assert_eq!(Verb::Toggle.level(Value::On), Some(Level::Off));
        assert_eq!(Verb::Toggle.level(Value::Off), Some(Level::On));
    }
}
