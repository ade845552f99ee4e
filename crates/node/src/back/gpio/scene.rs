//! Hardware lines on chips in plain Rust and on a real loop, for tests.

use super::Gpios;
use super::fake::Fake;
use crate::config::{LineConfig, LineKind, ProcessConfig};
use crate::error::ProcessError;
use crate::holder::Holder;
use soquete::{Clock, Exchange, Hub, Limits};
use soquete_board::{Board, Fact, Level, LineId, LineSpec};
use std::time::Duration;

/// How long is waited for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of a process, and what is around them.
pub(crate) struct Scene {
    pub(crate) gpios: Gpios,
    pub(crate) ids: Vec<LineId>,
    hub: Hub,
    /// What every output was to have while it was not there.
    pub(crate) due: Option<Level>,
}

impl Scene {
    /// Takes these lines of a machine, under the names A, B, C and so on.
    pub(crate) fn new(fake: &Fake, lines: Vec<LineConfig>) -> Result<Self, ProcessError> {
        Self::held(fake, lines, None)
    }

    /// As [`new`](Scene::new), started by somebody who holds descriptors.
    pub(crate) fn held(fake: &Fake, lines: Vec<LineConfig>, holder: Option<Holder>) -> Result<Self, ProcessError> {
        let (mut board, mut config) = (Board::new(), ProcessConfig::new("led_process".parse().unwrap()));
        let ids = lines.iter().map(|line| board.add_line(Duration::ZERO, LineSpec::output(line.name.clone())).unwrap());
        let ids: Vec<_> = ids.collect();
        config.lines = lines;
        let gpios = Gpios::new(&config, &ids, Box::new(fake.clone()), holder)?;
        Ok(Scene { gpios, ids, hub: Hub::new(Limits::default()).unwrap(), due: None })
    }

    /// Lets the loop turn until as many facts were told, and once more, and returns them in words.
    pub(crate) fn told(&mut self, count: usize) -> Vec<String> {
        self.facts(count).iter().map(|fact| self.words(fact)).collect()
    }

    pub(crate) fn facts(&mut self, count: usize) -> Vec<Fact> {
        let (mut facts, until) = (Vec::new(), Clock::now() + PATIENCE);
        while facts.len() < count {
            assert!(Clock::now() < until, "only {facts:?}");
            facts.extend(self.turn(self.gpios.timeout().unwrap_or(until).min(until)));
        }
        facts.extend(self.turn(Duration::ZERO));
        facts
    }

    fn turn(&mut self, until: Duration) -> Vec<Fact> {
        let timeout = until.saturating_sub(Clock::now());
        self.hub.turn(Some(timeout), &mut |_: Exchange<'_>| {}).unwrap();
        while let Some(source) = self.hub.next_ready() {
            self.gpios.ready(source);
        }
        let due = self.due;
        self.gpios.drive(Clock::now(), &mut self.hub, &|_| due);
        std::iter::from_fn(|| self.gpios.next()).collect()
    }

    /// Says which line a fact is about, and what it says: `A on edge`.
    fn words(&self, fact: &Fact) -> String {
        let name = |line: &LineId| {
            char::from(b'A' + u8::try_from(self.ids.iter().position(|id| id == line).unwrap()).unwrap())
        };
        let level = |level: &Level| if *level == Level::On { "on" } else { "off" };
        match fact {
            Fact::Edge { line, level: on, .. } => format!("{} {} edge", name(line), level(on)),
            Fact::Confirmed { line, level: on, cause } => format!("{} {} {cause}", name(line), level(on)),
            Fact::Lost { line, cause } => format!("{} lost {cause}", name(line)),
            other => panic!("{other:?}"),
        }
    }
}

/// A machine with one chip.
pub(crate) fn pi() -> Fake {
    let fake = Fake::default();
    fake.plug("soc", &["GPIO4", "GPIO17", "GPIO18"]);
    fake
}

/// Makes an output called `name` of a line of the hardware.
pub(crate) fn output(name: &str, line: &str) -> LineConfig {
    LineConfig::new(name.parse().unwrap(), LineKind::output(&format!("gpio:{line}")).unwrap())
}

/// Makes an input called `name` of a line of the hardware.
pub(crate) fn input(name: &str, line: &str) -> LineConfig {
    LineConfig::new(name.parse().unwrap(), LineKind::input(&format!("gpio:{line}")).unwrap())
}

/// Changes how the hardware of a line is used.
pub(crate) fn with(mut line: LineConfig, change: impl FnOnce(&mut crate::config::Gpio)) -> LineConfig {
    if let LineKind::Gpio(gpio) = &mut line.kind {
        change(gpio);
    }
    line
}
