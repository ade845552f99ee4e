//! Random facts in virtual time, held against a model that is too simple to be wrong.

#![expect(clippy::unwrap_used, reason = "a test fails where it must not go on")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use soquete_board::*;

#[path = "model/chance.rs"]
mod chance;
#[path = "model/hear.rs"]
mod hear;
#[path = "model/motion.rs"]
mod motion;

use chance::Random;
use motion::Motion;

const SEEDS: u64 = 2000;
const STEPS: usize = 150;
const NAMES: [&str; 8] = ["A", "B", "C", "D", "E", "KEY", "BELL", "NOBODY"];
const FAST: WatcherId = WatcherId(1);
const SLOW: WatcherId = WatcherId(2);
/// How long a hold takes, and a double at most.
const GESTURE: Duration = Duration::from_millis(30);
const OWNERS: [&str; 3] = ["eve", "bob", "ann"];

/// What a line should be.
struct Expected {
    id: LineId,
    direction: Direction,
    keeper: Keeper,
    value: Value,
    acting: Vec<ActionId>,
    /// The safe value it is to get before anything else that is not acting yet.
    due: Option<Verb>,
    /// What it does by itself.
    motion: Option<Motion>,
}

/// What a back-end was told, and is at.
struct Told {
    action: ActionId,
    line: LineId,
    verb: Verb,
    by: By,
}

/// Who wants something done.
enum By {
    /// Who asked for this, in a command of this cause.
    Command(Verb, String),
    /// The line itself, which pulses or blinks.
    Itself,
    /// The board.
    Board,
}

#[derive(Default)]
struct ExpectedRule {
    front: Option<PressId>,
    step: usize,
    presses: u64,
    reported: BTreeSet<PressId>,
}

struct World {
    board: Board,
    random: Random,
    now: Duration,
    lines: BTreeMap<LineName, Expected>,
    rules: Vec<ExpectedRule>,
    /// The commands without reply, by the cause they carry.
    commands: BTreeMap<String, Command>,
    tickets: u64,
    actions: Vec<Told>,
    presses: Vec<PressId>,
    /// Since when BELL is on, until that was a hold; and when it went on last, until that was a double.
    held: Option<Duration>,
    once: Option<Duration>,
    /// The values the fast watcher has heard of.
    heard: BTreeMap<LineName, Value>,
    heard_seq: u64,
    slow_count: u64,
    slow_held: bool,
    is_stopping: bool,
    /// Who owns which line, and until when.
    leases: BTreeMap<LineName, (&'static str, Duration)>,
    /// Lines whose lease has to end now, with their safe value.
    ending: BTreeSet<LineName>,
    /// Lines whose lease has to end now without it.
    dropped: BTreeSet<LineName>,
}

fn name(text: &str) -> LineName {
    text.parse().unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            board: Board::new(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            now: Duration::ZERO,
            lines: BTreeMap::new(),
            rules: Vec::new(),
            commands: BTreeMap::new(),
            tickets: 0,
            actions: Vec::new(),
            presses: Vec::new(),
            held: None,
            once: None,
            heard: BTreeMap::new(),
            heard_seq: 0,
            slow_count: 0,
            slow_held: false,
            is_stopping: false,
            leases: BTreeMap::new(),
            ending: BTreeSet::new(),
            dropped: BTreeSet::new(),
        };
        for text in &NAMES[..7] {
            world.add_line(text);
        }
        for (line, on) in [
            ("KEY", Trigger::Press),
            ("KEY", Trigger::Release),
            ("BELL", Trigger::Press),
            ("BELL", Trigger::Hold(GESTURE)),
            ("BELL", Trigger::Double(GESTURE)),
        ] {
            let spec = RuleSpec {
                line: name(line),
                on,
                steps: NonZeroUsize::new(3).unwrap(),
                within: Duration::from_millis(40),
            };
            world.board.add_rule(spec).unwrap();
            world.rules.push(ExpectedRule::default());
        }
        world.board.watch(FAST, vec![]).unwrap();
        world.board.watch(SLOW, vec![]).unwrap();
        world.board.start(world.now);
        world.hear();
        world
    }

    fn add_line(&mut self, text: &str) {
        let spec = if text.len() == 1 { LineSpec::output(name(text)) } else { LineSpec::input(name(text)) };
        // E always, and D by turns.
        let is_far = text == "E" || (text == "D" && self.tickets % 2 == 1);
        let keeper = if is_far { Keeper::Far } else { Keeper::Board };
        let safe = if text == "A" { Preset::On } else { Preset::Off };
        let spec = LineSpec { keeper, safe, may_be_taken_over: text == "B", ..spec };
        let direction = spec.direction;
        let id = self.board.add_line(self.now, spec).unwrap();
        let (acting, value) = (Vec::new(), Value::Unknown);
        self.lines.insert(name(text), Expected { id, direction, keeper, value, acting, due: None, motion: None });
    }

    fn step(&mut self) {
        match self.random.below(50) {
            0..=11 => self.command(),
            12..=21 => self.acted(),
            22..=27 => self.edge(),
            28..=31 => self.delivered(),
            32..=34 => self.time_passes(),
            35 => self.confirmed_or_lost(),
            36 | 37 => self.hold_or_resume(),
            38 => self.remove_or_add_line(),
            39 => self.turn_round(),
            40..=46 => self.lease(),
            _ => self.release(),
        }
        self.hear();
        self.check_values();
        self.check_leases();
    }

    fn command(&mut self) {
        self.tickets += 1;
        let count = self.random.pick(&[1, 1, 1, 2, 3]);
        let mut set = || (name(self.random.pick(&NAMES)), self.random.verb());
        let sets = (0..count).map(|_| set()).collect();
        let deadline = (self.random.below(2) == 0).then(|| self.now + Duration::from_millis(self.random.below(30)));
        let cause = self.tickets.to_string();
        let owner = OwnerId::from(self.random.pick(&OWNERS));
        let command =
            Command { ticket: Ticket(self.tickets), cause: cause.as_str().into(), owner, sets, deadline, hops: 3 };
        self.commands.insert(cause, command.clone());
        self.tell(Fact::Command(command));
    }

    /// Tells the board a fact, which first ends the leases whose time is over.
    fn tell(&mut self, fact: Fact) {
        self.expire();
        self.board.handle(self.now, fact);
    }

    fn expire(&mut self) {
        let now = self.now;
        let over = self.leases.extract_if(.., |_, (_, until)| *until <= now);
        self.ending.extend(over.map(|(name, _)| name));
    }

    fn some_names(&mut self) -> Vec<LineName> {
        let count = self.random.pick(&[1, 1, 2]);
        (0..count).map(|_| name(self.random.pick(&["A", "A", "B", "B", "C", "D", "E", "KEY"]))).collect()
    }

    fn lease(&mut self) {
        let (who, names) = (self.random.pick(&OWNERS), self.some_names());
        let time = Duration::from_millis(95 + self.random.below(60));
        self.expire();
        let owner = Owner { id: who.into(), words: who.into() };
        let of_another = |name: &LineName| self.leases.get(name).is_some_and(|(owner, _)| *owner != who);
        let is_barred = names.iter().any(|line| of_another(line) && *line != name("B"));
        match self.board.lease(self.now, &owner, &names, time) {
            Ok(()) => {
                assert!(!is_barred && time >= LEASE_MIN, "two owners");
                self.leases.extend(names.into_iter().map(|name| (name, (who, self.now + time))));
            }
            Err(Refusal::Leased { .. }) => assert!(is_barred),
            Err(Refusal::TakenOver { line, .. }) => assert!(of_another(&line) && line == name("B")),
            Err(_) => {}
        }
    }

    fn release(&mut self) {
        let (who, names) = (self.random.pick(&OWNERS), self.some_names());
        self.expire();
        if self.board.release(self.now, &who.into(), &names).is_ok() {
            for name in &names {
                assert_eq!(self.leases.remove(name).map(|(owner, _)| owner), Some(who));
            }
        }
    }

    /// A line that goes or turns round takes its lease along.
    fn drop_lease(&mut self, text: &str) {
        self.dropped.extend(self.leases.remove_entry(&name(text)).map(|(name, _)| name));
    }

    fn check_leases(&self) {
        assert!(self.ending.is_empty() && self.dropped.is_empty(), "a lease that did not end");
        for (name, expected) in &self.lines {
            assert!(expected.due.is_none() || !expected.acting.is_empty(), "{name} is not safe");
            let lease = self.board.lease_of(expected.id).map(|lease| (lease.owner().words.as_str(), lease.until()));
            assert_eq!(lease, self.leases.get(name).copied(), "{name}");
        }
    }

    /// Settles any line that a back-end was told; it may be of an action that was abandoned.
    fn acted(&mut self) {
        let Some(Told { action, line, verb, by }) = self.random.take(&mut self.actions) else { return };
        let outcome = self.random.outcome().map(|()| if verb == Verb::Off { Value::Off } else { Value::On });
        let mut lines = self.lines.values_mut();
        if let Some(expected) = lines.find(|expected| expected.acting.contains(&action) && expected.id == line) {
            expected.acting.retain(|other| *other != action);
            match (expected.keeper, &outcome) {
                (Keeper::Far, _) | (_, Err(Failure::NotDone(_))) => {}
                (_, Ok(value)) => expected.value = *value,
                (_, Err(Failure::Unknown(_))) => expected.value = Value::Unknown,
            }
            match (by, &outcome) {
                (By::Itself, Ok(_)) | (By::Command(..), Err(Failure::NotDone(_))) => {}
                (By::Command(asked, by), Ok(_)) if expected.keeper == Keeper::Board && !self.is_stopping => {
                    expected.motion = Motion::begin(self.now, asked, &by);
                }
                _ => expected.motion = None,
            }
        }
        self.tell(Fact::Acted { action, line, outcome, at: Some(self.now) });
    }

    fn edge(&mut self) {
        let (text, level) = (self.random.pick(&["KEY", "BELL", "A"]), self.random.pick(&[Level::On, Level::Off]));
        let Some(expected) = self.lines.get_mut(&name(text)) else { return };
        let line = expected.id;
        if expected.direction == Direction::Input && expected.value != level.into() {
            expected.value = level.into();
            let rules: &[usize] = match (text, level) {
                ("KEY", Level::On) => &[0],
                ("KEY", Level::Off) => &[1],
                ("BELL", Level::On) => &[2],
                _ => &[],
            };
            rules.iter().for_each(|&rule| self.rules[rule].presses += 1);
            if text == "BELL" {
                self.gestures(level);
            }
        }
        self.tell(Fact::Edge { line, level, at: self.now });
    }

    /// Counts what an edge of BELL comes to, beside a press.
    fn gestures(&mut self, level: Level) {
        self.hold_is_over();
        self.held = (level == Level::On).then_some(self.now);
        if level == Level::On {
            let is_double = self.once.take().is_some_and(|once| self.now - once <= GESTURE);
            self.rules[4].presses += u64::from(is_double);
            self.once = (!is_double).then_some(self.now);
        }
    }

    fn hold_is_over(&mut self) {
        if self.held.take_if(|held| *held + GESTURE <= self.now).is_some() {
            self.rules[3].presses += 1;
        }
    }

    fn delivered(&mut self) {
        let Some(press) = self.random.take(&mut self.presses) else { return };
        let outcome = self.random.outcome();
        self.tell(Fact::Delivered { press, outcome });
    }

    fn time_passes(&mut self) {
        let most = self.random.pick(&[20, 20, 150]);
        self.now += Duration::from_millis(self.random.below(most));
        if self.random.below(3) > 0 {
            self.hold_is_over();
            self.expire();
            self.board.handle_timeout(self.now);
            assert!(self.board.timeout().is_none_or(|deadline| deadline > self.now));
            self.hear();
            self.check_motions();
        }
    }

    /// Lines that nothing is done to have what they should, and the board wants to be called for their next change.
    fn check_motions(&self) {
        for (name, expected) in &self.lines {
            let Some(motion) = &expected.motion else { continue };
            let is_open = |command: &Command| command.sets.iter().any(|(line, _)| line == name);
            if expected.acting.is_empty() && !self.commands.values().any(is_open) {
                let (level, next) = motion.at(self.now);
                assert_eq!(expected.value, level.into(), "{name} at {:?}", self.now);
                assert!(next.is_none_or(|next| self.board.timeout().is_some_and(|timeout| timeout <= next)), "{name}");
            }
        }
    }

    fn confirmed_or_lost(&mut self) {
        let level = self.random.pick(&[None, Some(Level::On), Some(Level::Off)]);
        let text = self.random.pick(&NAMES);
        let Some(expected) = self.lines.get(&name(text)) else { return };
        let (line, cause) = (expected.id, Cause::from("back-end"));
        let fact = match level {
            Some(level) => Fact::Confirmed { line, level, cause },
            None => Fact::Lost { line, cause },
        };
        self.tell(fact);
        // Before it come the changes that are due.
        self.hear();
        let Some(expected) = self.lines.get_mut(&name(text)) else { return };
        let before = std::mem::replace(&mut expected.value, level.map_or(Value::Unknown, Value::from));
        if before != expected.value {
            expected.motion = None;
            if text == "BELL" {
                (self.held, self.once) = (None, None);
            }
        }
    }

    fn hold_or_resume(&mut self) {
        if self.slow_held {
            self.board.resume(SLOW);
        } else {
            self.board.hold(SLOW);
        }
        self.slow_held = !self.slow_held;
    }

    fn remove_or_add_line(&mut self) {
        if self.lines.remove(&name("D")).is_some() {
            self.drop_lease("D");
            self.board.remove_line(self.now, &name("d")).unwrap();
        } else {
            self.add_line("D");
        }
    }

    fn turn_round(&mut self) {
        let direction = self.random.pick(&[Direction::Input, Direction::Output]);
        let expected = self.lines.get_mut(&name("C")).unwrap();
        if expected.direction != direction {
            *expected =
                Expected { direction, value: Value::Unknown, acting: Vec::new(), due: None, motion: None, ..*expected };
            self.drop_lease("C");
        }
        self.board.set_direction(self.now, &name("C"), direction).unwrap();
    }

    fn check_values(&self) {
        for (name, expected) in &self.lines {
            assert_eq!(self.board.read(name), Ok(expected.value), "{name}");
            assert_eq!(self.heard.get(name).copied().unwrap_or(Value::Unknown), expected.value, "{name}");
        }
        if !self.slow_held {
            assert_eq!(self.slow_count, self.heard_seq);
        }
    }

    /// Stops the board, settles what is under way, and holds the ends against the beginnings.
    fn end(mut self) {
        if self.slow_held {
            self.hold_or_resume();
        }
        self.leases.clear();
        self.is_stopping = true;
        self.lines.values_mut().for_each(|line| line.motion = None);
        self.board.stop(self.now);
        self.hear();
        while !self.board.is_idle() {
            assert!(!self.actions.is_empty() || !self.presses.is_empty(), "nothing left that could end it");
            self.acted();
            self.delivered();
            self.hear();
        }
        self.check_values();
        assert!(self.commands.is_empty(), "commands without reply");
        for (rule, expected) in self.board.rules().zip(&self.rules) {
            let counts = rule.counts();
            assert_eq!(expected.reported.len() as u64, expected.presses, "presses without report");
            assert_eq!(counts.done + counts.not_done + counts.unknown, expected.presses);
            assert_eq!(counts.waiting, 0);
        }
    }
}

#[test]
fn whatever_happens_in_whatever_order_every_promise_is_kept() {
    for seed in 1..=SEEDS {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            world.end();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}
