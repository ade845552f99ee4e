//! What can go wrong on the wire, grouped by whose fault it is.
//!
//! [`Fault`] is the other end's, [`Misuse`] our own caller's. All are comparable and carry the numbers that explain
//! them; each prints as one line.

use std::fmt;
use std::time::Duration;

/// Octets that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The stream does not begin with the opening octets; `octet` is the first that differs, at `offset`.
    Opening {
        /// Where, from 0.
        offset: usize,
        /// What was there.
        octet: u8,
    },
    /// A kind this version does not know.
    Kind {
        /// The octet that was there.
        kind: u8,
    },
    /// A flag that was not agreed on.
    Flags {
        /// All flags of the frame.
        flags: u8,
    },
    /// A frame longer than the limit of the service.
    Oversize {
        /// What the header claims.
        len_bytes: u32,
        /// The limit.
        max_bytes: u32,
    },
    /// A control payload that ends early, has octets left over, or text that is not UTF-8.
    Payload {
        /// The frame it was in.
        kind: crate::frame::Kind,
    },
    /// The stream ended within a frame or within the handshake.
    Truncated {
        /// Octets of the part that arrived.
        len_bytes: usize,
    },
}

/// Frames that can be read but are not allowed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaved {
    /// A kind that this end may not send, or not now.
    Unexpected {
        /// The kind.
        kind: crate::frame::Kind,
    },
    /// A request, cancellation or answer with an id it cannot have.
    Id {
        /// The id.
        id: u32,
    },
    /// No handshake within its time.
    Handshake {
        /// The time it had.
        limit: Duration,
    },
    /// Nothing was heard, not even an answer to a ping.
    Silent {
        /// For how long.
        limit: Duration,
    },
}

/// Two ends that cannot agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// The layout that the opening octets name is not ours.
    Layout {
        /// Theirs.
        version: u8,
    },
    /// No version in common.
    Version {
        /// The highest the other end speaks.
        version_max: u8,
    },
    /// The client asked for a service that is not served here.
    Service {
        /// What it asked for.
        asked: String,
        /// What is served.
        served: String,
    },
}

/// What the other end did wrong; the connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Octets that cannot be read.
    Malformed(Malformed),
    /// Frames that are not allowed here.
    Misbehaved(Misbehaved),
    /// Nothing in common.
    Incompatible(Incompatible),
}

/// What our own caller did wrong; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// A payload longer than the limit.
    Oversize {
        /// Octets given.
        len_bytes: usize,
        /// Octets allowed.
        max_bytes: usize,
    },
    /// More requests unanswered than the server takes.
    InFlight {
        /// The server's bound.
        max: usize,
    },
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Fault::Malformed(malformed)
    }
}

impl From<Misbehaved> for Fault {
    fn from(misbehaved: Misbehaved) -> Self {
        Fault::Misbehaved(misbehaved)
    }
}

impl From<Incompatible> for Fault {
    fn from(incompatible: Incompatible) -> Self {
        Fault::Incompatible(incompatible)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Opening { offset, octet } => {
                write!(f, "not soquete frames: octet {offset} of the opening is {octet:#04x}")
            }
            Malformed::Kind { kind } => write!(f, "unknown kind of frame {kind}"),
            Malformed::Flags { flags } => write!(f, "unknown flags {flags:#04x}"),
            Malformed::Oversize { len_bytes, max_bytes } => {
                write!(f, "frame of {len_bytes} octets, at most {max_bytes} are allowed")
            }
            Malformed::Payload { kind } => {
                write!(f, "{kind:?} frame with a payload that cannot be read")
            }
            Malformed::Truncated { len_bytes } => {
                write!(f, "stream ended within a frame, after {len_bytes} octets")
            }
        }
    }
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misbehaved::Unexpected { kind } => write!(f, "unexpected {kind:?} frame"),
            Misbehaved::Id { id } => write!(f, "request id {id} is out of place"),
            Misbehaved::Handshake { limit } => write!(f, "no handshake within {limit:?}"),
            Misbehaved::Silent { limit } => write!(f, "nothing heard for {limit:?}"),
        }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incompatible::Layout { version } => {
                write!(f, "layout version {version}, this end speaks {}", crate::opening::LAYOUT_VERSION)
            }
            Incompatible::Version { version_max } => {
                write!(f, "protocol version {version_max}, this end speaks {}", crate::handshake::VERSION)
            }
            Incompatible::Service { asked, served } => {
                write!(f, "unknown service {asked:?}, this end serves {served:?}")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed(malformed) => malformed.fmt(f),
            Fault::Misbehaved(misbehaved) => misbehaved.fmt(f),
            Fault::Incompatible(incompatible) => incompatible.fmt(f),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::Oversize { len_bytes, max_bytes } => {
                write!(f, "{len_bytes} octets, at most {max_bytes} are allowed")
            }
            Misuse::InFlight { max } => write!(f, "more than {max} requests unanswered"),
        }
    }
}

impl std::error::Error for Malformed {}
impl std::error::Error for Misbehaved {}
impl std::error::Error for Incompatible {}
impl std::error::Error for Fault {}
impl std::error::Error for Misuse {}
