//! From what is asked to octets.

use super::ask::{Ask, Ended, Urgent, Waiting};
use super::driver::{Driver, Link};
use super::subscription::Feed;
use crate::{Cause, Clock, Error, Operation};
use soquete_proto::client::Request;
use soquete_proto::fault::Misuse;
use std::time::Duration;

/// Octets gathered before they must be sent.
const FLUSH_AT_BYTES: usize = 256 << 10;

/// Octets that answers to the server's pings may add while it takes nothing.
const PONGS_MAX_BYTES: usize = 64 << 10;

/// Octets of urgent messages that may be gathered beside the others; more wait their turn.
const URGENT_MAX_BYTES: usize = 64 << 10;

impl Driver {
    /// Puts what is asked into `out`, in order, as far as there is room and the server takes more.
    pub(super) fn take_up(&mut self) {
        self.take_up_urgent();
        while !self.is_full() {
            match self.backlog.pop_front() {
                None => return,
                Some(Ask::Request { waiting, .. }) if waiting.is_given_up() => {}
                Some(ask @ Ask::Request { .. }) if self.core.unanswered() >= self.in_flight_max => {
                    return self.backlog.push_front(ask);
                }
                Some(ask @ Ask::Message { .. }) if !matches!(self.link, Link::Up(_)) => {
                    return self.backlog.push_front(ask);
                }
                Some(Ask::Request { topic, payload, deadline, waiting, feed }) => {
                    let once = deadline.is_some();
                    let request = Request { topic, once, deadline, ..Request::new(&payload) };
                    self.request(request, waiting, feed);
                }
                Some(Ask::Message { topic, payload, .. }) => {
                    self.longest = self.longest.max(payload.len());
                    // Nobody waits to hear that it is too long for the server.
                    let _ = self.core.message(topic, &payload, &mut self.out);
                }
                Some(Ask::Urgent(_) | Ask::Cancel(_) | Ask::Close(_)) => {}
            }
        }
    }

    /// Puts urgent messages before what is in `out` and not begun, once the server has said whether it knows them.
    fn take_up_urgent(&mut self) {
        while let Some(Urgent { topic, payload, .. }) = self.next_urgent() {
            self.longest = self.longest.max(payload.len());
            // Nobody waits to hear that it is too long for the server.
            let _ = self.core.urgent(topic, &payload, self.front, &mut self.out);
        }
    }

    fn next_urgent(&mut self) -> Option<Urgent> {
        if self.urgent.is_empty() || !self.core.is_open() || self.is_overfull() {
            return None;
        }
        let has_room = self.front.urgent_bytes(&self.out) < URGENT_MAX_BYTES;
        if has_room { self.urgent.pop_front() } else { None }
    }

    fn request(&mut self, request: Request<'_>, waiting: Waiting, feed: Option<Feed>) {
        self.longest = self.longest.max(request.payload.len());
        match self.core.request(Clock::now(), request, &mut self.out) {
            Ok(id) => {
                if let Some(feed) = feed {
                    self.feeds.insert(id, (waiting.token, feed));
                }
                self.waiting.insert(id, waiting);
            }
            Err(misuse) => waiting.end(Ended::Error(Error::new(Operation::Send, self.endpoint(), cause(misuse)))),
        }
    }

    /// Takes back the request of a token, or ends the subscription that it made.
    pub(super) fn cancel(&mut self, token: u64) {
        let asked = self.waiting.iter().find(|(_, waiting)| waiting.token == token).map(|(id, _)| *id);
        let subscribed = || self.feeds.iter().find(|(_, (of, _))| *of == token).map(|(id, _)| *id);
        let Some(id) = asked.or_else(subscribed) else {
            // It waits in the backlog, where it will be found given up; or it has ended.
            return;
        };
        self.waiting.remove(&id);
        self.feeds.remove(&id);
        self.core.cancel(id, &mut self.out);
    }

    /// Tells those whose requests ended without an answer.
    pub(super) fn settle(&mut self) {
        while let Some((id, verdict)) = self.core.verdict() {
            self.end(id, Ended::Unanswered(verdict));
        }
    }

    /// Tells who waits for request `id` how it ended.
    pub(super) fn end(&mut self, id: u32, ended: Ended) {
        if let Some(waiting) = self.waiting.remove(&id) {
            if !matches!(ended, Ended::Reply(_)) {
                self.feeds.remove(&id);
            }
            waiting.end(ended);
        }
    }

    /// Returns when the first of those that wait to be taken up is late.
    pub(super) fn backlog_deadline(&self) -> Option<Duration> {
        let deadlines = self.backlog.iter().filter_map(|ask| match ask {
            Ask::Request { deadline, .. } => *deadline,
            _ => None,
        });
        deadlines.min()
    }

    /// Ends those that are late and were not taken up.
    pub(super) fn expire(&mut self, now: Duration) {
        if self.backlog_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for ask in std::mem::take(&mut self.backlog) {
            match ask {
                Ask::Request { deadline: Some(deadline), waiting, .. } if deadline <= now => {
                    waiting.end(Ended::not_answering());
                }
                ask => self.backlog.push_back(ask),
            }
        }
    }

    /// Says whether so much is to be sent that something is held back.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= FLUSH_AT_BYTES
    }

    /// Says whether so much is to be sent that not even urgent messages may be added, which to a server that does not know
    /// them are as others.
    fn is_overfull(&self) -> bool {
        self.out.len() >= FLUSH_AT_BYTES + self.longest + URGENT_MAX_BYTES
    }

    /// Says whether reading may go on: a server that takes nothing must not make us gather pongs for ever.
    pub(super) fn may_read(&self) -> bool {
        self.out.len() < FLUSH_AT_BYTES + 2 * self.longest + URGENT_MAX_BYTES + PONGS_MAX_BYTES
    }
}

impl Waiting {
    pub(super) fn end(self, ended: Ended) {
        // Who waited may have given up in this very moment.
        let _ = self.tell.send(ended);
    }

    fn is_given_up(&self) -> bool {
        self.tell.is_closed()
    }
}

fn cause(misuse: Misuse) -> Cause {
    match misuse {
        Misuse::Oversize { len_bytes, max_bytes } => Cause::Oversize { len_bytes, max_bytes },
        Misuse::InFlight { .. } => Cause::Busy("too many requests unanswered"),
    }
}
