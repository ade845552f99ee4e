//! What a process is told to be: where it serves, its lines and its rules.
//!
//! These are plain values, whatever they were read from: a file, an argument, a test. What stands in one value alone
//! (a name, a network, a timeout) is checked when the value is made; what needs the whole is checked by [`check`], once.
//!
//! # Examples
//!
//! The LED process of the seeds, as a value:
//!
//! ```
//! use soquete_node::config::{LineConfig, LineKind, ProcessConfig, Serve, check};
//!
//! let mut led = ProcessConfig::new("led_process".parse()?);
//! led.serve.push(Serve::new("tcp://127.0.0.1:5555".parse()?));
//! led.lines.push(LineConfig::new("LED".parse()?, LineKind::Log));
//! assert_eq!(check(&[led]), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod gpio;
mod line;
mod mistake;
mod name;
mod network;
mod rule;
mod serve;
mod timeout;

use std::path::PathBuf;

pub use check::check;
pub use gpio::{Bias, DEBOUNCE_MAX, DebounceMode, Drive, Gpio, HardwareLine, HardwareLineError};
pub use line::{LineConfig, LineKind, LineKindError};
pub use mistake::{Counted, LeaseProblem, Mistake, Place, Problem};
pub use name::{INSTANCE_NAME_BYTES_MAX, InstanceName, NameError, PROCESS_NAME_BYTES_MAX, ProcessName};
pub use network::{Network, NetworkError};
pub use rule::{
    COMMANDS_MAX, DOUBLE_TIME_DEFAULT, Delivery, HOLD_TIME_DEFAULT, RULE_LEASE_MAX, RuleConfig, TARGETS_MAX,
    WITHIN_DEFAULT,
};
pub use serve::{BACKLOG_DEFAULT, BACKLOG_MAX, Language, LanguageError, Languages, MODE_DEFAULT, NETWORKS_MAX, Serve};
/// The words of the board that a configuration is written in.
pub use soquete_board::{
    BLINK_MAX, BLINK_MIN, BLINKS_MAX, Direction, LEASE_MIN, Level, LineName, NameError as LineNameError, Preset,
    Trigger,
};
pub use timeout::{TIMEOUT_MAX, TIMEOUT_MIN, Timeout, TimeoutError};

/// The most processes of one configuration: `up` keeps a pipe, a log and a timer for each.
pub const PROCESSES_MAX: usize = 64;

/// The most endpoints that one process serves: each is a descriptor that is never closed.
pub const ENDPOINTS_MAX: usize = 16;

/// The most endpoints that the remote lines of one process lead to: each is a connection that is kept.
pub const FAR_MAX: usize = 64;

/// The syslog socket, by default.
pub const SYSLOG_DEFAULT: &str = "/dev/log";

/// A process: where it serves, its lines and its rules. At most [`PROCESSES_MAX`] of them make a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// What it is called, here and by `ps`.
    pub name: ProcessName,
    /// Where it serves its lines, at most [`ENDPOINTS_MAX`].
    pub serve: Vec<Serve>,
    /// Its lines, at most [`LINES_MAX`](soquete_board::LINES_MAX).
    pub lines: Vec<LineConfig>,
    /// Its rules, at most [`RULES_MAX`](soquete_board::RULES_MAX).
    pub rules: Vec<RuleConfig>,
    /// The syslog socket that lines of kind [`LineKind::Log`] print to, an absolute path, [`SYSLOG_DEFAULT`] by default.
    /// `None` for none; a socket that is not there is no error.
    pub syslog: Option<PathBuf>,
}

impl ProcessConfig {
    /// Makes a process that serves nothing and has no lines.
    #[must_use]
    pub fn new(name: ProcessName) -> Self {
        Self { name, serve: Vec::new(), lines: Vec::new(), rules: Vec::new(), syslog: Some(SYSLOG_DEFAULT.into()) }
    }
}
