//! What a server hears.

use super::event::arrival_us;
use super::link::State;
use super::sessions::{Admission, Holder};
use super::{Event, Link, Request, Server, Ticket, put_control, put_error};
use crate::fault::{Fault, Incompatible, Malformed, Misbehaved};
use crate::field::Fields;
use crate::frame::{self, Flags, Frame, HEADER_LEN_BYTES, Kind};
use crate::handshake::{
    CONTROL_MAX_BYTES, Code, EventHead, Features, Goodbye, Hello, Reason, RequestHead, Resumption, SessionKey, VERSION,
    Welcome, control,
};
use crate::id::is_before;
use crate::opening;
use crate::span::Span;
use std::time::Duration;

impl Server {
    /// Takes frames off the front of `input` up to the next event; what the link itself answers goes to `out`.
    ///
    /// Returns nothing once `input` holds no whole frame. To be called until then, after each read.
    ///
    /// # Errors
    /// What the client did wrong. Why is in `out` already, in a REJECT or GOODBYE; flush it, then close.
    #[inline]
    pub fn next<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        input: &mut &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Fault> {
        if !input.is_empty() {
            link.heard_at = now;
            link.pinged = false;
        }
        if let Some(message) = self.message(link, input) {
            return Ok(Some(message));
        }
        self.next_of_any(now, link, input, out)
    }

    /// Takes a MESSAGE off an open link: the commonest frame of a stream, of which nothing can be wrong that
    /// [`next_of_any`](Server::next_of_any) would not find.
    #[inline]
    fn message<'a>(&self, link: &Link, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let (head, rest) = input.split_first_chunk::<HEADER_LEN_BYTES>()?;
        let (length, topic) = frame::plain_message(head)?;
        let is_ours = link.takeovers == self.sessions.takeovers() || link.session == 0;
        if link.state != State::Open || !is_ours || length > self.options.payload_max_bytes {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(length as usize)?;
        *input = rest;
        Some(Event::Message { topic, payload, is_urgent: false })
    }

    /// Apart from [`next`](Server::next), so that a message costs no more than its own few lines there.
    #[inline(never)]
    fn next_of_any<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        input: &mut &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Fault> {
        let result = match link.state {
            State::Open => self.open(now, link, input, out),
            State::Opening | State::Greeting => self.greet(now, link, input, out),
            State::Leaving | State::Closed => {
                *input = &[];
                Ok(None)
            }
        };
        if let Err(fault) = &result {
            self.end_at_once(link, code_of(fault), &fault.to_string(), out);
        }
        result
    }

    fn greet<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        input: &mut &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Fault> {
        if link.state == State::Opening {
            if !opening::take(input)? {
                return Ok(None);
            }
            link.state = State::Greeting;
        }
        let Some(frame) = frame::take(input, CONTROL_MAX_BYTES)? else {
            return Ok(None);
        };
        if frame.header.kind != Kind::Hello {
            return Err(Misbehaved::Unexpected { kind: frame.header.kind }.into());
        }
        let hello = control(&frame, Hello::read)?;
        self.welcome(now, link, &hello, out).map(Some)
    }

    fn welcome<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        hello: &Hello<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Fault> {
        if hello.version_max < VERSION {
            return Err(Incompatible::Version { version_max: hello.version_max }.into());
        }
        if hello.service != self.options.service {
            let served = self.options.service.clone();
            return Err(Incompatible::Service { asked: hello.service.to_owned(), served }.into());
        }
        self.links += 1;
        link.serial = self.links;
        let resume = Features::RESUME.only_if(self.options.resume);
        let offered = resume.and(Features::URGENT).and(Features::TIMED);
        let features = hello.features.common(offered);
        let (resumption, session) = if features.contains(Features::RESUME) {
            let holder = Holder { key: link.key, serial: link.serial };
            self.sessions.open(hello.resume, (self.entropy)(), holder)
        } else {
            (Resumption::New, SessionKey::default())
        };
        link.state = State::Open;
        link.features = features;
        link.session = session.session;
        link.payload_max_bytes =
            hello.payload_max_bytes.min(frame::application_max_bytes(link.frame_max_bytes, EventHead::LEN_U32));
        let welcome = Welcome {
            version: VERSION,
            features,
            payload_max_bytes: self
                .options
                .payload_max_bytes
                .min(frame::application_max_bytes(link.frame_max_bytes, RequestHead::LEN_U32)),
            in_flight_max: self.options.in_flight_max,
            clock_us: self.clock_us(now),
            resumption,
            session,
            name: &self.options.name,
        };
        welcome.put(out);
        Ok(Event::Open { name: hello.name, resumption })
    }

    #[inline(always)] // As is `request`: an event handed up through calls is copied at each.
    fn open<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        input: &mut &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Fault> {
        // Only a takeover can have taken the session away; looking it up for each frame would cost more than the frame.
        if link.takeovers != self.sessions.takeovers() && link.session != 0 {
            if !self.sessions.is_held(link.session, link.serial) {
                return Ok(Some(self.superseded(link, input, out)));
            }
            link.takeovers = self.sessions.takeovers();
        }
        while let Some(frame) = frame::take_agreed(input, self.options.payload_max_bytes, link.features)? {
            let Frame { header, payload } = frame;
            match header.kind {
                Kind::Message => {
                    let is_urgent = header.flags.contains(Flags::URGENT);
                    return Ok(Some(Event::Message { topic: header.topic, payload, is_urgent }));
                }
                Kind::Request => {
                    if let Some(request) = self.request(now, link, &frame, out)? {
                        return Ok(Some(Event::Request(request)));
                    }
                }
                Kind::Cancel if header.id == 0 => return Err(Misbehaved::Id { id: 0 }.into()),
                Kind::Cancel => return Ok(Some(Event::Cancel { id: header.id })),
                Kind::Ping => {
                    put_control(out, frame::header(Kind::Pong, header.id), &self.clock_us(now).to_le_bytes());
                }
                Kind::Pong => {
                    control(&frame, Fields::u64)?;
                }
                Kind::Goodbye => {
                    control(&frame, Goodbye::read)?;
                    link.state = State::Closed;
                    self.sessions.end(link.session, link.serial);
                    return Ok(Some(Event::Goodbye));
                }
                kind => return Err(Misbehaved::Unexpected { kind }.into()),
            }
        }
        Ok(None)
    }

    /// Ends a link whose session goes on over another: what is still in it must not be done after what comes there.
    fn superseded<'a>(&self, link: &mut Link, input: &mut &'a [u8], out: &mut Vec<u8>) -> Event<'a> {
        *input = &[];
        self.end_at_once(link, Code::Closing, "the session goes on over another connection", out);
        Event::Goodbye
    }

    #[inline(always)]
    fn request<'a>(
        &mut self,
        now: Duration,
        link: &mut Link,
        frame: &Frame<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Request<'a>>, Fault> {
        let id = frame.header.id;
        // In the order of their ids, so that each comes once and `last_id` says which were taken up.
        if id == 0 || (link.last_id != 0 && !is_before(link.last_id, id)) {
            return Err(Misbehaved::Id { id }.into());
        }
        let mut fields = Fields::new(frame.payload);
        let flags = frame.header.flags;
        let head = RequestHead::read(&mut fields).ok_or(Malformed::Payload { kind: Kind::Request })?;
        link.last_id = id;
        let once = flags.contains(Flags::ONCE) && link.features.contains(Features::RESUME);
        let session = if once { link.session } else { 0 };
        let age = Span::read_if(&frame.header, &mut fields)?;
        let arrived_us = if age.is_some() { arrival_us(now) } else { 0 };
        let ticket = Ticket { id, link: link.key, serial: link.serial, session, arrived_us, took: None };
        if once && !self.admit(&ticket, head.lowest, link, out) {
            return Ok(None);
        }
        let deadline = self.deadline(head.deadline_us);
        let error = if deadline.is_some_and(|deadline| now >= deadline) {
            Reason { code: Code::Expired, text: "the deadline had passed" }
        } else if link.in_flight >= self.options.in_flight_max {
            Reason { code: Code::Busy, text: "too many requests unanswered" }
        } else {
            link.in_flight += 1;
            let (topic, payload) = (frame.header.topic, fields.rest());
            return Ok(Some(Request { ticket, topic, deadline, hops: head.hops, age, payload }));
        };
        put_error(out, id, &error);
        if session != 0 {
            self.sessions.forget(session, id);
        }
        Ok(None)
    }

    /// Says whether a request that must not take effect twice is new; answers it from memory where it can.
    fn admit(&mut self, ticket: &Ticket, lowest: u32, link: &Link, out: &mut Vec<u8>) -> bool {
        let too_long;
        let reason = match self.sessions.admit(ticket.session, ticket.id, lowest) {
            Admission::Act => return true,
            Admission::Pending => return false,
            Admission::Answered(frame) if put_again(frame, link, out) => return false,
            Admission::Answered(frame) => {
                too_long = format!("{} octets", frame.len() - HEADER_LEN_BYTES);
                Reason { code: Code::ReplyTooLong, text: &too_long }
            }
            Admission::Forgotten => Reason { code: Code::Forgotten, text: "answered, and the answer forgotten" },
            Admission::Full => Reason { code: Code::Busy, text: "too many answers to remember" },
            Admission::NoSession => Reason { code: Code::Busy, text: "too many sessions to remember one more" },
        };
        put_error(out, ticket.id, &reason);
        false
    }
}

/// Sends a frame that was remembered while the client was away, if it takes it; without a span where that is too much.
fn put_again(answer: &[u8], link: &Link, out: &mut Vec<u8>) -> bool {
    if frame::take_agreed(&mut &*answer, link.payload_max_bytes, link.features).is_ok() {
        out.extend_from_slice(answer);
        return true;
    }
    let Ok(Some(Frame { header, payload })) = frame::take(&mut &*answer, u32::MAX) else { return false };
    let Some(payload) = payload.get(Span::LEN_BYTES..).filter(|_| header.flags.contains(Flags::TIMED)) else {
        return false;
    };
    frame::put(out, frame::header(header.kind, header.id), &[payload], link.payload_max_bytes).is_ok()
}

fn code_of(fault: &Fault) -> Code {
    match fault {
        Fault::Incompatible(Incompatible::Service { .. }) => Code::Service,
        Fault::Incompatible(_) => Code::Version,
        Fault::Malformed(_) | Fault::Misbehaved(_) => Code::Malformed,
    }
}
