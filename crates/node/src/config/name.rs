//! What a process and an instance may be called.

use std::fmt;
use std::str::FromStr;

/// The longest name of a process, in octets: what Linux keeps of one, so that `pgrep -x` and `pidof` find it.
pub const PROCESS_NAME_BYTES_MAX: usize = 15;

/// The longest name of an instance, in octets: a Unix socket in its folder still fits the 108 octets of its address.
pub const INSTANCE_NAME_BYTES_MAX: usize = 32;

/// The name of a process, as `ps` and `pgrep -x` show it: a letter, then up to 14 letters, digits, `_`, `-` or `.`,
/// all ASCII. Case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessName(String);

/// The name of an instance, all that one `up` runs: a letter, then up to 31 letters, digits, `_`, `-` or `.`, all
/// ASCII. It is a folder's name, so case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

impl ProcessName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InstanceName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcessName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text)?;
        match text.len() {
            len_bytes if len_bytes > PROCESS_NAME_BYTES_MAX => Err(NameError::NotShownWhole { len_bytes }),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl FromStr for InstanceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text)?;
        match text.len() {
            len_bytes if len_bytes > INSTANCE_NAME_BYTES_MAX => {
                Err(NameError::TooLong { len_bytes, max_bytes: INSTANCE_NAME_BYTES_MAX })
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Checks the characters of a name, not its length.
fn check(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if !first.is_ascii_alphabetic() {
        return Err(NameError::FirstNotLetter { character: first });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text.chars().find(|&character| !allowed(character)) {
        Some(character) => Err(NameError::BadCharacter { character }),
        None => Ok(()),
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text names no process and no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// There is no character at all.
    Empty,
    /// It does not begin with an ASCII letter.
    FirstNotLetter {
        /// What it begins with.
        character: char,
    },
    /// A character is neither an ASCII letter or digit nor one of `_`, `-` and `.`.
    BadCharacter {
        /// The first such character.
        character: char,
    },
    /// The name of an instance is longer than [`INSTANCE_NAME_BYTES_MAX`].
    TooLong {
        /// Its length.
        len_bytes: usize,
        /// The longest that is allowed.
        max_bytes: usize,
    },
    /// The name of a process is longer than [`PROCESS_NAME_BYTES_MAX`].
    NotShownWhole {
        /// Its length.
        len_bytes: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty; expected a letter, then letters, digits, `_`, `-` or `.`"),
            Self::FirstNotLetter { character } => {
                write!(f, "the name begins with {character:?}; expected a letter first")
            }
            Self::BadCharacter { character } => {
                write!(f, "{character:?} in the name; expected letters, digits, `_`, `-` or `.`")
            }
            Self::TooLong { len_bytes, max_bytes } => {
                write!(f, "a name of {len_bytes} octets; expected at most {max_bytes}")
            }
            Self::NotShownWhole { len_bytes } => write!(
                f,
                "a name of {len_bytes} octets; expected at most {PROCESS_NAME_BYTES_MAX}, \
                 all that the kernel keeps of a process's name, so that `pgrep -x` finds it"
            ),
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> NameError {
        text.parse::<ProcessName>().unwrap_err()
    }

    #[test]
    fn the_names_of_the_seeds_are_names() {
        for name in ["led_process", "button_process", "a", "A-1.b", "fifteen_octets_"] {
            assert_eq!(name.parse::<ProcessName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_process_has_what_the_kernel_shows_of_it() {
        assert_eq!(error("sixteen_octets__"), NameError::NotShownWhole { len_bytes: 16 });
        assert!(error("sixteen_octets__").to_string().contains("expected at most 15, all that the kernel"));
    }

    #[test]
    fn an_instance_may_be_longer_but_not_without_end() {
        assert!("i".repeat(32).parse::<InstanceName>().is_ok());
        let too_long = "i".repeat(33).parse::<InstanceName>();
        assert_eq!(too_long, Err(NameError::TooLong { len_bytes: 33, max_bytes: 32 }));
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        assert_eq!(error(""), NameError::Empty);
        assert_eq!(error("."), NameError::FirstNotLetter { character: '.' });
        assert_eq!(error(".."), NameError::FirstNotLetter { character: '.' });
        assert_eq!(error("a/b"), NameError::BadCharacter { character: '/' });
        assert_eq!(error("1st"), NameError::FirstNotLetter { character: '1' });
        assert_eq!(error("lämp"), NameError::BadCharacter { character: 'ä' });
        assert_eq!(error("a\0"), NameError::BadCharacter { character: '\0' });
        assert_eq!("a b".parse::<InstanceName>(), Err(NameError::BadCharacter { character: ' ' }));
    }
}
