//! What a client sends, and when.

use super::clock::Sample;
use super::window::{Kept, Slot};
use super::{Client, Request, State, Unanswered, Verdict};
use crate::fault::Misuse;
use crate::frame::{self, Flags, Front, Header, Kind};
use crate::handshake::{Code, Features, Goodbye, Reason, RequestHead, SessionKey, put_timed};
use std::time::Duration;

impl Client {
    /// Sends a request, now or as soon as it can be sent; returns its id.
    ///
    /// It goes out at once where there is a connection, in the flight of the HELLO where there is no WELCOME yet, with
    /// three exceptions. One with a deadline waits for the WELCOME, or for the answer to a PING: only a clock read
    /// now, by a server that lives, can keep the promise that it is never done late. One to be done once waits for
    /// the WELCOME of a client that resumes, since without the session it could not be asked for again. And each
    /// waits for those before it.
    ///
    /// # Errors
    /// [`Misuse::Oversize`] for a payload above the server's limit, [`Misuse::InFlight`] for more requests than it
    /// takes, or more than about a million after one that is not answered. Nothing is sent then.
    #[inline]
    pub fn request(&mut self, now: Duration, request: Request<'_>, out: &mut Vec<u8>) -> Result<u32, Misuse> {
        self.check(request.payload.len())?;
        if self.window.unsettled() >= self.in_flight_max || self.window.is_full() {
            return Err(Misuse::InFlight { max: self.in_flight_max });
        }
        if self.waiting || !self.has_connection() || self.must_wait(request.once, request.deadline) {
            return Ok(self.queue(now, request, out));
        }
        if request.once || request.caused_at.is_some() {
            return Ok(self.send_and_keep(now, request, out));
        }
        let id = self.window.push(Slot::Plain);
        let header = Header { topic: request.topic, ..frame::header(Kind::Request, id) };
        let head = RequestHead { deadline_us: 0, hops: request.hops, lowest: self.window.lowest() };
        put(out, header, &[&head.encode(), request.payload]);
        Ok(id)
    }

    /// Sends a request that may be sent again, or whose course is to be told, and keeps it until it is answered.
    #[inline(never)]
    fn send_and_keep(&mut self, now: Duration, request: Request<'_>, out: &mut Vec<u8>) -> u32 {
        let id = self.window.push(Slot::Kept(Box::new(keep(request))));
        let flight = self.flight(now, None);
        if let Some(kept) = self.window.kept(id) {
            kept.put(id, &flight, out);
        }
        id
    }

    fn flight(&self, now: Duration, clock: Option<Sample>) -> Flight {
        Flight {
            now,
            connection: self.connection,
            lowest: self.window.lowest(),
            clock,
            is_timed: self.agreed.contains(Features::TIMED),
            len_max_bytes: Kind::Request.payload_max_bytes(self.payload_max_bytes),
        }
    }

    /// Says whether a request must wait for the WELCOME or a PONG.
    #[inline]
    fn must_wait(&self, once: bool, deadline: Option<Duration>) -> bool {
        deadline.is_some() || (once && self.options.resume && self.state == State::Greeting)
    }

    fn queue(&mut self, now: Duration, request: Request<'_>, out: &mut Vec<u8>) -> u32 {
        let id = self.window.push(Slot::Kept(Box::new(keep(request))));
        if request.deadline.is_some_and(|deadline| now >= deadline) {
            self.end(id, Verdict::NotDone(self.why_unanswered()));
            return id;
        }
        self.waiting = self.has_connection();
        if self.state == State::Open && self.ping == self.answered {
            self.send_ping(out);
        }
        id
    }

    /// Sends a message that wants no answer; it is lost where there is no connection.
    ///
    /// # Errors
    /// [`Misuse::Oversize`] for a payload above the server's limit.
    #[inline]
    pub fn message(&mut self, topic: u16, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.check(payload.len())?;
        if self.has_connection() {
            put(out, Header { topic, ..frame::header(Kind::Message, 0) }, &[payload]);
        }
        Ok(())
    }

    /// Sends a message before what is queued in `out`, as far as `front` says that it is not begun, and behind earlier
    /// urgent ones.
    ///
    /// Where the server does not know the feature, or has not said yet that it does, the message goes behind the others as
    /// an ordinary one.
    ///
    /// # Errors
    /// As [`message`](Client::message).
    pub fn urgent(&mut self, topic: u16, payload: &[u8], front: Front, out: &mut Vec<u8>) -> Result<(), Misuse> {
        if !(self.is_open() && self.agreed.contains(Features::URGENT)) {
            return self.message(topic, payload, out);
        }
        self.check(payload.len())?;
        let mut frame = Vec::new();
        put(&mut frame, Header { topic, flags: Flags::URGENT, ..frame::header(Kind::Message, 0) }, &[payload]);
        front.insert(out, &frame);
        Ok(())
    }

    /// Takes a request back, or ends the subscription it made.
    ///
    /// One that was not sent yet ends at once, as not done. Of one that was, the server is told, and still answers.
    pub fn cancel(&mut self, id: u32, out: &mut Vec<u8>) {
        let (connection, has_connection) = (self.connection, self.has_connection());
        if let Some(kept) = self.window.kept(id) {
            if kept.sent_on == 0 {
                return self.end(id, Verdict::NotDone(Unanswered::Cancelled));
            }
            kept.cancelled = true;
            if kept.sent_on != connection {
                // It is sent again first.
                return;
            }
        }
        if has_connection && self.window.knows(id) {
            put(out, frame::header(Kind::Cancel, id), &[]);
        }
    }

    /// Says goodbye; the connection can be closed after `out` is sent. The session ends with it.
    pub fn goodbye(&mut self, out: &mut Vec<u8>) {
        if self.has_connection() {
            Goodbye { last_id: 0, reason: Reason { code: Code::Closing, text: "" } }.put(out);
            self.state = State::Closed;
            self.session = SessionKey::default();
        }
    }

    pub(super) fn send_ping(&mut self, out: &mut Vec<u8>) {
        // Wraps around and leaves 0 out, which no PING of ours has.
        self.ping = self.ping.wrapping_add(1).max(1);
        put(out, frame::header(Kind::Ping, self.ping), &[]);
    }

    /// Sends what is kept and was not sent over this connection, in order; without a clock, which only the WELCOME or
    /// a PONG brings, up to the first that must wait for it.
    pub(super) fn send_kept(&mut self, now: Duration, clock: Option<Sample>, out: &mut Vec<u8>) {
        self.waiting = false;
        let (connection, resume, flight) = (self.connection, self.options.resume, self.flight(now, clock));
        let payload_max_bytes = self.payload_max_bytes as usize;
        let mut too_long = Vec::new();
        for (id, kept) in self.window.kept_mut().filter(|(_, kept)| kept.sent_on != connection) {
            let is_new = kept.sent_on == 0;
            if clock.is_none() && (kept.deadline.is_some() || !is_new || (kept.once && resume)) {
                self.waiting = true;
                break;
            }
            // What was never sent and is late stays so; what was sent is asked for again, to learn its outcome.
            if is_new && kept.deadline.is_some_and(|deadline| now >= deadline) {
                continue;
            }
            if kept.payload.len() > payload_max_bytes {
                too_long.extend(is_new.then_some(id));
                continue;
            }
            kept.put(id, &flight, out);
        }
        for id in too_long {
            self.end(id, Verdict::NotDone(Unanswered::TooLong));
        }
    }

    #[inline]
    fn check(&self, len_bytes: usize) -> Result<(), Misuse> {
        let max_bytes = self.payload_max_bytes as usize;
        if len_bytes > max_bytes { Err(Misuse::Oversize { len_bytes, max_bytes }) } else { Ok(()) }
    }
}

/// What is the same for all requests that go out together.
struct Flight {
    now: Duration,
    connection: u32,
    lowest: u32,
    /// There where one of them has a deadline.
    clock: Option<Sample>,
    /// Whether the server takes spans.
    is_timed: bool,
    /// The longest payload of a frame, its head included.
    len_max_bytes: u32,
}

impl Kept {
    /// Sends it.
    fn put(&mut self, id: u32, flight: &Flight, out: &mut Vec<u8>) {
        let Flight { now, connection, lowest, clock, is_timed, len_max_bytes } = *flight;
        self.sent_before = self.sent_on != 0;
        if self.sent_on == 0 {
            self.sent_at = now;
        }
        self.sent_on = connection;
        let age = self.caused_at.filter(|_| is_timed).map(|caused_at| now.saturating_sub(caused_at).into());
        let deadline_us = self.deadline.zip(clock).map_or(0, |(deadline, clock)| clock.on_server_clock(deadline));
        let flags = if self.once { Flags::ONCE } else { Flags::NONE };
        let header = Header { topic: self.topic, flags, ..frame::header(Kind::Request, id) };
        let head = RequestHead { deadline_us, hops: self.hops, lowest };
        let appended = put_timed(out, header, age, [&head.encode(), &self.payload], len_max_bytes);
        debug_assert!(appended.is_ok(), "a payload whose length was checked");
        if self.cancelled {
            put(out, frame::header(Kind::Cancel, id), &[]);
        }
    }
}

fn keep(request: Request<'_>) -> Kept {
    Kept {
        topic: request.topic,
        once: request.once,
        hops: request.hops,
        deadline: request.deadline,
        caused_at: request.caused_at,
        payload: request.payload.into(),
        sent_on: 0,
        sent_at: Duration::ZERO,
        sent_before: false,
        cancelled: false,
    }
}

/// Appends a frame whose length was checked before.
#[inline]
fn put(out: &mut Vec<u8>, header: Header, parts: &[&[u8]]) {
    let appended = frame::put(out, header, parts, u32::MAX);
    debug_assert!(appended.is_ok(), "a payload whose length was checked");
}
