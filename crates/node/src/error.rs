//! Why a process cannot run.

/// Why a process cannot run.
#[derive(Debug)]
pub struct ProcessError {
    /// What went wrong, in one line.
    pub what: String,
    /// What a person can do, where there is something.
    pub act: Option<String>,
}

impl From<soquete::Error> for ProcessError {
    fn from(error: soquete::Error) -> Self {
        ProcessError { what: error.to_string(), act: error.act().map(str::to_owned) }
    }
}

impl std::fmt::Display for ProcessError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ProcessError {}
