//! What a client wants.

use crate::frame;
use crate::handshake::{EventHead, RequestHead};
use std::time::Duration;

/// What a client wants, and its bounds.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service to ask for.
    pub service: String,
    /// Who the client is, for the server's log; at most 64 octets go over the wire.
    pub name: String,
    /// The longest payload of a reply, an event or a message taken, in octets. Default 1 MiB.
    pub payload_max_bytes: u32,
    /// The longest frame that what carries the session takes, in octets with its header. Default unlimited, as a stream
    /// is; over a channel [`FRAME_MAX_BYTES`](crate::channel::FRAME_MAX_BYTES). What would be longer is refused.
    pub frame_max_bytes: u32,
    /// Whether the session is to survive its connection. Default no: it costs the server memory, and a request to be
    /// done once must wait for the WELCOME of the first connection.
    pub resume: bool,
    /// Whether messages and events of this session may be urgent, where the server knows it too. Default no: an end that
    /// has nothing urgent need not ask for it.
    pub urgent: bool,
    /// Whether what is told of spans is wanted, where the server knows it too: how old its cause is with a request that
    /// says when that was, how long the server took with its reply, and with events how long after their causes they were.
    /// Default no.
    pub timed: bool,
    /// How long after its deadline a request that was sent may still learn its outcome. Default 1 s; then it is
    /// unknown. A request that was never sent ends at its deadline.
    pub settle: Duration,
    /// Silence after which the server is pinged while an answer or an event is awaited. Default 15 s; after three
    /// times that it is given up, and so is a server that has not answered the HELLO.
    pub ping_after: Duration,
}

impl Options {
    /// Asks for `service`, with the defaults.
    pub fn new(service: impl Into<String>) -> Self {
        Options {
            service: service.into(),
            name: String::new(),
            payload_max_bytes: 1 << 20,
            frame_max_bytes: u32::MAX,
            resume: false,
            urgent: false,
            timed: false,
            settle: Duration::from_secs(1),
            ping_after: Duration::from_secs(15),
        }
    }

    /// The longest payload of a request, in octets, where the server takes `theirs_max_bytes`.
    pub(super) fn request_max_bytes(&self, theirs_max_bytes: u32) -> u32 {
        theirs_max_bytes.min(frame::application_max_bytes(self.frame_max_bytes, RequestHead::LEN_U32))
    }

    /// The longest payload of a reply, an event or a message taken, in octets.
    pub(super) fn taken_max_bytes(&self) -> u32 {
        self.payload_max_bytes.min(frame::application_max_bytes(self.frame_max_bytes, EventHead::LEN_U32))
    }
}
