//! Prints the log of `up` to its standard output, from a thread of its own.
//!
//! A terminal that is held (Ctrl-S) or a reader that stalls blocks whoever writes. Were that the loop of `up`, its processes
//! would soon wait for room in their pipes, and with them the lines that they drive. So the loop only puts lines into a
//! bounded queue; what finds no room is counted, and the count printed.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that may wait to be printed.
const WAITING_MAX: usize = 4096;

/// How long the lines that wait at the end may take. Who holds the terminal has `soquete logs` no longer, but a prompt.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The colours of the processes in turn, as a terminal counts them: not red, which looks like an error, nor black or white.
const COLOURS: [u8; 5] = [36, 33, 32, 35, 34];

/// Where the log is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// With what goes before it.
    All,
    /// Only what is said besides the log.
    Words,
}

/// Standard output, from behind a queue.
#[derive(Debug)]
pub(super) struct Printer {
    showing: Showing,
    is_coloured: bool,
    queue: Option<SyncSender<String>>,
    done: Receiver<()>,
    missed: u64,
}

impl Printer {
    /// Begins to print.
    pub(super) fn start(showing: Showing) -> Self {
        let (queue, lines) = sync_channel(WAITING_MAX);
        let (finished, done) = channel();
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let is_coloured = io::stdout().is_terminal() && !is_plain;
        thread::spawn(move || {
            // Who closes our output early has seen enough, and what else keeps it from being written is no reason to
            // stop what runs.
            let _ = write_all(&lines);
            let _ = finished.send(());
        });
        Self { showing, is_coloured, queue: Some(queue), done, missed: 0 }
    }

    /// Prints a line of the log; `colour` counts the processes, and nothing is `up` itself.
    pub(super) fn line(&mut self, who: &str, text: &str, colour: Option<usize>) {
        if self.showing == Showing::Words {
            return;
        }
        self.put(match colour.filter(|_| self.is_coloured) {
            Some(nth) => format!("\x1b[{}m{who} |\x1b[0m {text}\n", COLOURS[nth % COLOURS.len()]),
            None => format!("{who} | {text}\n"),
        });
    }

    /// Prints what is said besides the log.
    pub(super) fn words(&mut self, text: impl Into<String>) {
        self.put(text.into());
    }

    fn put(&mut self, text: String) {
        let Some(queue) = &self.queue else { return };
        if self.missed > 0 {
            match queue.try_send(format!("… {} lines were not printed: nobody took them\n", self.missed)) {
                Ok(()) => self.missed = 0,
                Err(_) => return self.missed += 1,
            }
        }
        match queue.try_send(text) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.missed += 1,
            // Nobody reads any more.
            Err(TrySendError::Disconnected(_)) => self.queue = None,
        }
    }

    /// Prints what waits, for a second at most, and ends.
    pub(super) fn finish(&mut self) {
        if self.queue.take().is_some() {
            let _ = self.done.recv_timeout(FINISH_TIMEOUT);
        }
    }
}

fn write_all(lines: &Receiver<String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    while let Ok(line) = lines.recv() {
        out.write_all(line.as_bytes())?;
        for line in lines.try_iter() {
            out.write_all(line.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}
