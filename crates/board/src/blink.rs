//! Pulses and blinks: what a line does by itself, for a time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{ActionId, Cause, Level, LineId, Refusal, Value, Verb};

/// The shortest pulse: 1 ms, as short as a time can be written.
pub const PULSE_MIN: Duration = Duration::from_millis(1);

/// The longest pulse: 1 h, as long as a lease. What shall be on for longer is switched on, and off by a clock.
pub const PULSE_MAX: Duration = Duration::from_secs(60 * 60);

/// The shortest time on and off of a blink: 10 ms each, for 100 changes a second are what watchers and a log bear.
pub const BLINK_MIN: Duration = Duration::from_millis(10);

/// The longest time on and off of a blink: 1 h each, as long as a pulse.
pub const BLINK_MAX: Duration = Duration::from_secs(60 * 60);

/// The most times that a blink can be told to go on: 1,000,000, days of blinking; without a number it has no end.
pub const BLINKS_MAX: u32 = 1_000_000;

/// How a line goes on and off by itself. It begins with on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blink {
    /// How long it is on each time, from [`BLINK_MIN`] to [`BLINK_MAX`].
    pub on: Duration,
    /// How long it is off in between, from [`BLINK_MIN`] to [`BLINK_MAX`].
    pub off: Duration,
    /// How many times it is on, from 1 to [`BLINKS_MAX`]; `None` for until it is told something else.
    pub count: Option<u32>,
}

impl Blink {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            _ if ![self.on, self.off].iter().all(|time| (BLINK_MIN..=BLINK_MAX).contains(time)) => {
                Err(Refusal::BlinkTime)
            }
            _ if self.count.is_some_and(|count| !(1..=BLINKS_MAX).contains(&count)) => Err(Refusal::BlinkCount),
            _ => Ok(()),
        }
    }

    /// Returns what a line has that began at `began`, and when it changes next; `None` once it is off for good.
    ///
    /// Both come from the beginning alone, so that edges that were late make none of the later ones late.
    fn at(&self, began: Duration, now: Duration) -> (Level, Option<Duration>) {
        let period = self.on.saturating_add(self.off);
        let elapsed = now.saturating_sub(began).as_nanos();
        let times = elapsed / period.as_nanos();
        // Less than a period, which is 2 h at most.
        let within = Duration::from_nanos(u64::try_from(elapsed % period.as_nanos()).unwrap_or_default());
        let went_on = now.saturating_sub(within);
        let left = self.count.map(|count| u128::from(count).saturating_sub(times));
        match left {
            Some(0) => (Level::Off, None),
            _ if within < self.on => (Level::On, Some(went_on.saturating_add(self.on))),
            Some(1) => (Level::Off, None),
            _ => (Level::Off, Some(went_on.saturating_add(period))),
        }
    }
}

/// A line that pulses or blinks.
#[derive(Debug)]
struct Motion {
    blink: Blink,
    /// Who wanted it: `the pulse of …`.
    cause: Cause,
    began: Duration,
    /// When it changes next; `None` while its last change is done.
    next: Option<Duration>,
    /// The change that a back-end is at.
    step: Option<ActionId>,
}

/// Every line that pulses or blinks.
#[derive(Debug, Default)]
pub(crate) struct Motions(BTreeMap<LineId, Motion>);

impl Motions {
    /// Lets a line that has just become on do what it was told, if that is more than to be on; ends what it did before.
    pub(crate) fn begin(&mut self, now: Duration, line: LineId, told: Verb, by: &Cause) {
        self.end(line);
        let (blink, word) = match told {
            Verb::Pulse(time) => (Blink { on: time, off: Duration::ZERO, count: Some(1) }, "pulse"),
            Verb::Blink(blink) => (blink, "blink"),
            Verb::On | Verb::Off | Verb::Toggle => return,
        };
        let (_, next) = blink.at(now, now);
        let cause = Cause::from(format!("the {word} of {by}"));
        self.0.insert(line, Motion { blink, cause, began: now, next, step: None });
    }

    /// Ends what a line does by itself.
    pub(crate) fn end(&mut self, line: LineId) {
        self.0.remove(&line);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns which line changes when.
    pub(crate) fn times(&self) -> impl Iterator<Item = (LineId, Duration)> {
        self.0.iter().filter_map(|(line, motion)| Some((*line, motion.next?)))
    }

    /// Returns what a line whose time has come is to get, and why; `None` where it has that already, because more than
    /// one change is over.
    pub(crate) fn step(&mut self, now: Duration, line: LineId, present: Value) -> Option<(Level, Cause)> {
        let motion = self.0.get_mut(&line)?;
        let (level, next) = motion.blink.at(motion.began, now);
        motion.next = next;
        let wanted = (Value::from(level) != present).then(|| (level, motion.cause.clone()));
        if wanted.is_none() && next.is_none() {
            self.end(line);
        }
        wanted
    }

    /// Notes which action makes a line's change.
    pub(crate) fn begun(&mut self, line: LineId, action: ActionId) {
        if let Some(motion) = self.0.get_mut(&line) {
            motion.step = Some(action);
        }
    }

    /// Says whether an action that was done was a line's own change; after its last there are no more.
    pub(crate) fn stepped(&mut self, line: LineId, action: ActionId) -> bool {
        let Some(motion) = self.0.get_mut(&line).filter(|motion| motion.step == Some(action)) else { return false };
        motion.step = None;
        if motion.next.is_none() {
            self.end(line);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Direction;
    use crate::fixture::{Scene, ms, name, not_done, unknown};

    const NOTHING: [&str; 0] = [];

    /// Makes a board whose LED was told this at 0 ms and is on since 5 ms.
    fn led(told: &str) -> Scene {
        let mut scene = Scene::with_led_off();
        scene.ask(1, &format!("LED {told}"));
        scene.now = ms(5);
        assert_eq!(scene.said(), ["act: LED on"]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: LED on"]);
        scene
    }

    /// Waits until these times, and returns what back-ends were told at which.
    fn wait(scene: &mut Scene, times_ms: &[u64]) -> Vec<String> {
        let mut told = Vec::new();
        for &at in times_ms {
            scene.wait_until(at);
            told.extend(scene.obeyed().iter().map(|act| act.replace("act: LED", &at.to_string())));
        }
        told
    }

    #[test]
    fn a_pulse_ends_its_time_after_it_was_confirmed() {
        let mut scene = led("pulse 500");
        scene.board.watch(crate::WatcherId(7), vec![]).unwrap();
        assert_eq!(scene.board.timeout(), Some(ms(505)));
        scene.wait_until(504);
        assert_eq!(scene.said(), NOTHING);
        scene.wait_until(505);
        assert_eq!((scene.said(), scene.value("LED")), (vec!["act: LED off".to_owned()], "on".to_owned()));
        assert_eq!(scene.board.timeout(), None);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["tell 7: #3 LED off"]);
        assert_eq!(scene.board.line(&name("LED")).unwrap().cause(), Some(&"the pulse of test".into()));
        assert!(!scene.board.has_timers() && scene.board.is_idle());
    }

    #[test]
    fn a_pulse_of_a_line_that_is_on_leaves_it_on_and_a_second_one_begins_the_time_anew() {
        let mut scene = led("on");
        for (ticket, at) in [(2, 100), (3, 550)] {
            scene.now = ms(at);
            scene.ask(ticket, "LED pulse 500");
            assert_eq!(scene.obeyed(), ["act: LED on"]);
        }
        assert_eq!(wait(&mut scene, &[600, 1049, 1050, 2000]), ["1050 off"]);
    }

    #[test]
    fn a_blink_goes_on_and_off_as_often_as_it_was_told() {
        let mut scene = led("blink 20 30 3");
        let times: Vec<u64> = (6..300).collect();
        assert_eq!(wait(&mut scene, &times), ["25 off", "55 on", "75 off", "105 on", "125 off"]);
        assert_eq!((scene.board.timeout(), scene.board.has_timers()), (None, false));
    }

    #[test]
    fn edges_that_were_late_make_none_of_the_later_ones_late() {
        let mut scene = led("blink 20 30");
        assert_eq!(wait(&mut scene, &[29, 55, 74, 80, 105]), ["29 off", "55 on", "80 off", "105 on"]);
        let told = wait(&mut scene, &(106..50_006).step_by(7).collect::<Vec<u64>>());
        // Off at 125, 175, … and 49,975, on at 155, 205, … and 49,955.
        assert_eq!(told.len(), 998 + 997);
    }

    #[test]
    fn what_is_over_when_a_board_was_late_is_not_made_up_for() {
        let mut scene = led("blink 20 30 100");
        // On again, so nothing is to be done; the next change comes at its time.
        assert_eq!(wait(&mut scene, &[1006]), NOTHING);
        assert_eq!(scene.board.timeout(), Some(ms(1025)));
        assert_eq!(wait(&mut scene, &[1030, 4960, 5000, 6000]), ["1030 off", "4960 on", "5000 off"]);
        let mut scene = led("blink 20 30 100");
        assert_eq!(wait(&mut scene, &[9000]), ["9000 off"]);
        assert!(!scene.board.has_timers());
        let mut scene = led("blink 20 30 2");
        assert_eq!(wait(&mut scene, &[25, 200]), ["25 off"]);
        assert!(!scene.board.has_timers());
    }

    #[test]
    fn whatever_it_is_told_later_ends_it() {
        for (told, acts, then) in [
            ("on", "act: LED on", &[][..]),
            ("off", "act: LED off", &[]),
            ("toggle", "act: LED off", &[]),
            ("pulse 100", "act: LED on", &["140 off"]),
            ("blink 10 20 2", "act: LED on", &["50 off", "70 on", "80 off"]),
        ] {
            let mut scene = led("blink 1000 1000");
            scene.now = ms(40);
            scene.ask(2, &format!("LED {told}"));
            assert_eq!(scene.obeyed(), [acts]);
            assert_eq!(wait(&mut scene, &[50, 70, 80, 140, 1005, 2005, 3005]), then, "{told}");
        }
    }

    #[test]
    fn a_command_that_was_not_done_lets_it_go_on_and_one_that_is_unknown_ends_it() {
        let mut scene = led("pulse 100");
        scene.ask(2, "LED on");
        scene.wait_until(200);
        // It waits for what the line is at.
        assert_eq!((scene.said(), scene.board.timeout()), (vec!["act: LED on".to_owned()], None));
        scene.acted(not_done());
        assert_eq!(
            (scene.said(), scene.board.timeout()),
            (vec!["refuse 2: LED was not set: stuck".into()], Some(ms(105)))
        );
        assert_eq!(wait(&mut scene, &[201]), ["201 off"]);
        let mut scene = led("pulse 100");
        scene.ask(2, "LED on");
        scene.said();
        scene.acted(unknown());
        scene.said();
        assert_eq!(wait(&mut scene, &[200]), NOTHING);
        assert!(!scene.board.has_timers());
    }

    #[test]
    fn a_change_that_fails_ends_it() {
        for outcome in [not_done(), unknown()] {
            let mut scene = led("blink 10 10");
            scene.wait_until(15);
            assert_eq!(scene.said(), ["act: LED off"]);
            scene.acted(outcome);
            assert_eq!((scene.said(), scene.board.timeout()), (vec![], None));
        }
    }

    #[test]
    fn one_that_was_not_begun_does_nothing() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED pulse 500");
        scene.said();
        scene.acted(not_done());
        assert_eq!(scene.said(), ["refuse 1: LED was not set: stuck"]);
        assert!(!scene.board.has_timers());
    }

    #[test]
    fn what_comes_after_the_end_of_a_pulse_finds_it_off_even_if_no_timeout_was_handled() {
        let mut scene = led("pulse 100");
        scene.now = ms(105);
        scene.ask(2, "LED toggle");
        assert_eq!(scene.obeyed(), ["act: LED off", "act: LED on"]);
    }

    #[test]
    fn the_end_of_a_lease_ends_it_and_a_lease_that_begins_does_not() {
        let mut scene = led("blink 10 10");
        scene.lease("eve", "LED", 100).unwrap();
        assert_eq!(wait(&mut scene, &[15, 25]), ["15 off", "25 on"]);
        scene.release("eve", "LED").unwrap();
        scene.lease("bob", "LED", 100).unwrap();
        assert_eq!(wait(&mut scene, &[35, 45, 125, 135, 145]), ["35 off", "45 on", "125 off"]);
        let mut scene = led("on");
        scene.lease("test", "LED", 100).unwrap();
        scene.ask(2, "LED pulse 500");
        scene.said();
        // Its safe value fails, too: nothing begins by itself any more.
        scene.wait_until(105);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["LED: the lease of test ended", "reply 2: LED on", "act: LED off"]);
        scene.acted(not_done());
        assert!(!scene.board.has_timers());
    }

    #[test]
    fn back_ends_that_are_slower_than_the_lines_blink_leave_room_for_everything_else() {
        let mut scene = Scene::new(&["A", "B", "C", "D"], &[]);
        scene.ask(1, "A blink 10 10, B blink 10 10, C blink 10 10, D blink 10 10");
        assert_eq!(scene.obeyed().len(), 1);
        for _ in 0..10 {
            scene.wait_until(u64::try_from(scene.board.timeout().unwrap().max(scene.now).as_millis()).unwrap());
            let mut told = scene.said();
            // While the one is set the other is due again, most of the time.
            while !scene.actions.is_empty() && told.len() < 100 {
                scene.now += ms(7);
                scene.acted(Ok(()));
                told.extend(scene.said());
            }
            assert!(told.len() <= 4, "{}", told.len());
        }
    }

    #[test]
    fn a_line_that_stops_goes_turns_round_or_is_lost_ends_it() {
        let ends: [fn(&mut Scene); 5] = [
            |scene| scene.board.stop(scene.now),
            |scene| scene.board.remove_line(scene.now, &name("LED")).unwrap(),
            |scene| scene.board.set_direction(scene.now, &name("LED"), Direction::Input).unwrap(),
            |scene| scene.confirm("LED", Level::Off),
            |scene| {
                let line = scene.line("LED");
                scene.board.handle(scene.now, crate::Fact::Lost { line, cause: "gone".into() });
            },
        ];
        for end in ends {
            let mut scene = led("blink 10 10");
            end(&mut scene);
            assert!(!scene.board.has_timers());
        }
        // What was on its way begins nothing on a board that is stopping.
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED pulse 500");
        scene.board.stop(ms(1));
        assert_eq!(scene.obeyed(), ["act: LED on", "act: LED off"]);
        assert!(!scene.board.has_timers());
    }

    #[test]
    fn several_lines_begin_together_and_a_far_one_does_it_itself() {
        let mut scene = Scene::with_led_off();
        scene.add_far("FAR");
        scene.ask(1, "LED pulse 100, FAR pulse 200");
        assert_eq!(scene.said(), ["act: LED on FAR pulse(200ms)"]);
        scene.acted(Ok(()));
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: LED on FAR on"]);
        assert_eq!(scene.board.timeout(), Some(ms(100)));
        assert_eq!(wait(&mut scene, &[100, 200, 300]), ["100 off"]);
    }

    #[test]
    fn times_and_counts_have_bounds() {
        let longest = PULSE_MAX.as_millis();
        let refused = |told: &str| {
            let mut scene = Scene::with_led_off();
            scene.ask(1, &format!("LED {told}"));
            Some(scene.said().remove(0)).filter(|said| said != "act: LED on")
        };
        for told in
            ["pulse 1", &format!("pulse {longest}"), "blink 10 10 1", &format!("blink {longest} {longest} 1000000")]
        {
            assert_eq!(refused(told), None, "{told}");
        }
        let pulse = Some("refuse 1: a pulse lasts from 1 ms to 1 h".to_owned());
        assert_eq!([refused("pulse 0"), refused(&format!("pulse {}", longest + 1))], [pulse.clone(), pulse]);
        let blink = Some("refuse 1: a line that blinks is on and off for 10 ms to 1 h each".to_owned());
        for told in
            ["blink 9 10", "blink 10 9", &format!("blink {} 10", longest + 1), &format!("blink 10 {}", longest + 1)]
        {
            assert_eq!(refused(told), blink, "{told}");
        }
        for told in ["blink 10 10 0", "blink 10 10 1000001"] {
            assert_eq!(refused(told).as_deref(), Some("refuse 1: a line blinks from 1 to 1000000 times"));
        }
    }
}
