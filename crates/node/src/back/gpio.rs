//! Lines of the hardware: taken, read, driven, lost and found again.

mod chip;
mod debounce;
#[cfg(test)]
pub(crate) mod fake;
mod find;
mod hold;
mod kernel;
mod line;
mod request;
#[cfg(test)]
pub(crate) mod scene;
mod search;
mod stamp;
mod trouble;

pub(crate) use chip::{Hardware, Seen};
pub(crate) use kernel::Kernel;
pub(crate) use request::drive;
pub(crate) use trouble::Trouble;

use crate::config::ProcessConfig;
use crate::console::Seldom;
use crate::error::ProcessError;
use crate::holder::Holder;
use crate::status::GpioStatus;
use hold::Hold;
use line::{Due, GpioLine, Held, Taking};
use search::Search;
use soquete::{Hub, SourceId};
use soquete_board::{Cause, Fact, Failure, Level, LineId, Outcome};
use stamp::Stamps;
use std::collections::VecDeque;
use std::time::Duration;

/// The lines of a process that are hardware.
#[derive(Debug)]
pub(crate) struct Gpios {
    hardware: Box<dyn Hardware>,
    /// Who has the lines, for whoever else wants them: `soquete led_process`.
    consumer: String,
    lines: Vec<GpioLine>,
    told: VecDeque<Fact>,
    stamps: Stamps,
    said: Seldom,
    search: Search,
    hold: Hold,
}

impl Gpios {
    /// Finds and takes the hardware lines of a process; `ids` are its lines, in the order of the configuration.
    ///
    /// A line whose chip is not there (yet) is looked for from then on.
    ///
    /// # Errors
    /// A line cannot be had, and will not be by waiting; nothing was changed then, unless a later request was refused.
    pub(crate) fn new(
        config: &ProcessConfig,
        ids: &[LineId],
        hardware: Box<dyn Hardware>,
        holder: Option<Holder>,
    ) -> Result<Self, ProcessError> {
        let mut gpios = Gpios {
            hardware,
            consumer: format!("soquete {}", config.name),
            lines: ids.iter().zip(&config.lines).filter_map(|(id, line)| GpioLine::new(*id, line)).collect(),
            told: VecDeque::new(),
            stamps: Stamps::new(),
            said: Seldom::new("news of hardware lines"),
            search: Search::new(),
            hold: Hold::new(holder),
        };
        if gpios.lines.is_empty() {
            gpios.give_up_others(&[]);
            return Ok(gpios);
        }
        let seen = gpios.hardware.chips().map_err(|error| Trouble::of(&error).at("the GPIO chips of this machine"))?;
        let certain = |line: &GpioLine| {
            let trouble = find::find(&seen, &line.gpio.line).err().filter(|trouble| !trouble.is_absence());
            trouble.map_or(Ok(()), |trouble| Err(trouble.at(&line.words())))
        };
        gpios.lines.iter().try_for_each(certain)?;
        gpios.give_up_others(&seen);
        let now = soquete::Clock::now();
        for nth in 0..gpios.lines.len() {
            match gpios.take(&seen, nth, &|_| None) {
                Ok(()) => {}
                Err(trouble) if trouble.is_absence() => gpios.miss(now, nth, trouble),
                Err(trouble) => return Err(trouble.at(&gpios.lines[nth].words())),
            }
        }
        // Before this process is ready, so that whoever waits for that finds them held.
        gpios.store(now);
        Ok(gpios)
    }

    /// Takes a line, and tells what it has.
    fn take(&mut self, seen: &[chip::Seen], nth: usize, due: Due<'_>) -> Result<(), Trouble> {
        let line = &mut self.lines[nth];
        let (hardware, consumer, holder) = (&*self.hardware, self.consumer.as_str(), &mut self.hold.holder);
        let (held, level) = line.take(&mut Taking { hardware, seen, consumer, holder, due })?;
        let cause = Cause::from(if line.trouble.is_some() { "chip" } else { "start" });
        (line.held, line.trouble) = (Some(held), None);
        self.told.extend(level.map(|level| Fact::Confirmed { line: line.id, level, cause }));
        Ok(())
    }

    /// Says whether a line is hardware, and there.
    pub(crate) fn holds(&self, line: LineId) -> bool {
        self.lines.iter().any(|there| there.id == line && there.held.is_some())
    }

    /// Drives an output.
    pub(crate) fn set(&mut self, line: LineId, level: Level) -> Outcome {
        let Some(line) = self.lines.iter_mut().find(|there| there.id == line) else {
            return Err(Failure::NotDone("it is no hardware".into()));
        };
        let outcome = line.set(&self.consumer, level);
        outcome.map_err(|trouble| Failure::NotDone(format!("gpio:{}: {trouble}", line.gpio.line).into()))
    }

    /// Hears that a watched descriptor is readable.
    pub(crate) fn ready(&mut self, source: SourceId) {
        let held = self.lines.iter_mut().filter_map(|line| line.held.as_mut());
        held.filter(|held| held.source == Some(source)).for_each(|held| held.is_ready = true);
        if let Some((arrivals, _)) = self.search.arrivals.as_ref().filter(|(_, there)| *there == source) {
            let mut room = [0; 4096];
            while matches!(rustix::io::read(arrivals, &mut room), Ok(1..)) {}
            self.search.backoff.reset();
            self.search.at = Some(Duration::ZERO);
        }
    }

    /// Reads edges, gives up what is lost, looks for what is missing; what it all comes to is told by
    /// [`next`](Gpios::next). An output that is there again gets what `due` says, or else its start value.
    pub(crate) fn drive(&mut self, now: Duration, hub: &mut Hub, due: &dyn Fn(LineId) -> Option<Level>) {
        if self.lines.is_empty() {
            return;
        }
        self.said.handle_timeout(now);
        (0..self.lines.len()).for_each(|nth| self.hear(now, nth));
        // Lines are read one after the other; what they told is in the order in which it was.
        self.told.make_contiguous().sort_by_key(time);
        (0..self.lines.len()).for_each(|nth| self.part(now, nth, hub));
        self.stamps.measure();
        if self.search.at.is_some_and(|at| at <= now) {
            self.look(now, due);
        }
        self.watch(now, hub);
        self.store(now);
    }

    /// Reads the edges of a line.
    fn hear(&mut self, now: Duration, nth: usize) {
        let line = &mut self.lines[nth];
        let Some(held) = &mut line.held else { return };
        let id = line.id;
        let told = &mut self.told;
        let mut tell = |level, at| told.push_back(Fact::Edge { line: id, level, at });
        if std::mem::take(&mut held.is_ready) || held.is_calm(now) {
            match held.edges() {
                Ok(edges) => {
                    let mut missed = 0;
                    for edge in edges {
                        missed += held.gap(&edge);
                        held.edge(edge.level, self.stamps.time(edge.stamp, now), &mut tell);
                    }
                    if missed > 0 {
                        line.missed += missed;
                        let lost = if missed == 1 { "1 edge is lost" } else { &format!("{missed} edges are lost") };
                        self.said.say(now, &format!("{}: {lost}: too fast", line.name));
                    }
                }
                Err(error) => held.lost = Some(Trouble::of(&error)),
            }
        }
        held.calm_down(now, &mut tell);
    }

    /// Returns what was told next.
    pub(crate) fn next(&mut self) -> Option<Fact> {
        self.told.pop_front()
    }

    /// Returns when [`drive`](Gpios::drive) has something to do if nothing becomes ready before.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let held = || self.lines.iter().filter_map(|line| line.held.as_ref());
        if !self.told.is_empty() || held().any(Held::is_due) {
            return Some(Duration::ZERO);
        }
        let debounces = held().filter_map(|held| held.debounce.as_ref()?.timeout());
        debounces.chain(self.search.at).chain(self.hold.at).chain(self.said.timeout()).min()
    }

    /// Says how a line is, if it is hardware.
    pub(crate) fn status(&self, line: LineId) -> Option<GpioStatus> {
        let line = self.lines.iter().find(|there| there.id == line)?;
        Some(GpioStatus {
            place: line.held.as_ref().map(|held| held.place.clone()),
            trouble: line.trouble.as_ref().map(ToString::to_string),
            missed_edges: line.missed,
        })
    }
}

/// Returns when an edge was; what is no edge was before all of them.
fn time(fact: &Fact) -> Duration {
    match fact {
        Fact::Edge { at, .. } => *at,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::fake::Fake;
    use super::scene::{Scene, input, output, pi, with};
    use super::stamp::monotonic;
    use super::*;
    use rustix::io::Errno;
    use soquete::Clock;
    use soquete_board::Preset;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_output_has_its_start_value_from_the_first_moment_on() {
        let fake = pi();
        let on = crate::config::LineConfig { start: Preset::On, ..output("A", "GPIO17") };
        let mut scene = Scene::new(&fake, vec![with(on, |gpio| gpio.active_low = true)]).unwrap();
        assert_eq!(fake.asked(), ["request Output(On)"]);
        assert_eq!(scene.told(1), ["A on start"]);
        assert_eq!((fake.wire("GPIO17"), fake.consumer("GPIO17").as_str()), (Level::Off, "soquete led_process"));
        assert_eq!(scene.gpios.set(scene.ids[0], Level::Off), Ok(()));
        assert_eq!((fake.wire("GPIO17"), fake.asked()), (Level::On, vec!["set Off".to_owned()]));
        drop(scene);
        assert_eq!(fake.consumer("GPIO17"), "");
    }

    #[test]
    fn an_output_that_keeps_what_it_has_is_read_before_it_is_driven() {
        let fake = pi();
        fake.drive("GPIO17", Level::On);
        let keep = |line| crate::config::LineConfig { start: Preset::Keep, ..output("A", line) };
        let mut scene = Scene::new(&fake, vec![keep("GPIO17")]).unwrap();
        assert_eq!(scene.told(1), ["A on start"]);
        assert_eq!(fake.asked(), ["request AsIs", "reconfigure Output(On)"]);
        // Nobody drives this one, so nobody can say what it has.
        let mut scene = Scene::new(&fake, vec![keep("GPIO18")]).unwrap();
        assert_eq!(scene.told(0), [""; 0]);
        assert_eq!(scene.gpios.set(scene.ids[0], Level::On), Ok(()));
        assert_eq!(fake.asked(), ["request AsIs", "reconfigure Output(On)"]);
    }

    #[test]
    fn what_will_not_come_by_waiting_ends_the_start_and_changes_nothing() {
        let fake = pi();
        fake.plug("expander", &["GPIO18"]);
        fake.occupy("GPIO4", "spi0 CS0");
        for (line, what, act) in [
            ("GPIO18", "2 lines have this name: soc/2, expander/0", "gpio:soc/2"),
            ("soc/3", "the chip has 3 lines, from 0 to 2", "soquete lines --hardware"),
            ("GPIO4", "busy: spi0 CS0 has it", "another line"),
        ] {
            let error = Scene::new(&fake, vec![output("A", line)]).err().unwrap();
            assert_eq!(error.what, format!("A: gpio:{line}: {what}"));
            assert!(error.act.unwrap().contains(act), "{line}");
        }
        let twice = Scene::new(&fake, vec![output("A", "GPIO17"), output("B", "soc/1")]).err().unwrap();
        assert_eq!(twice.what, "B: gpio:soc/1: busy: soquete led_process has it");
        fake.asked();
        Scene::new(&fake, vec![output("A", "GPIO17"), output("B", "soc/3")]).err().unwrap();
        assert_eq!(fake.asked(), [""; 0]);
        let none = Scene::new(&Fake::default(), vec![output("A", "GPIO17")]).err().unwrap();
        assert!(none.what.ends_with("there is no GPIO chip (no /dev/gpiochip*)") && none.act.is_some(), "{none}");
    }

    #[test]
    fn what_a_driver_does_not_have_is_said() {
        for (errno, what) in [(Errno::NXIO, "no interrupts"), (Errno::INVAL, "refuses"), (Errno::IO, "os error 5")] {
            let fake = pi();
            fake.refuse(&[errno]);
            let error = Scene::new(&fake, vec![input("A", "GPIO4")]).err().unwrap();
            assert!(error.what.contains(what), "{error}");
        }
    }

    #[test]
    fn edges_come_in_order_with_the_time_at_which_they_were() {
        let fake = pi();
        let mut scene = Scene::new(&fake, vec![with(input("A", "GPIO4"), |gpio| gpio.active_low = true)]).unwrap();
        assert_eq!(scene.told(1), ["A on start"]);
        let before = Clock::now();
        let stamp = monotonic();
        for _ in 0..500 {
            fake.pull_at("GPIO4", Level::On, stamp);
            fake.pull_at("GPIO4", Level::Off, stamp);
        }
        let facts = scene.facts(1000);
        for (nth, fact) in facts.iter().enumerate() {
            let wanted = if nth % 2 == 0 { Level::Off } else { Level::On };
            let Fact::Edge { level, at, .. } = fact else { panic!("{fact:?}") };
            assert!(*level == wanted && *at + MS >= before && *at <= Clock::now(), "{nth}: {fact:?}");
        }
        assert_eq!((facts.len(), scene.gpios.status(scene.ids[0]).unwrap().missed_edges), (1000, 0));
    }

    #[test]
    fn edges_of_several_lines_come_in_the_order_of_their_times() {
        let fake = pi();
        let mut scene = Scene::new(&fake, vec![input("A", "GPIO4"), input("B", "GPIO17")]).unwrap();
        scene.told(2);
        let stamp = monotonic() - MS * 100;
        for (after, line, level) in [(3, "GPIO4", Level::On), (1, "GPIO17", Level::On), (2, "GPIO17", Level::Off)] {
            fake.pull_at(line, level, stamp + MS * after);
        }
        assert_eq!(scene.told(3), ["B on edge", "B off edge", "A on edge"]);
    }

    #[test]
    fn edges_that_the_kernel_forgot_are_counted() {
        let fake = pi();
        let mut scene = Scene::new(&fake, vec![input("A", "GPIO4")]).unwrap();
        scene.told(1);
        for _ in 0..515 {
            fake.pull("GPIO4", Level::On);
            fake.pull("GPIO4", Level::Off);
        }
        assert_eq!(scene.facts(1024).len(), 1024);
        assert_eq!(scene.gpios.status(scene.ids[0]).unwrap().missed_edges, 6);
        fake.pull("GPIO4", Level::On);
        assert_eq!(scene.told(1), ["A on edge"]);
        assert_eq!(scene.gpios.status(scene.ids[0]).unwrap().missed_edges, 6);
        // Too short for the kernel, which finds the level that it was.
        fake.blip("GPIO4");
        fake.pull("GPIO4", Level::Off);
        assert_eq!(scene.told(2), ["A on edge", "A off edge"]);
        assert_eq!(scene.gpios.status(scene.ids[0]).unwrap().missed_edges, 7);
    }
}
