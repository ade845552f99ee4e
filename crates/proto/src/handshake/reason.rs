//! Why not: codes for programs, a line for people.

use super::{TEXT_MAX_BYTES, put_control};
use crate::field::{Fields, put_line};
use crate::frame::Kind;
use std::fmt;

/// Why a session was refused or ended, or a request not done: a code for programs, a text for people.
///
/// A code that this version does not know is read as [`Code::Unknown`], which promises nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Code {
    /// The other end goes, in order.
    Closing = 0,
    /// No version in common.
    Version = 1,
    /// The service is not served here.
    Service = 2,
    /// Not authorised.
    Unauthorised = 3,
    /// No room at present.
    Busy = 4,
    /// Octets that cannot be read, or frames that are not allowed.
    Malformed = 5,
    /// The application refused the request; nothing was done.
    Refused = 6,
    /// The deadline had passed; nothing was done.
    Expired = 7,
    /// The request was taken back; nothing was done.
    Cancelled = 8,
    /// The outcome is unknown, at this end too.
    Unknown = 9,
    /// The answer was longer than the client takes, or than the server remembers; the request was done.
    ReplyTooLong = 10,
    /// The request lies below the client's *lowest unanswered*: it was answered, and the answer forgotten.
    Forgotten = 11,
}

impl Code {
    /// Every code, in the order of its number.
    pub const ALL: [Code; 12] = [
        Code::Closing,
        Code::Version,
        Code::Service,
        Code::Unauthorised,
        Code::Busy,
        Code::Malformed,
        Code::Refused,
        Code::Expired,
        Code::Cancelled,
        Code::Unknown,
        Code::ReplyTooLong,
        Code::Forgotten,
    ];

    /// Says whether nothing was done, so that it is safe to repeat.
    pub fn is_not_done(self) -> bool {
        !matches!(self, Code::Unknown | Code::ReplyTooLong | Code::Forgotten)
    }

    /// Reads a code; one that a later version made up promises nothing.
    fn from_octet(octet: u8) -> Self {
        Code::ALL.get(usize::from(octet)).copied().unwrap_or(Code::Unknown)
    }
}

/// The payload of REJECT and ERROR: why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// For programs.
    pub code: Code,
    /// For people: one line of at most 512 octets. A longer one is cut, a control character becomes a space.
    pub text: &'a str,
}

/// The payload of GOODBYE.
///
/// A server may still answer requests up to `last_id` before it closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye<'a> {
    /// The last request of this connection that was taken up, 0 for none; those after it were not done. 0 from a
    /// client.
    pub last_id: u32,
    /// Why.
    pub reason: Reason<'a>,
}

impl<'a> Reason<'a> {
    pub(crate) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Reason { code: Code::from_octet(fields.u8()?), text: fields.line(TEXT_MAX_BYTES)? })
    }

    fn put_fields(&self, payload: &mut Vec<u8>) {
        payload.push(self.code as u8);
        put_line(payload, self.text, TEXT_MAX_BYTES);
    }

    /// Appends it as the payload of a REJECT.
    pub fn put_reject(&self, out: &mut Vec<u8>) {
        put_control(out, Kind::Reject, |payload| self.put_fields(payload));
    }

    /// Returns the payload of an ERROR.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        self.put_fields(&mut payload);
        payload
    }
}

impl<'a> Goodbye<'a> {
    pub(crate) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Goodbye { last_id: fields.u32()?, reason: Reason::read(fields)? })
    }

    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_control(out, Kind::Goodbye, |payload| {
            payload.extend_from_slice(&self.last_id.to_le_bytes());
            self.reason.put_fields(payload);
        });
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::Closing => "closing",
            Code::Version => "wrong version",
            Code::Service => "unknown service",
            Code::Unauthorised => "not authorised",
            Code::Busy => "too busy",
            Code::Malformed => "malformed",
            Code::Refused => "refused",
            Code::Expired => "expired",
            Code::Cancelled => "cancelled",
            Code::Unknown => "outcome unknown",
            Code::ReplyTooLong => "reply too long",
            Code::Forgotten => "forgotten",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, HEADER_LEN_BYTES};

    fn read_back(out: &[u8]) -> Option<Reason<'_>> {
        let frame = frame::take(&mut &out[..], super::super::CONTROL_MAX_BYTES).unwrap().unwrap();
        super::super::control(&frame, Reason::read).ok()
    }

    #[test]
    fn a_reject_carries_code_and_text_cut_to_its_bound() {
        let mut out = Vec::new();
        Reason { code: Code::Busy, text: &"é".repeat(400) }.put_reject(&mut out);
        let reason = read_back(&out).unwrap();
        assert_eq!((reason.code, reason.text.len()), (Code::Busy, TEXT_MAX_BYTES));
        let longer = u16::try_from(TEXT_MAX_BYTES + 1).unwrap().to_le_bytes();
        out[HEADER_LEN_BYTES + 1..HEADER_LEN_BYTES + 3].copy_from_slice(&longer);
        out[0] += 1;
        out.push(b'x');
        assert_eq!(read_back(&out), None, "one more than the bound");
    }

    #[test]
    fn a_reason_is_one_line_whatever_the_text() {
        let mut out = Vec::new();
        Reason { code: Code::Refused, text: "no such chip\nLED ON\x1b[2J" }.put_reject(&mut out);
        assert_eq!(read_back(&out).map(|reason| reason.text), Some("no such chip LED ON [2J"));
        out[HEADER_LEN_BYTES + 5] = b'\n';
        assert_eq!(read_back(&out), None);
    }

    #[test]
    fn every_code_has_its_number() {
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
        }
    }

    #[test]
    fn a_code_of_a_later_version_can_be_read_and_promises_nothing() {
        let mut out = Vec::new();
        Reason { code: Code::Busy, text: "quota" }.put_reject(&mut out);
        out[HEADER_LEN_BYTES] = 200;
        let reason = read_back(&out).unwrap();
        assert_eq!((reason.code, reason.text), (Code::Unknown, "quota"));
        assert!(!reason.code.is_not_done());
    }
}
