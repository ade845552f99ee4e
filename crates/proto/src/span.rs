//! How long something took, at the front of the application's octets of a frame with the flag TIMED.
//!
//! Two machines have two clocks, so no moment goes over the wire for this: a span is measured on one clock.

use crate::field::Fields;
use crate::frame::Flags;
use std::time::Duration;

/// Octets of a span.
pub const SPAN_LEN_BYTES: usize = 4;

/// Returns a span as it goes over the wire, in whole microseconds; one above 71 minutes is told as the longest there is.
///
/// ```
/// use soquete_proto::span;
/// use std::time::Duration;
/// assert_eq!(span::encode(Duration::from_micros(258)), [2, 1, 0, 0]);
/// assert_eq!(span::encode(Duration::MAX), [0xFF; 4]);
/// ```
pub fn encode(span: Duration) -> [u8; SPAN_LEN_BYTES] {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes the span of a frame with these flags, if it has one, off the front of the application's octets; nothing at all
/// where those are shorter.
#[inline]
#[expect(clippy::option_option, reason = "no span, and none where one should be, are two things")]
pub(crate) fn read_if(fields: &mut Fields<'_>, flags: Flags) -> Option<Option<Duration>> {
    if !flags.contains(Flags::TIMED) {
        return Some(None);
    }
    fields.u32().map(|us| Some(Duration::from_micros(us.into())))
}
