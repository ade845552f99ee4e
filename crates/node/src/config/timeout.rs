//! Times as they are written: `500ms`, `2s`, `1m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use soquete_proto::text::{TIME_UNITS, time};

/// The shortest timeout that can be written: no press is delivered in less on any network.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// The longest timeout that can be written: a press that is done an hour late surprises everybody.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);

/// A time limit as it is written: a whole number and `ms`, `s`, `m` or `h`, from 1 ms to 1 h.
///
/// It prints in the largest unit that keeps the number whole.
///
/// # Examples
///
/// ```
/// use soquete_node::config::Timeout;
/// use std::time::Duration;
///
/// let timeout: Timeout = "1500ms".parse()?;
/// assert_eq!(timeout.duration(), Duration::from_millis(1500));
/// assert_eq!("2000ms".parse::<Timeout>()?.to_string(), "2s");
/// # Ok::<(), soquete_node::config::TimeoutError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(Duration);

impl Timeout {
    /// Returns it as the duration it is.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl From<Timeout> for Duration {
    fn from(timeout: Timeout) -> Self {
        timeout.0
    }
}

impl TryFrom<Duration> for Timeout {
    type Error = TimeoutError;

    /// Takes a duration within the bounds; what it has below a millisecond is not printed.
    fn try_from(duration: Duration) -> Result<Self, TimeoutError> {
        match duration {
            _ if duration < TIMEOUT_MIN => Err(TimeoutError::TooShort),
            _ if duration > TIMEOUT_MAX => Err(TimeoutError::TooLong),
            _ => Ok(Self(duration)),
        }
    }
}

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(TimeoutError::NoNumber);
        }
        // In a configuration units are written as they are printed.
        let is_lower = !text.bytes().any(|octet| octet.is_ascii_uppercase());
        Self::try_from(time(text).filter(|_| is_lower).ok_or(TimeoutError::NoUnit)?)
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let whole = |&&(_, unit_ms): &&(&str, u64)| millis.is_multiple_of(u128::from(unit_ms));
        let (unit, unit_ms) = TIME_UNITS.iter().find(whole).unwrap_or(&TIME_UNITS[3]);
        write!(f, "{}{unit}", millis / u128::from(*unit_ms))
    }
}

/// Why a text is no timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// It does not begin with a digit.
    NoNumber,
    /// What follows the number is none of `ms`, `s`, `m` and `h`.
    NoUnit,
    /// It is less than [`TIMEOUT_MIN`].
    TooShort,
    /// It is more than [`TIMEOUT_MAX`].
    TooLong,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNumber => "no whole number",
            Self::NoUnit => "no unit after the number",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
        })?;
        f.write_str("; expected 1ms to 1h, such as 500ms, 2s or 1m")
    }
}

impl std::error::Error for TimeoutError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> TimeoutError {
        text.parse::<Timeout>().unwrap_err()
    }

    #[test]
    fn every_unit_is_read_and_printed_in_the_largest_that_fits() {
        for (text, millis, printed) in [
            ("1ms", 1, "1ms"),
            ("500ms", 500, "500ms"),
            ("1500ms", 1_500, "1500ms"),
            ("2s", 2_000, "2s"),
            ("90s", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("1h", 3_600_000, "1h"),
            ("3600000ms", 3_600_000, "1h"),
        ] {
            let timeout: Timeout = text.parse().unwrap();
            assert_eq!(timeout.duration(), Duration::from_millis(millis), "{text}");
            assert_eq!(timeout.to_string(), printed);
        }
    }

    #[test]
    fn a_mistake_says_what_it_is() {
        for text in ["", "s", "-1s", " 1s", "two"] {
            assert_eq!(error(text), TimeoutError::NoNumber, "{text:?}");
        }
        for text in ["2", "2 s", "2sec", "1.5s", "2S", "2s "] {
            assert_eq!(error(text), TimeoutError::NoUnit, "{text:?}");
        }
        assert_eq!(error("0ms"), TimeoutError::TooShort);
        assert_eq!(error("0h"), TimeoutError::TooShort);
        for text in ["2h", "61m", "3600001ms", "99999999999999999999h"] {
            assert_eq!(error(text), TimeoutError::TooLong, "{text:?}");
        }
        assert_eq!(error("2").to_string(), "no unit after the number; expected 1ms to 1h, such as 500ms, 2s or 1m");
    }
}
