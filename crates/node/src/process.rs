//! One process at work.

#[cfg(test)]
mod on_hardware;
mod sockets;
mod status;

use crate::back::{Back, FifoLine, Hardware, Kernel};
use crate::config::ProcessConfig;
use crate::console::{self, Seldom};
use crate::deliver::Deliveries;
use crate::error::ProcessError;
use crate::front::Front;
use crate::journal::Journal;
use crate::plant::{Effect, Plant};
use crate::report::Reports;
use crate::surroundings::{Overseer, Surroundings};
use soquete::{Clock, Endpoint, Hub, Limits, SourceId};
use soquete_board::LineId;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long a graceful stop waits for presses and answers under way.
const STOP_TIMEOUT: Duration = Duration::from_millis(3500);

/// Octets kept for all connections together. 16 MiB: commands and answers are short, and a small board has not much.
const WAITING_MAX_BYTES: usize = 16 << 20;

/// How long clients may take to read the last they are sent.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// Lines read from a FIFO at the stop, to count the presses among them: all that a pipe holds, and no more, however fast
/// somebody goes on writing.
const FIFO_LINES_MAX: usize = 64 << 10;

/// Lines taken from a FIFO in one turn: who writes without end must not keep the others waiting.
const FIFO_LINES_PER_TURN: usize = 64;

/// Pause between attempts to make a FIFO anew.
const RENEW_PAUSE: Duration = Duration::from_secs(1);

/// A process: lines, endpoints and rules on one loop.
pub struct Process {
    pub(crate) config: ProcessConfig,
    pub(crate) hub: Hub,
    pub(crate) front: Front,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) started_at: Duration,
    pub(crate) journal: Journal,
    pub(crate) reports: Reports,
    deliveries: Deliveries,
    fifos: Vec<FifoWatch>,
    ignored: Seldom,
    stop_sources: Vec<SourceId>,
    _stop_on: Vec<OwnedFd>,
    overseer: Option<Overseer>,
}

/// The watch over a FIFO; none while its rules have too many presses waiting: what is written then waits in the FIFO.
#[derive(Debug)]
struct FifoWatch {
    line: LineId,
    source: Option<SourceId>,
    /// Whether it was left with lines that may have been read ahead, of which epoll knows nothing.
    has_more: bool,
    /// The watch over its path.
    guard: Option<SourceId>,
    /// When to try again to make it anew; nothing while it is there.
    retry_at: Option<Duration>,
    /// Since when it has not been seen empty; what is read may have been written at any time since.
    full_since: Option<Duration>,
}

impl Process {
    /// Makes its lines, binds its endpoints and sets its outputs to their start values: it is ready then.
    ///
    /// # Errors
    /// What could not be had, in one line, with the act where there is one.
    pub fn new(config: ProcessConfig, surroundings: Surroundings) -> Result<Self, ProcessError> {
        Self::on(config, surroundings, Box::new(Kernel))
    }

    /// As [`new`](Self::new), on this hardware.
    fn on(
        config: ProcessConfig,
        mut surroundings: Surroundings,
        hardware: Box<dyn Hardware>,
    ) -> Result<Self, ProcessError> {
        let mut hub = Hub::new(Limits { waiting_max_bytes: WAITING_MAX_BYTES, ..Limits::default() })?;
        let endpoints = sockets::listen(&mut hub, &config, mem::take(&mut surroundings.sockets))?;
        let control = sockets::listen_for_control(&mut hub, &surroundings, config.name.as_str())?;
        // Endpoints first: who cannot have them touches neither FIFOs nor outputs.
        let mut journal = Journal::open(surroundings.journal);
        let mut plant = Plant::new(&config, journal.made(), hardware, surroundings.holder)?;
        journal.note_made(&plant.fifos_made());
        let fifos = watch_fifos(&mut hub, &plant)?;
        let mut stop_sources = Vec::new();
        for fd in &surroundings.stop_on {
            stop_sources.push(hub.watch(fd.as_fd())?);
        }
        let now = Clock::now();
        plant.start(now);
        let mut front = Front::new(&config, plant, control, surroundings.askers);
        front.sort_effects();
        Ok(Process {
            deliveries: Deliveries::new(&config),
            reports: Reports::new(config.rules.len()),
            config,
            hub,
            front,
            endpoints,
            started_at: now,
            journal,
            fifos,
            ignored: Seldom::new("ignored lines"),
            stop_sources,
            _stop_on: surroundings.stop_on,
            overseer: surroundings.overseer,
        })
    }

    /// Returns where it really serves, in the order of the configuration: port 0 has become a port.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Serves until it is told to stop; then sets its outputs to their stop values and says goodbye.
    ///
    /// # Errors
    /// What ended it before its time.
    pub fn run(mut self) -> Result<(), ProcessError> {
        if self.journal.forgotten() > 0 {
            let presses = self.journal.forgotten();
            let were = if presses == 1 { "1 press was" } else { &format!("{presses} presses were") };
            console::say(&format!("{were} under way when this process was killed, and forgotten with it"));
        }
        let ended = loop {
            match self.turn(None) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                // Whatever ended it, its outputs are not left to chance.
                Err(error) => break Err(error),
            }
        };
        self.stop().and(ended)
    }

    /// Serves once; says whether it was told to stop.
    fn turn(&mut self, until: Option<Duration>) -> Result<bool, ProcessError> {
        let now = Clock::now();
        let timeout = self.timeout(until).map(|at| at.saturating_sub(now));
        self.hub.turn(timeout, &mut self.front)?;
        let now = Clock::now();
        let mut is_told_to_stop = false;
        while let Some(source) = self.hub.next_ready() {
            // FIFOs and presses under way are looked at below, ready or not.
            is_told_to_stop |= self.stop_sources.contains(&source);
            self.front.plant.gpios.ready(source);
            for watch in self.fifos.iter_mut().filter(|watch| watch.guard == Some(source)) {
                watch.retry_at = Some(now);
            }
        }
        self.renew_fifos(now)?;
        self.read_fifos(now)?;
        // Edges before time: a release that has come ends a hold that was not over yet.
        self.front.plant.hear_gpios(now, &mut self.hub);
        self.front.plant.handle_timeout(now);
        self.settle(now);
        self.front.refusals.handle_timeout(now);
        self.ignored.handle_timeout(now);
        if let Some(overseer) = &mut self.overseer {
            overseer.handle_timeout(now);
        }
        self.answer_status();
        Ok(is_told_to_stop)
    }

    /// Delivers and reports until nothing follows any more, then tells the watchers.
    fn settle(&mut self, now: Duration) {
        self.front.plant.hear_remotes(now, &mut self.hub);
        loop {
            self.front.sort_effects();
            for effect in self.front.take_effects() {
                match effect {
                    Effect::Deliver(press) => self.deliveries.deliver(press, now, &mut self.front),
                    Effect::Report { rule, step, outcome } => {
                        let words = self.deliveries.words(rule);
                        let (command, to) = self.deliveries.command(rule, step);
                        self.reports.report(rule, &words, command, to, &outcome);
                    }
                    Effect::Reply { .. } | Effect::Notify { .. } => {}
                }
            }
            self.journal.note(self.front.plant.presses_waiting());
            self.deliveries.drive(now, &mut self.hub, &mut self.front);
            if !self.front.has_effects() {
                break;
            }
        }
        self.front.plant.remotes.send(now, &mut self.hub);
        self.front.tell_watchers(&mut self.hub);
    }

    /// Makes FIFOs anew that were removed or renamed, since nobody hears what is written to their paths.
    fn renew_fifos(&mut self, now: Duration) -> Result<(), ProcessError> {
        let mut fifos = mem::take(&mut self.fifos);
        let mut is_any_new = false;
        for watch in fifos.iter_mut().filter(|watch| watch.retry_at.is_some_and(|at| now >= at)) {
            let Some(wired) = self.front.plant.wired_mut(watch.line) else { continue };
            let Back::Fifo(fifo) = &mut wired.back else { continue };
            let renewed = match fifo.renewed() {
                None => {
                    watch.retry_at = None;
                    continue;
                }
                Some(Ok(renewed)) => renewed,
                Some(Err(error)) => {
                    let act = error.act.as_deref().unwrap_or("it is tried again");
                    self.ignored.say(now, &format!("{}: its FIFO is gone: {error}; {act}", wired.name));
                    watch.retry_at = Some(now + RENEW_PAUSE);
                    continue;
                }
            };
            console::say(&format!("{}: its FIFO was removed, and is made anew", wired.name));
            *fifo = renewed;
            is_any_new = true;
            watch.retry_at = None;
            watch.source.into_iter().chain(watch.guard).for_each(|source| self.hub.unwatch(source));
            watch.source = watch_fifo(&mut self.hub, &self.front.plant, watch.line)?;
            watch.guard = watch_guard(&mut self.hub, &self.front.plant, watch.line)?;
        }
        self.fifos = fifos;
        if is_any_new {
            self.journal.note_made(&self.front.plant.fifos_made());
        }
        Ok(())
    }

    fn read_fifos(&mut self, now: Duration) -> Result<(), ProcessError> {
        let mut fifos = mem::take(&mut self.fifos);
        for watch in &mut fifos {
            watch.has_more = true;
            for _ in 0..FIFO_LINES_PER_TURN {
                let Some(line) = self.next_fifo_line(watch.line) else {
                    watch.has_more = false;
                    break;
                };
                self.take_fifo_line(now, watch.full_since.unwrap_or(now), watch.line, line);
            }
            let has_room = self.has_room_for_press(watch.line);
            watch.full_since = if has_room && !watch.has_more { None } else { watch.full_since.or(Some(now)) };
            match watch.source {
                Some(source) if !has_room => {
                    self.hub.unwatch(source);
                    watch.source = None;
                }
                None if has_room => watch.source = watch_fifo(&mut self.hub, &self.front.plant, watch.line)?,
                _ => {}
            }
        }
        self.fifos = fifos;
        Ok(())
    }

    fn take_fifo_line(&mut self, now: Duration, at: Duration, line: LineId, read: FifoLine) {
        match read {
            FifoLine::Press => {
                self.front.plant.press(now, at, line);
                self.front.sort_effects();
            }
            FifoLine::Other(text) => {
                let name = self.front.plant.wired(line).map_or("", |wired| wired.name.as_str());
                self.ignored.say(now, &format!("{name}: {text:?} is ignored; a press is the line 0"));
            }
        }
    }

    fn has_room_for_press(&self, line: LineId) -> bool {
        self.front.plant.wired(line).is_some_and(|wired| self.front.plant.has_room_for_press(&wired.name))
    }

    /// Takes the next line of a FIFO, if there is room for a press.
    fn next_fifo_line(&mut self, line: LineId) -> Option<FifoLine> {
        if !self.has_room_for_press(line) {
            return None;
        }
        match &mut self.front.plant.wired_mut(line)?.back {
            Back::Fifo(fifo) => fifo.next_line(),
            Back::Log(_) | Back::Virtual | Back::Gpio | Back::Remote => None,
        }
    }

    fn timeout(&mut self, until: Option<Duration>) -> Option<Duration> {
        // Lines may wait that epoll knows nothing of, or a FIFO that is not watched although there is room again.
        let is_due =
            |watch: &FifoWatch| (watch.has_more || watch.source.is_none()) && self.has_room_for_press(watch.line);
        if self.fifos.iter().any(is_due) {
            return Some(Duration::ZERO);
        }
        let retries = self.fifos.iter().filter_map(|watch| watch.retry_at).min();
        let lines = [self.front.refusals.timeout(), self.ignored.timeout()].into_iter().flatten().min();
        let Plant { board, remotes, gpios, .. } = &mut self.front.plant;
        let own = [until, lines, retries, self.overseer.as_ref().and_then(Overseer::timeout)];
        let times = [board.timeout(), remotes.timeout(), gpios.timeout(), self.deliveries.timeout()];
        times.into_iter().chain(own).flatten().min()
    }

    fn answer_status(&mut self) {
        if !self.front.status_asked.is_empty() {
            let status = serde_json::to_vec(&self.status()).unwrap_or_default();
            for responder in mem::take(&mut self.front.status_asked) {
                responder.reply(&status);
            }
        }
    }

    /// Ends the watch over FIFOs, and says how many presses are left in them.
    fn leave_fifos(&mut self) {
        for watch in mem::take(&mut self.fifos) {
            watch.source.into_iter().chain(watch.guard).for_each(|source| self.hub.unwatch(source));
            let Some(wired) = self.front.plant.wired_mut(watch.line) else { continue };
            let Back::Fifo(fifo) = &mut wired.back else { continue };
            let left = std::iter::from_fn(|| fifo.next_line()).take(FIFO_LINES_MAX);
            let left = left.filter(|line| *line == FifoLine::Press).count();
            if left > 0 {
                console::say(&format!("{}: {left} presses left in the FIFO: not done: the process stops", wired.name));
            }
        }
    }

    fn stop(mut self) -> Result<(), ProcessError> {
        let now = Clock::now();
        if let Some(overseer) = &mut self.overseer {
            overseer.stopping();
        }
        let until = now + STOP_TIMEOUT;
        self.hub.close_listeners();
        self.leave_fifos();
        self.stop_sources.drain(..).for_each(|source| self.hub.unwatch(source));
        self.front.plant.stop(now);
        self.settle(now);
        // What was never sent is not done and can be said so at once; what was sent may still be answered.
        self.deliveries.give_up(false, &mut self.hub);
        self.front.plant.give_up_remotes(now, false);
        self.settle(now);
        while Clock::now() < until && !(self.front.plant.board.is_idle() && self.front.plant.presses_waiting() == 0) {
            self.turn(Some(until))?;
        }
        self.deliveries.give_up(true, &mut self.hub);
        self.front.plant.give_up_remotes(Clock::now(), true);
        self.settle(Clock::now());
        self.deliveries.close(&mut self.hub);
        self.front.plant.remotes.close(&mut self.hub);
        self.front.plant.gpios.give_back();
        self.hub.goodbye("the process stops", &mut self.front);
        self.hub.drain(GOODBYE_TIMEOUT, &mut self.front);
        self.journal.close();
        Ok(())
    }
}

fn watch_fifos(hub: &mut Hub, plant: &Plant) -> Result<Vec<FifoWatch>, ProcessError> {
    let mut fifos = Vec::new();
    for line in plant.board.lines().map(soquete_board::Line::id) {
        if let Some(source) = watch_fifo(hub, plant, line)? {
            let guard = watch_guard(hub, plant, line)?;
            let source = Some(source);
            fifos.push(FifoWatch { line, source, guard, retry_at: None, has_more: false, full_since: None });
        }
    }
    Ok(fifos)
}

/// Watches over the path of what is behind a line, if it is a FIFO.
fn watch_guard(hub: &mut Hub, plant: &Plant, line: LineId) -> Result<Option<SourceId>, ProcessError> {
    match plant.wired(line).map(|wired| &wired.back) {
        Some(Back::Fifo(fifo)) => Ok(Some(hub.watch(fifo.guard())?)),
        _ => Ok(None),
    }
}

/// Watches what is behind a line, if it is a FIFO.
fn watch_fifo(hub: &mut Hub, plant: &Plant, line: LineId) -> Result<Option<SourceId>, ProcessError> {
    match plant.wired(line).map(|wired| &wired.back) {
        Some(Back::Fifo(fifo)) => Ok(Some(hub.watch(fifo.as_fd())?)),
        _ => Ok(None),
    }
}
