//! What a server offers.

use std::time::Duration;

/// What a server offers, and its bounds.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service a client must ask for.
    pub service: String,
    /// Who the server is, for logs; at most 64 octets go over the wire.
    pub name: String,
    /// The longest payload of a request or a message taken, in octets, without what the protocol puts before it.
    /// Default 1 MiB: what an application's message needs, not a file.
    pub payload_max_bytes: u32,
    /// Requests of one connection that may be unanswered. Default 1,024; above it a request ends as *too busy*.
    pub in_flight_max: u16,
    /// Sessions remembered in all. Default 1,024; those without a connection go first, the oldest before the others.
    /// Where all have one, a new client gets none, and its requests to be done once end as *too busy*.
    pub sessions_max: usize,
    /// Answers remembered for a session. Default 1,024; above it a request ends as *too busy*.
    pub answers_max: usize,
    /// Octets of answers remembered for a session. Default 256 KiB. Above it a request ends as *too busy*, and a reply
    /// that does not fit is remembered as *reply too long*.
    pub answers_max_bytes: usize,
    /// Octets of answers remembered for all sessions. Default 16 MiB. Above it sessions without a connection go, the
    /// oldest before the others; where there are none, as above.
    pub memory_max_bytes: usize,
    /// Whether sessions survive their connections. Default true. Otherwise clients are told so in the handshake, and none
    /// asks again for what was not answered: right where the next connection comes to another process.
    pub resume: bool,
    /// How long a session is remembered without a connection. Default 60 s: longer than any command may wait.
    pub session_kept: Duration,
    /// Time from the first octet to the end of the handshake. Default 5 s.
    pub handshake_timeout: Duration,
    /// Silence after which the peer is pinged. Default 15 s; after three times that it is given up.
    pub ping_after: Duration,
}

impl Options {
    /// Offers `service`, with the defaults.
    pub fn new(service: impl Into<String>) -> Self {
        Options {
            service: service.into(),
            name: String::new(),
            payload_max_bytes: 1 << 20,
            in_flight_max: 1024,
            sessions_max: 1024,
            answers_max: 1024,
            answers_max_bytes: 256 << 10,
            memory_max_bytes: 16 << 20,
            resume: true,
            session_kept: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(5),
            ping_after: Duration::from_secs(15),
        }
    }
}
