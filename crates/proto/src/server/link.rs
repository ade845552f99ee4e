//! One connection of a server.

use crate::handshake::Features;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for the opening octets.
    Opening,
    /// Waits for the HELLO.
    Greeting,
    Open,
    /// We have said goodbye: what still arrives is thrown away, and what was taken up may still be answered.
    Leaving,
    /// The client has said goodbye, or did something wrong: nothing is heard or said any more.
    Closed,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Link {
    pub(super) key: u64,
    /// Tells it from an earlier link of the same key; 0 before the handshake.
    pub(super) serial: u64,
    pub(super) state: State,
    pub(super) opened_at: Duration,
    pub(super) heard_at: Duration,
    pub(super) pinged: bool,
    pub(super) features: Features,
    /// The session that goes over it; 0 where it will not be remembered.
    pub(super) session: u64,
    /// How many sessions had been taken over when this link was last known to have its own.
    pub(super) takeovers: u64,
    pub(super) payload_max_bytes: u32,
    /// The longest frame that what carries it takes.
    pub(super) frame_max_bytes: u32,
    /// Requests that came over it and have no answer yet, whichever link the answer will go over.
    pub(super) in_flight: u16,
    /// The last request that came over it; those of one link come in the order of their ids.
    pub(super) last_id: u32,
}

impl Link {
    /// Begins the state of a connection that the caller calls `key`, whose first octet arrived at `now`.
    pub fn new(key: u64, now: Duration) -> Self {
        Link {
            key,
            serial: 0,
            state: State::Opening,
            opened_at: now,
            heard_at: now,
            pinged: false,
            features: Features::NONE,
            session: 0,
            takeovers: 0,
            payload_max_bytes: 0,
            frame_max_bytes: u32::MAX,
            in_flight: 0,
            last_id: 0,
        }
    }

    /// Says that what carries it takes no frame above `frame_max_bytes`, in octets with its header; a stream takes any,
    /// a channel [`FRAME_MAX_BYTES`](crate::channel::FRAME_MAX_BYTES).
    pub fn over(self, frame_max_bytes: u32) -> Self {
        Link { frame_max_bytes, ..self }
    }

    /// Says whether the handshake is done and nothing has ended the link since.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Returns the session of its client; nothing where none is remembered. Another link may resume it.
    pub fn session(&self) -> Option<u64> {
        (self.session != 0).then_some(self.session)
    }

    /// Says whether events to the client may be urgent: both ends have the feature.
    pub fn takes_urgent(&self) -> bool {
        self.features.contains(Features::URGENT)
    }

    /// Says whether the client wants to hear how long events came after their causes: both ends have the feature.
    pub fn takes_spans(&self) -> bool {
        self.features.contains(Features::TIMED)
    }

    /// Returns the longest payload of a reply, an event or a message that the client takes, in octets.
    pub fn payload_max_bytes(&self) -> u32 {
        self.payload_max_bytes
    }
}
