//! What can be wrong with a rule.

use std::collections::{HashMap, HashSet};

use soquete::{Endpoint, Host};
use soquete_board::{Direction, LEASE_MIN, LINES_PER_COMMAND_MAX, LineName, Trigger};
use soquete_proto::lines::LINE_MAX_BYTES;
use soquete_proto::text;

use super::{Check, has_no_port};
use crate::config::{Counted, Delivery, LeaseProblem, Place, Problem, RULE_LEASE_MAX, RuleConfig, Timeout};
use crate::deliver::lines_of;
use crate::front::verb;

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
            if let Some(verb) = told_once(command).filter(|_| is_doubled) {
                self.found(place.send(nth), Problem::Doubled(verb));
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
            self.found(place.lease(), Problem::BadLease(LeaseProblem::Time));
        }
        if rule.to.is_empty() {
            self.found(place.lease(), Problem::BadLease(LeaseProblem::ToItself));
        } else if rule.delivery == Delivery::Text {
            self.found(place.lease(), Problem::BadLease(LeaseProblem::InText));
        }
        for (nth, to) in rule.to.iter().enumerate().filter(|(_, to)| to.reaches_many()) {
            self.found(place.to(nth), Problem::BadLease(LeaseProblem::OfGroup(to.clone())));
        }
        let lines = lines_of(rule).len();
        if lines > LINES_PER_COMMAND_MAX {
            self.found(place.lease(), Problem::BadLease(LeaseProblem::Wide { lines }));
        }
    }
}

/// Returns what of a command must not be done twice, if anything.
fn told_once(command: &str) -> Option<text::Verb> {
    let Ok(Some(text::Command::Set(sets))) = text::parse(command.as_bytes()) else { return None };
    sets.into_iter().map(|(_, verb)| verb).find(|verb| !matches!(verb, text::Verb::On | text::Verb::Off))
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
    for (name, told) in sets {
        verb(told).check().map_err(Problem::BadVerb)?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::check::fixture::{ON, RULE, SEND, name, problem};
    use crate::config::{TIMEOUT_MAX, TimeoutError};
    use soquete_board::Refusal;

    #[test]
    fn a_rule_listens_to_an_input_of_its_process() {
        assert_eq!(problem(|p| p.rules[0].line = name("LED")), Some((ON, Problem::NotAnInput(name("LED")))));
        assert_eq!(problem(|p| p.rules[0].line = name("KNOB")), Some((ON, Problem::NoSuchInput(name("KNOB")))));
    }

    #[test]
    fn a_local_rule_sets_outputs_of_its_process() {
        let send = |command: &str| problem(|p| p.rules[0].send = vec![command.into()]);
        assert_eq!(send("led on"), None);
        assert_eq!(send("LAMP ON"), Some((SEND, Problem::NoSuchOutput(name("LAMP")))));
        assert_eq!(send("BUTTON ON"), Some((SEND, Problem::NotAnOutput(name("BUTTON")))));
        assert_eq!(problem(|p| p.rules[0].delivery = Delivery::Text), Some((RULE, Problem::TextToItself)));
    }

    #[test]
    fn a_lease_is_on_as_many_lines_as_a_command_may_name() {
        let lease = |more: Option<&str>| {
            problem(|p| {
                let all: Vec<String> = (0..LINES_PER_COMMAND_MAX).map(|nth| format!("L{nth} ON")).collect();
                p.rules[0].send = vec![all.join(" "), "l0 OFF".into()];
                p.rules[0].send.extend(more.map(str::to_owned));
                p.rules[0].to = vec!["unix:@led".parse().unwrap()];
                p.rules[0].lease = Some(Duration::from_secs(3));
            })
        };
        assert_eq!(lease(None), None);
        let wide = Problem::BadLease(LeaseProblem::Wide { lines: LINES_PER_COMMAND_MAX + 1 });
        assert_eq!(lease(Some("M ON")), Some((RULE.lease(), wide)));
    }

    #[test]
    fn a_rule_with_targets_may_set_what_only_they_know() {
        let send = |command: &str, to: &[&str]| {
            problem(|p| {
                p.rules[0].send = vec![command.into()];
                p.rules[0].to = to.iter().map(|to| to.parse().unwrap()).collect();
            })
        };
        assert_eq!(send("LAMP ON RELAY1 OFF", &["tcp://10.0.0.2:5555", "unix:@led"]), None);
        let nobody = "tcp://10.0.0.2:0".parse().unwrap();
        let place = Place::To { process: 0, rule: 0, nth: 0 };
        assert_eq!(send("LAMP ON", &["tcp://10.0.0.2:0"]), Some((place, Problem::NoPort(nobody))));
        let place = Place::To { process: 0, rule: 0, nth: 1 };
        let again = Problem::RepeatedTarget("unix:@led".parse().unwrap());
        assert_eq!(send("LAMP ON", &["unix:@led", "unix:@led"]), Some((place, again)));
    }

    #[test]
    fn a_rule_sends_commands_that_set() {
        let send = |command: &str| problem(|p| p.rules[0].send = vec![command.into()]).map(|(_, problem)| problem);
        assert_eq!(send("LED"), Some(Problem::SetsNothing("LED".into())));
        assert_eq!(send("QUIT"), Some(Problem::SetsNothing("QUIT".into())));
        assert_eq!(send(""), Some(Problem::SetsNothing(String::new())));
        assert!(matches!(send("LED BLINK!"), Some(Problem::BadCommand(_))));
        assert_eq!(send("LED ON led OFF"), Some(Problem::RepeatedInCommand(name("LED"))));
        assert!(matches!(
            send(&format!("{} ON", "L".repeat(33))),
            Some(Problem::BadCommand(_) | Problem::BadLineName(_))
        ));
        assert_eq!(send(&"LED ON ".repeat(200)), Some(Problem::LongCommand { len_bytes: 1_400 }));
        let lines = LINES_PER_COMMAND_MAX + 1;
        assert_eq!(send(&"LED ON ".repeat(lines)), Some(Problem::WideCommand { lines }));
        assert_eq!(send("LED PULSE 1h"), None);
        assert_eq!(send("LED PULSE 3601s"), Some(Problem::BadVerb(Refusal::PulseTime)));
        assert_eq!(send("LED BLINK 9ms"), Some(Problem::BadVerb(Refusal::BlinkTime)));
        assert_eq!(send("LED BLINK 10ms 0"), Some(Problem::BadVerb(Refusal::BlinkCount)));
        assert_eq!(problem(|p| p.rules[0].send.clear()), Some((RULE, Problem::NoCommand)));
    }

    #[test]
    fn a_rule_has_a_time_within_bounds() {
        let within = |within| problem(|p| p.rules[0].within = within);
        let too_short = Problem::BadWithin(TimeoutError::TooShort);
        assert_eq!(within(Duration::ZERO), Some((RULE, too_short)));
        assert_eq!(within(TIMEOUT_MAX), None);
        let too_long = Problem::BadWithin(TimeoutError::TooLong);
        let never = Trigger::Hold(Duration::from_secs(3601));
        assert_eq!(problem(|p| p.rules[0].on = never), Some((RULE, too_long)));
    }
}
