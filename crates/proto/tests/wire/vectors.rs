//! `protocol/vectors.json`: every entry, both ways.

use serde_json::Value;
use soquete_proto::channel::{Datagram, Dropped, Head, Packet, put_announcement, put_reset};
use soquete_proto::content::Content;
use soquete_proto::fault::{Fault, Incompatible, Malformed};
use soquete_proto::frame::{self, Flags, Header, Kind};
use soquete_proto::handshake::{
    Code, EventHead, Features, Goodbye, Hello, Reason, RequestHead, Resumption, SessionKey, Welcome,
};
use soquete_proto::opening::{self, OPENING};
use soquete_proto::span::Span;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

/// One entry of the file.
struct Entry(Value);

pub(crate) fn file() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect(path)).expect(path)
}

pub(crate) fn octets(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hex");
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

impl Entry {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("{field} of {}", self.0))
    }

    fn small<T: TryFrom<u64, Error: Debug>>(&self, field: &str) -> T {
        T::try_from(self.0[field].as_u64().unwrap_or_else(|| panic!("{field} of {}", self.0))).unwrap()
    }

    fn large<T: FromStr<Err: Debug>>(&self, field: &str) -> T {
        self.text(field).parse().unwrap()
    }

    fn span(&self, field: &str) -> Option<Span> {
        self.0.get(field).map(|_| Duration::from_micros(self.small(field)).into())
    }

    fn key(&self) -> SessionKey {
        SessionKey { session: self.large("session"), token: self.large("token") }
    }

    fn reason(&self) -> Reason<'_> {
        Reason { code: Code::ALL[self.small::<usize>("code")], text: self.text("text") }
    }

    fn hello(&self) -> Hello<'_> {
        Hello {
            version_max: self.small("version_max"),
            features: Features(self.large("features")),
            payload_max_bytes: self.small("payload_max"),
            resume: self.key(),
            service: self.text("service"),
            name: self.text("name_of_client"),
        }
    }

    fn welcome(&self) -> Welcome<'_> {
        Welcome {
            version: self.small("version"),
            features: Features(self.large("features")),
            payload_max_bytes: self.small("payload_max"),
            in_flight_max: self.small("in_flight_max"),
            clock_us: self.large("clock_us"),
            resumption: match self.text("resumption") {
                "new" => Resumption::New,
                "resumed" => Resumption::Resumed,
                "unknown-session" => Resumption::UnknownSession,
                other => panic!("resumption {other}"),
            },
            session: self.key(),
            name: self.text("name_of_server"),
        }
    }

    /// Returns what the entry says the frame says; `payload` is its payload.
    fn content<'a>(&'a self, payload: &'a [u8]) -> Content<'a> {
        match self.text("kind") {
            "HELLO" => Content::Hello(self.hello()),
            "WELCOME" => Content::Welcome(self.welcome()),
            "REJECT" => Content::Reject(self.reason()),
            "MESSAGE" => Content::Message(payload),
            "REQUEST" => Content::Request {
                head: RequestHead {
                    deadline_us: self.large("deadline_us"),
                    hops: self.small("hops"),
                    lowest: self.small("lowest"),
                },
                age: self.span("age_us"),
                payload,
            },
            "REPLY" => Content::Reply { took: self.span("took_us"), payload },
            "ERROR" => Content::Error(self.reason()),
            "EVENT" => {
                let (seq, missed) = (self.large("seq"), self.small("missed"));
                Content::Event { head: EventHead { seq, missed, lag: self.span("lag_us") }, payload }
            }
            "CANCEL" => Content::Cancel,
            "PING" => Content::Ping,
            "PONG" => Content::Pong { clock_us: self.large("clock_us") },
            "GOODBYE" => Content::Goodbye(Goodbye { last_id: self.small("last_id"), reason: self.reason() }),
            other => panic!("kind {other}"),
        }
    }

    fn malformed(&self) -> Fault {
        match self.text("error") {
            "opening" => Malformed::Opening { offset: self.small("offset"), octet: self.small("octet") }.into(),
            "layout" => Incompatible::Layout { version: self.small("version") }.into(),
            "oversize" => Malformed::Oversize { len_bytes: self.small("len"), max_bytes: self.small("max") }.into(),
            "kind" => Malformed::Kind { kind: self.small("kind") }.into(),
            "flags" => Malformed::Flags { flags: self.small("flags") }.into(),
            "payload" => Malformed::Payload { kind: Kind::ALL[usize::from(octets(&self.0["octets"])[4]) - 1] }.into(),
            other => panic!("error {other}"),
        }
    }
}

fn entries(of: &str) -> Vec<Entry> {
    file()[of].as_array().unwrap().iter().cloned().map(Entry).collect()
}

#[test]
fn every_frame_decodes_to_what_it_means_and_encodes_to_the_same_octets() {
    let mut kinds = Vec::new();
    for entry in entries("frames") {
        let (name, octets) = (entry.text("name"), octets(&entry.0["octets"]));
        let mut input = &octets[..];
        let frame = frame::take_within(&mut input, 4096).expect(name).expect(name);
        assert_eq!(input, b"", "{name}");
        let payload = entry.0.get("payload").map(self::octets).unwrap_or_default();
        let said = entry.content(&payload);
        assert_eq!(Content::read(&frame).as_ref(), Ok(&said), "{name}");
        let flags = match entry.small::<u8>("flags") {
            0 => Flags::NONE,
            1 => Flags::ONCE,
            2 => Flags::URGENT,
            4 => Flags::TIMED,
            5 => Flags::ONCE.and(Flags::TIMED),
            6 => Flags::URGENT.and(Flags::TIMED),
            other => panic!("flags {other}"),
        };
        let header = Header { flags, topic: entry.small("topic"), ..frame::header(said.kind(), entry.small("id")) };
        let length = frame.header.length;
        assert_eq!(frame.header, Header { length, ..header }, "{name}");
        let mut out = Vec::new();
        said.put(header, &mut out).expect(name);
        assert_eq!(out, octets, "{name}");
        kinds.push(said.kind());
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(&kind), "no {kind:?}");
    }
}

#[test]
fn every_error_is_refused_for_what_it_is() {
    for entry in entries("errors") {
        let (name, octets) = (entry.text("name"), octets(&entry.0["octets"]));
        let mut input = &octets[..];
        let result = match entry.text("reader") {
            "opening" => opening::take(&mut input),
            "frame" => match frame::take_within(&mut input, 4096) {
                Ok(Some(frame)) => Content::read(&frame).map(|_| true).map_err(Fault::from),
                Ok(None) => Ok(false),
                Err(malformed) => Err(malformed.into()),
            },
            other => panic!("reader {other}"),
        };
        if entry.text("error") == "truncated" {
            assert_eq!((result, input.len()), (Ok(false), octets.len()), "{name}");
        } else {
            assert_eq!(result, Err(entry.malformed()), "{name}");
        }
    }
}

#[test]
fn the_opening_is_the_opening() {
    assert_eq!(octets(&file()["opening"]), OPENING);
}

/// Returns what the entry says the datagram is; `behind` is what follows its number.
fn datagram<'a>(entry: &Entry, behind: &'a [u8]) -> Datagram<'a> {
    let head = Head { session: entry.large("session"), packet: entry.large("packet"), ack: entry.large("ack") };
    let number = entry.large("number");
    let packet = Packet { head, number, octets: behind };
    match entry.text("kind") {
        "opening" => Datagram::Opening(packet),
        "packet" => Datagram::Of(packet),
        "reset" => Datagram::Reset { session: number },
        "announcement" => {
            let frame = frame::take(&mut &*behind, 4096).unwrap().unwrap();
            Datagram::Announcement { number, packet: head.packet, frame }
        }
        other => panic!("kind {other}"),
    }
}

/// Makes the octets of a datagram again.
fn encoded(datagram: &Datagram<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match *datagram {
        Datagram::Opening(Packet { head, number, octets }) | Datagram::Of(Packet { head, number, octets }) => {
            out.extend(head.encode());
            if number != 0 {
                out.extend(number.to_le_bytes());
            }
            out.extend(octets);
        }
        Datagram::Reset { session } => put_reset(&mut out, session),
        Datagram::Announcement { number, packet, frame } => {
            put_announcement(&mut out, number, packet, frame.header.topic, frame.payload).unwrap();
        }
    }
    out
}

#[test]
fn every_datagram_is_read_as_what_it_means_or_dropped_for_its_reason() {
    for entry in entries("datagrams") {
        let (name, octets) = (entry.text("name"), octets(&entry.0["octets"]));
        let read = Datagram::read(&octets);
        if entry.0.get("dropped").is_some() {
            let dropped = match entry.text("dropped") {
                "strange" => Dropped::Strange,
                "truncated" => Dropped::Truncated,
                "malformed" => Dropped::Malformed,
                other => panic!("reason {other}"),
            };
            assert_eq!(read, Err(dropped), "{name}");
            continue;
        }
        let behind = self::octets(&entry.0["behind"]);
        let said = datagram(&entry, &behind);
        assert_eq!(read, Ok(said), "{name}");
        assert_eq!(encoded(&said), octets, "{name}");
    }
}
