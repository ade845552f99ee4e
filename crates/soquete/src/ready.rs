//! Waiting for a few descriptors at once, where no loop is.

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// Waits until one of some descriptors is ready, for at most `timeout`, or for ever; what is ready, they say themselves.
///
/// A signal may end the wait before its time, with nothing ready.
pub(crate) fn wait(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // One that the kernel cannot count is longer than anybody waits.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
