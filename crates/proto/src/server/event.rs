//! What arrives at a server, and what it answers.

use crate::handshake::{Reason, Resumption};
use crate::span::Span;
use std::time::Duration;

/// Names a request towards [`Server::answer`](super::Server::answer), long after the event that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The request's id.
    pub id: u32,
    /// The link it came over: the caller's key, and its serial number.
    pub(super) link: u64,
    pub(super) serial: u64,
    /// The session that remembers the answer; 0 where none does.
    pub(super) session: u64,
    /// When it arrived, in microseconds of the caller's clock, rounded up; 0 where the client wants to know nothing of times.
    pub(super) arrived_us: u64,
    /// How long it took, once that is said.
    pub(super) took: Option<Span>,
}

impl Ticket {
    /// Says when what caused the request happened, which was so old when it was sent; on the clock of `now` and as if it had
    /// been on its way for no time.
    pub fn caused_at(&self, age: Option<Span>) -> Option<Duration> {
        age.map(|age| Duration::from_micros(self.arrived_us).saturating_sub(age.duration()))
    }

    /// Says when what the request asks for was done, on the clock of `now`: its reply tells a client that said how old its
    /// cause is how long that took. To be called before the reply; without it the reply tells nothing.
    pub fn done_at(&mut self, at: Duration) {
        if self.arrived_us > 0 {
            let took_us = micros(at).saturating_sub(self.arrived_us);
            self.took = Some(Duration::from_micros(took_us).into());
        }
    }
}

/// Says when something arrived, for [`Ticket::arrived_us`].
#[inline(never)] // Most clients do not want to know.
pub(super) fn arrival_us(now: Duration) -> u64 {
    micros(now.saturating_add(Duration::from_nanos(999))).max(1)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A request to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What to answer with.
    pub ticket: Ticket,
    /// The application's message type.
    pub topic: u16,
    /// From when on it must not be done any more, on the caller's clock.
    pub deadline: Option<Duration>,
    /// How many servers it has passed.
    pub hops: u8,
    /// How old its cause was when it was sent, where the client says so.
    pub age: Option<Span>,
    /// The application's octets.
    pub payload: &'a [u8],
}

impl Request<'_> {
    /// Returns when what caused it happened, on the clock of `now` and as if it had been on its way for no time; nothing
    /// where the client does not say.
    pub fn caused_at(&self) -> Option<Duration> {
        self.ticket.caused_at(self.age)
    }
}

/// What arrived over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The handshake is done.
    Open {
        /// Who the client says it is.
        name: &'a str,
        /// Whether an earlier session goes on.
        resumption: Resumption,
    },
    /// A message that wants no answer.
    Message {
        /// The application's message type.
        topic: u16,
        /// The application's octets.
        payload: &'a [u8],
        /// Whether it overtook others.
        is_urgent: bool,
    },
    /// A request that wants exactly one answer, by [`Server::answer`](super::Server::answer).
    Request(Request<'a>),
    /// The client takes a request back, or ends a subscription. A request wants its answer all the same.
    ///
    /// It means the ticket of this id that is routed over this link ([`Server::route`](super::Server::route)), if any.
    Cancel {
        /// The request's id.
        id: u32,
    },
    /// The client goes, in order, or its session goes on over another connection: flush, then close.
    Goodbye,
}

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It was done; the application's octets.
    Reply(&'a [u8]),
    /// It was not done, or nobody knows.
    Error(Reason<'a>),
}
