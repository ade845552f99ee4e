//! Our own debouncing, where the driver refuses: the first edge counts at once, and what bounces behind it is not heard.

use soquete_board::Level;
use std::time::Duration;

/// What an input was heard to have, and how long it is not listened to.
///
/// An edge counts at once, and for the time after it none does. What the line has at the end of that time, if it is
/// something else, counts then, with the time of the last edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debounce {
    time: Duration,
    /// What was told.
    told: Level,
    /// What the line has, and since when.
    raw: (Level, Duration),
    /// Until when it is not listened to.
    deaf_until: Option<Duration>,
}

impl Debounce {
    /// Begins with what the line has.
    pub(crate) fn new(time: Duration, level: Level) -> Self {
        Debounce { time, told: level, raw: (level, Duration::ZERO), deaf_until: None }
    }

    /// Takes an edge; [`handle_timeout`](Self::handle_timeout) was called for the time of it. Says whether it counts.
    pub(crate) fn edge(&mut self, level: Level, at: Duration) -> bool {
        self.raw = (level, at);
        self.deaf_until.is_none() && self.tell(at)
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) wants to be called, if at all.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.deaf_until
    }

    /// Listens again once the time is over. Returns what the line has got meanwhile, and when, if it is another level.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<(Level, Duration)> {
        let until = self.deaf_until.filter(|until| *until <= now)?;
        self.deaf_until = None;
        self.tell(until).then_some(self.raw)
    }

    /// Tells what the line has, if that is news, and does not listen for a while.
    fn tell(&mut self, at: Duration) -> bool {
        let is_news = self.raw.0 != self.told;
        if is_news {
            self.told = self.raw.0;
            self.deaf_until = Some(at.saturating_add(self.time));
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Off, On};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Plays edges at milliseconds to an input that is off and is debounced for 10 ms, and returns what counts.
    fn play(edges: &[(u64, Level)]) -> Vec<(Level, u64)> {
        let mut debounce = Debounce::new(ms(10), Off);
        let mut counted = Vec::new();
        for &(at, level) in edges {
            counted.extend(std::iter::from_fn(|| debounce.handle_timeout(ms(at))));
            counted.extend(debounce.edge(level, ms(at)).then_some((level, ms(at))));
        }
        counted.extend(std::iter::from_fn(|| debounce.handle_timeout(ms(1_000_000))));
        counted.iter().map(|(level, at)| (*level, u64::try_from(at.as_millis()).unwrap())).collect()
    }

    #[test]
    fn the_first_edge_counts_at_once_and_what_bounces_behind_it_does_not() {
        assert_eq!(play(&[(100, On), (101, Off), (102, On), (103, Off), (104, On)]), [(On, 100)]);
        assert_eq!(
            play(&[(100, On), (102, Off), (103, On), (300, Off), (301, On), (302, Off)]),
            [(On, 100), (Off, 300)]
        );
    }

    #[test]
    fn a_release_within_the_time_counts_when_it_is_over_as_of_when_it_was() {
        assert_eq!(play(&[(100, On), (105, Off)]), [(On, 100), (Off, 105)]);
        assert_eq!(play(&[(100, On), (105, Off), (111, On)]), [(On, 100), (Off, 105), (On, 111)]);
    }

    #[test]
    fn what_counts_late_is_debounced_too() {
        let mut debounce = Debounce::new(ms(10), Off);
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
        assert_eq!(play(&[(100, Off), (105, On), (120, On)]), [(On, 105)]);
    }
}
