//! Who hears of changes, and what is kept for those who cannot keep up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fact::Instructions;
use crate::line::Lines;
use crate::{Cause, Instruction, LINES_MAX, LineName, Refusal, Value};

/// The most watchers of one board: a change is told to each of them at once, in about a millisecond at this number.
pub const WATCHERS_MAX: usize = 4096;

/// A watcher. The caller chooses the number; no two present watchers have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(pub u64);

/// A change of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number. The changes of a board are numbered from 1, in one sequence over all lines.
    pub seq: u64,
    /// The line that changed.
    pub line: LineName,
    /// What it has now.
    pub value: Value,
    /// When it changed.
    pub at: Duration,
    /// Who changed it.
    pub cause: Cause,
}

/// All watchers.
#[derive(Debug, Default)]
pub(crate) struct Watchers(BTreeMap<WatcherId, Watcher>);

#[derive(Debug)]
struct Watcher {
    /// The lines it wants to hear of; empty for all. Names, so that a line may go and come back.
    lines: BTreeSet<LineName>,
    held: Option<Held>,
}

/// What happened while a watcher was held.
#[derive(Debug, Default)]
struct Held {
    /// The last event of each line, at most [`LINES_MAX`].
    last: BTreeMap<LineName, Event>,
    /// The events that are in `last` no more.
    missed: u32,
}

impl Watchers {
    pub(crate) fn add(&mut self, id: WatcherId, names: Vec<LineName>, lines: &Lines) -> Result<(), Refusal> {
        if self.0.contains_key(&id) {
            return Err(Refusal::WatcherTaken);
        }
        if self.0.len() >= WATCHERS_MAX {
            return Err(Refusal::WatchersFull);
        }
        for name in &names {
            lines.find(name)?;
        }
        self.0.insert(id, Watcher { lines: names.into_iter().collect(), held: None });
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: WatcherId) {
        self.0.remove(&id);
    }

    pub(crate) fn hold(&mut self, id: WatcherId) {
        if let Some(watcher) = self.0.get_mut(&id) {
            watcher.held.get_or_insert_default();
        }
    }

    /// Tells a held watcher the last event of each line that changed meanwhile.
    pub(crate) fn resume(&mut self, id: WatcherId, out: &mut Instructions) {
        let Some(held) = self.0.get_mut(&id).and_then(|watcher| watcher.held.take()) else { return };
        let mut missed = held.missed;
        let mut events: Vec<Event> = held.last.into_values().collect();
        events.sort_unstable_by_key(|event| event.seq);
        for event in events {
            out.push_back(Instruction::Notify { watcher: id, event, missed });
            missed = 0;
        }
    }

    /// Tells everyone who wants to hear of it.
    pub(crate) fn notify(&mut self, event: &Event, out: &mut Instructions) {
        for (&id, watcher) in &mut self.0 {
            if !watcher.lines.is_empty() && !watcher.lines.contains(&event.line) {
                continue;
            }
            match &mut watcher.held {
                Some(held) => held.keep(event.clone()),
                None => out.push_back(Instruction::Notify { watcher: id, event: event.clone(), missed: 0 }),
            }
        }
    }
}

impl Held {
    fn keep(&mut self, event: Event) {
        let mut forgotten = self.last.insert(event.line.clone(), event).is_some();
        // Only lines that come and go can be more than a board holds; the news of the oldest is forgotten then.
        if self.last.len() > LINES_MAX
            && let Some(oldest) = self.last.values().min_by_key(|event| event.seq).map(|event| event.line.clone())
        {
            forgotten = self.last.remove(&oldest).is_some();
        }
        self.missed = self.missed.saturating_add(u32::from(forgotten));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Scene, ms, name};
    use crate::{Board, Level, LineSpec};

    const NOTHING: [&str; 0] = [];
    const SLOW: WatcherId = WatcherId(7);

    #[test]
    fn a_watcher_hears_only_of_its_lines() {
        let mut scene = Scene::new(&[], &["A", "B"]);
        scene.board.watch(WatcherId(1), vec![name("b")]).unwrap();
        scene.board.watch(WatcherId(2), vec![]).unwrap();
        scene.edge("A", Level::On);
        scene.edge("B", Level::On);
        assert_eq!(scene.said(), ["tell 2: #1 A on", "tell 1: #2 B on", "tell 2: #2 B on"]);
    }

    #[test]
    fn a_slow_watcher_gets_a_snapshot_with_the_count_of_what_it_missed() {
        let mut scene = Scene::new(&[], &["A", "B", "C"]);
        scene.board.watch(SLOW, vec![name("A"), name("B")]).unwrap();
        scene.board.hold(SLOW);
        for (line, level) in [("B", Level::On), ("A", Level::On), ("C", Level::On), ("A", Level::Off), ("A", Level::On)]
        {
            scene.edge(line, level);
        }
        scene.board.hold(SLOW);
        assert_eq!(scene.said(), NOTHING);
        scene.board.resume(SLOW);
        assert_eq!(scene.said(), ["tell 7: #1 B on (2 missed)", "tell 7: #5 A on"]);
        scene.edge("A", Level::Off);
        assert_eq!(scene.said(), ["tell 7: #6 A off"]);
    }

    #[test]
    fn a_resumed_watcher_that_missed_nothing_is_told_nothing() {
        let mut scene = Scene::new(&[], &["A"]);
        scene.board.watch(SLOW, vec![]).unwrap();
        scene.board.resume(SLOW);
        scene.board.hold(SLOW);
        scene.board.resume(SLOW);
        assert_eq!(scene.said(), NOTHING);
    }

    #[test]
    fn watchers_of_a_removed_line_learn_that_it_is_unknown_and_hear_of_its_return() {
        let mut scene = Scene::new(&[], &["A"]);
        scene.board.watch(SLOW, vec![name("A")]).unwrap();
        scene.edge("A", Level::On);
        scene.board.remove_line(ms(2), &name("A")).unwrap();
        assert_eq!(scene.said(), ["tell 7: #1 A on", "tell 7: #2 A unknown"]);
        scene.board.add_line(ms(3), LineSpec::input(name("A"))).unwrap();
        scene.edge("A", Level::On);
        assert_eq!(scene.said(), ["tell 7: #3 A on"]);
    }

    #[test]
    fn a_command_that_changes_nothing_is_no_event() {
        let mut scene = Scene::with_led_off();
        scene.board.watch(SLOW, vec![]).unwrap();
        scene.ask(1, "LED off");
        scene.said();
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: LED off"]);
        scene.ask(2, "LED on");
        scene.said();
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["tell 7: #2 LED on", "reply 2: LED on"]);
    }

    #[test]
    fn a_watcher_is_refused_when_its_line_or_its_number_is_wrong() {
        let mut board = Board::new();
        assert_eq!(board.watch(SLOW, vec![name("X")]), Err(Refusal::UnknownLine(name("X"))));
        assert_eq!(board.watch(SLOW, vec![]), Ok(()));
        assert_eq!(board.watch(SLOW, vec![]), Err(Refusal::WatcherTaken));
        board.unwatch(SLOW);
        assert_eq!(board.watch(SLOW, vec![]), Ok(()));
    }

    #[test]
    fn one_watcher_more_than_the_bound_is_refused() {
        let mut board = Board::new();
        for n in 0..WATCHERS_MAX as u64 {
            board.watch(WatcherId(n), vec![]).unwrap();
        }
        assert_eq!(board.watch(WatcherId(u64::MAX), vec![]), Err(Refusal::WatchersFull));
    }

    #[test]
    fn a_held_watcher_costs_no_more_than_a_board_of_lines() {
        let mut held = Held::default();
        for seq in 1..=LINES_MAX as u64 + 5 {
            let line = name(&format!("L{seq}"));
            held.keep(Event { seq, line, value: Value::Unknown, at: ms(0), cause: "removed".into() });
        }
        assert_eq!((held.last.len(), held.missed), (LINES_MAX, 5));
        assert!(held.last.values().all(|event| event.seq > 5));
    }
}
