//! One line over one connection, for servers that know no sessions.

use super::PAUSES;
use super::wire::{CONNECT_TIMEOUT, Io, Wire};
use crate::hub::{Hub, SourceId};
use crate::{Backoff, Endpoint, Outcome};
use std::time::Duration;

/// The longest answer looked at, in octets; more is no answer to a command.
const ANSWER_MAX_BYTES: usize = 1024;

/// Sends one line of text over a connection of its own, without blocking, and waits for the end or for a line.
///
/// `OK`, or an orderly end without an answer, is done: the programs of the seeds never answer. `ERR` is not done, and so
/// is a line that could not be sent before its deadline. A reset after it was sent, or silence, is unknown. A text server
/// knows no deadline: what it has received and not yet read it may still do later.
pub struct Shot {
    endpoint: Endpoint,
    line: Vec<u8>,
    deadline: Duration,
    wire: Wire,
    is_sent: bool,
    input: Vec<u8>,
    backoff: Backoff,
    retry_at: Duration,
    trouble: String,
}

impl Shot {
    /// Makes a shot of `line`, to which LF is added. Call [`drive`](Shot::drive) afterwards.
    pub fn new(endpoint: Endpoint, line: &str, deadline: Duration) -> Self {
        Shot {
            endpoint,
            line: format!("{line}\n").into_bytes(),
            deadline,
            wire: Wire::None,
            is_sent: false,
            input: Vec::new(),
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            retry_at: Duration::ZERO,
            trouble: "no server within its time".to_owned(),
        }
    }

    /// Returns where it goes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Says whether the line was sent.
    pub fn was_sent(&self) -> bool {
        self.is_sent
    }

    /// Says whether a watched descriptor is this shot's.
    pub fn owns(&self, source: SourceId) -> bool {
        self.wire.source() == Some(source)
    }

    /// Returns when [`drive`](Shot::drive) has something to do if nothing becomes ready before.
    pub fn timeout(&self) -> Duration {
        if self.is_sent { self.deadline } else { self.deadline.min(self.retry_at) }
    }

    /// Does what can be done without blocking; returns how it ended once it has.
    pub fn drive(&mut self, hub: &mut Hub, now: Duration) -> Option<Outcome> {
        let outcome = if self.is_sent { self.listen() } else { self.send(hub, now) };
        let outcome = outcome.or_else(|| {
            let is_late = now >= self.deadline;
            let late = if self.is_sent {
                Outcome::Unknown("no answer within its time".into())
            } else {
                Outcome::NotDone(self.trouble.clone())
            };
            is_late.then_some(late)
        });
        if outcome.is_some() {
            self.wire.close(hub);
        }
        outcome
    }

    /// Gives it up.
    pub fn close(&mut self, hub: &mut Hub) {
        self.wire.close(hub);
    }

    fn send(&mut self, hub: &mut Hub, now: Duration) -> Option<Outcome> {
        if now >= self.deadline {
            return None;
        }
        if let Err(trouble) = self.try_to_send(hub, now) {
            self.wire.close(hub);
            self.trouble = trouble;
            self.retry_at = now + self.backoff.next(crate::entropy::random_u64());
        }
        if self.is_sent { self.listen() } else { None }
    }

    fn try_to_send(&mut self, hub: &mut Hub, now: Duration) -> Result<(), String> {
        if matches!(self.wire, Wire::None) {
            if now < self.retry_at {
                return Ok(());
            }
            self.retry_at = now + CONNECT_TIMEOUT;
            self.wire.start(&self.endpoint, hub).map_err(|error| error.to_string())?;
        }
        if !self.wire.go_on(&self.endpoint, hub).map_err(|error| error.to_string())? {
            let is_slow = self.wire.is_under_way() && now >= self.retry_at;
            return if is_slow { Err(format!("connect {}: timed out", self.endpoint)) } else { Ok(()) };
        }
        let mut line = self.line.clone();
        self.wire.send(&mut line, &self.endpoint, hub)?;
        if !line.is_empty() {
            // A new connection has room for a line; one that has not is none to wait for.
            return Err(format!("send {}: no room", self.endpoint));
        }
        self.is_sent = true;
        self.wire.finish();
        Ok(())
    }

    fn listen(&mut self) -> Option<Outcome> {
        // Once a call: a server that sends without end comes again in the next turn.
        match self.wire.receive(&mut self.input, &self.endpoint) {
            Ok(Io::Nothing) => None,
            Ok(Io::Ended) => Some(self.answer().unwrap_or(Outcome::Done(b"the connection ended in order".to_vec()))),
            Ok(Io::Some) => {
                // Blank lines say nothing, and must not pile up.
                let is_blank = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
                let blank = self.input.iter().take_while(|octet| is_blank(octet)).count();
                self.input.drain(..blank);
                let is_whole = self.input.iter().any(|octet| matches!(octet, b'\n' | 0));
                if is_whole || self.input.len() > ANSWER_MAX_BYTES { self.answer() } else { None }
            }
            Err(_) => Some(Outcome::Unknown("the connection was reset".into())),
        }
    }

    /// Reads the first line of what was answered; nothing where nothing was.
    fn answer(&self) -> Option<Outcome> {
        let line = self.input.split(|octet| matches!(octet, b'\n' | 0)).next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let shown = line[..line.len().min(ANSWER_MAX_BYTES)].escape_ascii().to_string();
        Some(match line {
            _ if is_word(line, b"OK") => Outcome::Done(line.to_vec()),
            _ if is_word(line, b"ERR") => Outcome::NotDone(shown),
            _ => Outcome::Unknown(format!("it was answered by {shown:?}")),
        })
    }
}

fn is_word(line: &[u8], word: &[u8]) -> bool {
    line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest[0] == b' ')
}
