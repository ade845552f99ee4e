//! Signals as descriptors.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::low_level::pipe;

/// Some signals: readable while one has come that was not counted.
#[derive(Debug)]
pub(crate) struct Signals(UnixStream);

impl Signals {
    /// Catches these signals from now on.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub(crate) fn catch(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let register = |signal: &i32| pipe::register(*signal, write.try_clone()?).map(drop);
        hold_back(signals, || signals.iter().try_for_each(register))?;
        Ok(Self(read))
    }

    /// Waits until one has come.
    pub(crate) fn wait(&self) {
        // Whatever else it says, it was no signal.
        while poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) == Err(Errno::INTR) {}
    }

    /// Returns how many have come since this was last asked.
    pub(crate) fn count(&mut self) -> usize {
        let mut octets = [0; 64];
        let mut count = 0;
        loop {
            match self.0.read(&mut octets) {
                Ok(0) => return count,
                // One octet each.
                Ok(len) => count += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return count,
            }
        }
    }
}

/// Has signals wait while they begin to be caught: between the handler and what it is to do lies a moment in which one would
/// be lost.
pub(crate) fn hold_back<T>(signals: &[i32], catch: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut held = SigSet::empty();
    for signal in signals {
        held.add(Signal::try_from(*signal)?);
    }
    held.thread_block()?;
    let caught = catch();
    held.thread_unblock()?;
    caught
}

/// Returns what ends a program besides Ctrl-C: SIGTERM, and the end of the terminal unless `nohup` has this ignored.
pub(crate) fn terminations() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(SIGHUP, &status) { vec![SIGTERM] } else { vec![SIGTERM, SIGHUP] }
}

/// Says whether a signal is ignored, by what the kernel says about a process.
fn is_ignored(signal: i32, status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Signals> for OwnedFd {
    fn from(signals: Signals) -> Self {
        signals.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGUSR1, SIGWINCH};

    #[test]
    fn each_signal_counts() {
        let mut signals = Signals::catch(&[SIGUSR1, SIGWINCH]).unwrap();
        assert_eq!(signals.count(), 0);
        signal_hook::low_level::raise(SIGUSR1).unwrap();
        signal_hook::low_level::raise(SIGWINCH).unwrap();
        assert_eq!(signals.count(), 2);
    }

    #[test]
    fn what_is_ignored_stands_in_a_mask() {
        assert!(is_ignored(SIGHUP, "Name:\tsoquete\nSigIgn:\t0000000000001001\n"));
        assert!(!is_ignored(SIGHUP, "SigIgn:\t0000000000001000\n"));
        assert!(!is_ignored(SIGHUP, ""));
    }
}
