//! A board on a stage, for the tests: what happens is told in short words, and what the board says is read as lines.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{
    ActionId, Blink, Board, Command, Fact, Failure, Instruction, Keeper, Level, LineId, LineName, LineSpec, Outcome,
    Owner, OwnerId, PressId, RuleSpec, Ticket, Trigger, Value, Verb,
};

pub(crate) fn name(text: &str) -> LineName {
    text.parse().unwrap()
}

/// Reads the names of `A,B`.
fn names(text: &str) -> Vec<LineName> {
    text.split_terminator(',').map(name).collect()
}

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn not_done() -> Outcome {
    Err(Failure::NotDone("stuck".into()))
}

pub(crate) fn unknown() -> Outcome {
    Err(Failure::Unknown("silent".into()))
}

/// Makes a command from `LED on, RELAY toggle, BELL pulse 500, LAMP blink 20 30 4`; times are milliseconds.
pub(crate) fn command(ticket: u64, sets: &str) -> Command {
    let set = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |nth: usize| words.get(nth).map(|word| word.parse::<u32>().unwrap());
        let time = |nth| ms(number(nth).unwrap().into());
        let verb = match words[1] {
            "on" => Verb::On,
            "off" => Verb::Off,
            "toggle" => Verb::Toggle,
            "pulse" => Verb::Pulse(time(2)),
            "blink" => Verb::Blink(Blink { on: time(2), off: time(3), count: number(4) }),
            _ => panic!("{text}"),
        };
        (name(words[0]), verb)
    };
    let sets = sets.split_terminator(',').map(set).collect();
    Command { ticket: Ticket(ticket), cause: "test".into(), owner: "test".into(), sets, deadline: None, hops: 0 }
}

pub(crate) struct Scene {
    pub(crate) board: Board,
    pub(crate) now: Duration,
    /// What the back-ends have been told and not answered, the oldest first, and the value that a line has once it did.
    pub(crate) actions: VecDeque<(ActionId, LineId, Value)>,
    /// What is being delivered, the oldest first.
    presses: VecDeque<PressId>,
}

impl Scene {
    pub(crate) fn new(outputs: &[&str], inputs: &[&str]) -> Self {
        let mut board = Board::new();
        for output in outputs {
            board.add_line(ms(0), LineSpec::output(name(output))).unwrap();
        }
        for input in inputs {
            board.add_line(ms(0), LineSpec::input(name(input))).unwrap();
        }
        Self { board, now: ms(0), actions: VecDeque::new(), presses: VecDeque::new() }
    }

    /// Makes a board with the output LED that is off and said so.
    pub(crate) fn with_led_off() -> Self {
        let mut scene = Self::new(&["LED"], &[]);
        scene.confirm("LED", Level::Off);
        scene
    }

    /// Adds an output that a far board keeps.
    pub(crate) fn add_far(&mut self, text: &str) {
        let spec = LineSpec { keeper: Keeper::Far, start: crate::Preset::Keep, ..LineSpec::output(name(text)) };
        self.board.add_line(self.now, spec).unwrap();
    }

    pub(crate) fn line(&self, text: &str) -> LineId {
        self.board.line(&name(text)).unwrap().id()
    }

    pub(crate) fn value(&self, text: &str) -> String {
        self.board.read(&name(text)).unwrap().to_string()
    }

    pub(crate) fn wait_until(&mut self, now_ms: u64) {
        self.now = ms(now_ms);
        self.board.handle_timeout(self.now);
    }

    pub(crate) fn ask(&mut self, ticket: u64, sets: &str) {
        self.board.handle(self.now, Fact::Command(command(ticket, sets)));
    }

    pub(crate) fn ask_by(&mut self, ticket: u64, sets: &str, deadline_ms: u64) {
        let command = Command { deadline: Some(ms(deadline_ms)), ..command(ticket, sets) };
        self.board.handle(self.now, Fact::Command(command));
    }

    pub(crate) fn ask_as(&mut self, owner: &str, ticket: u64, sets: &str) {
        let command = Command { owner: owner.into(), ..command(ticket, sets) };
        self.board.handle(self.now, Fact::Command(command));
    }

    /// Takes or renews a lease on lines such as `A,B`; says why not.
    pub(crate) fn lease(&mut self, owner: &str, lines: &str, time_ms: u64) -> Result<(), String> {
        let owner = Owner { id: owner.into(), words: owner.into() };
        let taken = self.board.lease(self.now, &owner, &names(lines), ms(time_ms));
        taken.map_err(|refusal| refusal.to_string())
    }

    pub(crate) fn release(&mut self, owner: &str, lines: &str) -> Result<(), String> {
        let released = self.board.release(self.now, &OwnerId::from(owner), &names(lines));
        released.map_err(|refusal| refusal.to_string())
    }

    /// Settles the oldest line that a back-end was told.
    pub(crate) fn acted(&mut self, outcome: Outcome) {
        let (action, line, value) = self.actions.pop_front().unwrap();
        let outcome = outcome.map(|()| value);
        self.board.handle(self.now, Fact::Acted { action, line, outcome, at: Some(self.now) });
    }

    /// Hears the board out, and settles as done whatever back-ends are told. Returns what they were told.
    pub(crate) fn obeyed(&mut self) -> Vec<String> {
        let mut told = self.said();
        while !self.actions.is_empty() {
            self.acted(Ok(()));
            told.extend(self.said());
        }
        told.retain(|said| said.starts_with("act: "));
        told
    }

    pub(crate) fn confirm(&mut self, line: &str, level: Level) {
        let line = self.line(line);
        self.board.handle(self.now, Fact::Confirmed { line, level, cause: "test".into() });
    }

    pub(crate) fn edge(&mut self, line: &str, level: Level) {
        let line = self.line(line);
        self.board.handle(self.now, Fact::Edge { line, level, at: self.now });
    }

    /// Presses and releases an input.
    pub(crate) fn press(&mut self, line: &str) {
        self.edge(line, Level::On);
        self.edge(line, Level::Off);
    }

    pub(crate) fn rule(&mut self, line: &str, on: Trigger, steps: usize, within_ms: u64) {
        let steps = steps.try_into().unwrap();
        self.board.add_rule(RuleSpec { line: name(line), on, steps, within: ms(within_ms) }).unwrap();
    }

    /// Settles the oldest press that is being delivered.
    pub(crate) fn delivered(&mut self, outcome: Outcome) {
        let press = self.presses.pop_front().unwrap();
        self.board.handle(self.now, Fact::Delivered { press, outcome });
    }

    /// Returns what the board has said since the last call.
    pub(crate) fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(instruction) = self.board.poll() {
            said.push(self.hear(instruction));
        }
        said
    }

    fn hear(&mut self, instruction: Instruction) -> String {
        match instruction {
            Instruction::Act { action, sets, .. } => {
                let (mut actions, mut text) = (Vec::new(), String::new());
                for (id, verb) in sets {
                    let line = self.board.lines().find(|line| line.id() == id).unwrap();
                    let verb = format!("{verb:?}").to_lowercase();
                    text += &format!(" {} {verb}", line.name());
                    // A far board that was told to toggle has its lines off.
                    actions.push((action, id, if verb == "off" { Value::Off } else { Value::On }));
                }
                self.actions.extend(actions);
                format!("act:{text}")
            }
            Instruction::Reply { ticket, result: Ok(values), .. } => {
                let values: String = values.iter().map(|(line, value)| format!(" {line} {value}")).collect();
                format!("reply {}:{values}", ticket.0)
            }
            Instruction::Reply { ticket, result: Err(refusal), .. } => format!("refuse {}: {refusal}", ticket.0),
            Instruction::Notify { watcher, event, missed } => {
                let missed = if missed == 0 { String::new() } else { format!(" ({missed} missed)") };
                format!("tell {}: #{} {} {}{missed}", watcher.0, event.seq, event.line, event.value)
            }
            Instruction::Deliver { rule, press, step, .. } => {
                self.presses.push_back(press);
                format!("deliver {}: step {step}", rule.index())
            }
            Instruction::Leased { line, news } => format!("{line}: {news}"),
            Instruction::Report { rule, step, outcome: Ok(()), .. } => {
                format!("report {}: step {step} done", rule.index())
            }
            Instruction::Report { rule, step, outcome: Err(failure), .. } => {
                format!("report {}: step {step} {failure}", rule.index())
            }
        }
    }
}
