//! What the two ends of a session say to each other about the session itself: the payloads of control frames.

mod head;
mod reason;

pub(crate) use head::put_timed;
pub use head::{EventHead, RequestHead, put_event, put_urgent_event};
pub use reason::{Code, Goodbye, Reason};

use crate::fault::Malformed;
use crate::field::{Fields, put_line};
use crate::frame::{self, Frame, Header, Kind};

/// The version of the protocol this end speaks, and the only one so far.
pub const VERSION: u8 = 1;

/// The longest payload of a control frame (HELLO, WELCOME, REJECT, ERROR, GOODBYE), in octets: room for two names and
/// a sentence. It holds whatever the limits of the application's payloads are.
pub const CONTROL_MAX_BYTES: u32 = 1024;

/// The longest text of REJECT, ERROR and GOODBYE, in octets; a longer one is cut at a character.
pub const TEXT_MAX_BYTES: usize = 512;

/// The longest name of a service or a peer, in octets: one line, without control characters.
pub const NAME_MAX_BYTES: usize = 64;

/// What both ends can do beyond version 1 as it stands, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u64);

impl Features {
    /// The session survives its connection: requests with the flag ONCE are remembered for a resumption.
    pub const RESUME: Features = Features(1);
    /// Messages and events may have the flag URGENT: they overtook what was queued before them.
    pub const URGENT: Features = Features(2);
    /// Requests, replies and events may have the flag TIMED: they begin with how long something took.
    pub const TIMED: Features = Features(4);
    /// Every feature of this end.
    pub const ALL: Features = Features(7);
    /// No feature.
    pub const NONE: Features = Features(0);

    /// Returns these where `is_wanted`, and none otherwise.
    pub(crate) fn only_if(self, is_wanted: bool) -> Features {
        if is_wanted { self } else { Features::NONE }
    }

    /// Returns what either can do.
    pub fn and(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }

    /// Returns what both can do.
    pub fn common(self, other: Features) -> Features {
        Features(self.0 & other.0)
    }

    /// Says whether all of `other` is there.
    pub fn contains(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Names a session towards the server that remembers it; 0 in both fields names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionKey {
    /// The number of the session.
    pub session: u64,
    /// What only its client knows.
    pub token: u128,
}

/// The client's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The highest version the client speaks.
    pub version_max: u8,
    /// What the client can do.
    pub features: Features,
    /// The longest payload the client takes, in octets.
    pub payload_max_bytes: u32,
    /// The session to resume, or zeros.
    pub resume: SessionKey,
    /// The service the client wants.
    pub service: &'a str,
    /// Who the client is, for logs.
    pub name: &'a str,
}

/// What became of the wish to resume a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Resumption {
    /// A new session, as asked.
    New = 0,
    /// The session goes on.
    Resumed = 1,
    /// The server does not know that session; this is a new one.
    UnknownSession = 2,
}

/// The server's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The version that both speak from here on.
    pub version: u8,
    /// What both can do.
    pub features: Features,
    /// The longest payload the server takes, in octets.
    pub payload_max_bytes: u32,
    /// How many requests may be unanswered.
    pub in_flight_max: u16,
    /// The server's session clock, in microseconds.
    pub clock_us: u64,
    /// What became of the wish to resume.
    pub resumption: Resumption,
    /// The session from here on; zeros where it will not be remembered.
    pub session: SessionKey,
    /// Who the server is, for logs.
    pub name: &'a str,
}

/// Reads the payload of a control frame with `read`, which returns nothing for one it cannot read.
pub(crate) fn control<'a, T>(
    frame: &Frame<'a>,
    read: impl FnOnce(&mut Fields<'a>) -> Option<T>,
) -> Result<T, Malformed> {
    let mut fields = Fields::new(frame.payload);
    read(&mut fields).and_then(|value| fields.end(value)).ok_or(Malformed::Payload { kind: frame.header.kind })
}

impl<'a> Hello<'a> {
    pub(crate) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Hello {
            version_max: fields.u8()?,
            features: Features(fields.u64()?),
            payload_max_bytes: fields.u32()?,
            resume: SessionKey { session: fields.u64()?, token: fields.u128()? },
            service: fields.line(NAME_MAX_BYTES)?,
            name: fields.line(NAME_MAX_BYTES)?,
        })
    }

    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_control(out, Kind::Hello, |payload| {
            payload.push(self.version_max);
            payload.extend_from_slice(&self.features.0.to_le_bytes());
            payload.extend_from_slice(&self.payload_max_bytes.to_le_bytes());
            payload.extend_from_slice(&self.resume.session.to_le_bytes());
            payload.extend_from_slice(&self.resume.token.to_le_bytes());
            put_line(payload, self.service, NAME_MAX_BYTES);
            put_line(payload, self.name, NAME_MAX_BYTES);
        });
    }
}

impl<'a> Welcome<'a> {
    pub(crate) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Welcome {
            version: fields.u8()?,
            features: Features(fields.u64()?),
            payload_max_bytes: fields.u32()?,
            in_flight_max: fields.u16()?,
            clock_us: fields.u64()?,
            resumption: match fields.u8()? {
                0 => Resumption::New,
                1 => Resumption::Resumed,
                2 => Resumption::UnknownSession,
                _ => return None,
            },
            session: SessionKey { session: fields.u64()?, token: fields.u128()? },
            name: fields.line(NAME_MAX_BYTES)?,
        })
    }

    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_control(out, Kind::Welcome, |payload| {
            payload.push(self.version);
            payload.extend_from_slice(&self.features.0.to_le_bytes());
            payload.extend_from_slice(&self.payload_max_bytes.to_le_bytes());
            payload.extend_from_slice(&self.in_flight_max.to_le_bytes());
            payload.extend_from_slice(&self.clock_us.to_le_bytes());
            payload.push(self.resumption as u8);
            payload.extend_from_slice(&self.session.session.to_le_bytes());
            payload.extend_from_slice(&self.session.token.to_le_bytes());
            put_line(payload, self.name, NAME_MAX_BYTES);
        });
    }
}

/// Appends a control frame whose payload `write` makes.
pub(crate) fn put_control(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&frame::header(kind, 0).encode());
    write(out);
    let length = u32::try_from(out.len() - start - frame::HEADER_LEN_BYTES).unwrap_or(u32::MAX);
    let header = Header { length, ..frame::header(kind, 0) };
    out[start..start + frame::HEADER_LEN_BYTES].copy_from_slice(&header.encode());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back<'a, T>(out: &'a [u8], read: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Result<T, Malformed> {
        let mut input = out;
        let frame = frame::take(&mut input, CONTROL_MAX_BYTES).unwrap().unwrap();
        assert!(input.is_empty());
        control(&frame, read)
    }

    const HELLO: Hello<'_> = Hello {
        version_max: 1,
        features: Features::RESUME,
        payload_max_bytes: 4096,
        resume: SessionKey { session: 2, token: 3 },
        service: "board",
        name: "button_process",
    };

    #[test]
    fn hello_and_welcome_come_back_as_they_went() {
        let mut out = Vec::new();
        HELLO.put(&mut out);
        assert_eq!(read_back(&out, Hello::read), Ok(HELLO));
        let welcome = Welcome {
            version: 1,
            features: Features::NONE,
            payload_max_bytes: 9,
            in_flight_max: 64,
            clock_us: u64::MAX,
            resumption: Resumption::UnknownSession,
            session: SessionKey { session: 5, token: u128::MAX },
            name: "led_process",
        };
        out.clear();
        welcome.put(&mut out);
        assert_eq!(read_back(&out, Welcome::read), Ok(welcome));
    }

    #[test]
    fn a_hello_cut_anywhere_is_malformed() {
        let mut out = Vec::new();
        HELLO.put(&mut out);
        for cut in 0..out.len() - frame::HEADER_LEN_BYTES {
            let mut short = out[..frame::HEADER_LEN_BYTES + cut].to_vec();
            short[0..4].copy_from_slice(&u32::try_from(cut).unwrap().to_le_bytes());
            assert_eq!(read_back(&short, Hello::read), Err(Malformed::Payload { kind: Kind::Hello }), "{cut}");
        }
    }

    #[test]
    fn octets_left_over_are_malformed() {
        let mut out = Vec::new();
        HELLO.put(&mut out);
        out[0] += 1;
        out.push(0);
        assert_eq!(read_back(&out, Hello::read), Err(Malformed::Payload { kind: Kind::Hello }));
    }

    #[test]
    fn a_name_may_be_as_long_as_its_bound_and_no_longer() {
        let (longest, longer) = ("n".repeat(NAME_MAX_BYTES), "n".repeat(NAME_MAX_BYTES + 1));
        let mut out = Vec::new();
        Hello { name: &longer, ..HELLO }.put(&mut out);
        assert_eq!(read_back(&out, Hello::read).map(|hello| hello.name), Ok(&*longest), "cut by the sender");
        let length = out[0];
        out[0] = length + 1;
        out[frame::HEADER_LEN_BYTES + 44] += 1;
        out.push(b'n');
        assert_eq!(read_back(&out, Hello::read), Err(Malformed::Payload { kind: Kind::Hello }));
    }
}
