//! From octets to those who wait for them.

use super::ask::{Ended, again};
use super::driver::{Driver, Link};
use crate::{Cause, Clock, Error, Operation};
use soquete_proto::client::Event;
use soquete_proto::frame;
use std::task::{Context, Poll};

/// Octets that one read may bring; more where a longer frame is under way.
const CHUNK_LEN_BYTES: usize = 64 << 10;

/// Octets of buffer that an idle client keeps.
const KEPT_MAX_BYTES: usize = 256 << 10;

impl Driver {
    /// Reads once and uses what came; says whether there may be more.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.may_read() {
            return false;
        }
        let Link::Up(wire) = &self.link else { return false };
        let missing = frame::needed(&self.input).map_or(0, |needed| needed.saturating_sub(self.input.len()));
        // A length above the limit was refused when it was looked at; what is allowed grows with what arrives.
        self.input.reserve(missing.clamp(CHUNK_LEN_BYTES, self.input.len().max(CHUNK_LEN_BYTES)));
        match wire.poll_read(cx, &mut self.input) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => self.disconnect(&self.failed(Cause::Closed)),
            Poll::Ready(Ok(_)) => {
                if let Err(error) = self.use_input() {
                    self.disconnect(&error);
                }
            }
            Poll::Ready(Err(error)) => self.disconnect(&self.failed(error.into())),
        }
        true
    }

    fn use_input(&mut self) -> Result<(), Error> {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        let result = loop {
            match self.core.next(Clock::now(), &mut rest, &mut self.out) {
                Ok(Some(event)) => {
                    if let Err(error) = self.hear(event) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(self.failed(Cause::Protocol(Box::new(fault)))),
            }
        };
        let used = input.len() - rest.len();
        self.input = input;
        self.input.drain(..used);
        if self.input.is_empty() && self.input.capacity() > KEPT_MAX_BYTES {
            self.input = Vec::new();
        }
        result
    }

    fn hear(&mut self, event: Event<'_>) -> Result<(), Error> {
        match event {
            Event::Welcome(welcome) => {
                self.in_flight_max = usize::from(welcome.in_flight_max);
                self.backoff.reset();
            }
            Event::Rejected(reason) => {
                let cause = Cause::Rejected { code: reason.code as u8, text: reason.text.into() };
                let rejected = Error::new(Operation::Handshake, self.endpoint(), cause);
                self.fail_all(&rejected);
                return Err(rejected);
            }
            Event::Reply { id, payload } => {
                if self.feeds.contains_key(&id) {
                    // Events come from now on, or silence that must be told from death.
                    self.core.expect_events();
                }
                self.end(id, Ended::Reply(payload.to_vec()));
            }
            Event::Error { id, reason } => self.end(id, Ended::Failed(reason.code, reason.text.to_owned())),
            Event::Event { id, head, payload, is_urgent } => {
                if let Some((_, feed)) = self.feeds.get_mut(&id) {
                    feed.put(head, payload, is_urgent);
                }
            }
            Event::Message { .. } | Event::Goodbye(_) => {}
        }
        Ok(())
    }

    /// The server refuses the session: what was never sent was not done and must not be sent later. What went over an
    /// earlier connection may have been done: it is taken back and goes on asking, until its time is over.
    fn fail_all(&mut self, rejected: &Error) {
        self.fail_plain(rejected);
        let calls: Vec<u32> = self.waiting.keys().copied().collect();
        for id in calls {
            self.core.cancel(id, &mut self.out);
        }
        while let Some((id, _)) = self.core.verdict() {
            self.end(id, Ended::Error(again(rejected)));
        }
    }

    fn failed(&self, cause: Cause) -> Error {
        Error::new(Operation::Receive, self.endpoint(), cause)
    }
}
