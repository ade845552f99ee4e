//! One line of the hardware: taken, driven, and its edges.

use super::chip::{Edge, Hardware, Request, Seen, Settings, Usage};
use super::debounce::Debounce;
use super::find;
use super::trouble::Trouble;
use crate::config::{DebounceMode, Gpio, HardwareLine, LineConfig, LineKind};
use crate::console;
use crate::hardware::{Chip, ChipLine};
use crate::holder::{self, Holder};
use soquete::SourceId;
use soquete_board::{Direction, Level, LineId, Preset};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A line of the hardware.
#[derive(Debug)]
pub(super) struct GpioLine {
    pub(super) id: LineId,
    pub(super) name: String,
    pub(super) gpio: Gpio,
    pub(super) start: Preset,
    pub(super) held: Option<Held>,
    /// Why it is not held.
    pub(super) trouble: Option<Trouble>,
    /// Edges that the kernel had to forget since the start.
    pub(super) missed: u64,
}

/// What lines are taken from.
pub(super) struct Taking<'a> {
    pub(super) hardware: &'a dyn Hardware,
    pub(super) seen: &'a [Seen],
    pub(super) consumer: &'a str,
    pub(super) holder: &'a mut Option<Holder>,
    /// What an output is to have in the place of its start value, if anything.
    pub(super) due: Due<'a>,
}

/// Says what an output was to have and could not be given.
pub(super) type Due<'a> = &'a dyn Fn(LineId) -> Option<Level>;

impl Taking<'_> {
    /// Returns what an output gets at first; nothing where it keeps what it has.
    fn first(&self, line: &GpioLine) -> Option<Level> {
        (self.due)(line.id).or(line.start.level())
    }
}

/// A line while it is held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) request: Box<dyn Request>,
    /// Where it is: `pinctrl-bcm2711/17`.
    pub(super) place: String,
    pub(super) source: Option<SourceId>,
    pub(super) is_ready: bool,
    /// Why it is to be given back, once that is known.
    pub(super) lost: Option<Trouble>,
    pub(super) usage: Usage,
    /// Whether who started this process holds it too, or cannot.
    pub(super) is_stored: bool,
    /// The number of its last edge, and what that left an input with.
    pub(super) seq: u32,
    pub(super) level: Option<Level>,
    pub(super) debounce: Option<Debounce>,
}

impl GpioLine {
    pub(super) fn new(id: LineId, config: &LineConfig) -> Option<Self> {
        let LineKind::Gpio(gpio) = &config.kind else { return None };
        let (name, gpio, start) = (config.name.to_string(), gpio.clone(), config.start);
        Some(GpioLine { id, name, gpio, start, held: None, trouble: None, missed: 0 })
    }

    /// Names it as the log does: `LED: gpio:GPIO17`.
    pub(super) fn words(&self) -> String {
        format!("{}: gpio:{}", self.name, self.gpio.line)
    }

    pub(super) fn settings(&self, consumer: &str, usage: Usage) -> Settings {
        let Gpio { bias, drive, active_low, .. } = self.gpio;
        Settings { consumer: consumer.to_owned(), usage, bias, drive, active_low }
    }

    /// Drives an output. One that is gone is known to be lost then.
    pub(super) fn set(&mut self, consumer: &str, level: Level) -> Result<(), Trouble> {
        let settings = self.settings(consumer, Usage::Output(level));
        let Some(held) = &mut self.held else { return Err(self.trouble.clone().unwrap_or(Trouble::Gone)) };
        let set = match held.usage {
            Usage::Output(_) => held.request.set(level),
            // It was left as it is until now: an input becomes an output with this very level.
            Usage::AsIs | Usage::Input { .. } => held.request.reconfigure(&settings),
        };
        match set.map_err(|error| Trouble::of(&error)) {
            Ok(()) => {
                held.usage = settings.usage;
                Ok(())
            }
            Err(trouble) => {
                if trouble == Trouble::Gone {
                    held.lost = Some(trouble.clone());
                }
                Err(trouble)
            }
        }
    }

    /// Takes the line as it is configured, with what `taking` has for it. Returns what it has, where that is known.
    pub(super) fn take(&self, taking: &mut Taking<'_>) -> Result<(Held, Option<Level>), Trouble> {
        let (chip, there) = find::find(taking.seen, &self.gpio.line)?;
        match self.gpio.direction {
            Direction::Output => self.take_output(taking, &chip, &there),
            Direction::Input => self.take_input(taking, &chip, &there),
        }
    }

    /// Goes on with what was held; requests the line where nothing was, or that does not fit.
    fn take_output(
        &self,
        taking: &mut Taking<'_>,
        chip: &Chip,
        there: &ChipLine,
    ) -> Result<(Held, Option<Level>), Trouble> {
        let name = holder::name(&self.name, &find::place(chip, there));
        if let Some(fd) = taking.holder.as_mut().and_then(|holder| holder.take(&name)) {
            match self.go_on(taking, fd, chip, there) {
                Ok(taken) => {
                    console::say(&format!("{} was held meanwhile", self.words()));
                    return Ok(taken);
                }
                Err(why) => {
                    console::say(&format!(
                        "{}: what was held of it does not fit, and is given up: {why}",
                        self.words()
                    ));
                    // Only what nobody holds can be requested.
                    taking.holder.iter().for_each(|holder| holder.give_back(std::slice::from_ref(&name)));
                }
            }
        }
        let usage = taking.first(self).map_or(Usage::AsIs, Usage::Output);
        let held = Held::new(self.request(taking, chip, there, usage)?, find::place(chip, there), usage);
        match usage {
            Usage::Output(level) => Ok((held, Some(level))),
            _ => self.keep(held, taking.consumer, there).map_err(|error| Trouble::of(&error)),
        }
    }

    /// Goes on with a descriptor that somebody held meanwhile: the line is never given back.
    fn go_on(
        &self,
        taking: &Taking<'_>,
        fd: OwnedFd,
        chip: &Chip,
        there: &ChipLine,
    ) -> io::Result<(Held, Option<Level>)> {
        let misfit = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        // The kernel keeps no more than the first octets of a name.
        if there.consumer.is_empty() || !taking.consumer.starts_with(&there.consumer) {
            return misfit("the line is not this process's any more");
        }
        if there.active_low != self.gpio.active_low {
            return misfit("`active-low` has changed");
        }
        let request = taking.hardware.adopt(fd, &chip.path, there.offset)?;
        let mut held = Held::new(request, find::place(chip, there), Usage::AsIs);
        held.is_stored = true;
        let Some(level) = taking.first(self) else { return self.keep(held, taking.consumer, there) };
        held.usage = Usage::Output(level);
        held.request.reconfigure(&self.settings(taking.consumer, held.usage))?;
        Ok((held, Some(level)))
    }

    /// Leaves an output as it is. Where nobody drives it, nobody will until somebody says what to.
    fn keep(&self, mut held: Held, consumer: &str, there: &ChipLine) -> io::Result<(Held, Option<Level>)> {
        if there.direction != "output" {
            return Ok((held, None));
        }
        let level = held.request.level()?;
        held.usage = Usage::Output(level);
        held.request.reconfigure(&self.settings(consumer, held.usage))?;
        Ok((held, Some(level)))
    }

    fn take_input(&self, taking: &Taking<'_>, chip: &Chip, there: &ChipLine) -> Result<(Held, Option<Level>), Trouble> {
        let Gpio { debounce, debounce_mode: mode, .. } = self.gpio;
        let held = |debounce| {
            let usage = Usage::Input { debounce };
            Ok(Held::new(self.request(taking, chip, there, usage)?, find::place(chip, there), usage))
        };
        // The kernel waits until a line has settled, and nothing else.
        let by_kernel = debounce.filter(|_| mode == DebounceMode::Settled);
        let mut held = match held(by_kernel) {
            // Who refuses the whole may only refuse to debounce.
            Err(Trouble::Unsupported(_)) if by_kernel.is_some() => held(None)?,
            held => held?,
        };
        let by_us = debounce.filter(|_| held.usage == Usage::Input { debounce: None });
        let level = held.request.level().map_err(|error| Trouble::of(&error))?;
        held.level = Some(level);
        held.debounce = by_us.map(|time| Debounce::new(mode, time, level));
        Ok((held, Some(level)))
    }

    fn request(
        &self,
        taking: &Taking<'_>,
        chip: &Chip,
        there: &ChipLine,
        usage: Usage,
    ) -> Result<Box<dyn Request>, Trouble> {
        let taken = taking.hardware.request(&chip.path, there.offset, &self.settings(taking.consumer, usage));
        taken.map_err(|error| match Trouble::opening(&chip.path, &error) {
            Trouble::Busy { .. } => Trouble::Busy { consumer: consumer_of(taking.hardware, &self.gpio.line) },
            trouble => trouble,
        })
    }
}

/// Asks who has a line now.
fn consumer_of(hardware: &dyn Hardware, line: &HardwareLine) -> String {
    let seen = hardware.chips().unwrap_or_default();
    find::find(&seen, line).map(|(_, there)| there.consumer).unwrap_or_default()
}

impl Held {
    pub(super) fn new(request: Box<dyn Request>, place: String, usage: Usage) -> Self {
        let (is_ready, is_stored) = (false, false);
        Held {
            request,
            place,
            source: None,
            is_ready,
            lost: None,
            usage,
            is_stored,
            seq: 0,
            level: None,
            debounce: None,
        }
    }

    /// Reads the edges; of a descriptor that is readable without one, whether the line is still there.
    pub(super) fn edges(&self) -> io::Result<Vec<Edge>> {
        let edges = self.request.edges()?;
        if edges.is_empty() {
            self.request.level()?;
        }
        Ok(edges)
    }

    /// Counts the edges that are missing before this one: those between the numbers; and where the level is the one that
    /// it was, the edge between the two, since the kernel asks for the level a moment after the edge.
    pub(super) fn gap(&mut self, edge: &Edge) -> u64 {
        let gap = edge.seq.wrapping_sub(self.seq).wrapping_sub(1);
        let before = self.level.replace(edge.level);
        self.seq = edge.seq;
        match gap {
            // Of what bounces, nobody misses an edge.
            0 => u64::from(before == Some(edge.level) && self.debounce.is_none()),
            // A number that went back is none of a gap.
            _ if gap > u32::MAX / 2 => 0,
            _ => gap.into(),
        }
    }

    pub(super) fn edge(&mut self, level: Level, at: Duration, tell: &mut impl FnMut(Level, Duration)) {
        self.calm_down(at, tell);
        if self.debounce.as_mut().is_none_or(|debounce| debounce.edge(level, at)) {
            tell(level, at);
        }
    }

    /// Tells what has come of a bouncing contact whose time is over.
    pub(super) fn calm_down(&mut self, now: Duration, tell: &mut impl FnMut(Level, Duration)) {
        if let Some(debounce) = &mut self.debounce {
            while let Some((level, at)) = debounce.handle_timeout(now) {
                tell(level, at);
            }
        }
    }

    /// Says whether the time of a bouncing contact is over. Edges that came before its end are to be read first.
    pub(super) fn is_calm(&self, now: Duration) -> bool {
        self.debounce.as_ref().and_then(Debounce::timeout).is_some_and(|at| at <= now)
    }

    /// Says whether it waits to be watched, or to be given back.
    pub(super) fn is_due(&self) -> bool {
        self.source.is_none() || self.lost.is_some()
    }
}
