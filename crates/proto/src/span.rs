//! How long something took, at the front of the application's octets of a frame with the flag TIMED.
//!
//! Two machines have two clocks, so no moment goes over the wire for this: a span is measured on one clock.

use crate::fault::Malformed;
use crate::field::Fields;
use crate::frame::{Flags, Header};
use std::num::NonZeroU32;
use std::time::Duration;

/// A span in whole microseconds, rounded down; one above 71 minutes is the longest there is.
///
/// ```
/// use soquete_proto::span::Span;
/// use std::time::Duration;
/// let span = Span::from(Duration::from_nanos(2_310_900));
/// assert_eq!((span.duration(), span.encode()), (Duration::from_micros(2_310), [0x06, 0x09, 0, 0]));
/// assert_eq!(Span::from(Duration::MAX).encode(), [0xFE, 0xFF, 0xFF, 0xFF]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(
    /// The microseconds and 1, so that no span takes no room either: heads that may have one are copied often.
    NonZeroU32,
);

impl Span {
    /// Octets of it.
    pub const LEN_BYTES: usize = 4;

    /// Returns how long it is.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros((self.0.get() - 1).into())
    }

    /// Returns it as it goes over the wire.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN_BYTES] {
        (self.0.get() - 1).to_le_bytes()
    }

    fn of(us: u32) -> Self {
        Span(NonZeroU32::MIN.saturating_add(us))
    }

    /// Takes the span of a frame with that header off the front of the application's octets, where it has one.
    #[inline]
    pub(crate) fn read_if(header: &Header, fields: &mut Fields<'_>) -> Result<Option<Span>, Malformed> {
        if header.flags.contains(Flags::TIMED) { Span::read(header, fields).map(Some) } else { Ok(None) }
    }

    #[inline(never)] // Most frames have none.
    fn read(header: &Header, fields: &mut Fields<'_>) -> Result<Span, Malformed> {
        fields.u32().map(Span::of).ok_or(Malformed::Payload { kind: header.kind })
    }
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Span::of(u32::try_from(span.as_micros()).unwrap_or(u32::MAX))
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.duration().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_takes_no_room_and_the_shortest_is_not_none() {
        assert_eq!(size_of::<Option<Span>>(), 4);
        for us in [0, 1, u32::MAX - 1] {
            let span = Span::from(Duration::from_micros(us.into()));
            assert_eq!((span.duration(), span.encode()), (Duration::from_micros(us.into()), us.to_le_bytes()));
        }
        assert_eq!(Span::of(u32::MAX), Span::of(u32::MAX - 1));
    }
}
