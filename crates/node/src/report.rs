//! How presses ended, for the log and for status.

use crate::console;
use crate::moment::unix_us;
use crate::status::Trouble;
use soquete::{Clock, Endpoint};
use soquete_board::{Failure, Outcome, RuleId};

/// The latest press of each rule that was not done or is unknown.
#[derive(Debug)]
pub(crate) struct Reports {
    troubles: Vec<Option<Trouble>>,
}

impl Reports {
    pub(crate) fn new(rules: usize) -> Self {
        Reports { troubles: vec![None; rules] }
    }

    /// Returns the latest press of a rule that was not done or is unknown.
    pub(crate) fn trouble(&self, rule: RuleId) -> Option<Trouble> {
        self.troubles[rule.index()].clone()
    }

    /// Says how a press ended.
    pub(crate) fn report(&mut self, rule: RuleId, words: &str, command: &str, to: &[Endpoint], outcome: &Outcome) {
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        let to = if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
        let ended = match outcome {
            Ok(()) => "done".to_owned(),
            Err(failure) => failure.to_string(),
        };
        console::say(&format!("{words}: {command}{to}: {ended}"));
        if let Err(failure) = outcome {
            self.troubles[rule.index()] = Some(Trouble {
                at_us: unix_us(Clock::now()),
                outcome: outcome_word(failure).to_owned(),
                reason: failure.reason().to_owned(),
            });
        }
    }
}

/// Returns the words of how something ended.
fn outcome_word(outcome: &Failure) -> &'static str {
    match outcome {
        Failure::NotDone(_) => "not done",
        Failure::Unknown(_) => "unknown",
    }
}
