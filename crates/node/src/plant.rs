//! The board, and what is behind its lines: instructions about lines are carried out here, the others are handed on.

use crate::back::Back;
use crate::config::{ProcessConfig, RuleConfig};
use crate::console;
use crate::error::ProcessError;
use soquete::Clock;
use soquete_board::{
    Board, Cause, Direction, Event, Fact, Instruction, Level, LineId, LineName, LineSpec, Outcome, PressId, Refusal,
    RuleId, RuleSpec, Ticket, Value, WatcherId,
};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Presses of a rule that may wait before no more is read from its FIFO: the rest waits there, and nothing is lost.
const PRESSES_AHEAD_MAX: usize = 32;

/// What the board wants of somebody else than its lines.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A command is to be answered.
    Reply { ticket: Ticket, result: Result<Vec<(LineName, Value)>, Refusal> },
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
}

/// A line: what is behind it, and the words of its configuration for that.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) name: LineName,
    pub(crate) kind: String,
    pub(crate) back: Back,
}

/// The board with its lines wired.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) board: Board,
    wired: BTreeMap<LineId, Wired>,
    effects: VecDeque<Effect>,
    /// Whether what is carried out is a value for start or stop and not a command.
    is_preset: bool,
}

impl Plant {
    /// Wires the lines of a process and takes its rules.
    ///
    /// `made` are the FIFOs that an earlier run of this process made and could not remove.
    pub(crate) fn new(config: &ProcessConfig, made: &[u64]) -> Result<Self, ProcessError> {
        let now = Clock::now();
        let mut board = Board::new();
        let mut wired = BTreeMap::new();
        for line in &config.lines {
            let back = Back::new(line, config.syslog.as_deref(), made)?;
            let direction = line.kind.direction();
            let spec =
                LineSpec { name: line.name.clone(), direction, start: line.start, stop: line.stop, safe: line.safe };
            let id = board.add_line(now, spec).map_err(refused)?;
            if direction == Direction::Input {
                let cause = Cause::from("start");
                board.handle(now, Fact::Confirmed { line: id, level: Level::Off, cause });
            }
            wired.insert(id, Wired { name: line.name.clone(), kind: line.kind.to_string(), back });
        }
        for rule in &config.rules {
            board.add_rule(spec_of(rule)?).map_err(refused)?;
        }
        Ok(Plant { board, wired, effects: VecDeque::new(), is_preset: false })
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

    /// Carries out what the board wants of its lines; the rest waits for [`next_effect`](Plant::next_effect).
    pub(crate) fn carry_out(&mut self, now: Duration) {
        while let Some(instruction) = self.board.poll() {
            let effect = match instruction {
                Instruction::Act { action, sets, cause, .. } => {
                    for (line, level) in sets {
                        let outcome = self.set(line, level, &cause);
                        self.board.handle(now, Fact::Acted { action, line, outcome });
                    }
                    continue;
                }
                Instruction::Reply { ticket, result } => Effect::Reply { ticket, result },
                Instruction::Notify { watcher, event, missed } => Effect::Notify { watcher, event, missed },
                Instruction::Deliver { rule, press, step, deadline } => {
                    Effect::Deliver(Press { rule, press, step, deadline })
                }
                Instruction::Report { rule, step, outcome, .. } => Effect::Report { rule, step, outcome },
            };
            self.effects.push_back(effect);
        }
    }

    fn set(&mut self, line: LineId, level: Level, cause: &Cause) -> Outcome {
        let Some(wired) = self.wired.get_mut(&line) else {
            return Err(soquete_board::Failure::NotDone("nothing is behind this line".into()));
        };
        // An output that was never set is off.
        let was_on = self.board.line(&wired.name).is_some_and(|line| line.value() == Value::On);
        let is_change = was_on != (level == Level::On);
        if self.is_preset && !is_change {
            return Ok(());
        }
        let outcome = wired.back.set(level);
        if outcome.is_ok() && is_change {
            console::say(&format!("{} {}, by {cause}", wired.name, Value::from(level)));
        }
        outcome
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
            Back::Log(_) | Back::Virtual => None,
        });
        made.collect()
    }

    /// Counts the presses that have not ended.
    pub(crate) fn presses_waiting(&self) -> u64 {
        self.board.rules().map(|rule| rule.counts().waiting as u64).sum()
    }
}

fn spec_of(rule: &RuleConfig) -> Result<RuleSpec, ProcessError> {
    let steps = NonZeroUsize::new(rule.send.len())
        .ok_or_else(|| ProcessError { what: format!("the rule on {} sends nothing", rule.line), act: None })?;
    Ok(RuleSpec { line: rule.line.clone(), on: rule.on, steps, within: rule.within })
}

fn refused(refusal: Refusal) -> ProcessError {
    ProcessError { what: refusal.to_string(), act: None }
}
