//! Where a process is served, to whom, and in which languages.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use soquete::{Endpoint, UnixName};

use super::Network;

/// How many connections may wait to be accepted, by default.
///
/// A thousand clients that all return at once after a power cut find a place.
pub const BACKLOG_DEFAULT: u32 = 1_024;

/// The largest backlog: what the kernel can count. It cuts more than `net.core.somaxconn` down to that.
pub const BACKLOG_MAX: u32 = 65_535;

/// The mode of the file that a Unix path or a FIFO makes, by default: nobody else may write to it.
pub const MODE_DEFAULT: u32 = 0o600;

/// The most networks that one endpoint admits: each connection is compared with every one.
pub const NETWORKS_MAX: usize = 64;

/// An endpoint that a process serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Where it listens.
    pub at: Endpoint,
    /// The languages it speaks; all by default, never none.
    pub speak: Languages,
    /// The networks whose every machine may use it without a key. TCP and UDP only, none by default, at most [`NETWORKS_MAX`].
    pub anyone_from: Vec<Network>,
    /// How many connections may wait to be accepted, 1 to [`BACKLOG_MAX`]; [`BACKLOG_DEFAULT`] by default.
    pub backlog: u32,
    /// The permissions of the file of a Unix path, at most 0777; [`MODE_DEFAULT`] by default. `None` where there is no file.
    pub mode: Option<u32>,
}

impl Serve {
    /// Serves an endpoint with every default.
    #[must_use]
    pub fn new(at: Endpoint) -> Self {
        let is_path = matches!(at.unix_name(), Some(UnixName::Path(_)));
        Self {
            at,
            speak: Languages::ALL,
            anyone_from: Vec::new(),
            backlog: BACKLOG_DEFAULT,
            mode: is_path.then_some(MODE_DEFAULT),
        }
    }

    /// Tells whether a peer at this address may use an endpoint of TCP or UDP.
    ///
    /// A peer on loopback always may: it is on this machine. Every other needs a network of `anyone_from`.
    ///
    /// ```
    /// use soquete_node::config::Serve;
    ///
    /// let mut serve = Serve::new("tcp://0.0.0.0:5555".parse()?);
    /// serve.anyone_from.push("10.0.0.0/24".parse()?);
    /// assert!(serve.admits("10.0.0.7".parse()?));
    /// assert!(serve.admits("127.0.0.1".parse()?));
    /// assert!(!serve.admits("10.0.1.7".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn admits(&self, peer: IpAddr) -> bool {
        peer.to_canonical().is_loopback() || self.anyone_from.iter().any(|network| network.contains(peer))
    }
}

/// A language that a port may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Commands as lines of text, for people and small programs.
    Text,
    /// Frames: handshake, header and payload.
    Frames,
    /// The one page that tells a browser what this port is.
    Http,
}

impl Language {
    /// Every language, in the order they are written.
    pub const ALL: [Self; 3] = [Self::Text, Self::Frames, Self::Http];

    /// Returns its name in a configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Frames => "frames",
            Self::Http => "http",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, LanguageError> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or(LanguageError)
    }
}

/// A text names no language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageError;

impl fmt::Display for LanguageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown language; expected text, frames or http")
    }
}

impl std::error::Error for LanguageError {}

/// A set of languages.
///
/// ```
/// use soquete_node::config::{Language, Languages};
///
/// let speak: Languages = [Language::Text].into_iter().collect();
/// assert!(speak.contains(Language::Text) && !speak.contains(Language::Http));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Languages(u8);

impl Languages {
    /// Every language.
    pub const ALL: Self = Self(0b111);

    /// Tells whether a language is in it.
    #[must_use]
    pub fn contains(self, language: Language) -> bool {
        self.0 & language.bit() != 0
    }

    /// Tells whether no language is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Gives the languages in it, in the order they are written.
    pub fn iter(self) -> impl Iterator<Item = Language> {
        Language::ALL.into_iter().filter(move |&language| self.contains(language))
    }
}

impl FromIterator<Language> for Languages {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        Self(languages.into_iter().fold(0, |bits, language| bits | language.bit()))
    }
}

impl fmt::Debug for Languages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_has_a_mode() {
        let mode = |at: &str| Serve::new(at.parse().unwrap()).mode;
        assert_eq!(mode("unix:///run/led.sock"), Some(0o600));
        assert_eq!(mode("unix:@led"), None);
        assert_eq!(mode("tcp://127.0.0.1:5555"), None);
    }

    #[test]
    fn without_networks_only_this_machine_is_admitted() {
        let serve = Serve::new("tcp://0.0.0.0:5555".parse().unwrap());
        for local in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
            assert!(serve.admits(local.parse().unwrap()), "{local}");
        }
        for far in ["10.0.0.7", "fd00::1", "::ffff:10.0.0.7"] {
            assert!(!serve.admits(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn a_set_of_languages_holds_what_was_put_in() {
        assert_eq!(Language::ALL.into_iter().collect::<Languages>(), Languages::ALL);
        let speak: Languages = [Language::Http, Language::Text, Language::Text].into_iter().collect();
        assert!(speak.iter().eq([Language::Text, Language::Http]));
        assert!(!speak.is_empty() && Languages::from_iter([]).is_empty());
        assert_eq!(format!("{speak:?}"), "{Text, Http}");
    }

    #[test]
    fn a_language_is_read_by_the_name_it_prints() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        assert_eq!("Text".parse::<Language>(), Err(LanguageError));
    }
}
