//! Who or what changed a line.

use std::fmt;
use std::sync::Arc;

/// Who or what changed a line, in words for logs and status: `text 127.0.0.1:40312`, `start`.
///
/// The board never looks into it. A clone shares the text. Its own causes are `start`, `stop`, `edge`, `removed`,
/// `redirected`, `the end of the lease of …`, `the pulse of …` and `the blink of …`.
#[derive(Clone, PartialEq, Eq)]
pub struct Cause(Arc<str>);

impl Cause {
    /// Returns the words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({})", self.0)
    }
}
