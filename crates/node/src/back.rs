//! Back-ends: what is behind a line.

mod fifo;
mod gpio;
mod log;
mod remote;

pub(crate) use fifo::{Fifo, Line as FifoLine};
pub(crate) use gpio::{Gpios, Hardware, Kernel, Seen, Trouble, drive};
#[cfg(test)]
pub(crate) use gpio::{fake, scene};
pub(crate) use log::Log;
pub(crate) use remote::{Errand, HOPS_MAX, Remotes, Told};

use crate::config::{LineConfig, LineKind};
use crate::error::ProcessError;
use soquete_board::{Level, Outcome};
use std::path::Path;

/// What is behind one line.
#[derive(Debug)]
pub(crate) enum Back {
    /// Prints each command it carries out.
    Log(Log),
    /// Is pressed by what is written to a FIFO.
    Fifo(Fifo),
    /// Is memory alone.
    Virtual,
    /// Is hardware, and [`Gpios`] has that.
    Gpio,
    /// Is another server's, and [`Remotes`] asks that.
    Remote,
}

impl Back {
    /// Makes what is behind `line`; `made` are the inodes of FIFOs that an earlier run made.
    pub(crate) fn new(line: &LineConfig, syslog: Option<&Path>, made: &[u64]) -> Result<Self, ProcessError> {
        match &line.kind {
            LineKind::Log => Ok(Back::Log(Log::new(line.name.as_str(), syslog))),
            LineKind::Fifo { path, mode } => Fifo::open(path, *mode, made).map(Back::Fifo),
            LineKind::Virtual(_) => Ok(Back::Virtual),
            LineKind::Gpio(_) => Ok(Back::Gpio),
            LineKind::Remote { .. } => Ok(Back::Remote),
        }
    }

    /// Gives an output its level; returns once it has it.
    pub(crate) fn set(&mut self, level: Level) -> Outcome {
        if let Back::Log(log) = self {
            log.print(level);
        }
        Ok(())
    }
}
