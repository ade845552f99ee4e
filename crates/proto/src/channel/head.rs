//! What a datagram begins with, and what that says about it.

use super::{DATAGRAM_MAX_BYTES, Dropped, FRAME_MAX_BYTES};
use crate::fault::Misuse;
use crate::field::Fields;
use crate::frame::{self, Frame, HEADER_LEN_BYTES, Header, Kind};
use crate::opening::OPENING;

/// Octets of a head.
pub const HEAD_LEN_BYTES: usize = 28;

/// What every datagram begins with: the first of the opening octets.
pub const MARK: [u8; 4] = [OPENING[0], OPENING[1], OPENING[2], OPENING[3]];

/// Octets of a number by which an end wants to be addressed.
pub const NUMBER_LEN_BYTES: usize = 8;

/// The head of a datagram: 28 octets, little-endian.
///
/// | offset | octets | field | meaning |
/// |---|---|---|---|
/// | 0 | 4 | mark | [`MARK`] |
/// | 4 | 8 | session | the number by which its receiver wants to be addressed, or 0 |
/// | 12 | 8 | packet | counts from 1; 0 where there are no octets behind it |
/// | 20 | 8 | ack | the packet up to which all have arrived; 0 for none |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The number by which its receiver wants to be addressed; 0 while the sender does not know it.
    pub session: u64,
    /// The number of the packet, from 1; 0 for an acknowledgement alone.
    pub packet: u64,
    /// The packet up to which all have arrived; 0 for none.
    pub ack: u64,
}

impl Head {
    /// Returns it as it goes over the wire.
    pub fn encode(self) -> [u8; HEAD_LEN_BYTES] {
        let mut octets = [0; HEAD_LEN_BYTES];
        octets[0..4].copy_from_slice(&MARK);
        octets[4..12].copy_from_slice(&self.session.to_le_bytes());
        octets[12..20].copy_from_slice(&self.packet.to_le_bytes());
        octets[20..28].copy_from_slice(&self.ack.to_le_bytes());
        octets
    }
}

/// A datagram of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its head.
    pub head: Head,
    /// In packet 1 the number by which its sender wants to be addressed; 0 in any other.
    pub number: u64,
    /// The octets of the session: one frame, behind the opening octets in the first of a client; none where
    /// [`Head::packet`] is 0.
    pub octets: &'a [u8],
}

/// A datagram by what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// The first packet of a client, to a server that it has no number of. The same one may come again: address and
    /// [`Packet::number`] tell which channel it opened.
    Opening(Packet<'a>),
    /// A packet of the channel that [`Head::session`] names.
    Of(Packet<'a>),
    /// A message to whoever listens. [`Announcements`](super::Announcements) tells whether it came before.
    Announcement {
        /// The number that its sender chose for its lifetime.
        number: u64,
        /// Counts from 1; the same message may come again.
        packet: u64,
        /// The MESSAGE.
        frame: Frame<'a>,
    },
    /// Its sender does not know a number that we addressed.
    Reset {
        /// The number.
        session: u64,
    },
}

impl<'a> Datagram<'a> {
    /// Reads a datagram, without any state: what is refused here is no packet of any channel.
    ///
    /// # Errors
    /// [`Dropped::Strange`], [`Dropped::Truncated`], [`Dropped::TooLong`] or [`Dropped::Malformed`].
    pub fn read(octets: &'a [u8]) -> Result<Self, Dropped> {
        let mark = &octets[..octets.len().min(MARK.len())];
        if mark.is_empty() || !MARK.starts_with(mark) {
            return Err(Dropped::Strange);
        }
        if octets.len() > DATAGRAM_MAX_BYTES {
            return Err(Dropped::TooLong);
        }
        let mut fields = Fields::new(octets);
        let head = read_head(&mut fields).ok_or(Dropped::Truncated)?;
        if head.session == 0 { read_stranger(head, fields) } else { read_packet(head, fields) }
    }
}

fn read_head(fields: &mut Fields<'_>) -> Option<Head> {
    fields.array::<4>()?;
    Some(Head { session: fields.u64()?, packet: fields.u64()?, ack: fields.u64()? })
}

/// Reads the number that a sender tells; 0 is none.
fn read_number(fields: &mut Fields<'_>) -> Result<u64, Dropped> {
    match fields.u64() {
        Some(0) => Err(Dropped::Malformed),
        Some(number) => Ok(number),
        None => Err(Dropped::Truncated),
    }
}

/// Reads what comes from somebody who has no number of ours.
fn read_stranger(head: Head, mut fields: Fields<'_>) -> Result<Datagram<'_>, Dropped> {
    let number = read_number(&mut fields)?;
    let octets = fields.rest();
    match head {
        Head { packet: 0, ack: 0, .. } if octets.is_empty() => Ok(Datagram::Reset { session: number }),
        Head { packet: 1, ack: 0, .. } if octets.starts_with(&MARK) => {
            let greeting = octets.get(OPENING.len()..).ok_or(Dropped::Truncated)?;
            one_frame(greeting)?;
            Ok(Datagram::Opening(Packet { head, number, octets }))
        }
        Head { packet: 1.., ack: 0, .. } => {
            let max_bytes = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            one_frame(octets)?;
            match frame::take(&mut &*octets, max_bytes) {
                Ok(Some(frame)) if frame.header.kind == Kind::Message => {
                    Ok(Datagram::Announcement { number, packet: head.packet, frame })
                }
                _ => Err(Dropped::Malformed),
            }
        }
        _ => Err(Dropped::Malformed),
    }
}

/// Reads what is addressed to a number of ours: its sender has our packet 1.
fn read_packet(head: Head, mut fields: Fields<'_>) -> Result<Datagram<'_>, Dropped> {
    let number = if head.packet == 1 { read_number(&mut fields)? } else { 0 };
    let octets = fields.rest();
    match head {
        Head { ack: 0, .. } => Err(Dropped::Malformed),
        Head { packet: 0, .. } if octets.is_empty() => Ok(Datagram::Of(Packet { head, number, octets })),
        Head { packet: 0, .. } => Err(Dropped::Malformed),
        _ => one_frame(octets).map(|()| Datagram::Of(Packet { head, number, octets })),
    }
}

/// Says whether `octets` are exactly one frame, by its length alone: what it says is the session's matter.
fn one_frame(octets: &[u8]) -> Result<(), Dropped> {
    match frame::needed(octets) {
        Some(needed) if needed == octets.len() => Ok(()),
        Some(needed) if needed < octets.len() || needed > FRAME_MAX_BYTES as usize => Err(Dropped::Malformed),
        _ => Err(Dropped::Truncated),
    }
}

/// Appends a reset: the answer to a datagram whose `session` nobody here goes by.
///
/// It is a little longer than an acknowledgement alone, so a shell that sends it bounds how many it sends a second.
pub fn put_reset(out: &mut Vec<u8>, session: u64) {
    out.extend_from_slice(&Head::default().encode());
    out.extend_from_slice(&session.to_le_bytes());
}

/// Appends an announcement: a message to whoever listens, of which nobody says that it arrived.
///
/// `number` was chosen at random by the sender for its lifetime and is not 0; `packet` counts from 1 and is the same
/// where the same message is sent again, [three times](super::ANNOUNCED) in all.
///
/// # Errors
/// [`Misuse::Oversize`] for what does not fit into a datagram; nothing is appended then.
pub fn put_announcement(out: &mut Vec<u8>, number: u64, packet: u64, topic: u16, payload: &[u8]) -> Result<(), Misuse> {
    let start = out.len();
    out.extend_from_slice(&Head { packet, ..Head::default() }.encode());
    out.extend_from_slice(&number.to_le_bytes());
    let room = DATAGRAM_MAX_BYTES - HEAD_LEN_BYTES - NUMBER_LEN_BYTES - HEADER_LEN_BYTES;
    let max_bytes = u32::try_from(room).unwrap_or(u32::MAX);
    let result = frame::put(out, Header { topic, ..frame::header(Kind::Message, 0) }, &[payload], max_bytes);
    if result.is_err() {
        out.truncate(start);
    }
    result
}
