//! What GPIO a machine has: its chips, and what is known of their lines without using them.

use crate::back::{Hardware, Kernel, Seen, Trouble};
use crate::error::ProcessError;
use serde::Serialize;
use std::path::PathBuf;

/// A GPIO chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// What its driver calls it; not always the only one of this label.
    pub label: String,
    /// Where it is found now; another number tomorrow.
    pub path: PathBuf,
    /// Its lines, in the order of their offsets.
    pub lines: Vec<ChipLine>,
}

/// A line of a GPIO chip at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChipLine {
    /// Its place on the chip, from 0.
    pub offset: u32,
    /// What the board calls it; empty where it has no name.
    pub name: String,
    /// `input` or `output`.
    pub direction: &'static str,
    /// Whether somebody has it, a program or the kernel.
    pub used: bool,
    /// Who has it; may be empty.
    pub consumer: String,
    /// Whether it is on while it is physically low.
    pub active_low: bool,
    /// What pulls it, in the words of a configuration; nothing where the kernel does not tell.
    pub bias: Option<String>,
    /// How an output drives it, in the words of a configuration.
    pub drive: Option<String>,
    /// The debounce time in microseconds, of an input that somebody has.
    pub debounce_us: Option<u64>,
}

/// Returns the GPIO chips of this machine, by their paths; of one that may not be looked at, why, and what to do.
///
/// # Errors
/// There is none at all.
pub fn chips() -> Result<Vec<Result<Chip, ProcessError>>, ProcessError> {
    let seen = Kernel.chips().map_err(|error| Trouble::of(&error).at("the GPIO chips of this machine"))?;
    if seen.is_empty() {
        return Err(Trouble::NoChips.at("this machine"));
    }
    let chip = |seen: Seen| {
        seen.chip.map_err(|error| match Trouble::opening(&seen.path, &error) {
            denied @ Trouble::Denied { .. } => ProcessError { what: denied.to_string(), act: Some(denied.act()) },
            trouble => trouble.at(&seen.path.display().to_string()),
        })
    };
    Ok(seen.into_iter().map(chip).collect())
}
