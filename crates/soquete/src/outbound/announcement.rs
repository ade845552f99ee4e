//! One command to whoever listens: to a group of machines, or in a single datagram.

use crate::hub::{Hub, SourceId};
use crate::{DATAGRAM_MAX_BYTES, Datagram, DatagramOptions, Endpoint, Error, Operation, Outcome};
use soquete_proto::channel::{ANNOUNCED, put_announcement};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The pause before an announcement is sent again, for each time. Reason: what is lost is lost in bursts.
const PAUSES: [Duration; ANNOUNCED as usize - 1] = [Duration::from_millis(20), Duration::from_millis(60)];

/// Sends one command over UDP or Unix datagrams, without a session, and waits for the first answer.
///
/// An announcement goes three times, with a number that has each receiver do it once at the most; a single datagram goes
/// once, and a network may double it. `OK` from anybody is done: from a group, that one of it did it. `ERR` or nothing
/// before the deadline is unknown, since others may have done it; what could not be sent at all is not done.
pub struct Announcement {
    endpoint: Endpoint,
    datagram: Vec<u8>,
    deadline: Duration,
    socket: Option<(Datagram, SourceId)>,
    /// How often it is still to be sent, and when.
    left: usize,
    send_at: Duration,
    answer: Option<Outcome>,
}

impl Announcement {
    /// Makes an announcement of `command` to a group or to many. Call [`drive`](Announcement::drive) afterwards.
    pub fn new(endpoint: Endpoint, command: &str, deadline: Duration) -> Self {
        let mut datagram = Vec::new();
        let number = crate::entropy::random_u64().max(1);
        let put = put_announcement(&mut datagram, number, 1, 0, command.as_bytes());
        let too_long = put.err().map(|misuse| Outcome::NotDone(misuse.to_string()));
        Announcement { answer: too_long, ..Announcement::of(endpoint, datagram, ANNOUNCED as usize, deadline) }
    }

    /// Makes a single datagram of text, which must be harmless where it arrives twice.
    pub fn single(endpoint: Endpoint, command: &str, deadline: Duration) -> Self {
        Announcement::of(endpoint, format!("{command}\n").into_bytes(), 1, deadline)
    }

    fn of(endpoint: Endpoint, datagram: Vec<u8>, left: usize, deadline: Duration) -> Self {
        Announcement { endpoint, datagram, deadline, socket: None, left, send_at: Duration::ZERO, answer: None }
    }

    /// Returns where it goes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Says whether it was sent.
    pub fn was_sent(&self) -> bool {
        self.socket.is_some()
    }

    /// Says whether a watched descriptor is this announcement's.
    pub fn owns(&self, source: SourceId) -> bool {
        self.socket.as_ref().is_some_and(|(_, own)| *own == source)
    }

    /// Returns when [`drive`](Announcement::drive) has something to do if nothing becomes ready before.
    pub fn timeout(&self) -> Duration {
        if self.left > 0 { self.send_at.min(self.deadline) } else { self.deadline }
    }

    /// Does what can be done without blocking; returns how it ended once it has.
    pub fn drive(&mut self, hub: &mut Hub, now: Duration) -> Option<Outcome> {
        if let Some(Outcome::NotDone(_)) = self.answer {
            return self.answer.take();
        }
        if now >= self.deadline && !self.was_sent() {
            return Some(Outcome::NotDone("no time was left".into()));
        }
        if self.left > 0
            && now >= self.send_at
            && let Err(error) = self.send(hub, now)
        {
            self.close(hub);
            return Some(Outcome::NotDone(error.to_string()));
        }
        self.listen();
        let is_over = now >= self.deadline;
        let silence = || Outcome::Unknown(format!("nobody at {} answered within its time", self.endpoint));
        let outcome = match &self.answer {
            Some(Outcome::Done(_)) if self.left == 0 => self.answer.take(),
            _ if is_over => Some(self.answer.take().unwrap_or_else(silence)),
            _ => None,
        };
        if outcome.is_some() {
            self.close(hub);
        }
        outcome
    }

    /// Gives it up.
    pub fn close(&mut self, hub: &mut Hub) {
        if let Some((_, source)) = self.socket.take() {
            hub.unwatch(source);
        }
    }

    fn send(&mut self, hub: &mut Hub, now: Duration) -> Result<(), Error> {
        let failed = |error: io::Error| Error::new(Operation::Send, &self.endpoint, error);
        if self.socket.is_none() {
            let options = DatagramOptions { nonblocking: true, ..DatagramOptions::default() };
            let socket = Datagram::connect(&self.endpoint, &options)?;
            // Before it is sent: afterwards nobody may say that it was not.
            let source = hub.watch(socket.as_fd())?;
            if let Err(error) = socket.send(&self.datagram) {
                hub.unwatch(source);
                return Err(failed(error));
            }
            self.socket = Some((socket, source));
        } else if let Some((socket, _)) = &self.socket {
            // It went once; that it does not go again takes nothing back.
            let _ = socket.send(&self.datagram);
        }
        self.left -= 1;
        let sent = PAUSES.len().saturating_sub(self.left);
        self.send_at = now + PAUSES.get(sent).copied().unwrap_or(Duration::ZERO);
        Ok(())
    }

    /// Looks at the answers that have come: the first that says `OK` counts.
    fn listen(&mut self) {
        let Some((socket, _)) = &self.socket else { return };
        let mut buffer = [0; DATAGRAM_MAX_BYTES];
        // Once a call: what more there is comes again in the next turn.
        let Ok(len) = socket.receive(&mut buffer) else { return };
        let answer = buffer[..len].split(|octet| *octet == b'\n').next().unwrap_or_default().trim_ascii_end();
        let is_ok = answer == b"OK" || answer.starts_with(b"OK ");
        if is_ok && !matches!(self.answer, Some(Outcome::Done(_))) {
            self.answer = Some(Outcome::Done(answer.to_vec()));
        } else if self.answer.is_none() {
            let shown = answer[..answer.len().min(200)].escape_ascii().to_string();
            self.answer = Some(Outcome::Unknown(format!("it was answered by {shown:?}")));
        }
    }
}
