//! Why a datagram is dropped.

use std::fmt;

/// Why a datagram changed nothing: what a shell may count by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dropped {
    /// It does not begin as datagrams of this protocol do.
    Strange,
    /// It ends early.
    Truncated,
    /// It is longer than [`DATAGRAM_MAX_BYTES`](super::DATAGRAM_MAX_BYTES).
    TooLong,
    /// It can be read, and says what it cannot say.
    Malformed,
    /// Nobody here goes by the number it is addressed to, or its sender is not who is known by that number.
    Unknown,
    /// It arrived before.
    Duplicate,
    /// Its packet number is further ahead than any sender may be.
    Ahead,
    /// It says that a packet arrived which was never sent.
    Unsent,
    /// There is no room for it now; its sender will repeat it.
    Full,
    /// The table of senders has no room for one more.
    Crowded,
}

impl Dropped {
    /// Every reason, in the order of its number, which starts at 0.
    pub const ALL: [Dropped; 10] = [
        Dropped::Strange,
        Dropped::Truncated,
        Dropped::TooLong,
        Dropped::Malformed,
        Dropped::Unknown,
        Dropped::Duplicate,
        Dropped::Ahead,
        Dropped::Unsent,
        Dropped::Full,
        Dropped::Crowded,
    ];
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dropped::Strange => "not of this protocol",
            Dropped::Truncated => "ended early",
            Dropped::TooLong => "too long",
            Dropped::Malformed => "cannot be read",
            Dropped::Unknown => "addressed to nobody here",
            Dropped::Duplicate => "arrived before",
            Dropped::Ahead => "too far ahead",
            Dropped::Unsent => "acknowledges what was never sent",
            Dropped::Full => "no room for it now",
            Dropped::Crowded => "no room for one more sender",
        })
    }
}

impl std::error::Error for Dropped {}
