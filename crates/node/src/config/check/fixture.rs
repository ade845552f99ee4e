//! A small configuration without mistakes, for the tests.

use soquete_board::{Direction, LineName, Trigger};

use super::check;
use crate::config::{LineConfig, LineKind, Place, Problem, ProcessConfig, RuleConfig, Serve};

pub(super) fn name(text: &str) -> LineName {
    text.parse().unwrap()
}

/// A process with an input `BUTTON`, an output `LED` and a rule that ties them together.
pub(super) fn process(process_name: &str) -> ProcessConfig {
    let mut config = ProcessConfig::new(process_name.parse().unwrap());
    config.lines.push(LineConfig::new(name("BUTTON"), LineKind::Virtual(Direction::Input)));
    config.lines.push(LineConfig::new(name("LED"), LineKind::Log));
    config.rules.push(RuleConfig::new(name("BUTTON"), Trigger::Press, "LED TOGGLE"));
    config
}

pub(super) fn serving(at: &str) -> ProcessConfig {
    let mut config = process("led");
    config.serve.push(Serve::new(at.parse().unwrap()));
    config
}

/// Checks one process after a change to it; there is at most one mistake.
pub(super) fn problem(change: impl FnOnce(&mut ProcessConfig)) -> Option<(Place, Problem)> {
    let mut config = serving("tcp://127.0.0.1:5555");
    change(&mut config);
    let mistakes = check(&[config]);
    assert!(mistakes.len() < 2, "{mistakes:?}");
    mistakes.into_iter().next().map(|mistake| (mistake.place, mistake.problem))
}

pub(super) const SERVE: Place = Place::Serve { process: 0, nth: 0 };
pub(super) const RULE: Place = Place::Rule { process: 0, nth: 0 };
pub(super) const ON: Place = Place::On { process: 0, rule: 0 };
pub(super) const SEND: Place = Place::Send { process: 0, rule: 0, nth: 0 };
