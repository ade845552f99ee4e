//! One line of the hardware: taken, driven, and its edges.

use super::chip::{Edge, Hardware, Request, Seen, Settings, Usage};
use super::debounce::Debounce;
use super::find;
use super::trouble::Trouble;
use crate::config::{DebounceMode, Gpio, HardwareLine, LineConfig, LineKind};
use soquete::SourceId;
use soquete_board::{Direction, Level, LineId, Preset};
use std::io;
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

    /// Takes the line as it is configured. Returns what it has, where that is known.
    pub(super) fn take(
        &self,
        hardware: &dyn Hardware,
        seen: &[Seen],
        consumer: &str,
    ) -> Result<(Held, Option<Level>), Trouble> {
        let (chip, there) = find::find(seen, &self.gpio.line)?;
        let request = |usage| {
            let taken = hardware.request(&chip.path, there.offset, &self.settings(consumer, usage));
            taken.map_err(|error| match Trouble::opening(&chip.path, &error) {
                Trouble::Busy { .. } => Trouble::Busy { consumer: consumer_of(hardware, &self.gpio.line) },
                trouble => trouble,
            })
        };
        let held = |usage| Ok(Held::new(request(usage)?, find::place(&chip, &there), usage));
        let level = |held: &Held| held.request.level().map_err(|error| Trouble::of(&error));
        match (self.gpio.direction, self.start) {
            (Direction::Output, Preset::On) => Ok((held(Usage::Output(Level::On))?, Some(Level::On))),
            (Direction::Output, Preset::Off) => Ok((held(Usage::Output(Level::Off))?, Some(Level::Off))),
            (Direction::Output, Preset::Keep) => {
                let mut held = held(Usage::AsIs)?;
                if there.direction != "output" {
                    // Nobody drives it, and nobody will until somebody says what to.
                    return Ok((held, None));
                }
                let level = level(&held)?;
                let usage = Usage::Output(level);
                let driven = held.request.reconfigure(&self.settings(consumer, usage));
                driven.map_err(|error| Trouble::of(&error))?;
                held.usage = usage;
                Ok((held, Some(level)))
            }
            (Direction::Input, _) => {
                let Gpio { debounce, debounce_mode: mode, .. } = self.gpio;
                // The kernel waits until a line has settled, and nothing else.
                let by_kernel = debounce.filter(|_| mode == DebounceMode::Settled);
                let mut held = match held(Usage::Input { debounce: by_kernel }) {
                    // Who refuses the whole may only refuse to debounce.
                    Err(Trouble::Unsupported(_)) if by_kernel.is_some() => held(Usage::Input { debounce: None })?,
                    held => held?,
                };
                let by_us = debounce.filter(|_| held.usage == Usage::Input { debounce: None });
                let level = level(&held)?;
                held.level = Some(level);
                held.debounce = by_us.map(|time| Debounce::new(mode, time, level));
                Ok((held, Some(level)))
            }
        }
    }
}

/// Asks who has a line now.
fn consumer_of(hardware: &dyn Hardware, line: &HardwareLine) -> String {
    let seen = hardware.chips().unwrap_or_default();
    find::find(&seen, line).map(|(_, there)| there.consumer).unwrap_or_default()
}

impl Held {
    pub(super) fn new(request: Box<dyn Request>, place: String, usage: Usage) -> Self {
        Held { request, place, source: None, is_ready: false, lost: None, usage, seq: 0, level: None, debounce: None }
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
