//! What can be wrong with a rule.

use std::collections::{HashMap, HashSet};

use soquete::{Endpoint, Host};
use soquete_board::{Direction, LEASE_MIN, LINES_PER_COMMAND_MAX, LineName, Trigger};
use soquete_proto::lines::LINE_MAX_BYTES;
use soquete_proto::text;

use super::{Check, has_no_port};
use crate::config::{Counted, Delivery, LeaseProblem, Place, Problem, RULE_LEASE_MAX, RuleConfig, Timeout};
use crate::deliver::lines_of;

impl Check<'_> {
    pub(super) fn rule(&mut self, place: Place, rule: &RuleConfig, lines: &HashMap<&LineName, Direction>) {
        match lines.get(&rule.line) {
            Some(Direction::Input) => {}
            Some(Direction::Output) => self.found(place.on(), Problem::NotAnInput(rule.line.clone())),
            None => self.found(place.on(), Problem::NoSuchInput(rule.line.clone())),
        }
        if rule.send.is_empty() {
            self.found(place, Problem::NoCommand);
        }
        self.count(place, Counted::Commands, rule.send.len());
        // Text in a datagram is a message by itself, and a network may double it.
        let is_doubled = rule.delivery == Delivery::Text && rule.to.iter().any(Endpoint::is_datagram);
        let local = rule.to.is_empty().then_some(lines);
        for (nth, command) in rule.send.iter().enumerate() {
            if let Err(problem) = check_command(command, local) {
                self.found(place.send(nth), problem);
            }
            if is_doubled && has_toggle(command) {
                self.found(place.send(nth), Problem::DoubledToggle);
            }
        }
        if rule.to.is_empty() && rule.delivery == Delivery::Text {
            self.found(place, Problem::TextToItself);
        }
        self.count(place, Counted::Targets, rule.to.len());
        let mut targets = HashSet::new();
        for (nth, to) in rule.to.iter().enumerate() {
            if has_no_port(to) {
                self.found(place.to(nth), Problem::NoPort(to.clone()));
            }
            // What goes without a session is sent from the loop, which must not wait for a look-up.
            if to.is_datagram()
                && (rule.delivery == Delivery::Text || to.reaches_many())
                && let Some((Host::Name(_), _)) = to.host()
            {
                self.found(place.to(nth), Problem::NameOfDatagrams(to.clone()));
            }
            if !targets.insert(to) {
                self.found(place.to(nth), Problem::RepeatedTarget(to.clone()));
            }
        }
        self.lease(place, rule);
        let own = match rule.on {
            Trigger::Hold(time) | Trigger::Double(time) => Some(time),
            _ => None,
        };
        for time in own.into_iter().chain([rule.within]) {
            if let Err(error) = Timeout::try_from(time) {
                self.found(place, Problem::BadWithin(error));
            }
        }
    }

    fn lease(&mut self, place: Place, rule: &RuleConfig) {
        let Some(time) = rule.lease else { return };
        if !(LEASE_MIN..=RULE_LEASE_MAX).contains(&time) {
            self.found(place, Problem::BadLease(LeaseProblem::Time));
        }
        if rule.to.is_empty() {
            self.found(place, Problem::BadLease(LeaseProblem::ToItself));
        } else if rule.delivery == Delivery::Text {
            self.found(place, Problem::BadLease(LeaseProblem::InText));
        }
        for (nth, to) in rule.to.iter().enumerate().filter(|(_, to)| to.reaches_many()) {
            self.found(place.to(nth), Problem::BadLease(LeaseProblem::OfGroup(to.clone())));
        }
        let lines = lines_of(rule).len();
        if lines > LINES_PER_COMMAND_MAX {
            self.found(place, Problem::BadLease(LeaseProblem::Wide { lines }));
        }
    }
}

/// Says whether a command has TOGGLE, which must not be done twice.
fn has_toggle(command: &str) -> bool {
    let Ok(Some(text::Command::Set(sets))) = text::parse(command.as_bytes()) else { return false };
    sets.iter().any(|(_, verb)| *verb == text::Verb::Toggle)
}

/// Checks that a command sets lines; where they are `local`, that they are there and are outputs.
fn check_command(command: &str, local: Option<&HashMap<&LineName, Direction>>) -> Result<(), Problem> {
    if command.len() > LINE_MAX_BYTES {
        return Err(Problem::LongCommand { len_bytes: command.len() });
    }
    let sets = match text::parse(command.as_bytes()) {
        Ok(Some(text::Command::Set(sets))) if sets.len() <= LINES_PER_COMMAND_MAX => sets,
        Ok(Some(text::Command::Set(sets))) => return Err(Problem::WideCommand { lines: sets.len() }),
        Ok(_) => return Err(Problem::SetsNothing(command.to_owned())),
        Err(malformed) => return Err(Problem::BadCommand(malformed)),
    };
    let mut seen = HashSet::new();
    for (name, _) in sets {
        let line = LineName::try_from(name).map_err(Problem::BadLineName)?;
        match local.map(|lines| lines.get(&line)) {
            None | Some(Some(Direction::Output)) => {}
            Some(Some(Direction::Input)) => return Err(Problem::NotAnOutput(line)),
            Some(None) => return Err(Problem::NoSuchOutput(line)),
        }
        if !seen.insert(line.clone()) {
            return Err(Problem::RepeatedInCommand(line));
        }
    }
    Ok(())
}
