//! Our own debouncing: of the first edge, and where the driver refuses, of what has settled.

use crate::config::DebounceMode;
use soquete_board::Level;
use std::time::Duration;

/// What an input was heard to have, and until when it bounces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debounce {
    mode: DebounceMode,
    time: Duration,
    /// What was told.
    told: Level,
    /// What the line has, and since when.
    raw: (Level, Duration),
    /// When it is looked at again.
    until: Option<Duration>,
}

impl Debounce {
    /// Begins with what the line has.
    pub(crate) fn new(mode: DebounceMode, time: Duration, level: Level) -> Self {
        Debounce { mode, time, told: level, raw: (level, Duration::ZERO), until: None }
    }

    /// Takes an edge; [`handle_timeout`](Self::handle_timeout) was called for the time of it. Says whether it counts.
    pub(crate) fn edge(&mut self, level: Level, at: Duration) -> bool {
        self.raw = (level, at);
        match self.mode {
            DebounceMode::FirstEdge => self.until.is_none() && self.tell(at),
            DebounceMode::Settled => {
                self.until = (level != self.told).then(|| at.saturating_add(self.time));
                false
            }
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) wants to be called, if at all.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.until
    }

    /// Looks at the line once the time is over. Returns what it has got, if that counts now, and when: in the mode of the
    /// first edge when the edge was, in the other when it had settled, as the kernel says it.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<(Level, Duration)> {
        let until = self.until.take_if(|until| *until <= now)?;
        match self.mode {
            DebounceMode::FirstEdge => self.tell(until).then_some(self.raw),
            DebounceMode::Settled => {
                self.told = self.raw.0;
                Some((self.told, until))
            }
        }
    }

    /// Tells what the line has, if that is news, and does not listen for a while.
    fn tell(&mut self, at: Duration) -> bool {
        let is_news = self.raw.0 != self.told;
        if is_news {
            self.told = self.raw.0;
            self.until = Some(at.saturating_add(self.time));
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::scene::{Scene, input, with};
    use super::super::stamp::monotonic;
    use super::*;
    use DebounceMode::{FirstEdge, Settled};
    use Level::{Off, On};
    use soquete_board::Fact;

    const TIME_MS: u64 = 10;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What counts: a level, when, and at which of the moments it was told.
    type Counted = (Level, u64, u64);

    /// Plays edges at milliseconds to an input that is off and is debounced for 10 ms, and returns what counts. Time is told
    /// at these moments too, as late as they are.
    fn play_at(mode: DebounceMode, edges: &[(u64, Level)], moments: impl IntoIterator<Item = u64>) -> Vec<Counted> {
        let mut debounce = Debounce::new(mode, ms(TIME_MS), Off);
        let mut counted = Vec::new();
        let mut moments = moments.into_iter().chain([1_000_000]).peekable();
        let mut edges = edges.iter().peekable();
        while let Some(&moment) = moments.peek() {
            let edge = edges.next_if(|(at, _)| *at <= moment);
            let now = edge.map_or(moment, |(at, _)| *at);
            let over = std::iter::from_fn(|| debounce.handle_timeout(ms(now)));
            counted.extend(over.map(|(level, at)| (level, at, now)).collect::<Vec<_>>());
            match edge {
                Some(&(at, level)) if debounce.edge(level, ms(at)) => counted.push((level, ms(at), at)),
                Some(_) => {}
                None => drop(moments.next()),
            }
        }
        let whole = |at: Duration| u64::try_from(at.as_millis()).unwrap();
        counted.into_iter().map(|(level, at, now)| (level, whole(at), now)).collect()
    }

    fn play(mode: DebounceMode, edges: &[(u64, Level)]) -> Vec<(Level, u64)> {
        play_at(mode, edges, []).into_iter().map(|(level, at, _)| (level, at)).collect()
    }

    #[test]
    fn the_first_edge_counts_at_once_and_what_bounces_behind_it_does_not() {
        assert_eq!(play(FirstEdge, &[(100, On), (101, Off), (102, On), (103, Off), (104, On)]), [(On, 100)]);
        assert_eq!(
            play(FirstEdge, &[(100, On), (102, Off), (103, On), (300, Off), (301, On), (302, Off)]),
            [(On, 100), (Off, 300)]
        );
    }

    #[test]
    fn a_release_within_the_time_counts_when_it_is_over_as_of_when_it_was() {
        assert_eq!(play(FirstEdge, &[(100, On), (105, Off)]), [(On, 100), (Off, 105)]);
        assert_eq!(play(FirstEdge, &[(100, On), (105, Off), (111, On)]), [(On, 100), (Off, 105), (On, 111)]);
    }

    #[test]
    fn what_counts_late_is_debounced_too() {
        let mut debounce = Debounce::new(FirstEdge, ms(10), Off);
        assert!(debounce.edge(On, ms(100)));
        assert!(!debounce.edge(Off, ms(105)));
        assert_eq!(debounce.timeout(), Some(ms(110)));
        assert_eq!(debounce.handle_timeout(ms(109)), None);
        assert_eq!(debounce.handle_timeout(ms(115)), Some((Off, ms(105))));
        assert!(!debounce.edge(On, ms(116)));
        assert_eq!(debounce.handle_timeout(ms(120)), Some((On, ms(116))));
        assert_eq!(debounce.timeout(), Some(ms(130)));
        assert_eq!((debounce.handle_timeout(ms(130)), debounce.timeout()), (None, None));
    }

    #[test]
    fn an_edge_to_what_it_has_is_none() {
        assert_eq!(play(FirstEdge, &[(100, Off), (105, On), (120, On)]), [(On, 105)]);
        assert_eq!(play(Settled, &[(100, Off), (105, On), (120, On)]), [(On, 115)]);
    }

    #[test]
    fn what_has_settled_counts_once_it_has() {
        assert_eq!(play(Settled, &[(100, On), (101, Off), (102, On)]), [(On, 112)]);
        assert_eq!(play(Settled, &[(100, On), (110, Off), (111, On), (200, Off)]), [(On, 110), (Off, 210)]);
    }

    #[test]
    fn a_spike_counts_where_the_first_edge_does_and_not_where_it_has_to_settle() {
        assert_eq!(play(FirstEdge, &[(100, On), (101, Off)]), [(On, 100), (Off, 101)]);
        assert_eq!(play(Settled, &[(100, On), (101, Off)]), []);
    }

    /// Says what counts, millisecond by millisecond, too simply to be wrong.
    fn model(mode: DebounceMode, edges: &[(u64, Level)]) -> Vec<(Level, u64)> {
        let (mut told, mut level, mut since, mut deaf_until) = (Off, Off, 0, 0);
        let mut counted = Vec::new();
        for now in 0..=edges.last().map_or(0, |(at, _)| at + 3 * TIME_MS) {
            if level != told && mode == Settled && now == since + TIME_MS {
                told = level;
                counted.push((level, now));
            }
            let here = edges.iter().filter(|(at, _)| *at == now).map(|(_, level)| Some(*level));
            for edge in std::iter::once(None).chain(here) {
                (level, since) = edge.map_or((level, since), |level| (level, now));
                if level != told && mode == FirstEdge && now >= deaf_until {
                    (told, deaf_until) = (level, now + TIME_MS);
                    counted.push((level, since));
                }
            }
        }
        counted
    }

    #[test]
    fn whatever_edges_there_are_the_value_is_the_level_once_it_is_quiet_and_changes_once_in_a_time_at_most() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % bound
        };
        for _ in 0..3000 {
            let (mut at, mut edges) = (20, Vec::new());
            for _ in 0..below(30) {
                let most = [3, 12, 25][usize::try_from(below(3)).unwrap()];
                at += below(most);
                edges.push((at, if below(2) == 0 { On } else { Off }));
            }
            let sparse: Vec<u64> = (0..at + 40).filter(|_| below(7) == 0).collect();
            for mode in [FirstEdge, Settled] {
                let counted = play_at(mode, &edges, 0..at + 40);
                let values: Vec<(Level, u64)> = counted.iter().map(|(level, at, _)| (*level, *at)).collect();
                assert_eq!(values, model(mode, &edges), "{mode}: {edges:?}");
                let late = play_at(mode, &edges, sparse.iter().copied());
                assert!(
                    late.iter().map(|(level, at, _)| (*level, *at)).eq(values.iter().copied()),
                    "{mode}: {edges:?}"
                );
                let last = |levels: Option<Level>| levels.unwrap_or(Off);
                assert_eq!(last(values.last().map(|(level, _)| *level)), last(edges.last().map(|(_, level)| *level)));
                for pair in counted.windows(2) {
                    assert!(pair[0].0 != pair[1].0 && pair[0].2 + TIME_MS <= pair[1].2, "{mode}: {edges:?}");
                }
            }
        }
    }

    /// Plays a bouncing press to a line of a chip, whose driver debounces or does not. Returns what the driver was asked, and
    /// the levels that counted, which are at least `count`.
    fn pressed(mode: DebounceMode, driver_debounces: bool, count: usize) -> (Vec<String>, Vec<Level>) {
        let fake = Fake::default();
        fake.plug("soc", &["GPIO4"]);
        if !driver_debounces {
            fake.refuse_debounce();
        }
        let line = with(input("A", "GPIO4"), |gpio| (gpio.debounce, gpio.debounce_mode) = (Some(ms(50)), mode));
        let mut scene = Scene::new(&fake, vec![line]).unwrap();
        scene.told(1);
        let stamp = monotonic();
        for (at_ms, level) in [(0, On), (1, Off), (2, On)] {
            fake.pull_at("GPIO4", level, stamp + ms(at_ms));
        }
        let level = |fact: &Fact| match fact {
            Fact::Edge { level, .. } => *level,
            other => panic!("{other:?}"),
        };
        let levels = scene.facts(count).iter().map(level).collect();
        (fake.asked(), levels)
    }

    #[test]
    fn the_kernel_debounces_what_settles_where_its_driver_can_and_nothing_else() {
        let asked = |debounce| vec![format!("request Input {{ debounce: {debounce} }}")];
        // This driver only says that it does.
        assert_eq!(pressed(Settled, true, 3), (asked("Some(50ms)"), vec![On, Off, On]));
        for (mode, driver_debounces) in [(Settled, false), (FirstEdge, false), (FirstEdge, true)] {
            assert_eq!(pressed(mode, driver_debounces, 1), (asked("None"), vec![On]), "{mode}");
        }
    }
}
