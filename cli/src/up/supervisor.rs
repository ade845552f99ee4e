//! The loop of `up`: starts processes one after the other, starts again what dies, stops them in reverse order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use soquete::{Clock, Endpoint, Hub, SourceId};

use super::child::Child;
use super::control::{Desk, Wishes};
use super::crew::Crew;
use super::member::{Member, Phase, Running, STOP_TIMEOUT};
use super::outputs::Due;
use super::readiness::{Readiness, Told};
use super::signals::Signals;
use crate::instance::{Instance, Lock, remove_dead};
use crate::output::{Exit, Failure};

/// Octets that one read of what a process prints may bring.
const READ_MAX_BYTES: usize = 64 << 10;

/// How long clients may take to read the last they are sent.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A watched descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Ctrl-C.
    Interrupts,
    /// Signals that stop gracefully, however many come.
    Terminations,
    Readiness,
    /// The command that began this one in the background, until all are ready.
    Starter,
    /// The end of a process.
    End(usize),
    /// What a process prints.
    Output(usize),
}

/// Where `up` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Waits until this process is ready, then starts the next.
    Starting(usize),
    /// All were ready.
    Running,
    /// Stops all, in reverse order.
    Stopping,
}

/// What the loop is made of.
pub(super) struct Means {
    pub(super) hub: Hub,
    pub(super) instance: Instance,
    pub(super) lock: Lock,
    pub(super) readiness: Readiness,
    pub(super) interrupts: Signals,
    pub(super) terminations: Signals,
    /// The Unix sockets with a file that the processes serve.
    pub(super) unix_paths: Vec<Endpoint>,
    /// The effective configuration, as processes read it.
    pub(super) configuration: Arc<str>,
}

/// The loop and all it runs.
pub(super) struct Supervisor {
    means: Means,
    pub(super) crew: Crew,
    sources: HashMap<SourceId, Source>,
    course: Course,
    wishes: Wishes,
    stopped: Vec<String>,
    failure: Option<Failure>,
}

impl Supervisor {
    /// Makes the loop; nothing runs yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(mut means: Means, crew: Crew) -> Result<Self, soquete::Error> {
        let sources = HashMap::from([
            (means.hub.watch(means.interrupts.as_fd())?, Source::Interrupts),
            (means.hub.watch(means.terminations.as_fd())?, Source::Terminations),
            (means.hub.watch(means.readiness.as_fd())?, Source::Readiness),
        ]);
        let (course, wishes) = (Course::Starting(0), Wishes::default());
        Ok(Self { means, crew, sources, course, wishes, stopped: Vec::new(), failure: None })
    }

    /// Starts all processes, each after the one before is ready, as long as `starter` does not end. Says whether all are
    /// ready; else they were stopped.
    pub(super) fn start(&mut self, starter: Option<BorrowedFd<'_>>) -> Result<bool, soquete::Error> {
        let starter = starter.map(|starter| self.means.hub.watch(starter)).transpose()?;
        self.sources.extend(starter.map(|id| (id, Source::Starter)));
        self.begin(0);
        while matches!(self.course, Course::Starting(_)) {
            self.turn()?;
        }
        if let Some(id) = starter {
            self.sources.remove(&id);
            self.means.hub.unwatch(id);
        }
        Ok(self.course == Course::Running)
    }

    /// Runs until all processes have stopped.
    pub(super) fn run(&mut self) -> Result<(), soquete::Error> {
        while self.course != Course::Stopping || self.crew.members.iter().any(|member| member.pid().is_some()) {
            self.turn()?;
        }
        Ok(())
    }

    /// Removes what this instance has put into its folder, then answers who waits for the end.
    ///
    /// # Errors
    /// What ended it before its time.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let Means { mut hub, instance, lock, readiness, unix_paths, .. } = self.means;
        hub.close_listeners();
        drop(readiness);
        // What was stopped by force could not remove them itself.
        unix_paths.iter().for_each(remove_dead);
        instance.clean();
        lock.remove_file();
        instance.remove_folder();
        self.wishes.feed(&mut hub, &self.crew);
        for responder in std::mem::take(&mut self.wishes.down) {
            responder.reply(self.stopped.join("\n").as_bytes());
        }
        let mut desk = Desk { crew: &self.crew, wishes: &mut self.wishes };
        // What cannot be sent any more is not worth an error: all has stopped.
        let _ = hub.turn(Some(Duration::ZERO), &mut desk);
        hub.goodbye("up has ended", &mut desk);
        hub.drain(GOODBYE_TIMEOUT, &mut desk);
        self.crew.printer.finish();
        self.failure.map_or(Ok(()), Err)
    }

    fn turn(&mut self) -> Result<(), soquete::Error> {
        let deadlines = self.crew.members.iter().filter_map(Member::deadline);
        let timeout = deadlines.min().map(|at| at.saturating_sub(Clock::now()));
        self.means.hub.turn(timeout, &mut Desk { crew: &self.crew, wishes: &mut self.wishes })?;
        while let Some(id) = self.means.hub.next_ready() {
            if let Some(source) = self.sources.get(&id) {
                self.serve(*source);
            }
        }
        if !self.wishes.down.is_empty() {
            self.stop("asked to stop");
        }
        self.look_at_the_clock();
        self.wishes.feed(&mut self.means.hub, &self.crew);
        Ok(())
    }

    fn serve(&mut self, source: Source) {
        match source {
            Source::Interrupts => match (self.means.interrupts.count(), self.course) {
                (0, _) => {}
                (1, Course::Starting(_) | Course::Running) => self.stop("stopping; Ctrl-C once more stops at once"),
                _ => self.kill(),
            },
            Source::Terminations => {
                if self.means.terminations.count() > 0 {
                    self.stop("stopping by signal");
                }
            }
            Source::Readiness => self.hear_processes(),
            Source::Starter => self.stop("stopping: the command that began this has ended"),
            Source::Output(nth) => self.read(nth),
            Source::End(nth) => self.see_end(nth),
        }
    }

    /// Begins a process.
    fn begin(&mut self, nth: usize) {
        let member = &mut self.crew.members[nth];
        let notify = self.means.instance.notify();
        let held = member.outputs.copies();
        let begun = held.and_then(|held| Child::spawn(&member.name, &self.means.configuration, &notify, held));
        let begun = begun.map_err(|error| error.to_string());
        match begun.and_then(|child| self.watch(nth, child).map_err(|error| error.to_string())) {
            Ok(running) => self.crew.members[nth].started(running),
            Err(error) => self.ended(nth, &format!("it cannot be begun: {error}")),
        }
    }

    fn watch(&mut self, nth: usize, child: Child) -> Result<Running, soquete::Error> {
        let end = self.means.hub.watch(child.end())?;
        let output = self.means.hub.watch(child.output()).inspect_err(|_| self.means.hub.unwatch(end))?;
        self.sources.extend([(end, Source::End(nth)), (output, Source::Output(nth))]);
        Ok(Running { child, end, output: Some(output) })
    }

    fn unwatch(&mut self, id: SourceId) {
        self.sources.remove(&id);
        self.means.hub.unwatch(id);
    }

    /// Hears what processes tell of themselves.
    fn hear_processes(&mut self) {
        while let Some((pid, told)) = self.means.readiness.next() {
            let Some(nth) = self.crew.place_of(pid) else { continue };
            let member = &mut self.crew.members[nth];
            match told {
                Told::Ready => self.hear_ready(nth, pid),
                Told::Hold(name, descriptor) => {
                    if let Err(why) = member.outputs.hold(name, descriptor) {
                        let who = member.name.clone();
                        self.crew.say(&format!("{who}: {why}"));
                    }
                }
                Told::Lost(name) => {
                    let who = member.name.clone();
                    self.crew.say(&format!(
                        "{who}: {name:?} did not arrive, and is not held if it dies; more open files help (`ulimit -n`)"
                    ));
                }
                Told::GiveBack(name) => member.outputs.give_back(&name),
            }
        }
    }

    fn hear_ready(&mut self, nth: usize, pid: Pid) {
        let member = &mut self.crew.members[nth];
        if !matches!(member.phase, Phase::Starting(..)) {
            return;
        }
        let held = member.ready();
        let name = member.name.clone();
        self.crew.hear(nth, &held);
        self.crew.say(&format!("{name} is ready, pid {}", pid.as_raw_nonzero()));
        if self.course == Course::Starting(nth) {
            self.course = match nth + 1 {
                next if next < self.crew.members.len() => Course::Starting(next),
                _ => Course::Running,
            };
        }
        if let Course::Starting(next) = self.course
            && matches!(self.crew.members[next].phase, Phase::Stopped)
        {
            self.begin(next);
        }
    }

    /// Reads once what a process printed.
    fn read(&mut self, nth: usize) {
        let mut room = vec![0; READ_MAX_BYTES];
        let member = &mut self.crew.members[nth];
        let Some(running) = member.running_mut() else { return };
        match running.child.read_output(&mut room) {
            Ok(len @ 1..) => {
                let lines = member.printed(&room[..len]);
                self.crew.hear(nth, &lines);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // It has closed both outputs, though it may go on.
            Ok(0) | Err(_) => {
                if let Some(output) = running.output.take() {
                    self.unwatch(output);
                }
            }
        }
    }

    fn see_end(&mut self, nth: usize) {
        // What it told before it ended comes first: a process that stops gives back its outputs with its stop values.
        self.hear_processes();
        let Some(how) = self.crew.members[nth].running_mut().and_then(|running| running.child.ending()) else { return };
        // What it printed before it ended is read to the end; one read after the other, for it prints no more.
        let mut room = vec![0; READ_MAX_BYTES];
        while let Some(Ok(len @ 1..)) =
            self.crew.members[nth].running_mut().map(|running| running.child.read_output(&mut room))
        {
            let lines = self.crew.members[nth].printed(&room[..len]);
            self.crew.hear(nth, &lines);
        }
        let lines = self.crew.members[nth].printed_last();
        self.crew.hear(nth, &lines);
        self.ended(nth, &how);
    }

    /// Deals with the end of a process, or with the failure to begin it.
    fn ended(&mut self, nth: usize, how: &str) {
        let member = &mut self.crew.members[nth];
        let name = member.name.clone();
        let was = member.ended(how);
        let due = if self.course == Course::Stopping { Due::Stop } else { Due::Safe };
        let settled = member.outputs.settle(due);
        if let Phase::Starting(running, _) | Phase::Ready(running, _) | Phase::Stopping(running, _) = &was {
            let (end, output) = (running.end, running.output);
            self.unwatch(end);
            output.into_iter().for_each(|output| self.unwatch(output));
        }
        settled.iter().for_each(|what| self.crew.say(&format!("{name} died; {what}")));
        match self.course {
            Course::Stopping => {
                self.crew.members[nth].outputs.give_back_all();
                let by_force = if matches!(was, Phase::Stopping(_, None)) { " by force" } else { "" };
                self.stopped.push(format!("{name} stopped{by_force}"));
                self.crew.say(&format!("{name} has stopped: {how}"));
                self.stop_next();
            }
            Course::Starting(_) | Course::Running if self.crew.members[nth].was_ready => {
                let wait = self.crew.members[nth].wait(RandomState::new().hash_one(0));
                self.crew.say(&format!("{name} has ended: {how}; it starts again in {} ms", wait.as_millis()));
            }
            Course::Starting(_) | Course::Running => self.fail(nth, how),
        }
    }

    /// A process ended before it was ever ready: that is why nothing runs.
    fn fail(&mut self, nth: usize, how: &str) {
        let member = &mut self.crew.members[nth];
        let failure = match member.message() {
            Some((wrong, act)) => {
                let failure = Failure::new(Exit::NotDone, format!("{}: {wrong}", member.name));
                act.into_iter().fold(failure, Failure::act)
            }
            None => Failure::new(Exit::NotDone, format!("{} ended before it was ready: {how}", member.name)),
        };
        self.failure.get_or_insert(failure);
        self.stop("stopping: not all can be started");
    }

    /// Stops all processes, in reverse order, each before the next.
    fn stop(&mut self, why: &str) {
        if self.course != Course::Stopping {
            if let Course::Starting(_) = self.course {
                let early = || Failure::new(Exit::NotDone, "stopped before all processes were ready");
                self.failure.get_or_insert_with(early);
            }
            self.course = Course::Stopping;
            self.crew.say(why);
            // Nothing is started again meanwhile.
            let idle = self.crew.members.iter_mut().filter(|member| member.pid().is_none());
            idle.for_each(Member::stop);
            self.stop_next();
        }
    }

    fn stop_next(&mut self) {
        if let Some(last) = self.crew.members.iter_mut().rev().find(|member| member.pid().is_some()) {
            last.stop();
        }
    }

    /// Stops all processes at once, by force.
    fn kill(&mut self) {
        self.course = Course::Stopping;
        self.crew.say("stopping at once");
        self.crew.members.iter_mut().for_each(Member::kill);
        let wrong = "stopped at once: outputs may not have the values they are to have after a stop";
        self.failure.get_or_insert_with(|| Failure::new(Exit::NotDone, wrong));
    }

    /// Does what is due.
    fn look_at_the_clock(&mut self) {
        let now = Clock::now();
        for nth in 0..self.crew.members.len() {
            let member = &mut self.crew.members[nth];
            if member.deadline().is_none_or(|at| at > now) {
                continue;
            }
            let name = member.name.clone();
            match &mut member.phase {
                Phase::Waiting(_) => self.begin(nth),
                Phase::Starting(_, slow_at) => {
                    *slow_at = None;
                    self.crew.say(&format!("{name} takes long to be ready; it may wait for a name server or a disk"));
                }
                Phase::Stopping(..) => {
                    member.kill();
                    self.crew.say(&format!("{name} did not stop within {} s; by force now", STOP_TIMEOUT.as_secs()));
                }
                Phase::Stopped | Phase::Ready(..) => {}
            }
        }
    }
}
