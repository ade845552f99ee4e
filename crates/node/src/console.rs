//! What a process says on standard output and standard error, without ever waiting for whoever reads it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Refused connections that are named in each window; the others are counted.
const REFUSALS_MAX: u32 = 10;

/// How long a window of refusals is.
const REFUSALS_WINDOW: Duration = Duration::from_secs(10);

/// The longest line, in octets, cut at a character: what a pipe takes in one piece (PIPE_BUF), so that a write to one
/// that has room never blocks.
const LINE_MAX_BYTES: usize = 4095;

thread_local! {
    static LOST: RefCell<u64> = const { RefCell::new(0) };
}

/// Prints a line. Where the reader does not keep up it is lost, and the next one that goes out says how many were.
pub(crate) fn say(line: &str) {
    let stdout = io::stdout();
    let lost = LOST.with(|lost| *lost.borrow());
    if !has_room(stdout.as_fd()) {
        return LOST.with(|lost| *lost.borrow_mut() += 1);
    }
    if lost > 0 {
        write_line(&format!("{lost} lines were lost: nobody read them"));
        LOST.with(|lost| *lost.borrow_mut() = 0);
        return say(line);
    }
    write_line(line);
}

fn write_line(line: &str) {
    let mut octets = Vec::with_capacity(line.len() + 1);
    octets.extend_from_slice(&line.as_bytes()[..line.floor_char_boundary(LINE_MAX_BYTES)]);
    octets.push(b'\n');
    let mut stdout = io::stdout().lock();
    // Who closed our standard output wants to hear no more; the process goes on.
    let _ = stdout.write_all(&octets).and_then(|()| stdout.flush());
}

fn has_room(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    // What cannot be polled, such as a file, takes what it is given.
    !matches!(poll(&mut fds, Some(&now)), Ok(0))
}

/// Bounds how many refusals are named, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    total: u64,
    window_began: Duration,
    named: u32,
    unnamed: u64,
}

impl Refusals {
    /// Counts a refusal; returns the lines to print.
    pub(crate) fn count(&mut self, now: Duration, peer: &str, why: &str) -> Vec<String> {
        self.total += 1;
        let mut lines = self.turn(now).into_iter().collect::<Vec<_>>();
        if self.named < REFUSALS_MAX {
            self.named += 1;
            lines.push(format!("refused {peer}: {why}"));
        } else {
            self.unnamed += 1;
        }
        lines
    }

    /// Begins a new window where the old one is over; returns what is to be said of it.
    pub(crate) fn turn(&mut self, now: Duration) -> Option<String> {
        if now < self.window_began + REFUSALS_WINDOW {
            return None;
        }
        let unnamed = std::mem::take(&mut self.unnamed);
        (self.window_began, self.named) = (now, 0);
        (unnamed > 0).then(|| format!("refused {unnamed} more connections in {} s", REFUSALS_WINDOW.as_secs()))
    }

    /// Returns when a window with something to be said of it is over.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        (self.unnamed > 0).then_some(self.window_began + REFUSALS_WINDOW)
    }

    /// Returns how many there ever were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_refusals_are_named_and_a_thousand_counted() {
        let mut refusals = Refusals::default();
        let start = Duration::from_secs(100);
        let named: usize = (0..1000).map(|_| refusals.count(start, "tcp://127.0.0.1:1", "x").len()).sum();
        assert_eq!((named, refusals.total()), (10, 1000));
        assert_eq!(refusals.timeout(), Some(Duration::from_secs(110)));
        assert_eq!(refusals.turn(Duration::from_secs(110)).unwrap(), "refused 990 more connections in 10 s");
        assert_eq!(refusals.count(Duration::from_secs(110), "a", "b"), ["refused a: b"]);
        assert_eq!(refusals.timeout(), None);
    }
}
