//! The words of answers.

use crate::moment::unix_us;
use crate::plant::Plant;
use soquete::Clock;
use soquete_board::{Blink, Direction, Event, LineName, Refusal, Value, Verb};
use soquete_proto::handshake::Code;
use soquete_proto::text;
use std::fmt::Write as _;

/// Says a value as the text language does.
pub(super) fn value_word(value: Value) -> &'static str {
    match value {
        Value::On => "ON",
        Value::Off => "OFF",
        _ => "UNKNOWN",
    }
}

/// Says which values lines have: `OK LED ON RELAY1 OFF`.
pub(super) fn put_values(values: &[(LineName, Value)]) -> String {
    values.iter().fold("OK".to_owned(), |mut text, (name, value)| {
        _ = write!(text, " {name} {}", value_word(*value));
        text
    })
}

/// Lists the lines: `OK n`, then a row each, `NAME VALUE DIRECTION`, and of a leased line `LEASED 2400ms OWNER`, of any
/// other that is unknown `BECAUSE` and why, where that is known.
pub(super) fn put_lines(plant: &Plant) -> String {
    let board = &plant.board;
    let mut text = format!("OK {}", board.lines().count());
    for line in board.lines() {
        let direction = match line.direction() {
            Direction::Input => "INPUT",
            Direction::Output => "OUTPUT",
        };
        _ = write!(text, "\n{} {} {direction}", line.name(), value_word(line.value()));
        if let Some(lease) = board.lease_of(line.id()) {
            let left = lease.until().saturating_sub(Clock::now()).as_millis();
            _ = write!(text, " LEASED {left}ms {}", lease.owner().words);
        } else if let Some(why) = plant.trouble(line.id()).filter(|_| line.value() == Value::Unknown) {
            // Some of it may be a far end's words, which must not look like two rows.
            let why: String = why.chars().filter(|character| !character.is_control()).collect();
            _ = write!(text, " BECAUSE {why}");
        }
    }
    text
}

/// Says a change in text: `EVENT LED ON`.
pub(super) fn put_event_line(event: &Event) -> String {
    format!("EVENT {} {}", event.line, value_word(event.value))
}

/// Says a change in frames: `LED ON 1732137000123456 tcp://127.0.0.1:44800`.
pub(super) fn put_event(event: &Event) -> String {
    format!("{} {} {} {}", event.line, value_word(event.value), unix_us(event.at), event.cause)
}

/// Reads the name of a line.
pub(super) fn name(word: &str) -> Result<LineName, Refusal> {
    // The grammar has the same names but for their length, and no line has a longer one.
    LineName::try_from(word).or_else(|_| {
        let end = word.floor_char_boundary(soquete_board::NAME_BYTES_MAX);
        LineName::try_from(&word[..end]).map_or(Err(Refusal::NoLine), |name| Err(Refusal::UnknownLine(name)))
    })
}

/// Reads the names of lines.
pub(super) fn names(words: &[&str]) -> Result<Vec<LineName>, Refusal> {
    words.iter().map(|word| name(word)).collect()
}

/// Turns a verb of the grammar into the board's.
pub(crate) fn verb(verb: text::Verb) -> Verb {
    match verb {
        text::Verb::On => Verb::On,
        text::Verb::Off => Verb::Off,
        text::Verb::Toggle => Verb::Toggle,
        text::Verb::Pulse(time) => Verb::Pulse(time),
        text::Verb::Blink { on, off, count } => Verb::Blink(Blink { on, off, count }),
    }
}

/// Turns a verb of the board into the grammar's.
pub(crate) fn told(verb: Verb) -> text::Verb {
    match verb {
        Verb::On => text::Verb::On,
        Verb::Off => text::Verb::Off,
        Verb::Toggle => text::Verb::Toggle,
        Verb::Pulse(time) => text::Verb::Pulse(time),
        Verb::Blink(Blink { on, off, count }) => text::Verb::Blink { on, off, count },
    }
}

/// Returns the code of a refusal: what a program needs to know of it.
pub(super) fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Expired => Code::Expired,
        Refusal::Busy(_) => Code::Busy,
        refusal if refusal.is_safe_to_repeat() => Code::Refused,
        _ => Code::Unknown,
    }
}

/// An answer in words.
pub(super) type Words = Result<String, (Code, String)>;

/// Puts what came of a command in words.
pub(super) fn words(result: &Result<Vec<(LineName, Value)>, Refusal>) -> Words {
    match result {
        Ok(values) => Ok(put_values(values)),
        Err(refusal) => Err((code_of(refusal), refusal.to_string())),
    }
}
