//! What the answer of a far board says of each line.

use super::Remotes;
use soquete::Outcome;
use soquete_board::{Failure, LineId, Taken, Value};

impl Remotes {
    /// Makes an outcome for each line of that of the request to the server at `at`.
    pub(super) fn outcomes(&self, at: &str, lines: &[LineId], outcome: Outcome) -> Vec<Taken> {
        let failure = match outcome {
            Outcome::Done(payload) => {
                let text = String::from_utf8_lossy(&payload);
                // `OK LED ON RELAY1 OFF`, in the order of the command.
                let mut values = text.split(' ').skip(2).step_by(2).map(value);
                return lines.iter().map(|_| Ok(values.next().unwrap_or(Value::Unknown))).collect();
            }
            Outcome::NotDone(why) => Failure::NotDone(self.bare(at, lines, &why).into()),
            Outcome::Unknown(why) => Failure::Unknown(self.bare(at, lines, &why).into()),
        };
        vec![Err(failure); lines.len()]
    }

    /// Takes the board's own words off the front of a far board's reason: this board puts them there again. Any other
    /// reason gets the far end in front, unless it names it: in a chain it is the one that knows no more.
    fn bare(&self, at: &str, lines: &[LineId], why: &str) -> String {
        let mut names = lines.iter().filter_map(|line| self.lines.get(line)).map(|(_, name)| name);
        let bare = names.find_map(|name| {
            let unknown = why.strip_prefix("whether ").and_then(|why| why.strip_prefix(name.as_str()));
            let unknown = unknown.and_then(|why| why.strip_prefix(" was set is unknown: "));
            unknown.or_else(|| why.strip_prefix(name.as_str())?.strip_prefix(" was not set: "))
        });
        match bare {
            Some(bare) => bare.to_owned(),
            None if why.contains(at) => why.to_owned(),
            None => format!("{at}: {why}"),
        }
    }
}

/// Reads a value; what is none of ours is unknown.
pub(super) fn value(word: &str) -> Value {
    match word {
        "ON" => Value::On,
        "OFF" => Value::Off,
        _ => Value::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::remotes;
    use super::*;

    #[test]
    fn the_words_of_boards_in_a_row_are_said_once() {
        let (remotes, ids) = remotes();
        for (far, bare) in [
            ("LED was not set: stuck", "stuck"),
            ("NOBODY was not set: LED was not set: stuck", "LED was not set: stuck"),
            ("whether LED was set is unknown: silent", "silent"),
            ("whether LAMP was set is unknown: silent", "tcp://a:1: whether LAMP was set is unknown: silent"),
            ("LED was not set, other lines were: stuck", "tcp://a:1: LED was not set, other lines were: stuck"),
            ("the server did not answer", "tcp://a:1: the server did not answer"),
            ("connect tcp://a:1: timed out", "connect tcp://a:1: timed out"),
            ("LED was not set: tcp://b:1: silent", "tcp://b:1: silent"),
        ] {
            assert_eq!(remotes.bare("tcp://a:1", &ids, far), bare);
        }
    }

    #[test]
    fn an_answer_that_says_less_than_was_asked_leaves_a_value_unknown() {
        let (remotes, ids) = remotes();
        let outcomes = |words: &str| remotes.outcomes("mem:far", &ids, Outcome::Done(words.as_bytes().to_vec()));
        assert_eq!(outcomes("OK LED ON NOBODY OFF"), [Ok(Value::On), Ok(Value::Off)]);
        assert_eq!(outcomes("OK LED ON"), [Ok(Value::On), Ok(Value::Unknown)]);
        assert_eq!(outcomes("\u{0}"), [Ok(Value::Unknown), Ok(Value::Unknown)]);
    }
}
