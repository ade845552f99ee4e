//! What `up` tells about itself: the answer to `STATUS` at its control socket.
//!
//! Times are microseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// An instance at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The process id of `up`.
    pub(crate) pid: u32,
    /// What the instance is called.
    pub(crate) name: String,
    /// Where its configuration was read: an absolute path, or `built-in pc`.
    pub(crate) config: String,
    /// When `up` began.
    pub(crate) since_us: u64,
    /// Its processes, in the order of the configuration.
    pub(crate) processes: Vec<ProcessReport>,
}

/// A process of an instance at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessReport {
    /// What the configuration calls it.
    pub(crate) name: String,
    /// Its process id; nothing where none runs.
    pub(crate) pid: Option<u32>,
    /// What it does.
    pub(crate) state: State,
    /// How often it was started again.
    pub(crate) restarts: u64,
    /// Since when it does that.
    pub(crate) since_us: u64,
    /// How it ended the last time: `exit code 1`, `killed by SIGKILL`.
    pub(crate) last_exit: Option<String>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It runs, and has not said yet that it is ready.
    Starting,
    /// It is at work.
    Ready,
    /// It ended, and will be started again in a while.
    Waiting,
    /// It was told to stop, and has not ended yet.
    Stopping,
    /// It does not run: its turn to start has not come, or it was stopped.
    Stopped,
}

impl Report {
    /// Returns what to type behind a command so that it means this instance.
    pub(crate) fn choice(&self) -> String {
        match self.config.strip_prefix("built-in ") {
            Some(platform) => format!("--platform {platform}"),
            None => format!("-c {}", quoted(&self.config)),
        }
    }
}

/// Writes a word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_words_in_lower_case() {
        let states = [State::Starting, State::Ready, State::Waiting, State::Stopping, State::Stopped];
        let words = serde_json::to_string(&states).unwrap();
        assert_eq!(words, r#"["starting","ready","waiting","stopping","stopped"]"#);
    }

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(quoted("/tmp/tcp_file"), "/tmp/tcp_file");
        assert_eq!(quoted("/tmp/my file"), "'/tmp/my file'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
