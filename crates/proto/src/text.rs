//! The text grammar: what a person at netcat types, and what the board's frames carry.
//!
//! | line | asks for |
//! |---|---|
//! | `LED ON`, `LED OFF`, `LED TOGGLE` | the value to be set; several lines together: `LED ON RELAY1 OFF` |
//! | `LED PULSE 500ms` | the value ON, and OFF after the time |
//! | `LED BLINK 500ms`, `LED BLINK 500ms 1s 10` | ON and OFF by turns: time on, time off (else as long as on), how many times (else until it is told something else) |
//! | `LED` | the value; of several lines: `LED RELAY1` |
//! | `LINES` | every line and its value |
//! | `WATCH`, `WATCH LED …` | an event at each change, of every line or of those named |
//! | `LEASE LED 3s` | the sole right to set a line for a time, or its renewal; several lines: `LEASE LED RELAY1 3s` |
//! | `RELEASE LED` | that right given back; of several lines: `RELEASE LED RELAY1` |
//! | `HELP`, `QUIT` | this table; the end |
//!
//! A time is a whole number and `ms`, `s`, `m` or `h`. Words stand apart by spaces or tabs; case does not matter.

use std::fmt;
use std::iter::Peekable;
use std::time::Duration;

/// The words that no line can have as its name.
pub const WORDS: [&str; 14] = [
    "ON", "OFF", "TOGGLE", "PULSE", "BLINK", "LINES", "WATCH", "LEASE", "RELEASE", "HELP", "QUIT", "OK", "ERR", "EVENT",
];

/// The longest name of a line, in octets.
pub const LINE_NAME_MAX_BYTES: usize = 32;

/// The answer to `HELP`, line by line.
pub const HELP: [&str; 11] = [
    "LED ON | LED OFF | LED TOGGLE   sets a line; several together: LED ON RELAY1 OFF",
    "LED PULSE 500ms                 sets it ON, and OFF after the time",
    "LED BLINK 500ms [1s] [10]       sets it ON and OFF by turns: time on, time off, how many times",
    "LED                             tells its value",
    "LINES                           tells every line and its value",
    "WATCH [LED ...]                 tells each change from now on, as EVENT LED ON",
    "LEASE LED 3s                    lets nobody else set it for 3 s; again before they are over renews it",
    "RELEASE LED                     gives that right back; without it the line becomes safe at the end",
    "HELP                            this",
    "QUIT                            ends the connection",
    "Each line ends with LF, CRLF or NUL, and is answered by OK ... or ERR and the reason.",
];

/// The units of a time, the largest first, and their milliseconds.
pub const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Be on.
    On,
    /// Be off.
    Off,
    /// Be what you are not.
    Toggle,
    /// Be on, and off after a time.
    Pulse(Duration),
    /// Be on and off by turns.
    Blink {
        /// How long on.
        on: Duration,
        /// How long off.
        off: Duration,
        /// How many times; nothing for until it is told something else.
        count: Option<u32>,
    },
}

/// The first words of the verbs, each in a whole command.
const VERBS: [(&str, &str); 5] = [
    ("ON", "LED ON"),
    ("OFF", "LED OFF"),
    ("TOGGLE", "LED TOGGLE"),
    ("PULSE", "LED PULSE 500ms"),
    ("BLINK", "LED BLINK 500ms"),
];

impl Verb {
    /// Returns the first word of a verb as the grammar writes it, and a command with it, if a word is one in any case.
    fn known(word: &str) -> Option<(&'static str, &'static str)> {
        VERBS.into_iter().find(|(verb, _)| verb.eq_ignore_ascii_case(word))
    }

    /// Reads a verb whose first word is `word`, and what it needs of the words behind it; nothing if it is none.
    fn read<'a>(word: &str, behind: &mut Peekable<impl Iterator<Item = &'a str>>) -> Result<Option<Self>, Malformed> {
        let mut next_time = || {
            let read = time(behind.peek()?)?;
            behind.next();
            Some(read)
        };
        let Some((word, example)) = Self::known(word) else {
            return Ok(None);
        };
        let lacking = Malformed::Lacking { word, example };
        Ok(Some(match word {
            "ON" => Self::On,
            "OFF" => Self::Off,
            "TOGGLE" => Self::Toggle,
            "PULSE" => Self::Pulse(next_time().ok_or(lacking)?),
            _ => {
                let on = next_time().ok_or(lacking)?;
                let off = next_time().unwrap_or(on);
                // One that is too great is as great as can be.
                let count = behind.next_if(|word| word.bytes().all(|octet| octet.is_ascii_digit()));
                Self::Blink { on, off, count: count.map(|count| count.parse().unwrap_or(u32::MAX)) }
            }
        }))
    }
}

impl fmt::Display for Verb {
    /// Writes it as it is read: `ON`, `BLINK 500ms 1000ms 10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verb::On => f.write_str("ON"),
            Verb::Off => f.write_str("OFF"),
            Verb::Toggle => f.write_str("TOGGLE"),
            Verb::Pulse(time) => write!(f, "PULSE {}ms", time.as_millis()),
            Verb::Blink { on, off, count } => {
                write!(f, "BLINK {}ms {}ms", on.as_millis(), off.as_millis())?;
                count.map_or(Ok(()), |count| write!(f, " {count}"))
            }
        }
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Sets one or more lines, together.
    Set(Vec<(&'a str, Verb)>),
    /// Asks for the values of one or more lines.
    Get(Vec<&'a str>),
    /// Asks for every line and its value.
    Lines,
    /// Asks for events of the lines named, or of all where none is.
    Watch(Vec<&'a str>),
    /// Takes or renews the sole right to set one or more lines.
    Lease {
        /// The lines.
        lines: Vec<&'a str>,
        /// For how long.
        time: Duration,
    },
    /// Gives that right back.
    Release(Vec<&'a str>),
    /// Asks for the grammar.
    Help,
    /// Ends the connection.
    Quit,
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Octets that are no printable ASCII; the first of them.
    Octet {
        /// Where, from 0.
        offset: usize,
        /// What it was.
        octet: u8,
    },
    /// A word that can neither name a line nor be told to one.
    Word {
        /// The word, cut to 32 characters.
        word: String,
    },
    /// Lines that are set and lines that are asked for in one command.
    Mixed,
    /// A command word without what it needs behind it, or before it.
    Lacking {
        /// The command word.
        word: &'static str,
        /// A whole command, as it could be.
        example: &'static str,
    },
    /// A command word with something behind it that takes nothing.
    Surplus {
        /// The command word.
        word: &'static str,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Octet { offset, octet } => {
                write!(f, "octet {octet:#04x} at {offset} is no printable ASCII; try HELP")
            }
            Malformed::Word { word } => {
                write!(f, "unknown command {word:?}; try LED ON, LED OFF, LED TOGGLE, LED, LINES, WATCH, HELP, QUIT")
            }
            Malformed::Mixed => f.write_str("set lines and ask for lines in two commands"),
            Malformed::Lacking { word, example } => write!(f, "{word} is written as in {example}"),
            Malformed::Surplus { word } => write!(f, "{word} takes nothing behind it"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads a command; nothing for a blank line, which asks for nothing.
///
/// ```
/// use soquete_proto::text::{Command, Verb, parse};
/// assert_eq!(parse(b"led toggle"), Ok(Some(Command::Set(vec![("led", Verb::Toggle)]))));
/// assert_eq!(parse(b"  "), Ok(None));
/// assert!(parse(b"LED BLINK?").is_err());
/// ```
///
/// # Errors
/// [`Malformed`], in words that a person can act on.
pub fn parse(line: &[u8]) -> Result<Option<Command<'_>>, Malformed> {
    let is_text = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t');
    if let Some(offset) = line.iter().position(|octet| !is_text(octet)) {
        return Err(Malformed::Octet { offset, octet: line[offset] });
    }
    // ASCII, as was just seen.
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace().collect();
    let Some((&first, rest)) = words.split_first() else {
        return Ok(None);
    };
    let alone = |word, command| {
        if rest.is_empty() { Ok(Some(command)) } else { Err(Malformed::Surplus { word }) }
    };
    if first.eq_ignore_ascii_case("LINES") {
        return alone("LINES", Command::Lines);
    }
    if first.eq_ignore_ascii_case("HELP") {
        return alone("HELP", Command::Help);
    }
    if first.eq_ignore_ascii_case("QUIT") {
        return alone("QUIT", Command::Quit);
    }
    if first.eq_ignore_ascii_case("WATCH") {
        return names(rest).map(|names| Some(Command::Watch(names)));
    }
    if first.eq_ignore_ascii_case("LEASE") {
        return lease(rest).map(Some);
    }
    if first.eq_ignore_ascii_case("RELEASE") {
        let lacking = Malformed::Lacking { word: "RELEASE", example: "RELEASE LED" };
        return if rest.is_empty() { Err(lacking) } else { names(rest).map(|names| Some(Command::Release(names))) };
    }
    if words.iter().any(|word| Verb::known(word).is_some()) {
        return sets(&words).map(|sets| Some(Command::Set(sets)));
    }
    names(&words).map(|names| Some(Command::Get(names)))
}

fn lease<'a>(words: &[&'a str]) -> Result<Command<'a>, Malformed> {
    let time = words.split_last().and_then(|(last, lines)| Some((lines, time(last)?)));
    let (lines, time) = time
        .filter(|(lines, _)| !lines.is_empty())
        .ok_or(Malformed::Lacking { word: "LEASE", example: "LEASE LED 3s" })?;
    Ok(Command::Lease { lines: names(lines)?, time })
}

/// Reads a time: a whole number and its unit, in any case; one that is too long for 64 bits is as long as can be.
///
/// ```
/// use soquete_proto::text::time;
/// use std::time::Duration;
/// assert_eq!(time("1500ms"), Some(Duration::from_millis(1500)));
/// assert_eq!(time("3 s"), None);
/// ```
pub fn time(word: &str) -> Option<Duration> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let unit_ms = TIME_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    let number: u64 = if number.is_empty() { return None } else { number.parse().unwrap_or(u64::MAX) };
    Some(Duration::from_millis(number.saturating_mul(unit_ms)))
}

fn names<'a>(words: &[&'a str]) -> Result<Vec<&'a str>, Malformed> {
    words.iter().map(|word| name(word)).collect()
}

fn sets<'a>(words: &[&'a str]) -> Result<Vec<(&'a str, Verb)>, Malformed> {
    let mut sets = Vec::new();
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        if let Some((word, example)) = Verb::known(word) {
            return Err(Malformed::Lacking { word, example });
        }
        let name = name(word)?;
        let Some(next) = words.next() else {
            return Err(Malformed::Mixed);
        };
        match Verb::read(next, &mut words)? {
            Some(verb) => sets.push((name, verb)),
            None if self::name(next).is_ok() && words.peek().is_some() => {
                return Err(Malformed::Mixed);
            }
            None => return Err(unknown(next)),
        }
    }
    Ok(sets)
}

fn name(word: &str) -> Result<&str, Malformed> {
    let is_name = word.len() <= LINE_NAME_MAX_BYTES
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet))
        && !WORDS.iter().any(|reserved| reserved.eq_ignore_ascii_case(word));
    if is_name { Ok(word) } else { Err(unknown(word)) }
}

fn unknown(word: &str) -> Malformed {
    Malformed::Word { word: word.chars().take(32).collect() }
}

/// Says whether a line is the first of an HTTP request: such a one is never a command, nor is anything after it.
///
/// ```
/// use soquete_proto::text::is_http;
/// assert!(is_http(b"POST /led HTTP/1.1"));
/// assert!(!is_http(b"LED ON"));
/// ```
pub fn is_http(line: &[u8]) -> bool {
    line.ends_with(b" HTTP/1.0") || line.ends_with(b" HTTP/1.1")
}

/// Says whether a line is a header that only HTTP has, so that the connection must end without reading another.
pub fn is_http_header(line: &[u8]) -> bool {
    line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"Host:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_as_documented() {
        let lease = |lines: &[&'static str], time_ms| Command::Lease {
            lines: lines.to_vec(),
            time: Duration::from_millis(time_ms),
        };
        let pulse = Verb::Pulse(Duration::from_millis(500));
        let blink = |off_ms, count| {
            let [on, off] = [500, off_ms].map(Duration::from_millis);
            Command::Set(vec![("LED", Verb::Blink { on, off, count })])
        };
        let table: [(&str, Command<'_>); 17] = [
            ("LED ON", Command::Set(vec![("LED", Verb::On)])),
            ("\tled  off ", Command::Set(vec![("led", Verb::Off)])),
            ("LED ON RELAY1 OFF", Command::Set(vec![("LED", Verb::On), ("RELAY1", Verb::Off)])),
            ("LED pulse 500MS relay1 OFF", Command::Set(vec![("LED", pulse), ("relay1", Verb::Off)])),
            ("LED BLINK 500ms", blink(500, None)),
            ("LED BLINK 500ms 1s", blink(1000, None)),
            ("LED BLINK 500ms 99999999999", blink(500, Some(u32::MAX))),
            ("LED", Command::Get(vec!["LED"])),
            ("LED RELAY-1.a", Command::Get(vec!["LED", "RELAY-1.a"])),
            ("lines", Command::Lines),
            ("WATCH", Command::Watch(vec![])),
            ("WATCH LED", Command::Watch(vec!["LED"])),
            ("LEASE LED 3s", lease(&["LED"], 3000)),
            ("lease LED RELAY1 500MS", lease(&["LED", "RELAY1"], 500)),
            ("LEASE LED 99999999999999999999h", lease(&["LED"], u64::MAX)),
            ("RELEASE LED relay1", Command::Release(vec!["LED", "relay1"])),
            ("Quit", Command::Quit),
        ];
        for (line, command) in table {
            assert_eq!(parse(line.as_bytes()), Ok(Some(command)), "{line}");
        }
    }

    #[test]
    fn a_verb_is_written_as_it_is_read() {
        for words in ["ON", "OFF", "TOGGLE", "PULSE 1500ms", "BLINK 20ms 30ms", "BLINK 20ms 20ms 7"] {
            let command = format!("LED {words}");
            let Ok(Some(Command::Set(sets))) = parse(command.as_bytes()) else { panic!("{words}") };
            assert_eq!(sets[0].1.to_string(), words);
        }
    }

    #[test]
    fn what_is_no_command_says_why() {
        let table = [
            ("LED LAMP ON", "set lines and ask for lines in two commands"),
            ("LED PULSE", "PULSE is written as in LED PULSE 500ms"),
            ("LED PULSE 0.5s", "PULSE is written as in LED PULSE 500ms"),
            ("LED PULSE 1s 1s", "unknown command \"1s\""),
            ("LED BLINK ON", "BLINK is written as in LED BLINK 500ms"),
            ("LED BLINK 10", "BLINK is written as in LED BLINK 500ms"),
            ("LED BLINK 1s 1s 1s", "unknown command \"1s\""),
            ("LED BLINK 1s 1s -1", "unknown command \"-1\""),
            ("LED BLINK 1s 3 2s", "unknown command \"2s\""),
            ("PULSE LED 500ms", "PULSE is written as in LED PULSE 500ms"),
            ("LED ON BUTTON", "set lines and ask for lines in two commands"),
            ("ON LED", "ON is written as in LED ON"),
            ("LED=1", "unknown command \"LED=1\""),
            ("LED ON!", "unknown command \"ON!\""),
            ("LEASE", "LEASE is written as in LEASE LED 3s"),
            ("LEASE LED", "LEASE is written as in LEASE LED 3s"),
            ("LEASE 3s", "LEASE is written as in LEASE LED 3s"),
            ("LEASE LED 3", "LEASE is written as in LEASE LED 3s"),
            ("LEASE LED ON 3s", "unknown command \"ON\""),
            ("RELEASE", "RELEASE is written as in RELEASE LED"),
            ("RELEASE LED 3s", "unknown command \"3s\""),
            ("LED LEASE", "unknown command \"LEASE\""),
            ("LINES LED", "LINES takes nothing behind it"),
            ("X-Header: a", "unknown command \"X-Header:\""),
            ("L\u{c9}D ON", "octet 0xc3 at 1 is no printable ASCII"),
        ];
        for (line, expected) in table {
            let error = parse(line.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_name_may_be_as_long_as_the_limit_and_no_longer() {
        let name = "L".repeat(LINE_NAME_MAX_BYTES);
        assert_eq!(parse(name.as_bytes()), Ok(Some(Command::Get(vec![&*name]))));
        assert_eq!(parse(format!("{name}L").as_bytes()), Err(Malformed::Word { word: name }));
    }

    #[test]
    fn http_is_known_by_the_end_of_its_first_line_or_by_its_host() {
        assert!(is_http(b"GET / HTTP/1.1") && is_http(b"BREW /pot HTTP/1.0"));
        assert!(!is_http(b"GET /"));
        assert!(is_http_header(b"host: 127.0.0.1") && !is_http_header(b"HOST"));
    }
}
