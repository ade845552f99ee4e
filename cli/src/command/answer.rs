//! What a board answers, read: values, the rows of `LINES`, the payload of an event.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use soquete_node::config::{Direction, LineName};
use soquete_node::status::LeaseStatus;
use soquete_proto::text;

/// The value of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Value {
    /// It is on.
    On,
    /// It is off.
    Off,
    /// Nobody knows: a far board, a chip that is gone.
    Unknown,
}

/// One row of the answer to `LINES`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The line.
    pub(crate) name: LineName,
    /// What it has.
    pub(crate) value: Value,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// Who owns it; nothing where nobody does.
    pub(crate) lease: Option<LeaseStatus>,
    /// Why it is unknown, where the board says so.
    pub(crate) why: Option<String>,
}

impl Row {
    /// Says what it has, and why that is unknown: `unknown: the chip is gone`.
    pub(crate) fn known(&self) -> String {
        known(self.value, self.why.as_deref())
    }
}

/// Says what a line has, and why that is unknown, where it is and somebody says so.
pub(crate) fn known(value: impl fmt::Display, why: Option<&str>) -> String {
    why.map_or_else(|| value.to_string(), |why| format!("{value}: {}", plain(why)))
}

/// The payload of an event: a change of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The line.
    pub(crate) name: LineName,
    /// What it has now.
    pub(crate) value: Value,
    /// When it changed, in microseconds since the Unix epoch.
    pub(crate) time_us: u64,
    /// Who changed it, in one line without control characters.
    pub(crate) by: String,
}

/// An answer that no board gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotABoard(String);

impl FromStr for Value {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let values = [("ON", Self::On), ("OFF", Self::Off), ("UNKNOWN", Self::Unknown)];
        values.into_iter().find_map(|(name, value)| name.eq_ignore_ascii_case(word).then_some(value)).ok_or(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unknown => "unknown",
        })
    }
}

/// Reads `OK LED ON`: a line and its value.
///
/// # Errors
/// It is something else.
pub(crate) fn value(answer: &str) -> Result<(LineName, Value), NotABoard> {
    let read = || {
        let mut words = answer.split_ascii_whitespace();
        let is_ok = words.next()? == "OK";
        let (name, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (is_ok && words.next().is_none()).then_some((name, value))
    };
    read().ok_or_else(|| NotABoard::from(answer))
}

/// Reads the answer to `LINES`: `OK n`, then n rows `LED ON OUTPUT`.
///
/// # Errors
/// It is something else.
pub(crate) fn rows(answer: &str) -> Result<Vec<Row>, NotABoard> {
    let read = || {
        let mut lines = answer.lines();
        let count: usize = lines.next()?.strip_prefix("OK ")?.parse().ok()?;
        let rows: Vec<Row> = lines.map(row).collect::<Option<_>>()?;
        (rows.len() == count).then_some(rows)
    };
    read().ok_or_else(|| NotABoard::from(answer))
}

fn row(line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    let (name, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let direction = match words.next()? {
        "INPUT" => Direction::Input,
        "OUTPUT" => Direction::Output,
        _ => return None,
    };
    // Later versions may say more of a line.
    let (lease, why) = match words.next() {
        Some("LEASED") => (lease(words), None),
        Some("BECAUSE") if value == Value::Unknown => (None, Some(words.collect::<Vec<_>>().join(" "))),
        _ => (None, None),
    };
    Some(Row { name, value, direction, lease, why })
}

/// Reads who owns a line, `2400ms button_process (tcp://127.0.0.1:44800)`.
fn lease<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<LeaseStatus> {
    let left_secs = text::time(words.next()?)?.as_secs_f64();
    Some(LeaseStatus { by: plain(&words.collect::<Vec<_>>().join(" ")), left_secs })
}

/// Says who owns a line, and for how long.
pub(crate) fn owner(lease: Option<&LeaseStatus>) -> String {
    lease.map(|lease| format!("{}, for {:.1} s more", plain(&lease.by), lease.left_secs)).unwrap_or_default()
}

/// Reads an event, `LED ON 1795000000123456 button_process (tcp://127.0.0.1:44800)`.
///
/// # Errors
/// It is something else.
pub(crate) fn change(payload: &[u8]) -> Result<Change, NotABoard> {
    let text = String::from_utf8_lossy(payload);
    let read = || {
        let mut words = text.splitn(4, ' ');
        let (name, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let time_us = words.next()?.parse().ok()?;
        Some(Change { name, value, time_us, by: plain(words.next().unwrap_or_default()) })
    };
    read().ok_or_else(|| NotABoard::from(&*text))
}

/// Takes out what could move the cursor of a terminal or end the line: the far end chose this text.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Names a direction as the table does.
pub(crate) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "input",
        Direction::Output => "output",
    }
}

impl From<&str> for NotABoard {
    /// Keeps what shows what it is: the first 60 characters.
    fn from(answer: &str) -> Self {
        Self(plain(&answer.chars().take(60).collect::<String>()))
    }
}

impl fmt::Display for NotABoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is not a board's: {:?}", self.0)
    }
}

impl std::error::Error for NotABoard {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_with_its_line() {
        assert_eq!(value("OK LED ON"), Ok(("LED".parse().unwrap(), Value::On)));
        assert_eq!(value("OK led UNKNOWN").map(|(_, value)| value), Ok(Value::Unknown));
        for other in ["", "OK", "OK LED", "LED ON", "OK LED BLINK", "OK LED ON OFF", "OK ON ON"] {
            assert!(value(other).is_err(), "{other}");
        }
    }

    #[test]
    fn there_are_as_many_rows_as_are_announced() {
        let two = rows("OK 2\nLED ON OUTPUT\nBUTTON UNKNOWN INPUT\n").unwrap();
        assert_eq!((two[0].name.as_str(), two[0].value, two[0].direction), ("LED", Value::On, Direction::Output));
        assert_eq!((two[1].value, two[1].direction), (Value::Unknown, Direction::Input));
        assert_eq!(rows("OK 0"), Ok(vec![]));
        let leased = rows("OK 2\nLED ON OUTPUT LEASED 2430ms eve (tcp://10.0.0.2:1)\nA OFF OUTPUT SINCE 1\n").unwrap();
        assert_eq!(owner(leased[0].lease.as_ref()), "eve (tcp://10.0.0.2:1), for 2.4 s more");
        assert_eq!(leased[1].lease, None);
        let known = |row: &str| rows(&format!("OK 1\nA {row}\n")).unwrap()[0].known();
        assert_eq!(known("UNKNOWN INPUT BECAUSE the chip is\x1bgone"), "unknown: the chip is gone");
        assert_eq!((known("UNKNOWN INPUT"), known("ON INPUT BECAUSE of it")), ("unknown".into(), "on".into()));
        for other in ["", "OK 1", "OK 1\nLED ON", "OK 1\nLED ON SIDEWAYS", "OK 0\nLED ON OUTPUT", "ERR no"] {
            assert!(rows(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_rest_of_an_event_is_who_caused_it() {
        let read = change(b"LED OFF 12 button_process (tcp://127.0.0.1:1)").unwrap();
        assert_eq!((read.value, read.time_us), (Value::Off, 12));
        assert_eq!(read.by, "button_process (tcp://127.0.0.1:1)");
        assert_eq!(change(b"LED OFF 12").unwrap().by, "");
        assert!(change(b"LED OFF soon start").is_err());
    }

    #[test]
    fn what_the_far_end_says_cannot_move_the_cursor() {
        assert_eq!(change(b"LED ON 1 a\x1b[2J\nb").unwrap().by, "a [2J b");
        assert_eq!(NotABoard::from("\x07\u{9b}2J").to_string(), "the answer is not a board's: \"  2J\"");
    }
}
