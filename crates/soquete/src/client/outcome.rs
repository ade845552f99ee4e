//! How a request ends.

use std::fmt;

/// How a request ended that must not be done twice or late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<A = Vec<u8>> {
    /// It was done, once; the answer.
    Done(A),
    /// Nothing was done, and nothing will be: it is safe to repeat. Why.
    NotDone(String),
    /// Nobody knows. Why.
    Unknown(String),
}

impl fmt::Display for Outcome {
    /// Prints `done: OK LED ON`, `not done: WHY` or `unknown: WHY`; octets of an answer that are no ASCII are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done(answer) => write!(f, "done: {}", answer.escape_ascii()),
            Outcome::NotDone(why) => write!(f, "not done: {why}"),
            Outcome::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_a_line_with_the_answer_or_the_reason() {
        let outcomes = [
            Outcome::Done(b"OK LED ON".to_vec()),
            Outcome::Done(vec![0xFF, b'\n']),
            Outcome::NotDone("expired".into()),
            Outcome::Unknown("no answer".into()),
        ];
        let lines = outcomes.map(|outcome| outcome.to_string());
        assert_eq!(lines, ["done: OK LED ON", "done: \\xff\\n", "not done: expired", "unknown: no answer"]);
    }
}
