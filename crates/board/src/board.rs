//! The board itself: one `match` over the facts.

mod leasing;
mod moving;

use std::time::Duration;

use crate::blink::Motions;
use crate::command::Order;
use crate::fact::Instructions;
use crate::lease::Leases;
use crate::line::Lines;
use crate::owed::Debts;
use crate::queue::{Queue, refused};
use crate::rule::Rules;
use crate::watch::Watchers;
use crate::{
    ActionId, Cause, Command, Direction, Fact, Failure, Instruction, Level, Line, LineId, LineName, LineSpec, Preset,
    Refusal, Rule, RuleId, RuleSpec, Taken, Value, Verb, WatcherId,
};

/// The lines of a process, their values, watchers and rules.
///
/// `now` is the time on the caller's clock, which starts anywhere and does not go back. After every call, instructions
/// may be waiting: [`poll`](Self::poll) until it says `None`. The crate's first page has an example.
#[derive(Debug, Default)]
pub struct Board {
    lines: Lines,
    queue: Queue,
    leases: Leases,
    motions: Motions,
    debts: Debts,
    watchers: Watchers,
    rules: Rules,
    phase: Phase,
    out: Instructions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Fresh,
    Started,
    Stopping,
}

/// What happens.
impl Board {
    /// Makes a board without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a fact.
    pub fn handle(&mut self, now: Duration, fact: Fact) {
        match &fact {
            // No change of a line that blinks comes of one that was done: where back-ends are slower than lines blink, one
            // would follow the other without end.
            Fact::Acted { .. } => self.end_leases(now),
            // A board that was held up must not take what came after the end of a lease, or of a pulse, before that end.
            _ => self.catch_up(now),
        }
        match fact {
            Fact::Command(command) => self.command(now, command),
            Fact::Acted { action, line, outcome, at } => self.acted(now, (action, line), outcome, at),
            Fact::Edge { line, level, at } => self.edge(now, line, level, at),
            Fact::Confirmed { line, level, cause } => {
                self.debts.told(now, line, level);
                self.told(now, line, level.into(), cause);
            }
            Fact::Lost { line, cause } => self.told(now, line, Value::Unknown, cause),
            Fact::Delivered { press, outcome } => self.rules.delivered(now, press, outcome, &mut self.out),
        }
    }

    /// Ends the leases that were not renewed, and the commands and presses whose deadline has passed while they waited,
    /// changes the lines that pulse or blink, tries again what lines are owed, and sets off the rules of inputs that are held. Edges that happened before
    /// `now` are to be told first.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.end_leases(now);
        self.queue.expire(now, &self.lines, &mut self.out);
        self.step(now);
        self.pay(now);
        self.rules.handle_timeout(now, &mut self.out);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) wants to be called, which may have been; `None` while nothing
    /// waits that could expire, no input is held that could set off a rule, and no line pulses, blinks or is owed its safe value.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let moves = self.free_times().chain(self.pay_times()).map(|(_, at)| at);
        [self.queue.timeout(), self.rules.timeout(), self.leases.timeout()].into_iter().flatten().chain(moves).min()
    }

    /// Returns the next instruction; `None` when the board has said all.
    pub fn poll(&mut self) -> Option<Instruction> {
        self.out.pop_front()
    }

    /// Gives each output its start value, except those that keep what they have. The second call does nothing.
    ///
    /// Commands are served before, too. An output that is added later gets its start value then.
    pub fn start(&mut self, now: Duration) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Started;
            self.preset_all(now, "start", |spec| spec.start);
        }
    }

    /// Gives each output its stop value, except those that keep what they have. The second call does nothing.
    ///
    /// Leases, pulses and blinks end, and what waits is refused, as is every later command and press; actions and deliveries under way go on,
    /// and the stop value comes after them. [`is_idle`](Self::is_idle) says when all is done.
    pub fn stop(&mut self, now: Duration) {
        if self.phase != Phase::Stopping {
            self.phase = Phase::Stopping;
            self.rules.close(&mut self.out);
            self.leases.clear();
            self.motions.clear();
            self.debts.clear();
            self.queue.refuse(now, &self.lines, &self.queue.waiting(), &Refusal::Stopping, &mut self.out);
            self.preset_all(now, "stop", |spec| spec.stop);
        }
    }

    /// Says whether nothing is under way: every action and every delivery has its outcome, and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_idle() && self.rules.is_idle()
    }

    fn command(&mut self, now: Duration, command: Command) {
        let ticket = command.ticket;
        match self.admit(now, command) {
            Ok(order) => drop(self.queue.push(now, &self.lines, order, &mut self.out)),
            Err(refusal) => self.out.push_back(refused(ticket, refusal)),
        }
    }

    fn admit(&self, now: Duration, command: Command) -> Result<Order, Refusal> {
        let order = command.check(now, &self.lines)?;
        if self.phase == Phase::Stopping {
            return Err(Refusal::Stopping);
        }
        if let Some((_, owner)) = &order.asker {
            for line in order.lines().filter_map(|line| self.lines.get(line)) {
                self.leases.bars(line, owner, now)?;
            }
        }
        match self.queue.busy(&order).and_then(|line| self.lines.get(line)) {
            Some(line) => Err(Refusal::Busy(line.name().clone())),
            None => Ok(order),
        }
    }

    fn acted(&mut self, now: Duration, (action, line): (ActionId, LineId), outcome: Taken, at: Option<Duration>) {
        let Some(settled) = self.queue.settle(action, line, outcome.clone(), at) else { return };
        self.debts.settled(now, line, action, &outcome);
        self.move_on(now, line, action, &settled);
        if let Some(value) = settled.value {
            self.change(line, value, at.unwrap_or(now), settled.cause);
        }
        self.queue.go_on(now, &self.lines, action, line, &mut self.out);
    }

    fn edge(&mut self, now: Duration, line: LineId, level: Level, at: Duration) {
        let Some(input) = self.lines.get(line).filter(|line| line.direction() == Direction::Input) else { return };
        if input.value() != level.into() {
            let name = input.name().clone();
            self.change(line, level.into(), at, "edge".into());
            self.rules.edge(now, &name, level, at, &mut self.out);
        }
    }

    /// Takes a value that is news and no edge: nobody can say since when an input has it.
    fn told(&mut self, now: Duration, line: LineId, value: Value, cause: Cause) {
        if let Some(line) = self.lines.get(line).filter(|line| line.value() != value) {
            self.rules.forget(line.name());
            self.motions.end(line.id());
        }
        self.change(line, value, now, cause);
    }

    fn change(&mut self, line: LineId, value: Value, at: Duration, cause: Cause) {
        if let Some(event) = self.lines.change(line, value, at, cause) {
            self.watchers.notify(&event, &mut self.out);
        }
    }

    fn preset_all(&mut self, now: Duration, cause: &str, preset: fn(&LineSpec) -> Preset) {
        let presets: Vec<_> = self.lines.iter().map(|line| (line.id(), preset(line.spec()))).collect();
        for (line, preset) in presets {
            self.preset(now, line, preset, cause);
        }
    }

    fn preset(&mut self, now: Duration, line: LineId, preset: Preset, cause: &str) {
        let is_output = self.lines.get(line).is_some_and(|line| line.direction() == Direction::Output);
        if let Some(level) = preset.level().filter(|_| is_output) {
            self.set(now, line, level.into(), cause.into());
        }
    }

    /// Sets an output of its own accord, behind what waits for it.
    fn set(&mut self, now: Duration, line: LineId, verb: Verb, cause: Cause) -> ActionId {
        let order = Order { asker: None, cause, sets: vec![(line, verb)], deadline: None, hops: 0 };
        self.queue.push(now, &self.lines, order, &mut self.out)
    }
}

/// Lines.
impl Board {
    /// Adds a line, whose value is unknown until a back-end reports it. An output of a started board gets its start
    /// value at once.
    ///
    /// # Errors
    ///
    /// [`Refusal::NameTaken`], or [`Refusal::LinesFull`] at [`LINES_MAX`](crate::LINES_MAX).
    pub fn add_line(&mut self, now: Duration, spec: LineSpec) -> Result<LineId, Refusal> {
        let start = spec.start;
        let line = self.lines.add(now, spec)?;
        if self.phase == Phase::Started {
            self.preset(now, line, start, "start");
        }
        Ok(line)
    }

    /// Removes a line as it is; its stop value is not set. Its watchers learn that it is unknown.
    ///
    /// Commands that wait for it are refused. One that acts on it ends unknown, for the back-end may have done it.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLine`].
    pub fn remove_line(&mut self, now: Duration, name: &LineName) -> Result<(), Refusal> {
        let line = self.lines.find(name)?;
        let (id, refusal) = (line.id(), Refusal::Removed(line.name().clone()));
        self.abandon(now, id, &refusal, "removed");
        self.lines.remove(id);
        Ok(())
    }

    /// Turns a line round, which makes its value unknown. Commands on it end as when it is removed. Nothing happens if
    /// it goes that way already.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLine`].
    pub fn set_direction(&mut self, now: Duration, name: &LineName, direction: Direction) -> Result<(), Refusal> {
        let line = self.lines.find(name)?;
        if line.direction() != direction {
            let (id, refusal) = (line.id(), Refusal::NotAnOutput(line.name().clone()));
            self.abandon(now, id, &refusal, "redirected");
            self.lines.set_direction(id, direction);
        }
        Ok(())
    }

    /// Returns what a line has.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLine`].
    pub fn read(&self, name: &LineName) -> Result<Value, Refusal> {
        self.lines.find(name).map(Line::value)
    }

    /// Returns a line and what is known of it.
    #[must_use]
    pub fn line(&self, name: &LineName) -> Option<&Line> {
        self.lines.named(name)
    }

    /// Returns all lines, in the order in which they were added.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// Ends every command on a line, and forgets its value.
    fn abandon(&mut self, now: Duration, line: LineId, refusal: &Refusal, cause: &'static str) {
        self.drop_lease(line);
        self.motions.end(line);
        self.debts.forget(line);
        let waiting = self.queue.waiting_for(line);
        self.queue.refuse(now, &self.lines, &waiting, refusal, &mut self.out);
        for action in self.queue.acting_on(line) {
            let reason = format!("{cause} before the back-end answered");
            self.acted(now, (action, line), Err(Failure::Unknown(reason.into())), None);
        }
        self.change(line, Value::Unknown, now, cause.into());
    }
}

/// Watchers.
impl Board {
    /// Lets a watcher hear of the changes of these lines from now on, or of all lines if it names none. It is told no
    /// present values: [`lines`](Self::lines) has them.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLine`], [`Refusal::WatcherTaken`], or [`Refusal::WatchersFull`] at
    /// [`WATCHERS_MAX`](crate::WATCHERS_MAX).
    pub fn watch(&mut self, watcher: WatcherId, lines: Vec<LineName>) -> Result<(), Refusal> {
        self.watchers.add(watcher, lines, &self.lines)
    }

    /// Forgets a watcher. One that is not there is ignored, here and below.
    pub fn unwatch(&mut self, watcher: WatcherId) {
        self.watchers.remove(watcher);
    }

    /// Tells a watcher nothing more until [`resume`](Self::resume), because its queue is full.
    pub fn hold(&mut self, watcher: WatcherId) {
        self.watchers.hold(watcher);
    }

    /// Tells a held watcher the last event of each line that changed meanwhile, the first with the number of events it
    /// will never hear of, and then every change again.
    pub fn resume(&mut self, watcher: WatcherId) {
        self.watchers.resume(watcher, &mut self.out);
    }
}

/// Rules.
impl Board {
    /// Adds a rule. It keeps silent while its line is not there or not an input.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLine`], [`Refusal::NotAnInput`], or [`Refusal::RulesFull`] at
    /// [`RULES_MAX`](crate::RULES_MAX).
    pub fn add_rule(&mut self, spec: RuleSpec) -> Result<RuleId, Refusal> {
        let line = self.lines.find(&spec.line)?;
        if line.direction() != Direction::Input {
            return Err(Refusal::NotAnInput(spec.line));
        }
        self.rules.add(spec)
    }

    /// Returns all rules, in the order in which they were added.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, ms, name};

    const NOTHING: [&str; 0] = [];

    /// Makes a board with the lamps A (off at start and stop), B (on, kept), C (kept, on) and an input.
    fn scene() -> Scene {
        let mut scene = Scene::new(&["A"], &["IN"]);
        let [b, c] = ["B", "C"].map(|text| LineSpec::output(name(text)));
        let b = LineSpec { start: Preset::On, stop: Preset::Keep, ..b };
        let c = LineSpec { start: Preset::Keep, stop: Preset::On, ..c };
        scene.board.add_line(ms(0), b).unwrap();
        scene.board.add_line(ms(0), c).unwrap();
        scene
    }

    #[test]
    fn the_start_presets_each_output_once() {
        let mut scene = scene();
        scene.board.start(ms(0));
        scene.board.start(ms(0));
        assert_eq!(scene.said(), ["act: A off", "act: B on"]);
        assert!(!scene.board.is_idle());
        scene.acted(Ok(()));
        scene.acted(Ok(()));
        assert!(scene.board.is_idle());
        assert_eq!(scene.board.line(&name("B")).unwrap().cause(), Some(&"start".into()));
        assert_eq!(scene.said(), NOTHING);
    }

    #[test]
    fn an_output_added_to_a_started_board_gets_its_start_value() {
        let mut scene = scene();
        scene.board.start(ms(0));
        scene.said();
        scene.board.add_line(ms(1), LineSpec::output(name("D"))).unwrap();
        scene.board.add_line(ms(1), LineSpec::input(name("IN2"))).unwrap();
        assert_eq!(scene.said(), ["act: D off"]);
    }

    #[test]
    fn the_stop_refuses_what_waits_and_presets_after_what_acts() {
        let mut scene = scene();
        scene.ask(1, "A on");
        scene.ask(2, "A toggle");
        assert_eq!(scene.said(), ["act: A on"]);
        scene.board.stop(ms(1));
        scene.ask(3, "B on");
        let stopping = "the board is stopping";
        assert_eq!(scene.said(), [&format!("refuse 2: {stopping}"), "act: C on", &format!("refuse 3: {stopping}")]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: A on", "act: A off"]);
        assert!(!scene.board.is_idle());
        scene.acted(Ok(()));
        scene.acted(Ok(()));
        assert!(scene.board.is_idle());
        assert_eq!((scene.value("A").as_str(), scene.value("C").as_str()), ("off", "on"));
    }

    #[test]
    fn a_removed_line_takes_its_commands_along() {
        let mut scene = scene();
        scene.board.watch(WatcherId(1), vec![]).unwrap();
        scene.confirm("A", Level::Off);
        scene.ask(1, "A on, C on");
        scene.ask(2, "A off");
        scene.ask(3, "C off, A off");
        scene.ask(4, "C off");
        assert_eq!(scene.said(), ["tell 1: #1 A off", "act: A on C on"]);
        scene.board.remove_line(ms(1), &name("A")).unwrap();
        let said = ["refuse 2: A was removed", "refuse 3: A was removed", "tell 1: #2 A unknown"];
        assert_eq!(scene.said(), said);
        scene.acted(Ok(()));
        scene.acted(Ok(()));
        let unknown = "refuse 1: whether A was set is unknown: removed before the back-end answered";
        assert_eq!(scene.said(), ["tell 1: #3 C on", unknown, "act: C off"]);
        assert_eq!(scene.board.read(&name("A")), Err(Refusal::UnknownLine(name("A"))));
    }

    #[test]
    fn a_line_that_turns_round_is_unknown_and_refuses_commands() {
        let mut scene = scene();
        scene.confirm("A", Level::On);
        scene.ask(1, "A off");
        scene.ask(2, "A on");
        scene.said();
        scene.board.set_direction(ms(1), &name("A"), Direction::Output).unwrap();
        assert_eq!(scene.said(), NOTHING);
        scene.board.set_direction(ms(1), &name("A"), Direction::Input).unwrap();
        let unknown = "refuse 1: whether A was set is unknown: redirected before the back-end answered";
        assert_eq!(scene.said(), ["refuse 2: A is an input and cannot be set", unknown]);
        assert_eq!(scene.value("A"), "unknown");
        scene.edge("A", Level::On);
        assert_eq!(scene.value("A"), "on");
    }

    #[test]
    fn a_lost_line_is_unknown_until_it_is_confirmed() {
        let mut scene = Scene::with_led_off();
        let line = scene.line("LED");
        scene.board.handle(ms(7), Fact::Lost { line, cause: "chip gone".into() });
        let led = scene.board.line(&name("LED")).unwrap();
        assert_eq!((led.value(), led.since(), led.cause()), (Value::Unknown, ms(7), Some(&"chip gone".into())));
        scene.confirm("LED", Level::On);
        assert_eq!(scene.value("LED"), "on");
    }

    #[test]
    fn facts_about_what_is_not_there_are_ignored() {
        let mut scene = scene();
        let (line, output) = (scene.line("IN"), scene.line("A"));
        scene.board.remove_line(ms(1), &name("IN")).unwrap();
        for level in [Level::On, Level::Off] {
            scene.board.handle(ms(2), Fact::Edge { line, level, at: ms(2) });
            scene.board.handle(ms(2), Fact::Edge { line: output, level, at: ms(2) });
            scene.board.handle(ms(2), Fact::Confirmed { line, level, cause: "test".into() });
        }
        assert_eq!(scene.said(), NOTHING);
        assert_eq!(scene.value("A"), "unknown");
    }

    #[test]
    fn lines_are_listed_in_the_order_they_were_added() {
        let names: Vec<String> = scene().board.lines().map(|line| line.name().to_string()).collect();
        assert_eq!(names, ["A", "IN", "B", "C"]);
    }
}
