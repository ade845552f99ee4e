//! What the payloads of REQUEST and EVENT begin with.

use crate::fault::Misuse;
use crate::field::Fields;
use crate::frame::{self, Flags, Header, Kind};
use crate::span::Span;

/// What a REQUEST's payload begins with: thirteen octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// From when on it must not be done, on the server's session clock in microseconds; 0 for never.
    pub deadline_us: u64,
    /// How many servers it has passed.
    pub hops: u8,
    /// The lowest id that the client has no answer to and still wants one; the server may forget those below.
    pub lowest: u32,
}

/// What an EVENT's payload begins with: twelve octets, and a span where it is TIMED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHead {
    /// The number of the event.
    pub seq: u64,
    /// How many events before it this subscriber missed.
    pub missed: u32,
    /// How long after what caused it it happened, where its sender knows and both ends have the feature TIMED.
    pub lag: Option<Span>,
}

impl RequestHead {
    /// Octets of it.
    pub const LEN_BYTES: usize = 13;
    /// The same, as the header counts.
    pub(crate) const LEN_U32: u32 = 13;

    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(RequestHead { deadline_us: fields.u64()?, hops: fields.u8()?, lowest: fields.u32()? })
    }

    /// Returns it as it goes over the wire.
    pub fn encode(self) -> [u8; Self::LEN_BYTES] {
        let mut octets = [0; Self::LEN_BYTES];
        octets[0..8].copy_from_slice(&self.deadline_us.to_le_bytes());
        octets[8] = self.hops;
        octets[9..13].copy_from_slice(&self.lowest.to_le_bytes());
        octets
    }
}

impl EventHead {
    /// Octets of it.
    pub const LEN_BYTES: usize = 12;
    /// The same, as the header counts.
    pub(crate) const LEN_U32: u32 = 12;

    /// Reads it, without its span.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(EventHead { seq: fields.u64()?, missed: fields.u32()?, lag: None })
    }

    /// Returns it as it goes over the wire, without its span.
    pub fn encode(self) -> [u8; Self::LEN_BYTES] {
        let mut octets = [0; Self::LEN_BYTES];
        octets[0..8].copy_from_slice(&self.seq.to_le_bytes());
        octets[8..12].copy_from_slice(&self.missed.to_le_bytes());
        octets
    }
}

/// Appends an EVENT of the subscription that request `id` made; without its span where that makes it too long.
///
/// # Errors
/// [`Misuse::Oversize`] for a `payload` above `payload_max_bytes`; nothing is appended then.
pub fn put_event(
    out: &mut Vec<u8>,
    id: u32,
    head: EventHead,
    payload: &[u8],
    payload_max_bytes: u32,
) -> Result<(), Misuse> {
    put(out, frame::header(Kind::Event, id), head, payload, payload_max_bytes)
}

/// Appends an EVENT as [`put_event`], with the flag URGENT; where it goes in a queue is said by
/// [`Front::insert`](frame::Front::insert).
///
/// # Errors
/// As [`put_event`].
pub fn put_urgent_event(
    out: &mut Vec<u8>,
    id: u32,
    head: EventHead,
    payload: &[u8],
    payload_max_bytes: u32,
) -> Result<(), Misuse> {
    let header = Header { flags: Flags::URGENT, ..frame::header(Kind::Event, id) };
    put(out, header, head, payload, payload_max_bytes)
}

/// Appends a frame whose application's octets begin with a span; without it where there is none, or no room for it.
#[inline(never)] // Those that cannot have one do not come here.
pub(crate) fn put_timed(
    out: &mut Vec<u8>,
    header: Header,
    span: Option<Span>,
    [head, payload]: [&[u8]; 2],
    max_bytes: u32,
) -> Result<(), Misuse> {
    let len_bytes = head.len() + Span::LEN_BYTES + payload.len();
    let octets = span.filter(|_| len_bytes <= max_bytes as usize).map(Span::encode);
    let flags = if octets.is_some() { header.flags.and(Flags::TIMED) } else { header.flags };
    let octets = octets.as_ref().map_or(&[][..], |octets| octets);
    frame::put(out, Header { flags, ..header }, &[head, octets, payload], max_bytes)
}

fn put(out: &mut Vec<u8>, header: Header, head: EventHead, payload: &[u8], max_bytes: u32) -> Result<(), Misuse> {
    put_timed(out, header, head.lag, [&head.encode(), payload], Kind::Event.payload_max_bytes(max_bytes))
}
