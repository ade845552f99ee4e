//! The seam between lines and the chips they are on: the kernel's, or in tests one in plain Rust.

use crate::config::{Bias, Drive};
use crate::hardware::Chip;
use soquete_board::Level;
use std::fmt::Debug;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The edges that the kernel keeps for a line until they are read: all that it allows (GPIO_V2_LINES_MAX * 16). The
/// oldest go first.
pub(crate) const EDGES_KEPT: u16 = 1024;

/// The chips of a machine.
pub(crate) trait Hardware: Debug + Send {
    /// Looks at every chip.
    fn chips(&self) -> io::Result<Vec<Seen>>;

    /// Takes a line of a chip, all of `settings` in one step.
    fn request(&self, chip: &Path, offset: u32, settings: &Settings) -> io::Result<Box<dyn Request>>;

    /// Goes on with a line of a chip whose descriptor somebody held, without giving it back.
    ///
    /// # Errors
    /// It is none of this line, which closes it, or the chip is gone.
    fn adopt(&self, fd: OwnedFd, chip: &Path, offset: u32) -> io::Result<Box<dyn Request>>;

    /// Returns a descriptor, not blocking, that is readable once a chip may have come.
    fn arrivals(&self) -> io::Result<OwnedFd>;
}

/// A chip that is there, or why it cannot be looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    pub(crate) chip: io::Result<Chip>,
}

/// A line that was taken; dropping it gives it back.
pub(crate) trait Request: Debug + Send {
    /// Returns what is readable once there are edges, or the chip is gone.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Reads what the line has now.
    fn level(&self) -> io::Result<Level>;

    /// Drives an output.
    fn set(&self, level: Level) -> io::Result<()>;

    /// Uses the line in another way from now on.
    fn reconfigure(&self, settings: &Settings) -> io::Result<()>;

    /// Reads the edges that are there, at most [`EDGES_KEPT`], without waiting for any.
    fn edges(&self) -> io::Result<Vec<Edge>>;
}

/// How a line is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Who has it, for whoever else wants it.
    pub(crate) consumer: String,
    pub(crate) usage: Usage,
    pub(crate) bias: Bias,
    pub(crate) drive: Drive,
    pub(crate) active_low: bool,
}

/// What a line is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// To hear of both edges, which the kernel debounces.
    Input { debounce: Option<Duration> },
    /// To drive it, with this level from the first moment on.
    Output(Level),
    /// To look what it is, and change nothing: the kernel takes neither bias nor drive with it.
    AsIs,
}

/// An edge as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) level: Level,
    /// When it was, on CLOCK_MONOTONIC.
    pub(crate) stamp: Duration,
    /// Its number among those of the line, from 1; it wraps.
    pub(crate) seq: u32,
}
