//! What the two ends say, as lines that a person can read.

use crate::ends::{Ends, text};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, Flags};
use soquete_proto::handshake::{Reason, SessionKey};
use soquete_proto::opening::{self, OPENING};
use std::fmt::Write;

/// Two ends whose every word is written down.
pub(crate) struct Dialogue {
    pub(crate) ends: Ends,
    said: String,
}

impl Dialogue {
    pub(crate) fn new(ends: Ends) -> Self {
        Dialogue { ends, said: String::new() }
    }

    /// Lets the server read what the client has said.
    pub(crate) fn serve(&mut self) {
        self.said += &lines("client", &self.ends.to_server);
        self.ends.serve();
    }

    /// Lets the client read what the server has said.
    pub(crate) fn hear(&mut self) {
        self.said += &lines("server", &self.ends.to_client);
        self.ends.hear();
    }

    pub(crate) fn note(&mut self, what: &str) {
        writeln!(self.said, "-- {what}").unwrap();
    }

    /// Returns what was said, each line indented as in the tests.
    pub(crate) fn said(self) -> String {
        self.said
    }
}

/// Returns the lines of a text in a test, without their indentation.
pub(crate) fn unindented(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).fold(String::new(), |all, line| all + line + "\n")
}

fn lines(who: &str, octets: &[u8]) -> String {
    let mut input = octets;
    let mut lines = String::new();
    if octets.starts_with(&OPENING[..1]) && opening::take(&mut input).unwrap() {
        writeln!(lines, "{who}: the opening octets").unwrap();
    }
    while let Some(frame) = frame::take_within(&mut input, 1 << 20).unwrap() {
        let frame::Header { kind, flags, topic, id, .. } = frame.header;
        let mut line = format!("{who}: {}", format!("{kind:?}").to_uppercase());
        for (name, number) in [("", id), (" topic", u32::from(topic))] {
            if number != 0 {
                write!(line, "{name} {number}").unwrap();
            }
        }
        if flags.contains(Flags::ONCE) {
            line += " once";
        }
        writeln!(lines, "{line}{}", content(&Content::read(&frame).unwrap())).unwrap();
    }
    assert!(input.is_empty(), "half a frame");
    lines
}

fn content(content: &Content<'_>) -> String {
    match content {
        Content::Hello(hello) => format!(
            ", version {}, features {}, payload {}, resume {}, service {:?}, name {:?}",
            hello.version_max,
            hello.features.0,
            hello.payload_max_bytes,
            session(hello.resume),
            hello.service,
            hello.name
        ),
        Content::Welcome(welcome) => format!(
            ", version {}, features {}, payload {}, in flight {}, clock {}, {:?}, session {}, name {:?}",
            welcome.version,
            welcome.features.0,
            welcome.payload_max_bytes,
            welcome.in_flight_max,
            welcome.clock_us,
            welcome.resumption,
            session(welcome.session),
            welcome.name
        ),
        Content::Message(payload) | Content::Reply { payload, .. } => format!(", {:?}", text(payload)),
        Content::Request { head, payload, .. } => {
            format!(", deadline {}, hops {}, lowest {}, {:?}", head.deadline_us, head.hops, head.lowest, text(payload))
        }
        Content::Event { head, payload } => format!(", seq {}, missed {}, {:?}", head.seq, head.missed, text(payload)),
        Content::Reject(reason) | Content::Error(reason) => why(reason),
        Content::Goodbye(goodbye) => format!(", last {}{}", goodbye.last_id, why(&goodbye.reason)),
        Content::Pong { clock_us } => format!(", clock {clock_us}"),
        Content::Cancel | Content::Ping => String::new(),
    }
}

fn why(reason: &Reason<'_>) -> String {
    format!(", {:?} {:?}", reason.code, reason.text)
}

fn session(key: SessionKey) -> String {
    if key == SessionKey::default() { "none".to_owned() } else { format!("{} token {}", key.session, key.token) }
}
