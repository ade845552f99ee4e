//! The lines of a board, and what is known of each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Cause, Direction, Event, Keeper, LineName, Preset, Refusal, Value};

/// The most lines of one board: no board has as many pins, and `LINES` stays one screenful of kilobytes.
pub const LINES_MAX: usize = 1024;

/// A line, as back-ends know it. The board never gives the same one to two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(u64);

/// What a line shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineSpec {
    /// Its name.
    pub name: LineName,
    /// Which way it goes.
    pub direction: Direction,
    /// Who keeps its value and the order of its commands.
    pub keeper: Keeper,
    /// What it gets at the start, as an output.
    pub start: Preset,
    /// What it gets at a clean stop, as an output.
    pub stop: Preset,
    /// What it gets when its owner is gone, as an output.
    pub safe: Preset,
    /// Whether who wants a lease gets it although another has one.
    pub may_be_taken_over: bool,
}

impl LineSpec {
    /// Describes an input.
    #[must_use]
    pub fn input(name: LineName) -> Self {
        Self { direction: Direction::Input, ..Self::output(name) }
    }

    /// Describes an output of this board that is off at the start, at a stop, and when its owner is gone, and that is not
    /// taken over.
    #[must_use]
    pub fn output(name: LineName) -> Self {
        let direction = Direction::Output;
        Self {
            name,
            direction,
            keeper: Keeper::Board,
            start: Preset::Off,
            stop: Preset::Off,
            safe: Preset::Off,
            may_be_taken_over: false,
        }
    }
}

/// A line and what is known of it.
///
/// Value, cause, time and sequence number are those of its last event: a command that gives a line what it has already
/// changes none of them.
#[derive(Clone, Debug)]
pub struct Line {
    id: LineId,
    spec: LineSpec,
    value: Value,
    cause: Option<Cause>,
    since: Duration,
    seq: u64,
}

impl Line {
    /// Returns what back-ends call it.
    #[must_use]
    pub fn id(&self) -> LineId {
        self.id
    }

    /// Returns its name, presets and safe level, and which way it goes now.
    #[must_use]
    pub fn spec(&self) -> &LineSpec {
        &self.spec
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &LineName {
        &self.spec.name
    }

    /// Returns which way it goes now.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.spec.direction
    }

    /// Returns what a back-end last confirmed.
    #[must_use]
    pub fn value(&self) -> Value {
        self.value
    }

    /// Returns who gave it its value; `None` if nobody did since it was added.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns since when it has its value.
    #[must_use]
    pub fn since(&self) -> Duration {
        self.since
    }

    /// Returns the sequence number of its last event, 0 before the first. A watcher that was away and last heard of
    /// number n has missed the lines whose number is greater.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// All lines, by number and by name, and the one sequence of their events.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: BTreeMap<LineId, Line>,
    /// Holds exactly the names of `lines`.
    ids: BTreeMap<LineName, LineId>,
    last_id: u64,
    last_seq: u64,
}

impl Lines {
    pub(crate) fn add(&mut self, now: Duration, spec: LineSpec) -> Result<LineId, Refusal> {
        if self.ids.contains_key(&spec.name) {
            return Err(Refusal::NameTaken(spec.name));
        }
        if self.lines.len() >= LINES_MAX {
            return Err(Refusal::LinesFull);
        }
        self.last_id += 1;
        let id = LineId(self.last_id);
        self.ids.insert(spec.name.clone(), id);
        self.lines.insert(id, Line { id, spec, value: Value::Unknown, cause: None, since: now, seq: 0 });
        Ok(id)
    }

    pub(crate) fn remove(&mut self, id: LineId) {
        if let Some(line) = self.lines.remove(&id) {
            self.ids.remove(line.name());
        }
    }

    pub(crate) fn set_direction(&mut self, id: LineId, direction: Direction) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.spec.direction = direction;
        }
    }

    pub(crate) fn get(&self, id: LineId) -> Option<&Line> {
        self.lines.get(&id)
    }

    pub(crate) fn named(&self, name: &LineName) -> Option<&Line> {
        self.lines.get(self.ids.get(name)?)
    }

    /// Says whether a far board keeps a line.
    pub(crate) fn is_far(&self, id: LineId) -> bool {
        self.get(id).is_some_and(|line| line.spec.keeper == Keeper::Far)
    }

    pub(crate) fn find(&self, name: &LineName) -> Result<&Line, Refusal> {
        self.named(name).ok_or_else(|| Refusal::UnknownLine(name.clone()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    /// Gives a line its value. Returns the event where that is a change.
    pub(crate) fn change(&mut self, id: LineId, value: Value, at: Duration, cause: Cause) -> Option<Event> {
        let line = self.lines.get_mut(&id).filter(|line| line.value != value)?;
        self.last_seq += 1;
        line.value = value;
        line.since = at;
        line.seq = self.last_seq;
        line.cause = Some(cause.clone());
        Some(Event { seq: line.seq, line: line.spec.name.clone(), value, at, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ms, name};

    #[test]
    fn a_name_can_be_used_once_in_any_case() {
        let mut lines = Lines::default();
        lines.add(ms(0), LineSpec::output(name("LED"))).unwrap();
        assert_eq!(lines.add(ms(0), LineSpec::input(name("led"))), Err(Refusal::NameTaken(name("led"))));
    }

    #[test]
    fn a_name_given_again_is_another_line() {
        let mut lines = Lines::default();
        let old = lines.add(ms(0), LineSpec::output(name("LED"))).unwrap();
        lines.remove(old);
        let new = lines.add(ms(0), LineSpec::output(name("LED"))).unwrap();
        assert_ne!(old, new);
        assert!(lines.get(old).is_none());
    }

    #[test]
    fn one_line_more_than_the_bound_is_refused() {
        let mut lines = Lines::default();
        for n in 0..LINES_MAX {
            lines.add(ms(0), LineSpec::output(name(&format!("L{n}")))).unwrap();
        }
        assert_eq!(lines.add(ms(0), LineSpec::output(name("LED"))), Err(Refusal::LinesFull));
    }

    #[test]
    fn a_value_confirmed_again_is_no_change() {
        let mut lines = Lines::default();
        let id = lines.add(ms(0), LineSpec::output(name("LED"))).unwrap();
        let event = lines.change(id, Value::On, ms(1), "a".into()).unwrap();
        assert_eq!(event, Event { seq: 1, line: name("LED"), value: Value::On, at: ms(1), cause: "a".into() });
        assert_eq!(lines.change(id, Value::On, ms(2), "b".into()), None);
        let line = lines.get(id).unwrap();
        assert_eq!((line.since(), line.seq(), line.cause()), (ms(1), 1, Some(&"a".into())));
    }
}
