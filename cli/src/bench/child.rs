//! One end of a measurement as a child: where it runs, what it prints, what it costs.

use super::failed;
use super::side::{self, Side};
use crate::output::Failure;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process, set_parent_process_death_signal, waitid,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child as Process, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The variable of the environment by which a child knows with whom it is to end.
const PARENT_VARIABLE: &str = "SOQUETE_BENCH_PARENT";

/// Ends this process with the one that measures, where it is a child of one: a server would wait for ever.
pub(super) fn end_with_parent() {
    let parent = std::env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    let Some(parent) = parent else { return };
    let is_bound = set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
    if is_bound && getppid() != Some(parent) {
        // It went before it could be waited for.
        std::process::exit(1);
    }
}

/// The two cores that the ends of a measurement run on.
pub(super) struct Cores {
    all: CpuSet,
    /// Where servers run, and clients that share a core with them.
    pub(super) near: usize,
    /// Where clients run that have a core of their own; the same where there is only one.
    pub(super) far: usize,
}

impl Cores {
    /// Chooses among the cores that this process may use: the last ones, for the first has the interrupts.
    pub(super) fn choose() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).rev().filter(|core| all.is_set(*core));
        let near = usable.next().unwrap_or(0);
        Ok(Cores { all, near, far: usable.next().unwrap_or(near) })
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> u32 {
        self.all.count()
    }

    /// Does something on one core; what it starts stays there.
    pub(super) fn on<T>(&self, core: usize, work: impl FnOnce() -> T) -> io::Result<T> {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only)?;
        let done = work();
        sched_setaffinity(None, &self.all)?;
        Ok(done)
    }
}

/// A running child; dropping it ends it.
pub(super) struct Child {
    process: Process,
    output: BufReader<ChildStdout>,
    words: String,
    cpu_at_ready: Duration,
}

impl Child {
    /// Starts `soquete bench` with these words on a core.
    pub(super) fn start(side: Side, words: &[&str], cores: &Cores, core: usize) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("bench").args(words).env(side::VARIABLE, side.word());
        command.env(PARENT_VARIABLE, getpid().as_raw_nonzero().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = cores.on(core, || command.spawn()).and_then(|started| started);
        let words = words.join(" ");
        let mut process = started.map_err(|error| failed(format!("start bench {words}: {error}")))?;
        let Some(output) = process.stdout.take() else { return Err(failed("the child has no standard output")) };
        Ok(Child { process, output: BufReader::new(output), words, cpu_at_ready: Duration::ZERO })
    }

    /// Waits until it listens; returns where.
    pub(super) fn listens_at(&mut self, asked: &str) -> Result<String, Failure> {
        let line = self.line("READY")?;
        self.cpu_at_ready = self.cpu().unwrap_or_default();
        let told = line.trim();
        Ok(if told.is_empty() { asked } else { told }.to_owned())
    }

    /// Waits until it holds its connections.
    pub(super) fn wait_until_held(&mut self) -> Result<(), Failure> {
        self.line("HELD").map(drop)
    }

    /// Waits for its result.
    pub(super) fn result(&mut self) -> Result<Figures, Failure> {
        self.line("RESULT").map(Figures)
    }

    /// Returns the rest of its next line, which begins with `word`.
    fn line(&mut self, word: &str) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(failed)?;
        let rest = line.strip_prefix(word).map(str::to_owned);
        rest.ok_or_else(|| failed(format!("bench {}: ended without {word}", self.words)))
    }

    /// Waits until it has ended; returns the processor time it used since it was ready, where the kernel tells.
    pub(super) fn cpu_at_end(&mut self) -> Result<Option<Duration>, Failure> {
        let id = WaitId::Pid(Pid::from_child(&self.process));
        // Left to be waited for, so that it can still be looked at.
        waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).map_err(failed)?;
        Ok(self.cpu().map(|cpu| cpu.saturating_sub(self.cpu_at_ready)))
    }

    fn cpu(&self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.process.id())).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    /// Returns the user memory that it has touched, in octets: no files, no kernel memory.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: u64| kib * 1024)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already is only waited for.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

/// What a child has measured: `key=number`, several of them.
pub(super) struct Figures(String);

impl Figures {
    /// Returns one of them.
    pub(super) fn number(&self, key: &str) -> Result<f64, Failure> {
        let number = self.0.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok());
        number.ok_or_else(|| failed(format!("no {key} in RESULT{}", self.0.trim_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name() {
        let figures = Figures(" n=3 p99=7 p999=9.5\n".to_owned());
        assert_eq!(figures.number("p999"), Ok(9.5));
        assert_eq!(figures.number("p99"), Ok(7.0));
        assert!(figures.number("p9").is_err());
    }
}
