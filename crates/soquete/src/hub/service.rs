//! What a server offers at its endpoints.

use soquete_proto::lines::LINE_MAX_BYTES;
use soquete_proto::server::{Options, Server};

/// The longest message each way, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest that is taken: of raw octets, what one receive brings; of lines, without the end.
    pub receive_max_bytes: usize,
    /// The longest that may be answered; above it the answer is an error and nothing of it is sent.
    pub send_max_bytes: usize,
}

/// Bounds of the text language: its lines, and an answer with a row for every line of a large board.
pub(super) const TEXT_BOUNDS: Bounds = Bounds { receive_max_bytes: LINE_MAX_BYTES, send_max_bytes: 256 << 10 };

/// The languages that a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Languages {
    /// Lines of text.
    pub text: bool,
    /// Frames.
    pub frames: bool,
    /// One page for browsers.
    pub http: bool,
}

/// What cuts a stream into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: a message is what one receive brings. A datagram or a packet is one, never cut: a datagram that is too long
    /// is dropped, a packet ends its connection. A datagram without an octet is a message, too; an answer without one is
    /// not sent.
    Raw(Bounds),
    /// The ends of lines: LF, CRLF, NUL, or the orderly end of the stream; of a datagram or a packet the end as well.
    Line(Bounds),
    /// The frames of `PROTOCOL.md`; over datagrams a payload has at most 65,454 octets.
    Frames,
    /// The first octet tells the language; one that is not spoken is refused in that language.
    Detect(Languages),
}

/// One thing that a server offers, at any number of endpoints.
pub(super) struct Service {
    pub(super) framing: Framing,
    pub(super) core: Server,
}

impl Service {
    pub(super) fn new(framing: Framing, options: Options) -> Self {
        Service { framing, core: Server::new(options, crate::Clock::now(), crate::entropy::random_u128) }
    }

    pub(super) fn languages(&self) -> Languages {
        match self.framing {
            Framing::Detect(languages) => languages,
            _ => Languages { text: true, frames: true, http: false },
        }
    }
}
