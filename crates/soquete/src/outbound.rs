//! A client that lives on a loop: it never blocks, connects when there is something to send, and comes back after a
//! cut with the same session.

mod announcement;
mod shot;
mod wire;

pub use announcement::Announcement;
pub use shot::Shot;

use crate::hub::{Hub, SourceId};
use crate::{Backoff, Clock, Endpoint, Outcome};
use soquete_proto::client::{Client as Core, Event, Options, Request, Timing, Verdict};
use soquete_proto::fault::Misuse;
use soquete_proto::span::Span;
use std::collections::VecDeque;
use std::time::Duration;
use wire::{Io, Wire};

/// A connection without work is closed after this, with a goodbye that ends its session too: no pings, nothing half open,
/// and the next request begins with a handshake that proves the server alive.
const IDLE: Duration = Duration::from_secs(10);

/// Reads of one [`Outbound::drive`]: a server that sends without end must not keep the others waiting.
const READS_MAX: usize = 16;

/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// What a client on the loop hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It is connected, and the handshake is done. No subscription of an earlier connection is in force.
    Opened,
    /// The connection was lost, or could not be made: why.
    Lost(String),
    /// A request ended.
    Ended {
        /// The request's id.
        id: u32,
        /// How.
        outcome: Outcome,
        /// Its course, where it was done and the request said when it was caused.
        timing: Option<Timing>,
    },
    /// Something happened that a request subscribed to.
    Event {
        /// The subscribing request's id.
        id: u32,
        /// The application's octets.
        payload: Vec<u8>,
        /// How long after its cause it happened, where the server says so.
        lag: Option<Duration>,
    },
}

/// A client of one endpoint on the loop of a [`Hub`], in frames.
///
/// Requests are given with [`request`](Outbound::request); [`drive`](Outbound::drive) does what can be done without
/// blocking. It is to be called after a request, when [`owns`](Outbound::owns) says that a watched descriptor is its own,
/// and at [`timeout`](Outbound::timeout). [`next_news`](Outbound::next_news) tells how requests ended and what else was
/// heard, in the order in which it was; to be called after each `drive` until it says nothing.
pub struct Outbound {
    endpoint: Endpoint,
    core: Core,
    wire: Wire,
    out: Vec<u8>,
    input: Vec<u8>,
    backoff: Backoff,
    retry_at: Duration,
    busy_at: Duration,
    news: VecDeque<News>,
    trouble: Option<String>,
    keeps_open: bool,
}

impl Outbound {
    /// Makes a client without a connection.
    pub fn new(endpoint: Endpoint, options: Options) -> Self {
        let options = crate::client::carried(&options, &endpoint);
        Outbound {
            endpoint,
            core: Core::new(options),
            wire: Wire::None,
            out: Vec::new(),
            input: Vec::new(),
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            retry_at: Duration::ZERO,
            busy_at: Duration::ZERO,
            news: VecDeque::new(),
            trouble: None,
            keeps_open: false,
        }
    }

    /// Has it connected all the time from now on, with requests or without, since it waits for events: it does not close
    /// when there is no work, comes back after a cut, and pings a server of which it hears nothing.
    pub fn keep_open(&mut self) {
        self.keeps_open = true;
    }

    /// Returns where it connects.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request as soon as it can be sent; returns its id. Call [`drive`](Outbound::drive) afterwards.
    ///
    /// # Errors
    /// As [`Client::request`](soquete_proto::client::Client::request): too long, or too many.
    pub fn request(&mut self, now: Duration, request: Request<'_>) -> Result<u32, Misuse> {
        self.busy_at = now;
        if self.core.unanswered() == 0 && matches!(self.wire, Wire::None) {
            // The pause after the failures of earlier requests is none of this one's.
            self.retry_at = now;
            self.backoff.reset();
        }
        self.core.request(now, request, &mut self.out)
    }

    /// Takes a request back: one that was never sent never will be.
    pub fn cancel(&mut self, id: u32) {
        self.core.cancel(id, &mut self.out);
    }

    /// Says whether a request that has not ended may have been taken up by the server.
    pub fn was_sent(&self, id: u32) -> bool {
        self.core.was_sent(id)
    }

    /// Says whether a watched descriptor is this client's.
    pub fn owns(&self, source: SourceId) -> bool {
        self.wire.source() == Some(source)
    }

    /// Returns what was heard next.
    pub fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Returns the next request that ended, with its id; what else was heard before it is passed over.
    pub fn next_outcome(&mut self) -> Option<(u32, Outcome)> {
        loop {
            match self.news.pop_front()? {
                News::Ended { id, outcome, .. } => return Some((id, outcome)),
                News::Opened | News::Lost(_) | News::Event { .. } => {}
            }
        }
    }

    /// Returns when [`drive`](Outbound::drive) has something to do if nothing becomes ready before.
    pub fn timeout(&mut self) -> Option<Duration> {
        if !self.news.is_empty() {
            return Some(Duration::ZERO);
        }
        let wanted = match &self.wire {
            Wire::None if self.wants_connection() => Some(self.retry_at),
            Wire::None => None,
            Wire::Resolving(..) | Wire::Connecting { .. } => Some(self.retry_at),
            Wire::Connected { .. } | Wire::Aimed { .. } | Wire::Carried { .. } => {
                (!self.keeps_open).then_some(self.busy_at + IDLE)
            }
        };
        wanted.into_iter().chain(self.core.timeout()).chain(self.wire.timeout()).min()
    }

    /// Does what can be done without blocking.
    pub fn drive(&mut self, hub: &mut Hub, now: Duration) {
        if self.core.handle_timeout(now, &mut self.out).is_err() {
            self.disconnect(hub, now, "nothing heard");
        }
        if let Some(why) = self.connect(hub, now) {
            self.disconnect(hub, now, &why);
        }
        if let Err(why) = self.converse(hub) {
            self.disconnect(hub, now, &why);
        }
        while let Some((id, verdict)) = self.core.verdict() {
            let outcome = match verdict {
                Verdict::NotDone(why) => Outcome::NotDone(self.explained(&why.to_string())),
                Verdict::Unknown(why) => Outcome::Unknown(self.explained(&why.to_string())),
            };
            self.news.push_back(News::Ended { id, outcome, timing: None });
        }
        if self.wants_connection() {
            self.busy_at = now;
        } else if now >= self.busy_at + IDLE {
            self.close(hub);
        }
    }

    fn wants_connection(&self) -> bool {
        self.keeps_open || self.core.unanswered() > 0
    }

    /// Adds what the latest attempt to connect failed with.
    fn explained(&self, why: &str) -> String {
        self.trouble.as_ref().map_or_else(|| why.to_owned(), |trouble| format!("{why}: {trouble}"))
    }

    /// Goes on with connecting where there is something to send; returns why it failed.
    fn connect(&mut self, hub: &mut Hub, now: Duration) -> Option<String> {
        if matches!(self.wire, Wire::None) {
            if !self.wants_connection() || now < self.retry_at {
                return None;
            }
            self.retry_at = now + wire::CONNECT_TIMEOUT;
            if let Err(error) = self.wire.start(&self.endpoint, hub) {
                return Some(error.to_string());
            }
        }
        match self.wire.go_on(&self.endpoint, hub) {
            Ok(true) => {
                self.out.clear();
                self.input.clear();
                self.core.connected(now, &mut self.out);
                None
            }
            Ok(false) if self.wire.is_under_way() && now >= self.retry_at => {
                Some(format!("connect {}: timed out", self.endpoint))
            }
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Sends what is gathered and uses what has come, as long as either does something.
    fn converse(&mut self, hub: &mut Hub) -> Result<(), String> {
        for _ in 0..READS_MAX {
            self.wire.send(&mut self.out, &self.endpoint, hub)?;
            match self.wire.receive(&mut self.input, &self.endpoint)? {
                // What came may be an acknowledgement, which has room for more, or is to be acknowledged.
                Io::Nothing => return self.wire.send(&mut self.out, &self.endpoint, hub),
                Io::Ended => return Err("the server closed the connection".into()),
                // A clock that is read after it: what the server's clock says must not seem younger than it is.
                Io::Some => self.use_input(Clock::now())?,
            }
        }
        // It is still readable, and comes again in the next turn.
        self.wire.send(&mut self.out, &self.endpoint, hub)
    }

    fn use_input(&mut self, now: Duration) -> Result<(), String> {
        let mut rest = &self.input[..];
        loop {
            match self.core.next(now, &mut rest, &mut self.out).map_err(|fault| fault.to_string())? {
                None => break,
                Some(Event::Welcome(_)) => {
                    self.backoff.reset();
                    self.trouble = None;
                    if self.keeps_open {
                        self.core.expect_events();
                    }
                    self.news.push_back(News::Opened);
                }
                Some(Event::Rejected(reason)) => return Err(format!("rejected: {}", reason.text)),
                Some(Event::Reply { id, payload }) => {
                    let timing = self.core.timing(id);
                    self.news.push_back(News::Ended { id, outcome: Outcome::Done(payload.to_vec()), timing });
                }
                Some(Event::Error { id, reason }) => {
                    let text = reason.text.to_owned();
                    let is_not_done = reason.code.is_not_done();
                    let outcome = if is_not_done { Outcome::NotDone(text) } else { Outcome::Unknown(text) };
                    self.news.push_back(News::Ended { id, outcome, timing: None });
                }
                Some(Event::Event { id, head, payload, .. }) => {
                    self.news.push_back(News::Event {
                        id,
                        payload: payload.to_vec(),
                        lag: head.lag.map(Span::duration),
                    });
                }
                // What it took up it still answers; then it closes.
                Some(Event::Goodbye(_) | Event::Message { .. }) => {}
            }
        }
        let used = self.input.len() - rest.len();
        self.input.drain(..used);
        Ok(())
    }

    fn disconnect(&mut self, hub: &mut Hub, now: Duration, why: &str) {
        self.wire.close(hub);
        self.core.disconnected();
        self.trouble = Some(why.to_owned());
        self.news.push_back(News::Lost(why.to_owned()));
        self.retry_at = now + self.backoff.next(crate::entropy::random_u64());
    }

    /// Says goodbye and closes; requests that wait keep waiting, and connect again, as does a client that is to be
    /// [kept open](Outbound::keep_open).
    pub fn close(&mut self, hub: &mut Hub) {
        if self.core.is_open() {
            self.core.goodbye(&mut self.out);
            // What it cannot take now it does not need: the end says as much.
            let _ = self.wire.send(&mut self.out, &self.endpoint, hub);
        }
        if !matches!(self.wire, Wire::None) {
            self.wire.close(hub);
            self.core.disconnected();
        }
    }
}
