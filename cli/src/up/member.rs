//! A process of the configuration, whether it runs or not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal};
use soquete::{Backoff, Clock, SourceId};
use soquete_node::config::{ProcessConfig, ProcessName};

use super::child::Child;
use super::lines::Lines;
use super::outputs::Outputs;
use super::report::{ProcessReport, State};

/// How long a process may take to stop by itself.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a process must have been ready for its next end to count as the first.
const PROVEN_AFTER: Duration = Duration::from_secs(10);

/// How long a start may last until it is worth a word.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// Lines of a message that are kept back until it is known whether it is the last.
const HELD_MAX: usize = 32;

/// What the message of a process that cannot start begins with.
const MESSAGE_START: &str = "soquete: ";

/// A process of the configuration.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: ProcessName,
    pub(super) phase: Phase,
    /// Its outputs that are held for it.
    pub(super) outputs: Outputs,
    /// Whether it was ever ready.
    pub(super) was_ready: bool,
    restarts: u64,
    since_us: u64,
    last_exit: Option<String>,
    backoff: Backoff,
    lines: Lines,
    held: Vec<String>,
}

/// What a process does, and what that needs.
#[derive(Debug)]
pub(super) enum Phase {
    /// It does not run.
    Stopped,
    /// It runs and has not said that it is ready; unless nothing, when that becomes worth a word.
    Starting(Running, Option<Duration>),
    /// It is at work since then.
    Ready(Running, Duration),
    /// It was told to stop; unless nothing, when it is stopped by force.
    Stopping(Running, Option<Duration>),
    /// It is started again then.
    Waiting(Duration),
}

/// A running process, and the watches over it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) end: SourceId,
    /// Nothing once it has closed both outputs.
    pub(super) output: Option<SourceId>,
}

impl Member {
    /// Makes a process that does not run yet.
    pub(super) fn new(config: &ProcessConfig) -> Self {
        Self {
            name: config.name.clone(),
            outputs: Outputs::new(config),
            phase: Phase::Stopped,
            was_ready: false,
            restarts: 0,
            since_us: now_us(),
            last_exit: None,
            backoff: Backoff::default(),
            lines: Lines::default(),
            held: Vec::new(),
        }
    }

    fn enter(&mut self, phase: Phase) -> Phase {
        self.since_us = now_us();
        std::mem::replace(&mut self.phase, phase)
    }

    /// It was begun.
    pub(super) fn started(&mut self, running: Running) {
        if matches!(self.phase, Phase::Waiting(_)) {
            self.restarts += 1;
        }
        self.enter(Phase::Starting(running, Some(Clock::now() + SLOW_AFTER)));
    }

    /// It says that it is ready; returns what was kept back of what it printed.
    pub(super) fn ready(&mut self) -> Vec<String> {
        self.phase = match self.enter(Phase::Stopped) {
            Phase::Starting(running, _) => Phase::Ready(running, Clock::now()),
            phase => phase,
        };
        self.was_ready = true;
        std::mem::take(&mut self.held)
    }

    /// It is told to stop; by force where it does not within [`STOP_TIMEOUT`]. Nothing happens where it does not run.
    pub(super) fn stop(&mut self) {
        self.phase = match self.enter(Phase::Stopped) {
            Phase::Starting(running, _) | Phase::Ready(running, _) => {
                running.child.signal(Signal::TERM);
                Phase::Stopping(running, Some(Clock::now() + STOP_TIMEOUT))
            }
            phase @ Phase::Stopping(..) => phase,
            Phase::Stopped | Phase::Waiting(_) => Phase::Stopped,
        };
    }

    /// It is stopped by force.
    pub(super) fn kill(&mut self) {
        self.phase = match self.enter(Phase::Stopped) {
            Phase::Starting(running, _) | Phase::Ready(running, _) | Phase::Stopping(running, _) => {
                running.child.signal(Signal::KILL);
                Phase::Stopping(running, None)
            }
            Phase::Stopped | Phase::Waiting(_) => Phase::Stopped,
        };
    }

    /// It has ended so; returns what it was before.
    pub(super) fn ended(&mut self, how: &str) -> Phase {
        self.last_exit = Some(how.to_owned());
        let was = self.enter(Phase::Stopped);
        if let Phase::Ready(_, since) = &was
            && Clock::now() >= *since + PROVEN_AFTER
        {
            self.backoff.reset();
        }
        was
    }

    /// It is to be started again; returns after which time.
    pub(super) fn wait(&mut self, entropy: u64) -> Duration {
        let wait = self.backoff.next(entropy);
        self.enter(Phase::Waiting(Clock::now() + wait));
        wait
    }

    /// Returns what of it runs.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Starting(running, _) | Phase::Ready(running, _) | Phase::Stopping(running, _) => Some(running),
            Phase::Stopped | Phase::Waiting(_) => None,
        }
    }

    /// Returns its process id.
    pub(super) fn pid(&self) -> Option<Pid> {
        match &self.phase {
            Phase::Starting(running, _) | Phase::Ready(running, _) | Phase::Stopping(running, _) => {
                Some(running.child.pid())
            }
            Phase::Stopped | Phase::Waiting(_) => None,
        }
    }

    /// Returns when something is to be done about it.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Starting(_, at) | Phase::Stopping(_, at) => at,
            Phase::Waiting(at) => Some(at),
            Phase::Stopped | Phase::Ready(..) => None,
        }
    }

    /// Takes what it printed and returns the lines for the log.
    ///
    /// Before it was ever ready, lines from one on that begins as errors do are kept back: if they are its last, they say
    /// why it cannot start, and `up` says that in its own name.
    pub(super) fn printed(&mut self, octets: &[u8]) -> Vec<String> {
        let mut log = Vec::new();
        let (held, was_ready) = (&mut self.held, self.was_ready);
        self.lines.take(octets, |line| sort(line, was_ready, held, &mut log));
        log
    }

    /// Returns the lines for the log that are left when it has ended: the last, without an LF behind it.
    pub(super) fn printed_last(&mut self) -> Vec<String> {
        let mut log = Vec::new();
        if let Some(line) = self.lines.end() {
            sort(line, self.was_ready, &mut self.held, &mut log);
        }
        log
    }

    /// Returns the message with which it ended before it was ready: what is wrong, and what to do.
    pub(super) fn message(&mut self) -> Option<(String, Option<String>)> {
        let held = std::mem::take(&mut self.held);
        let (first, rest) = held.split_first()?;
        let wrong = first.strip_prefix(MESSAGE_START).unwrap_or(first).to_owned();
        Some((wrong, (!rest.is_empty()).then(|| rest.join("\n"))))
    }

    /// Tells about it.
    pub(super) fn report(&self) -> ProcessReport {
        ProcessReport {
            name: self.name.to_string(),
            pid: self.pid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()),
            state: match self.phase {
                Phase::Stopped => State::Stopped,
                Phase::Starting(..) => State::Starting,
                Phase::Ready(..) => State::Ready,
                Phase::Stopping(..) => State::Stopping,
                Phase::Waiting(_) => State::Waiting,
            },
            restarts: self.restarts,
            since_us: self.since_us,
            last_exit: self.last_exit.clone(),
        }
    }
}

/// Puts a line to those kept back or to those for the log.
fn sort(line: String, was_ready: bool, held: &mut Vec<String>, log: &mut Vec<String>) {
    if !was_ready && line.starts_with(MESSAGE_START) {
        // What was kept back was not the last.
        log.append(held);
        held.push(line);
    } else if held.is_empty() {
        log.push(line);
    } else {
        held.push(line);
        if held.len() > HELD_MAX {
            log.append(held);
        }
    }
}

/// Returns the time of day, in microseconds since the Unix epoch.
pub(super) fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        Member::new(&ProcessConfig::new("led_process".parse().unwrap()))
    }

    #[test]
    fn the_last_message_before_it_is_ready_is_kept_back() {
        let mut member = member();
        let log = member
            .printed(b"hello\nsoquete: a warning\nof two lines\nsoquete: bind tcp://127.0.0.1:1: address in use\n");
        assert_eq!(log, ["hello", "soquete: a warning", "of two lines"]);
        assert!(member.printed(b"stop the other").is_empty());
        assert!(member.printed_last().is_empty());
        let (wrong, act) = member.message().unwrap();
        assert_eq!(
            (wrong.as_str(), act.as_deref()),
            ("bind tcp://127.0.0.1:1: address in use", Some("stop the other"))
        );
        assert_eq!(member.message(), None);
    }

    #[test]
    fn what_is_kept_back_is_bounded_and_comes_when_it_is_ready() {
        let mut member = member();
        assert!(member.printed(b"soquete: a warning\n").is_empty());
        assert_eq!(member.ready(), ["soquete: a warning"]);
        assert_eq!(member.printed(b"soquete: another\n"), ["soquete: another"], "what runs keeps nothing back");
        let mut endless = self::member();
        endless.printed(b"soquete: x\n");
        assert_eq!(endless.printed("y\n".repeat(HELD_MAX).as_bytes()).len(), HELD_MAX + 1);
    }

    #[test]
    fn what_waits_is_stopped_at_once() {
        let mut member = member();
        assert!(member.wait(0) < Duration::from_millis(50));
        assert_eq!((member.report().state, member.report().pid), (State::Waiting, None));
        member.stop();
        assert_eq!((member.report().state, member.deadline()), (State::Stopped, None));
    }
}
