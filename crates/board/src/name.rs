//! What a line may be called.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a line, in bytes: it fits a column of a table and a header of fixed size.
pub const NAME_BYTES_MAX: usize = 32;

/// The words of the text language, which no line may be called, in any case.
pub const RESERVED_WORDS: [&str; 14] = [
    "ON", "OFF", "TOGGLE", "PULSE", "BLINK", "LINES", "WATCH", "LEASE", "RELEASE", "HELP", "QUIT", "OK", "ERR", "EVENT",
];

/// The name of a line: a letter, then up to 31 letters, digits, `_`, `-` or `.`, all ASCII.
///
/// It compares, sorts and hashes without regard to case and is displayed as it was written. A clone shares the text.
///
/// ```
/// use soquete_board::LineName;
///
/// let led: LineName = "Led".parse()?;
/// assert_eq!(led, LineName::try_from("LED")?);
/// assert_eq!(led.to_string(), "Led");
/// # Ok::<(), soquete_board::NameError>(())
/// ```
#[derive(Clone)]
pub struct LineName(Arc<str>);

impl LineName {
    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl TryFrom<&str> for LineName {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { len_bytes: text.len(), max_bytes: NAME_BYTES_MAX });
        }
        if !first.is_ascii_alphabetic() {
            return Err(NameError::FirstNotLetter { character: first });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if let Some((at_byte, character)) = text.char_indices().find(|&(_, c)| !allowed(c)) {
            return Err(NameError::BadCharacter { character, at_byte });
        }
        if let Some(word) = RESERVED_WORDS.into_iter().find(|word| word.eq_ignore_ascii_case(text)) {
            return Err(NameError::Reserved { word });
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for LineName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text)
    }
}

impl PartialEq for LineName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for LineName {}

impl Ord for LineName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for LineName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for LineName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|byte| state.write_u8(byte));
        state.write_u8(0xff);
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineName({})", self.0)
    }
}

/// Why a text is no name for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// There is no character at all.
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    TooLong {
        /// Its length.
        len_bytes: usize,
        /// The longest that is allowed.
        max_bytes: usize,
    },
    /// It does not begin with an ASCII letter.
    FirstNotLetter {
        /// What it begins with.
        character: char,
    },
    /// A character is neither an ASCII letter or digit nor one of `_`, `-` and `.`.
    BadCharacter {
        /// The first such character.
        character: char,
        /// Its place, in bytes from the beginning.
        at_byte: usize,
    },
    /// It is a word of the text language.
    Reserved {
        /// That word, in capitals.
        word: &'static str,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the name is empty"),
            Self::TooLong { len_bytes, max_bytes } => {
                write!(f, "the name has {len_bytes} bytes, at most {max_bytes} are allowed")
            }
            Self::FirstNotLetter { character } => write!(f, "the name begins with {character:?}, not with a letter"),
            Self::BadCharacter { character, at_byte } => {
                write!(f, "{character:?} at byte {at_byte} of the name is none of letters, digits, '_', '-' and '.'")
            }
            Self::Reserved { word } => write!(f, "{word} is a command word and cannot name a line"),
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn error(text: &str) -> NameError {
        LineName::try_from(text).unwrap_err()
    }

    #[test]
    fn letters_digits_and_three_signs_make_a_name() {
        for text in ["LED", "x", "a_b-c.9", "Relay1", &"n".repeat(32)] {
            assert_eq!(LineName::try_from(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn each_mistake_is_explained() {
        assert_eq!(error(""), NameError::Empty);
        assert_eq!(error(&"n".repeat(33)), NameError::TooLong { len_bytes: 33, max_bytes: 32 });
        assert_eq!(error("1LED"), NameError::FirstNotLetter { character: '1' });
        assert_eq!(error("LED ON"), NameError::BadCharacter { character: ' ', at_byte: 3 });
        assert_eq!(error("lämp"), NameError::BadCharacter { character: 'ä', at_byte: 1 });
        assert_eq!(error("Toggle"), NameError::Reserved { word: "TOGGLE" });
        assert_eq!(error("lease"), NameError::Reserved { word: "LEASE" });
        assert_eq!(error("").to_string(), "the name is empty");
        assert_eq!(error("on").to_string(), "ON is a command word and cannot name a line");
    }

    #[test]
    fn case_matters_only_for_display() {
        let (upper, lower): (LineName, LineName) = ("LED".parse().unwrap(), "led".parse().unwrap());
        assert_eq!(upper, lower);
        assert_eq!(upper.cmp(&lower), Ordering::Equal);
        assert_eq!(HashSet::from([upper, lower.clone()]).len(), 1);
        assert_eq!(format!("{lower:>5}"), "  led");
    }

    #[test]
    fn a_name_that_begins_another_sorts_first_and_is_not_equal() {
        let (led, led1): (LineName, LineName) = ("led".parse().unwrap(), "LED1".parse().unwrap());
        assert!(led < led1);
        assert_ne!(led, led1);
    }
}
