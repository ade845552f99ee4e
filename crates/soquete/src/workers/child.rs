//! One worker, as its parent sees it.

use crate::Peer;
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::process::{Child as Process, Command, ExitStatus};

/// A worker whose end was not seen yet; dropping it ends it and waits for that.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) peer: Peer,
    process: Process,
    /// Readable once it has ended. Signals go through it, so that they reach this process or none.
    pidfd: OwnedFd,
}

impl Child {
    pub(super) fn start(command: &mut Command, peer: Peer) -> io::Result<Self> {
        let mut process = command.spawn()?;
        match pidfd_open(Pid::from_child(&process), PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Child { peer, process, pidfd }),
            Err(errno) => {
                // It was not waited for yet, so its id is still its own.
                let _ = process.kill().and_then(|()| process.wait());
                Err(errno.into())
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns what is readable once it has ended.
    pub(super) fn end(&self) -> &impl AsFd {
        &self.pidfd
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // It fails only where it has ended, which its descriptor tells.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Returns how it ended; nothing while it lives.
    pub(super) fn ending(&mut self) -> Option<io::Result<ExitStatus>> {
        self.process.try_wait().transpose()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        let _ = self.process.wait();
    }
}
