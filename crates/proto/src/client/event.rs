//! What a client sends, what arrives, and how requests end that get no answer.

use crate::handshake::{EventHead, Goodbye, Reason, Welcome};
use std::time::Duration;

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The application's message type. Default 0.
    pub topic: u16,
    /// The application's octets.
    pub payload: &'a [u8],
    /// Whether it must not take effect twice. With [`Options::resume`](super::Options::resume) it is then sent again over
    /// the next connection, and answered from the server's memory if it was done already.
    pub once: bool,
    /// From when on it must not be done any more. It is then sent only once the server has shown that it lives, and
    /// ends within the time and [`Options::settle`](super::Options::settle), whatever happens.
    pub deadline: Option<Duration>,
    /// How many servers it has passed. Default 0.
    pub hops: u8,
    /// When what caused it happened, on the clock of `now`. Default unknown. Otherwise its reply comes with a [`Timing`]
    /// ([`Client::timing`](super::Client::timing)), and a server that has the feature TIMED is told how long ago it was when the request goes out, which is never
    /// before the WELCOME came.
    pub caused_at: Option<Duration>,
}

impl<'a> Request<'a> {
    /// Makes a request of topic 0 that may be lost with its connection.
    pub fn new(payload: &'a [u8]) -> Self {
        Request { topic: 0, payload, once: false, deadline: None, hops: 0, caused_at: None }
    }
}

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The handshake is done.
    Welcome(Welcome<'a>),
    /// The server refuses the session; the connection is of no more use.
    Rejected(Reason<'a>),
    /// A request was done.
    Reply {
        /// The request's id.
        id: u32,
        /// The application's octets.
        payload: &'a [u8],
    },
    /// A request was not done, or the server does not know.
    Error {
        /// The request's id.
        id: u32,
        /// Why.
        reason: Reason<'a>,
    },
    /// Something happened that a request subscribed to.
    Event {
        /// The subscribing request's id.
        id: u32,
        /// Its number, and how many were missed before it.
        head: EventHead,
        /// The application's octets.
        payload: &'a [u8],
        /// Whether it overtook others.
        is_urgent: bool,
    },
    /// A message of the server's own accord.
    Message {
        /// The application's message type.
        topic: u16,
        /// The application's octets.
        payload: &'a [u8],
        /// Whether it overtook others.
        is_urgent: bool,
    },
    /// The server goes, in order. What it took up it may still answer: read on to the end of the connection while
    /// [`Client::unanswered`](super::Client::unanswered) says that something is worth it.
    Goodbye(Goodbye<'a>),
}

/// The course of a request that was done, on the clock of the client; only `took` was measured by that of the server.
///
/// What it asked for was done not before `sent_at` and `took` have passed, and not after `answered_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When what caused it happened.
    pub caused_at: Duration,
    /// When it was first sent, as far as it may have arrived.
    pub sent_at: Duration,
    /// When the reply was received.
    pub answered_at: Duration,
    /// How long the server, and those behind it, took from its receipt until it was done; nothing where it does not say.
    pub took: Option<Duration>,
}

impl Timing {
    /// Returns when it was done, as near as two clocks that are not compared can say: in the middle of what is possible,
    /// as if both ways had taken as long as each other. Nothing where the server does not say how long it took.
    pub fn done_at(&self) -> Option<Duration> {
        let earliest = self.earliest()?;
        Some(earliest + self.answered_at.saturating_sub(earliest) / 2)
    }

    /// Returns before when it was not done: as if the way there took no time. Nothing where the server does not say how
    /// long it took; never after `answered_at`, whatever the server says.
    pub fn earliest(&self) -> Option<Duration> {
        self.took.map(|took| self.sent_at.saturating_add(took).min(self.answered_at))
    }
}

/// How a request ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was never sent, or the server has said that it did not take it up: nothing was done, it is safe to repeat.
    NotDone(Unanswered),
    /// It was sent, and nobody knows.
    Unknown(Unanswered),
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no server until its deadline.
    NoServer,
    /// The server did not show that it lives until its deadline.
    NotAnswering,
    /// The connection was lost, and the request with it.
    ConnectionLost,
    /// The server does not know the session any more: it was restarted in between.
    UnknownSession,
    /// The server refused the session or went, and said that it had not taken up the request.
    NotTakenUp,
    /// [`Client::cancel`](super::Client::cancel) took it back before it was sent.
    Cancelled,
    /// It waited for a server, and this one takes no payload that long.
    TooLong,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unanswered::NoServer => "no server within its time",
            Unanswered::NotAnswering => "the server did not answer within its time",
            Unanswered::ConnectionLost => "the connection was lost",
            Unanswered::UnknownSession => "unknown session: the server was restarted in between",
            Unanswered::NotTakenUp => "the server went before it took it up",
            Unanswered::Cancelled => "taken back before it was sent",
            Unanswered::TooLong => "longer than the server takes",
        })
    }
}
