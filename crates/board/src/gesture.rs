//! What edges of an input make a press of a rule: going on, going off, staying on, going on twice.

use std::fmt;
use std::time::Duration;

use crate::Level;

/// What sets off a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The input goes on: the first edge, at once.
    Press,
    /// The input goes off.
    Release,
    /// The input stays on this long. Whether it goes off afterwards is all one.
    Hold(Duration),
    /// The input goes on a second time at most this long after the first. The third time is a first one again.
    Double(Duration),
}

impl fmt::Display for Trigger {
    /// Writes `press`, `release`, `hold` or `double`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Press => "press",
            Self::Release => "release",
            Self::Hold(_) => "hold",
            Self::Double(_) => "double",
        })
    }
}

/// What one rule has seen of its input that may still set it off.
#[derive(Clone, Debug)]
pub(crate) struct Gesture {
    trigger: Trigger,
    /// When the input went on, while that may still come to something.
    on_since: Option<Duration>,
}

impl Gesture {
    pub(crate) fn new(trigger: Trigger) -> Self {
        Self { trigger, on_since: None }
    }

    /// Takes an edge. Returns the time at which the rule was set off, if it was.
    pub(crate) fn edge(&mut self, level: Level, at: Duration) -> Option<Duration> {
        let before = self.on_since.take();
        match (self.trigger, level) {
            (Trigger::Press, Level::On) | (Trigger::Release, Level::Off) => Some(at),
            (Trigger::Press, Level::Off) | (Trigger::Release, Level::On) => None,
            (Trigger::Hold(_), Level::On) => {
                self.on_since = Some(at);
                None
            }
            // The release may be heard of before the time that was over is looked at.
            (Trigger::Hold(time), Level::Off) => before.map(|on| on.saturating_add(time)).filter(|due| *due <= at),
            (Trigger::Double(time), Level::On) if before.is_some_and(|on| at.saturating_sub(on) <= time) => Some(at),
            (Trigger::Double(_), Level::On) => {
                self.on_since = Some(at);
                None
            }
            (Trigger::Double(_), Level::Off) => {
                self.on_since = before;
                None
            }
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) wants to be called, if at all.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match self.trigger {
            Trigger::Hold(time) => self.on_since.map(|on| on.saturating_add(time)),
            _ => None,
        }
    }

    /// Returns the time at which the rule was set off by nothing happening, if it was.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<Duration> {
        let due = self.timeout().filter(|due| *due <= now)?;
        self.on_since = None;
        Some(due)
    }

    /// Forgets what was begun: nobody can say any more what the input did since.
    pub(crate) fn forget(&mut self) {
        self.on_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::ms;

    const SECOND: Duration = Duration::from_secs(1);

    /// Plays edges at milliseconds, and returns when each set the rule off.
    fn play(trigger: Trigger, edges: &[(u64, Level)]) -> Vec<Option<Duration>> {
        let mut gesture = Gesture::new(trigger);
        edges.iter().map(|(at, level)| gesture.edge(*level, ms(*at))).collect()
    }

    #[test]
    fn a_press_is_the_first_edge_and_a_release_the_other() {
        let edges = [(1, Level::On), (2, Level::Off)];
        assert_eq!(play(Trigger::Press, &edges), [Some(ms(1)), None]);
        assert_eq!(play(Trigger::Release, &edges), [None, Some(ms(2))]);
    }

    #[test]
    fn a_hold_is_when_its_time_is_over_and_once() {
        let mut hold = Gesture::new(Trigger::Hold(SECOND));
        assert_eq!(hold.edge(Level::On, ms(5)), None);
        assert_eq!(hold.timeout(), Some(ms(1005)));
        assert_eq!(hold.handle_timeout(ms(1004)), None);
        assert_eq!(hold.handle_timeout(ms(1200)), Some(ms(1005)));
        assert_eq!((hold.timeout(), hold.handle_timeout(ms(5000))), (None, None));
        assert_eq!(hold.edge(Level::Off, ms(6000)), None);
    }

    #[test]
    fn a_short_press_is_no_hold_and_a_long_one_is_however_late_it_is_heard_of() {
        assert_eq!(play(Trigger::Hold(SECOND), &[(0, Level::On), (999, Level::Off)]), [None, None]);
        assert_eq!(play(Trigger::Hold(SECOND), &[(0, Level::On), (1500, Level::Off)]), [None, Some(ms(1000))]);
    }

    #[test]
    fn two_presses_soon_after_each_other_are_a_double_and_three_are_one_too() {
        let presses = |times: &[u64]| {
            let edges: Vec<_> = times.iter().flat_map(|at| [(*at, Level::On), (at + 1, Level::Off)]).collect();
            let set_off = play(Trigger::Double(ms(500)), &edges);
            set_off.into_iter().flatten().collect::<Vec<_>>()
        };
        assert_eq!(presses(&[0, 500]), [ms(500)]);
        assert_eq!(presses(&[0, 501]), []);
        assert_eq!(presses(&[0, 501, 1000]), [ms(1000)]);
        assert_eq!(presses(&[0, 100, 200]), [ms(100)]);
        assert_eq!(presses(&[0, 100, 200, 300]), [ms(100), ms(300)]);
    }

    #[test]
    fn what_nobody_can_say_any_more_is_forgotten() {
        let mut hold = Gesture::new(Trigger::Hold(SECOND));
        hold.edge(Level::On, ms(0));
        hold.forget();
        assert_eq!((hold.timeout(), hold.edge(Level::Off, ms(2000))), (None, None));
    }
}
