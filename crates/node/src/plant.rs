//! The board, and what is behind its lines: instructions about lines are carried out here, the others are handed on.

use crate::back::{Back, Errand, Gpios, Hardware, Remotes, Told};
use crate::config::{LineConfig, ProcessConfig, RuleConfig};
use crate::console;
use crate::error::ProcessError;
use crate::histogram::Histogram;
use crate::holder::Holder;
use soquete::{Clock, Hub};
use soquete_board::{
    Board, Cause, Direction, Event, Fact, Failure, Instruction, Level, LineId, LineName, LineSpec, Outcome, Owed,
    Owner, OwnerId, PressId, Refusal, RuleId, RuleSpec, Taken, Ticket, Value, Verb, WatcherId,
};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Presses of a rule that may wait before no more is read from its FIFO: the rest waits there, and nothing is lost.
const PRESSES_AHEAD_MAX: usize = 32;

/// What came of a command, and when it was done, where that is known.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<Vec<(LineName, Value)>, Refusal>,
    pub(crate) done_at: Option<Duration>,
}

/// What the board wants of somebody else than its lines.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A command is to be answered.
    Reply { ticket: Ticket, answer: Answer },
    /// A watcher is to hear of a change.
    Notify { watcher: WatcherId, event: Event, missed: u32 },
    /// A press is to be delivered.
    Deliver(Press),
    /// A press has ended.
    Report { rule: RuleId, step: usize, outcome: Outcome },
}

/// A press to deliver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Press {
    pub(crate) rule: RuleId,
    pub(crate) press: PressId,
    pub(crate) step: usize,
    pub(crate) deadline: Duration,
    pub(crate) caused_at: Duration,
}

/// A line: what is behind it, and the words of its configuration for that.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) name: LineName,
    pub(crate) kind: String,
    pub(crate) back: Back,
    /// How long after their causes the commands were done whose cause has a time.
    pub(crate) latency: Histogram,
}

/// The board with its lines wired.
pub(crate) struct Plant {
    pub(crate) board: Board,
    pub(crate) remotes: Remotes,
    pub(crate) gpios: Gpios,
    wired: BTreeMap<LineId, Wired>,
    effects: VecDeque<Effect>,
    /// Whether what is carried out is a value for start or stop and not a command.
    is_preset: bool,
}

impl Plant {
    /// Wires the lines of a process and takes its rules.
    ///
    /// `made` are the FIFOs that an earlier run of this process made and could not remove.
    pub(crate) fn new(
        config: &ProcessConfig,
        made: &[u64],
        hardware: Box<dyn Hardware>,
        holder: Option<Holder>,
    ) -> Result<Self, ProcessError> {
        let now = Clock::now();
        let mut board = Board::new();
        let (mut wired, mut ids) = (BTreeMap::new(), Vec::new());
        for line in &config.lines {
            let back = Back::new(line, config.syslog.as_deref(), made)?;
            let (direction, keeper) = (line.kind.direction(), line.kind.keeper());
            let LineConfig { name, start, stop, safe, may_be_taken_over, .. } = line.clone();
            let spec = LineSpec { name, direction, keeper, start, stop, safe, may_be_taken_over };
            let id = board.add_line(now, spec).map_err(refused)?;
            ids.push(id);
            if direction == Direction::Input && matches!(back, Back::Fifo(_) | Back::Virtual) {
                let cause = Cause::from("start");
                board.handle(now, Fact::Confirmed { line: id, level: Level::Off, cause });
            }
            let latency = Histogram::default();
            wired.insert(id, Wired { name: line.name.clone(), kind: line.kind.to_string(), back, latency });
        }
        for rule in &config.rules {
            board.add_rule(spec_of(rule)?).map_err(refused)?;
        }
        let remotes = Remotes::new(config, &ids);
        let gpios = Gpios::new(config, &ids, hardware, holder)?;
        let mut plant = Plant { board, remotes, gpios, wired, effects: VecDeque::new(), is_preset: false };
        plant.take_gpios_told(now);
        Ok(plant)
    }

    /// Gives the outputs their start values.
    pub(crate) fn start(&mut self, now: Duration) {
        self.preset(now, Board::start);
    }

    /// Gives the outputs their stop values, and takes no more commands.
    pub(crate) fn stop(&mut self, now: Duration) {
        self.preset(now, Board::stop);
    }

    fn preset(&mut self, now: Duration, preset: impl FnOnce(&mut Board, Duration)) {
        preset(&mut self.board, now);
        self.is_preset = true;
        self.carry_out(now);
        self.is_preset = false;
    }

    /// Tells the board a fact, and carries out what follows.
    pub(crate) fn handle(&mut self, now: Duration, fact: Fact) {
        self.board.handle(now, fact);
        self.carry_out(now);
    }

    /// Gives somebody a lease on lines, or renews it, and carries out what follows.
    pub(crate) fn lease(
        &mut self,
        now: Duration,
        owner: &Owner,
        lines: &[LineName],
        time: Duration,
    ) -> Result<(), Refusal> {
        let leased = self.board.lease(now, owner, lines, time);
        self.carry_out(now);
        leased
    }

    /// Ends somebody's leases on lines, and carries out what follows.
    pub(crate) fn release(&mut self, now: Duration, owner: &OwnerId, lines: &[LineName]) -> Result<(), Refusal> {
        let released = self.board.release(now, owner, lines);
        self.carry_out(now);
        released
    }

    /// Does what time does to the lines, leases, pulses and blinks, and nothing else, and carries out what follows.
    pub(crate) fn catch_up(&mut self, now: Duration) {
        self.board.catch_up(now);
        self.carry_out(now);
    }

    /// Ends what has had its time, and carries out what follows. Edges that happened before come first.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.board.handle_timeout(now);
        self.carry_out(now);
    }

    /// Carries out what the board wants of its lines; the rest waits for [`next_effect`](Plant::next_effect).
    pub(crate) fn carry_out(&mut self, mut now: Duration) {
        while let Some(instruction) = self.board.poll() {
            let effect = match instruction {
                Instruction::Act { action, sets, cause, deadline, hops } => {
                    let is_preset = self.is_preset;
                    now = self.act(now, sets, &Errand { action, cause, deadline, hops, is_preset });
                    continue;
                }
                Instruction::Reply { ticket, result, done_at } => {
                    Effect::Reply { ticket, answer: Answer { result, done_at } }
                }
                Instruction::Notify { watcher, event, missed } => Effect::Notify { watcher, event, missed },
                Instruction::Deliver { rule, press, step, deadline, caused_at } => {
                    Effect::Deliver(Press { rule, press, step, deadline, caused_at })
                }
                Instruction::Leased { line, news } => {
                    console::say(&format!("{line}: {news}"));
                    continue;
                }
                Instruction::Report { rule, step, outcome, .. } => Effect::Report { rule, step, outcome },
            };
            self.effects.push_back(effect);
        }
    }

    /// Does what is to be done here, and asks far ends for the rest; returns what time it is then.
    fn act(&mut self, mut now: Duration, sets: Vec<(LineId, Verb)>, errand: &Errand) -> Duration {
        let mut far: BTreeMap<usize, Vec<(LineId, Verb)>> = BTreeMap::new();
        for (line, verb) in sets {
            if let Some(end) = self.remotes.leads_to(line) {
                far.entry(end).or_default().push((line, verb));
            } else {
                let outcome = self.set(line, verb, &errand.cause);
                now = now.max(Clock::now());
                self.note_latency(line, &errand.cause, outcome.is_ok().then_some(now));
                self.board.handle(now, Fact::Acted { action: errand.action, line, outcome, at: Some(now) });
            }
        }
        for (end, sets) in far {
            self.remotes.request(now, end, &sets, errand.clone());
        }
        now
    }

    /// Notes how long after its cause a command was done on a line, where both times are known.
    fn note_latency(&mut self, line: LineId, cause: &Cause, done_at: Option<Duration>) {
        if let (Some(wired), Some(caused_at), Some(done_at)) = (self.wired.get_mut(&line), cause.at(), done_at) {
            wired.latency.add(done_at.saturating_sub(caused_at));
        }
    }

    /// Hears what far ends have told, and tells the board.
    pub(crate) fn hear_remotes(&mut self, now: Duration, hub: &mut Hub) {
        self.remotes.drive(now, hub);
        self.take_told(now);
    }

    /// Gives up what far ends were asked for: all of it, or only what clients wanted and was never sent.
    pub(crate) fn give_up_remotes(&mut self, now: Duration, all: bool) {
        self.remotes.give_up(all);
        self.take_told(now);
    }

    fn take_told(&mut self, now: Duration) {
        while let Some(told) = self.remotes.next() {
            let fact = match told {
                Told::Acted { errand, line, outcome, at } => self.acted(errand, line, outcome, at),
                Told::Value { line, value, cause } => self.changed(now, line, value, cause),
            };
            self.handle(now, fact);
        }
    }

    /// Reads what the hardware has to tell, and tells the board.
    pub(crate) fn hear_gpios(&mut self, now: Duration, hub: &mut Hub) {
        let board = &self.board;
        // Not the start value first: a relay would click.
        self.gpios.drive(now, hub, &|line| board.owed(line).map(Owed::level));
        self.take_gpios_told(now);
    }

    fn take_gpios_told(&mut self, now: Duration) {
        while let Some(fact) = self.gpios.next() {
            self.handle(now, fact);
        }
    }

    fn acted(&mut self, errand: Errand, line: LineId, outcome: Taken, at: Option<Duration>) -> Fact {
        let Errand { action, cause, is_preset, .. } = errand;
        self.note_latency(line, &cause, at);
        let name = self.wired.get(&line).map_or("", |wired| wired.name.as_str());
        match &outcome {
            Ok(value) => console::say(&format!("{name} {value}, by {cause}")),
            // Whoever asked is told; of these nobody would hear.
            Err(failure) if is_preset => preset_failed(name, &cause, failure),
            Err(_) => {}
        }
        Fact::Acted { action, line, outcome, at }
    }

    /// Says what the news of a remote line are: an edge, where an input had the other value, and otherwise no rule hears
    /// of it. What it did while nobody could tell is not made up for.
    fn changed(&self, now: Duration, line: LineId, value: Value, cause: Cause) -> Fact {
        let known = self.wired.get(&line).and_then(|wired| self.board.line(&wired.name));
        let was_known =
            known.is_some_and(|known| known.direction() == Direction::Input && known.value() != Value::Unknown);
        let level = match value {
            Value::On => Level::On,
            Value::Off => Level::Off,
            _ => return Fact::Lost { line, cause },
        };
        if was_known { Fact::Edge { line, level, at: now } } else { Fact::Confirmed { line, level, cause } }
    }

    fn set(&mut self, line: LineId, verb: Verb, cause: &Cause) -> Taken {
        let level = match verb {
            Verb::On => Level::On,
            Verb::Off => Level::Off,
            Verb::Toggle | Verb::Pulse(_) | Verb::Blink(_) => {
                return Err(Failure::NotDone("the board has not said what to".into()));
            }
        };
        let Some(wired) = self.wired.get_mut(&line) else {
            return Err(Failure::NotDone("nothing is behind this line".into()));
        };
        let present = self.board.line(&wired.name).map_or(Value::Unknown, soquete_board::Line::value);
        let is_gpio = matches!(wired.back, Back::Gpio);
        // An output that was never set is off, but for hardware: that may have anything.
        let was_on = present == Value::On;
        let is_change = if is_gpio { present != level.into() } else { was_on != (level == Level::On) };
        if self.is_preset && !is_change {
            return Ok(level.into());
        }
        let outcome = if is_gpio { self.gpios.set(line, level) } else { wired.back.set(level) };
        match &outcome {
            Ok(()) if is_change => console::say(&format!("{} {}, by {cause}", wired.name, Value::from(level))),
            Ok(()) => {}
            // It was said when it was refused first, and is tried again and again.
            Err(failure)
                if self.board.owed(line).is_some_and(|owed| owed.cause() == cause && owed.failure() == failure) => {}
            // That hardware is missing was said.
            Err(_) if is_gpio && !self.gpios.holds(line) => {}
            // Of a value that nobody asked for nobody else would hear.
            Err(failure) => console::say(&format!("{}, by {cause}: {failure}", wired.name)),
        }
        outcome.map(|()| level.into())
    }

    /// Returns the next thing that the board wants of somebody else.
    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Presses an input as its button would: on, and off again.
    pub(crate) fn press(&mut self, now: Duration, at: Duration, line: LineId) {
        for level in [Level::On, Level::Off] {
            self.handle(now, Fact::Edge { line, level, at });
        }
    }

    /// Says whether a press of `line` finds room: no rule on it has too many waiting.
    pub(crate) fn has_room_for_press(&self, line: &LineName) -> bool {
        let mut rules = self.board.rules().filter(|rule| rule.spec().line == *line);
        rules.all(|rule| rule.counts().waiting < PRESSES_AHEAD_MAX)
    }

    /// Says why nobody can tell what a line has, where that is known of its chip or far end.
    pub(crate) fn trouble(&self, line: LineId) -> Option<String> {
        let gpio = self.gpios.status(line).and_then(|gpio| gpio.trouble);
        gpio.or_else(|| self.remotes.status(line).and_then(|far| far.trouble))
    }

    /// Returns what is behind a line.
    pub(crate) fn wired(&self, line: LineId) -> Option<&Wired> {
        self.wired.get(&line)
    }

    /// Returns what is behind a line, to be used.
    pub(crate) fn wired_mut(&mut self, line: LineId) -> Option<&mut Wired> {
        self.wired.get_mut(&line)
    }

    /// Returns the inodes of the FIFOs that this process has to remove.
    pub(crate) fn fifos_made(&self) -> Vec<u64> {
        let made = self.wired.values().filter_map(|wired| match &wired.back {
            Back::Fifo(fifo) => fifo.made(),
            Back::Log(_) | Back::Virtual | Back::Gpio | Back::Remote => None,
        });
        made.collect()
    }

    /// Counts the presses that have not ended.
    pub(crate) fn presses_waiting(&self) -> u64 {
        self.board.rules().map(|rule| rule.counts().waiting as u64).sum()
    }
}

fn preset_failed(line: impl std::fmt::Display, cause: &Cause, failure: &Failure) {
    console::say(&format!("{line}: its value for the {cause}: {failure}"));
}

fn spec_of(rule: &RuleConfig) -> Result<RuleSpec, ProcessError> {
    let steps = NonZeroUsize::new(rule.send.len())
        .ok_or_else(|| ProcessError { what: format!("the rule on {} sends nothing", rule.line), act: None })?;
    Ok(RuleSpec { line: rule.line.clone(), on: rule.on, steps, within: rule.within })
}

fn refused(refusal: Refusal) -> ProcessError {
    ProcessError { what: refusal.to_string(), act: None }
}
