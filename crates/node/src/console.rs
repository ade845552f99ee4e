//! What a process says on standard output and standard error, without ever waiting for whoever reads it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

/// Lines of one kind that are named in each window; the others are counted.
const NAMED_MAX: u32 = 10;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(10);

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
    if let Some(mut terminal) = terminal() {
        if terminal.write_all(&octets).is_err() {
            LOST.with(|lost| *lost.borrow_mut() += 1);
        }
        return;
    }
    let mut stdout = io::stdout().lock();
    // Who closed our standard output wants to hear no more; the process goes on.
    let _ = stdout.write_all(&octets).and_then(|()| stdout.flush());
}

/// Returns the terminal that standard output is, opened once more: not to block on it is then nobody else's matter.
///
/// A terminal that is held with Ctrl-S says that it has room while it has less than a line.
fn terminal() -> Option<&'static File> {
    static TERMINAL: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = io::stdout().is_terminal().then(|| rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()));
        opened?.ok().map(File::from)
    };
    TERMINAL.get_or_init(open).as_ref()
}

fn has_room(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    // What cannot be polled, such as a file, takes what it is given.
    !matches!(poll(&mut fds, Some(&now)), Ok(0))
}

/// Names what happens often only now and then: ten in a window of 10 s, and the others are counted.
#[derive(Debug)]
pub(crate) struct Seldom {
    /// What is counted, in the plural.
    what: &'static str,
    total: u64,
    window_began: Duration,
    named: u32,
    unnamed: u64,
}

impl Seldom {
    pub(crate) fn new(what: &'static str) -> Self {
        Seldom { what, total: 0, window_began: Duration::ZERO, named: 0, unnamed: 0 }
    }

    /// Says `line`, or counts it.
    pub(crate) fn say(&mut self, now: Duration, line: &str) {
        self.count(now, line).iter().for_each(|line| say(line));
    }

    fn count(&mut self, now: Duration, line: &str) -> Vec<String> {
        self.total += 1;
        let mut lines = Vec::from_iter(self.turn(now));
        if self.named < NAMED_MAX {
            self.named += 1;
            lines.push(line.to_owned());
        } else {
            self.unnamed += 1;
        }
        lines
    }

    /// Says how many were counted, where the window is over.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if let Some(line) = self.turn(now) {
            say(&line);
        }
    }

    fn turn(&mut self, now: Duration) -> Option<String> {
        if now < self.window_began + WINDOW {
            return None;
        }
        let unnamed = std::mem::take(&mut self.unnamed);
        (self.window_began, self.named) = (now, 0);
        (unnamed > 0).then(|| format!("{unnamed} more {} in {} s", self.what, WINDOW.as_secs()))
    }

    /// Returns when a window with something to be said of it is over.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        (self.unnamed > 0).then_some(self.window_began + WINDOW)
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
    fn ten_are_named_and_a_thousand_counted() {
        let mut refused = Seldom::new("refused connections");
        let start = Duration::from_secs(100);
        let named: usize = (0..1000).map(|_| refused.count(start, "refused tcp://127.0.0.1:1: x").len()).sum();
        assert_eq!((named, refused.total()), (10, 1000));
        assert_eq!(refused.timeout(), Some(Duration::from_secs(110)));
        assert_eq!(refused.turn(Duration::from_secs(110)).unwrap(), "990 more refused connections in 10 s");
        assert_eq!(refused.count(Duration::from_secs(110), "again"), ["again"]);
        assert_eq!(refused.timeout(), None);
    }
}
