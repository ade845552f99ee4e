//! The server's end of sessions: [`Server`] is one a process, [`Link`] one a connection.

mod event;
mod link;
mod options;
mod receive;
mod sessions;
mod silence;

pub use event::{Answer, Event, Request, Ticket};
pub use link::Link;
pub use options::Options;

use crate::fault::Misuse;
use crate::frame::{self, Header, Kind};
use crate::handshake::{Code, Reason, put_timed};
use link::State;
use sessions::{Limits, Sessions};
use std::time::Duration;

/// The server's side of all its sessions.
pub struct Server {
    options: Options,
    sessions: Sessions,
    epoch: Duration,
    /// Links that were welcomed.
    links: u64,
    entropy: Box<dyn FnMut() -> u128 + Send>,
}

impl Server {
    /// Makes a server whose session clock starts at `now`; `entropy` gives the tokens that only a client knows.
    pub fn new(options: Options, now: Duration, entropy: impl FnMut() -> u128 + Send + 'static) -> Self {
        let limits = Limits {
            sessions_max: options.sessions_max,
            answers_max: options.answers_max,
            answers_max_bytes: options.answers_max_bytes,
            memory_max_bytes: options.memory_max_bytes,
            kept: options.session_kept,
        };
        Server { options, sessions: Sessions::new(limits), epoch: now, links: 0, entropy: Box::new(entropy) }
    }

    /// Returns what it was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns how many sessions are remembered.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Answers a request.
    ///
    /// `link` is the one that [`route`](Server::route) names at present, or none where it is gone: then the answer is
    /// only remembered, if the request was to be done once. The same goes for a link that is another by now, or closed.
    ///
    /// # Errors
    /// [`Misuse::Oversize`] for a reply longer than the client takes. The client is told so.
    #[inline]
    pub fn answer(
        &mut self,
        ticket: Ticket,
        answer: Answer<'_>,
        link: Option<&mut Link>,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        let start = out.len();
        let link = link.filter(|link| self.reaches(ticket, link));
        let result = match answer {
            Answer::Reply(payload) => {
                let max_bytes = link.as_ref().map_or(u32::MAX, |link| link.payload_max_bytes);
                let header = frame::header(Kind::Reply, ticket.id);
                let took = ticket.took;
                if took.is_some() && link.as_ref().is_none_or(|link| link.takes_spans()) {
                    put_timed(out, header, took, [&[], payload], max_bytes)
                } else {
                    frame::put(out, header, &[payload], max_bytes)
                }
            }
            Answer::Error(reason) => {
                put_error(out, ticket.id, &reason);
                Ok(())
            }
        };
        if let Err(misuse) = result {
            put_error(out, ticket.id, &Reason { code: Code::ReplyTooLong, text: &misuse.to_string() });
        }
        if ticket.session != 0 {
            self.remember(ticket, &out[start..]);
        }
        match link {
            Some(link) => {
                if link.serial == ticket.serial {
                    link.in_flight = link.in_flight.saturating_sub(1);
                }
                if link.state == State::Closed {
                    out.truncate(start);
                }
            }
            None => out.truncate(start),
        }
        result
    }

    /// Remembers an answer; of a reply that there is no room for, that the request was done.
    fn remember(&mut self, ticket: Ticket, answer: &[u8]) {
        let is_reply = answer.get(4) == Some(&(Kind::Reply as u8));
        if is_reply && !self.sessions.has_room(ticket.session, answer.len()) {
            let mut instead = Vec::new();
            put_error(&mut instead, ticket.id, &Reason { code: Code::ReplyTooLong, text: "too long to remember" });
            self.sessions.answered(ticket.session, ticket.id, &instead);
        } else {
            self.sessions.answered(ticket.session, ticket.id, answer);
        }
    }

    /// Says whether the answer to `ticket` goes over `link`: the link it came over, or another of its session.
    #[inline]
    fn reaches(&self, ticket: Ticket, link: &Link) -> bool {
        link.serial == ticket.serial || (ticket.session != 0 && link.session == ticket.session)
    }

    /// Answers a request with `payload`; as [`answer`](Server::answer).
    ///
    /// # Errors
    /// As [`answer`](Server::answer).
    #[inline]
    pub fn reply(&mut self, ticket: Ticket, payload: &[u8], link: &mut Link, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.answer(ticket, Answer::Reply(payload), Some(link), out)
    }

    /// Returns the key of the link over which a request is to be answered, or nothing while its client is away.
    ///
    /// Where the link that the request came over is gone and its key was given to another, the key is still returned;
    /// [`answer`](Server::answer) tells the two apart and says nothing to the other.
    pub fn route(&self, ticket: Ticket) -> Option<u64> {
        if ticket.session == 0 { Some(ticket.link) } else { self.sessions.link(ticket.session).map(|link| link.key) }
    }

    /// Notes that a link is gone.
    pub fn closed(&mut self, now: Duration, link: &Link) {
        self.sessions.left(link.session, link.serial, now);
    }

    /// Notes that a link is gone whose client never proved that it was there: a session that it was given and did not use
    /// is forgotten, so that forged addresses do not fill the memory.
    pub fn closed_unproved(&mut self, now: Duration, link: &Link) {
        self.sessions.end_unused(link.session, link.serial);
        self.closed(now, link);
    }

    /// Forgets sessions whose time is over. To be called now and then.
    pub fn sweep(&mut self, now: Duration) {
        self.sessions.sweep(now);
    }

    /// The session clock starts at 1, since a deadline of 0 means none. It ends after half a million years.
    fn clock_us(&self, now: Duration) -> u64 {
        u64::try_from(now.saturating_sub(self.epoch).as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Says when a deadline on the session clock is on the caller's.
    fn deadline(&self, deadline_us: u64) -> Option<Duration> {
        deadline_us.checked_sub(1).map(|us| self.epoch.saturating_add(Duration::from_micros(us)))
    }
}

/// Appends an ERROR.
fn put_error(out: &mut Vec<u8>, id: u32, reason: &Reason<'_>) {
    put_control(out, frame::header(Kind::Error, id), &reason.payload());
}

/// Appends a frame that is short enough for every link.
fn put_control(out: &mut Vec<u8>, header: Header, payload: &[u8]) {
    let appended = frame::put(out, header, &[payload], u32::MAX);
    debug_assert!(appended.is_ok(), "a control frame fits");
}
