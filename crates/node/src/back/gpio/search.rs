//! Lines of the hardware that are not there: given up, looked for, and taken again.

use super::Gpios;
use super::line::Due;
use super::trouble::Trouble;
use soquete::{Backoff, Hub, SourceId};
use soquete_board::{Cause, Fact};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The first pause before a line that went is looked for again; each later one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(100);

/// The longest pause: a look at all chips costs a system call a line, and what arrives in /dev is heard of at once.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The search for lines that are not there.
#[derive(Debug)]
pub(super) struct Search {
    /// Tells that a chip may have come; there only while a line is missing.
    pub(super) arrivals: Option<(OwnedFd, SourceId)>,
    pub(super) backoff: Backoff,
    /// When to look again; nothing while no line is missing.
    pub(super) at: Option<Duration>,
}

impl Search {
    pub(super) fn new() -> Self {
        Search { arrivals: None, backoff: Backoff::new(RETRY_FIRST, RETRY_MAX), at: None }
    }
}

impl Gpios {
    /// Says that a line is missing, and looks for it from now on.
    pub(super) fn miss(&mut self, now: Duration, nth: usize, trouble: Trouble) {
        let line = &mut self.lines[nth];
        // A chip that is gone has neither name nor label, which is no news.
        let is_still_gone = line.trouble == Some(Trouble::Gone) && trouble.may_come();
        if !is_still_gone && line.trouble.as_ref() != Some(&trouble) {
            self.said.say(now, &format!("{}: {trouble}; {}", line.words(), trouble.act()));
        }
        line.trouble = Some(if is_still_gone { Trouble::Gone } else { trouble });
        if self.search.at.is_none() {
            self.search.backoff.reset();
            self.search.at = Some(now + self.search.backoff.next(u64::MAX));
        }
    }

    /// Gives a line back that is lost.
    pub(super) fn part(&mut self, now: Duration, nth: usize, hub: &mut Hub) {
        let line = &mut self.lines[nth];
        let Some(trouble) = line.held.as_mut().and_then(|held| held.lost.take()) else { return };
        let Some(held) = line.held.take() else { return };
        held.source.into_iter().for_each(|source| hub.unwatch(source));
        self.hold.forget(&line.name, &held);
        let cause = Cause::from(format!("gpio:{}: {trouble}", line.gpio.line));
        self.told.push_back(Fact::Lost { line: line.id, cause });
        self.miss(now, nth, trouble);
    }

    /// Looks for what is missing.
    pub(super) fn look(&mut self, now: Duration, due: Due<'_>) {
        let seen = self.hardware.chips();
        for nth in 0..self.lines.len() {
            if self.lines[nth].held.is_some() {
                continue;
            }
            let taken = match &seen {
                Ok(seen) => self.take(seen, nth, due),
                Err(error) => Err(Trouble::of(error)),
            };
            match taken {
                Ok(()) => {
                    let words = self.lines[nth].words();
                    self.said.say(now, &format!("{words} is there"));
                }
                Err(trouble) => self.miss(now, nth, trouble),
            }
        }
        let is_any_missing = self.lines.iter().any(|line| line.held.is_none());
        self.search.at = is_any_missing.then(|| now + self.search.backoff.next(u64::MAX));
    }

    /// Watches over what is held, and over what may arrive while something is missing.
    pub(super) fn watch(&mut self, now: Duration, hub: &mut Hub) {
        for held in self.lines.iter_mut().filter_map(|line| line.held.as_mut()).filter(|held| held.source.is_none()) {
            match hub.watch(held.request.fd()) {
                // What happened before it was watched is read at once.
                Ok(source) => (held.source, held.is_ready) = (Some(source), true),
                Err(error) => held.lost = Some(Trouble::Other(error.to_string())),
            }
        }
        match (self.search.at, self.search.arrivals.take()) {
            (None, Some((_, source))) => hub.unwatch(source),
            (Some(_), None) => {
                // Without it, it is looked for all the same, after a pause.
                let watched = self.hardware.arrivals().ok().and_then(|fd| Some((hub.watch(fd.as_fd()).ok()?, fd)));
                if let Some((source, fd)) = watched {
                    self.search.arrivals = Some((fd, source));
                    // It may have come in between.
                    self.search.at = Some(now);
                }
            }
            (_, arrivals) => self.search.arrivals = arrivals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, input, output, pi};
    use crate::config::LineConfig;
    use rustix::io::Errno;
    use soquete_board::{Failure, Level, Preset};

    #[test]
    fn a_chip_that_goes_takes_its_own_lines_only_and_brings_them_back() {
        let fake = pi();
        fake.plug("usb", &["P0", "P1"]);
        let lines = vec![output("A", "P0"), input("B", "usb/1"), output("C", "GPIO17"), input("D", "GPIO4")];
        let mut scene = Scene::new(&fake, lines).unwrap();
        scene.told(4);
        assert_eq!(scene.gpios.set(scene.ids[0], Level::On), Ok(()));
        fake.unplug("usb");
        let why = "the chip is gone";
        assert_eq!(scene.told(2), [format!("A lost gpio:P0: {why}"), format!("B lost gpio:usb/1: {why}")]);
        let status = scene.gpios.status(scene.ids[1]).unwrap();
        assert_eq!((status.place, status.trouble.is_some()), (None, true));
        let refused = scene.gpios.set(scene.ids[0], Level::On).unwrap_err();
        assert!(matches!(&refused, Failure::NotDone(why) if why.starts_with("gpio:P0: ")), "{refused}");
        assert_eq!(scene.gpios.set(scene.ids[2], Level::On), Ok(()));
        fake.pull("GPIO4", Level::On);
        assert_eq!(scene.told(1), ["D on edge"]);
        fake.plug("usb", &["P0", "P1"]);
        assert_eq!(scene.told(2), ["A off chip", "B off chip"]);
        fake.pull("P1", Level::On);
        assert_eq!(scene.told(1), ["B on edge"]);
        assert_eq!(scene.gpios.status(scene.ids[1]).unwrap().place.as_deref(), Some("usb/1"));
    }

    #[test]
    fn a_chip_that_appears_later_is_found_by_name_and_by_label() {
        let fake = pi();
        let on = LineConfig { start: Preset::On, ..output("A", "P0") };
        let mut scene = Scene::new(&fake, vec![on, input("B", "usb/1"), output("C", "GPIO17")]).unwrap();
        assert_eq!(scene.told(1), ["C off start"]);
        assert!(!scene.gpios.holds(scene.ids[0]) && scene.gpios.holds(scene.ids[2]));
        // Its node is there before its line can be had.
        fake.refuse(&[Errno::ACCESS, Errno::NODEV]);
        fake.plug("usb", &["P0", "P1"]);
        assert_eq!(scene.told(2), ["A on chip", "B off chip"]);
    }

    #[test]
    fn an_output_that_is_lost_while_it_is_set_is_not_done_and_lost() {
        let fake = pi();
        let mut scene = Scene::new(&fake, vec![output("A", "GPIO17")]).unwrap();
        scene.told(1);
        fake.unplug("soc");
        let gone = "gpio:GPIO17: the chip is gone";
        assert_eq!(scene.gpios.set(scene.ids[0], Level::On), Err(Failure::NotDone(gone.into())));
        assert_eq!(scene.told(1), [format!("A lost {gone}")]);
    }

    #[test]
    fn an_output_that_is_back_has_what_was_due_from_the_first_moment_on() {
        let fake = pi();
        fake.plug("usb", &["P0"]);
        let mut scene = Scene::new(&fake, vec![output("A", "P0")]).unwrap();
        scene.told(1);
        fake.unplug("usb");
        scene.told(1);
        (scene.due, _) = (Some(Level::On), fake.asked());
        fake.plug("usb", &["P0"]);
        assert_eq!(
            (scene.told(1), fake.asked()),
            (vec!["A on chip".to_owned()], vec!["request Output(On)".to_owned()])
        );
    }
}
