//! Frames: a header of twelve octets, then the payload.
//!
//! | offset | octets | field | meaning |
//! |---|---|---|---|
//! | 0 | 4 | length | octets of payload |
//! | 4 | 1 | kind | [`Kind`] |
//! | 5 | 1 | flags | [`Flags`] |
//! | 6 | 2 | topic | the message type, the application's |
//! | 8 | 4 | id | the request; 0 where there is none |
//! | 12 | length | payload | the application's octets |
//!
//! Integers are little-endian.

mod front;

pub use front::Front;
pub(crate) use front::overtakes;

use crate::fault::{Malformed, Misuse};
use crate::handshake::{CONTROL_MAX_BYTES, EventHead, Features, RequestHead};

/// Octets of a header.
pub const HEADER_LEN_BYTES: usize = 12;

/// The same, as the header counts.
const HEADER_LEN_U32: u32 = 12;

/// Octets of a PONG's payload: the session clock.
const CLOCK_LEN_BYTES: u32 = 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Opens a session: the client's first frame.
    Hello = 1,
    /// Accepts a session: the server's first frame.
    Welcome = 2,
    /// Refuses a session, with code and text; never changes between versions.
    Reject = 3,
    /// Carries one message one way.
    Message = 4,
    /// Asks; answered by exactly one REPLY or ERROR of the same id.
    Request = 5,
    /// Answers a request.
    Reply = 6,
    /// Answers a request that was not done, or whose outcome is unknown.
    Error = 7,
    /// Tells a subscriber what happened; its id is the subscribing request's.
    Event = 8,
    /// Takes back a request that is not answered yet, or ends a subscription.
    Cancel = 9,
    /// Asks for a PONG of the same id.
    Ping = 10,
    /// Answers a PING with the server's session clock.
    Pong = 11,
    /// Ends a session: its sender takes up nothing more, and asks nothing more. From a server, answers to what it took up
    /// may follow until it closes the connection.
    Goodbye = 12,
}

impl Kind {
    /// Every kind, in the order of its number, which starts at 1.
    pub const ALL: [Kind; 12] = [
        Kind::Hello,
        Kind::Welcome,
        Kind::Reject,
        Kind::Message,
        Kind::Request,
        Kind::Reply,
        Kind::Error,
        Kind::Event,
        Kind::Cancel,
        Kind::Ping,
        Kind::Pong,
        Kind::Goodbye,
    ];

    fn from_octet(octet: u8) -> Option<Self> {
        Kind::ALL.get(usize::from(octet).checked_sub(1)?).copied()
    }

    /// Returns the longest payload of a frame of this kind, in octets, where the application's own may be
    /// `application_max_bytes` long: what the protocol puts before it comes on top, and control frames have their own.
    #[inline]
    pub fn payload_max_bytes(self, application_max_bytes: u32) -> u32 {
        match self {
            Kind::Message | Kind::Reply => application_max_bytes,
            Kind::Request => application_max_bytes.saturating_add(RequestHead::LEN_U32),
            Kind::Event => application_max_bytes.saturating_add(EventHead::LEN_U32),
            Kind::Hello | Kind::Welcome | Kind::Reject | Kind::Error | Kind::Goodbye => CONTROL_MAX_BYTES,
            Kind::Cancel | Kind::Ping => 0,
            Kind::Pong => CLOCK_LEN_BYTES,
        }
    }

    /// Returns the flags that a frame of this kind may carry where both ends have `features`.
    #[inline]
    fn flags(self, features: Features) -> Flags {
        let known = match self {
            Kind::Request => Flags::ONCE.and(Flags::TIMED),
            Kind::Reply => Flags::TIMED,
            Kind::Message => Flags::URGENT,
            Kind::Event => Flags::URGENT.and(Flags::TIMED),
            _ => Flags::NONE,
        };
        Flags(known.0 & Flags::agreed(features).0)
    }
}

/// Returns the longest payload of the application's, in octets, where a frame may be `frame_max_bytes` long with its
/// header and the `before_bytes` that the protocol puts before it.
pub(crate) fn application_max_bytes(frame_max_bytes: u32, before_bytes: u32) -> u32 {
    frame_max_bytes.saturating_sub(HEADER_LEN_U32 + before_bytes)
}

/// The flags of a frame; a flag that was not agreed on is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No flag set.
    pub const NONE: Flags = Flags(0);
    /// The request must not take effect twice: the server remembers its answer.
    pub const ONCE: Flags = Flags(1);
    /// The message or event overtook what was queued before it.
    pub const URGENT: Flags = Flags(2);
    /// The application's octets begin with a [span](crate::span).
    pub const TIMED: Flags = Flags(4);

    /// Returns the flags that ends with `features` in common know: the flag of a feature has its bit, and ONCE is of all.
    #[inline]
    fn agreed(features: Features) -> Flags {
        let [bits, ..] = features.0.to_le_bytes();
        Flags(bits & (Flags::URGENT.0 | Flags::TIMED.0) | Flags::ONCE.0)
    }

    /// Returns the flags of both.
    #[must_use]
    pub fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Says whether every flag of `other` is set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of payload that follow.
    pub length: u32,
    /// What the frame is.
    pub kind: Kind,
    /// Its flags.
    pub flags: Flags,
    /// The application's message type.
    pub topic: u16,
    /// The request it belongs to; 0 where there is none.
    pub id: u32,
}

impl Header {
    /// Returns the header as it goes over the wire.
    #[inline]
    pub fn encode(self) -> [u8; HEADER_LEN_BYTES] {
        let mut octets = [0; HEADER_LEN_BYTES];
        octets[0..4].copy_from_slice(&self.length.to_le_bytes());
        octets[4] = self.kind as u8;
        octets[5] = self.flags.0;
        octets[6..8].copy_from_slice(&self.topic.to_le_bytes());
        octets[8..12].copy_from_slice(&self.id.to_le_bytes());
        octets
    }

    /// Reads a header, with every flag that any feature gives its kind.
    ///
    /// # Errors
    /// [`Malformed::Kind`] for a kind that this version does not know, [`Malformed::Flags`] for a flag that the kind
    /// cannot have.
    #[inline]
    pub fn decode(octets: &[u8; HEADER_LEN_BYTES]) -> Result<Self, Malformed> {
        Header::decode_agreed(octets, Features::ALL)
    }

    /// Reads a header of a connection whose ends have `features` in common.
    #[inline]
    fn decode_agreed(octets: &[u8; HEADER_LEN_BYTES], features: Features) -> Result<Self, Malformed> {
        let [l0, l1, l2, l3, kind, flags, t0, t1, i0, i1, i2, i3] = *octets;
        let known = Kind::from_octet(kind).ok_or(Malformed::Kind { kind })?;
        // Most have none, and need not be asked what they may have.
        if flags != 0 && flags & !known.flags(features).0 != 0 {
            return Err(Malformed::Flags { flags });
        }
        Ok(Header {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            kind: known,
            flags: Flags(flags),
            topic: u16::from_le_bytes([t0, t1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        })
    }
}

/// Reads length and id of a header if it is that of a REPLY without flags.
#[inline]
pub(crate) fn plain_reply(head: &[u8; HEADER_LEN_BYTES]) -> Option<(u32, u32)> {
    let [l0, l1, l2, l3, kind, flags, _, _, i0, i1, i2, i3] = *head;
    let is_plain = kind == Kind::Reply as u8 && flags == 0;
    is_plain.then(|| (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([i0, i1, i2, i3])))
}

/// Reads length and topic of a header if it is that of a MESSAGE.
#[inline]
pub(crate) fn plain_message(head: &[u8; HEADER_LEN_BYTES]) -> Option<(u32, u16)> {
    let [l0, l1, l2, l3, kind, flags, t0, t1, ..] = *head;
    let is_plain = kind == Kind::Message as u8 && flags == 0;
    is_plain.then(|| (u32::from_le_bytes([l0, l1, l2, l3]), u16::from_le_bytes([t0, t1])))
}

/// A frame that arrived: its header, and its payload where it lies in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// The payload, `header.length` octets.
    pub payload: &'a [u8],
}

/// Takes one whole frame off the front of `input`, or nothing while it is incomplete.
///
/// # Errors
/// [`Malformed`] for an unknown kind or flag, and for a length above `payload_max_bytes`, as soon as the header is
/// there: nothing is kept for a frame that will be refused.
#[inline]
pub fn take<'a>(input: &mut &'a [u8], payload_max_bytes: u32) -> Result<Option<Frame<'a>>, Malformed> {
    take_where(input, Features::ALL, |_| payload_max_bytes)
}

/// Takes one whole frame, as [`take`], whose length may be what [`Kind::payload_max_bytes`] says of its kind.
///
/// # Errors
/// As [`take`].
#[inline]
pub fn take_within<'a>(input: &mut &'a [u8], application_max_bytes: u32) -> Result<Option<Frame<'a>>, Malformed> {
    take_agreed(input, application_max_bytes, Features::ALL)
}

/// Takes one whole frame, as [`take_within`], that may have the flags which `features` allow.
#[inline]
pub(crate) fn take_agreed<'a>(
    input: &mut &'a [u8],
    application_max_bytes: u32,
    features: Features,
) -> Result<Option<Frame<'a>>, Malformed> {
    take_where(input, features, |kind| kind.payload_max_bytes(application_max_bytes))
}

#[inline]
fn take_where<'a>(
    input: &mut &'a [u8],
    features: Features,
    max_bytes: impl FnOnce(Kind) -> u32,
) -> Result<Option<Frame<'a>>, Malformed> {
    let Some((head, rest)) = input.split_first_chunk::<HEADER_LEN_BYTES>() else {
        return Ok(None);
    };
    let header = Header::decode_agreed(head, features)?;
    let max_bytes = max_bytes(header.kind);
    if header.length > max_bytes {
        return Err(Malformed::Oversize { len_bytes: header.length, max_bytes });
    }
    let Some((payload, rest)) = rest.split_at_checked(header.length as usize) else {
        return Ok(None);
    };
    *input = rest;
    Ok(Some(Frame { header, payload }))
}

/// Tells how many octets the frame at the front of `input` needs in all, where its header is there.
pub fn needed(input: &[u8]) -> Option<usize> {
    let length = input.first_chunk::<4>().filter(|_| input.len() >= HEADER_LEN_BYTES)?;
    Some(HEADER_LEN_BYTES.saturating_add(u32::from_le_bytes(*length) as usize))
}

/// Appends a frame whose payload is `parts`, one after the other.
///
/// # Errors
/// [`Misuse::Oversize`] where the payload is longer than `payload_max_bytes`; nothing is appended then.
#[inline(always)] // Callers know how many parts there are: out of line it is a loop with three more checks.
pub fn put(out: &mut Vec<u8>, header: Header, parts: &[&[u8]], payload_max_bytes: u32) -> Result<(), Misuse> {
    let len_bytes: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(len_bytes).ok().filter(|length| *length <= payload_max_bytes);
    let Some(length) = length else {
        return Err(Misuse::Oversize { len_bytes, max_bytes: payload_max_bytes as usize });
    };
    out.reserve(HEADER_LEN_BYTES + len_bytes);
    out.extend_from_slice(&Header { length, ..header }.encode());
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// Returns a header of `kind` for request `id`, without flags, topic or length.
#[inline]
pub fn header(kind: Kind, id: u32) -> Header {
    Header { length: 0, kind, flags: Flags::NONE, topic: 0, id }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: [u8; 15] = [3, 0, 0, 0, 5, 1, 0x34, 0x12, 7, 0, 0, 0, b'a', b'b', b'c'];

    #[test]
    fn a_frame_is_twelve_octets_and_its_payload() {
        let mut out = Vec::new();
        let head = Header { flags: Flags::ONCE, topic: 0x1234, ..header(Kind::Request, 7) };
        put(&mut out, head, &[b"a", b"bc"], 3).unwrap();
        assert_eq!(out, REQUEST);
        let mut input = &out[..];
        let frame = take(&mut input, 3).unwrap().unwrap();
        assert_eq!((frame.header.topic, frame.header.id, frame.payload), (0x1234, 7, &b"abc"[..]));
        assert!(input.is_empty());
    }

    #[test]
    fn an_incomplete_frame_takes_nothing() {
        for cut in 0..REQUEST.len() {
            let mut input = &REQUEST[..cut];
            assert_eq!(take(&mut input, 3), Ok(None));
            assert_eq!(input.len(), cut);
        }
    }

    #[test]
    fn four_gibibytes_are_refused_by_the_header_alone() {
        let mut input = &[0xFF, 0xFF, 0xFF, 0xFF, 5, 0, 0, 0, 1, 0, 0, 0][..];
        assert_eq!(take(&mut input, 4096), Err(Malformed::Oversize { len_bytes: u32::MAX, max_bytes: 4096 }));
    }

    #[test]
    fn a_payload_of_no_octets_is_legal() {
        let mut out = Vec::new();
        put(&mut out, header(Kind::Message, 0), &[], 0).unwrap();
        assert_eq!(take(&mut &out[..], 0).unwrap().unwrap().payload, b"");
    }

    #[test]
    fn unknown_kinds_and_flags_are_named() {
        let mut octets = REQUEST;
        octets[4] = 99;
        assert_eq!(take(&mut &octets[..], 3), Err(Malformed::Kind { kind: 99 }));
        octets[4] = 5;
        octets[5] = 0x82;
        assert_eq!(take(&mut &octets[..], 3), Err(Malformed::Flags { flags: 0x82 }));
    }

    #[test]
    fn a_flag_of_another_kind_is_unknown() {
        let mut octets = REQUEST;
        octets[4] = Kind::Message as u8;
        assert_eq!(take(&mut &octets[..], 3), Err(Malformed::Flags { flags: 1 }));
    }

    #[test]
    fn only_messages_and_events_of_ends_that_agreed_are_urgent() {
        for kind in Kind::ALL {
            let octets = Header { flags: Flags::URGENT, ..header(kind, 1) }.encode();
            let is_urgent = matches!(kind, Kind::Message | Kind::Event);
            assert_eq!(take_within(&mut &octets[..], 10).is_ok(), is_urgent, "{kind:?}");
            for features in [Features::NONE, Features::RESUME] {
                let refused = Err(Malformed::Flags { flags: 2 });
                assert_eq!(take_agreed(&mut &octets[..], 10, features), refused, "{kind:?}");
            }
        }
    }

    #[test]
    fn every_kind_has_its_number_and_its_limit() {
        for (number, kind) in (1..).zip(Kind::ALL) {
            assert_eq!((kind as u8, Kind::from_octet(number)), (number, Some(kind)));
            let max_bytes = kind.payload_max_bytes(10);
            for (len_bytes, fits) in [(max_bytes, true), (max_bytes + 1, false)] {
                let octets = Header { length: len_bytes, ..header(kind, 1) }.encode();
                assert_eq!(take_within(&mut &octets[..], 10).is_ok(), fits, "{kind:?} of {len_bytes} octets");
            }
        }
        assert_eq!((Kind::from_octet(0), Kind::from_octet(13)), (None, None));
    }

    #[test]
    fn what_is_too_long_to_send_is_refused_whole() {
        let mut out = Vec::new();
        let refused = put(&mut out, header(Kind::Message, 0), &[b"four"], 3);
        assert_eq!(refused, Err(Misuse::Oversize { len_bytes: 4, max_bytes: 3 }));
        assert!(out.is_empty());
    }
}
