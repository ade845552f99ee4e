//! What a client hears.

use super::clock::Sample;
use super::window::Slot;
use super::{Client, Event, State, Timing, Unanswered, Verdict};
use crate::fault::{Fault, Incompatible, Malformed, Misbehaved};
use crate::field::Fields;
use crate::frame::{self, Flags, Frame, HEADER_LEN_BYTES, Header, Kind};
use crate::handshake::{
    CONTROL_MAX_BYTES, EventHead, Goodbye, Reason, Resumption, SessionKey, VERSION, Welcome, control,
};
use crate::span::Span;
use std::time::Duration;

impl Client {
    /// Takes frames off the front of `input` up to the next event; what the session itself sends goes to `out`.
    ///
    /// Returns nothing once `input` holds no whole frame. To be called until then, after each read.
    ///
    /// # Errors
    /// What the server did wrong; close the connection.
    #[inline]
    pub fn next<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Fault> {
        if !input.is_empty() {
            self.heard_at = now;
        }
        if let Some(reply) = self.reply_to_oldest(input) {
            return Ok(Some(reply));
        }
        let result = self.take(now, input, out);
        if result.is_err() {
            self.state = State::Closed;
        }
        result
    }

    /// Takes the reply to the oldest request, if that is what comes next: the common case in few instructions.
    #[inline]
    fn reply_to_oldest<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let (head, rest) = input.split_first_chunk::<HEADER_LEN_BYTES>()?;
        let (length, id) = frame::plain_reply(head)?;
        if self.state != State::Open || length > self.options.payload_max_bytes {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(length as usize)?;
        if !self.window.settle_oldest(id) {
            return None;
        }
        *input = rest;
        Some(Event::Reply { id, payload })
    }

    fn take<'a>(&mut self, now: Duration, input: &mut &'a [u8], out: &mut Vec<u8>) -> Result<Option<Event<'a>>, Fault> {
        loop {
            let event = match self.state {
                State::Open | State::Leaving => match self.take_frame(input)? {
                    Some(frame) => self.open(now, &frame, out)?,
                    None => return Ok(None),
                },
                State::Greeting => match frame::take(input, CONTROL_MAX_BYTES)? {
                    Some(frame) => Some(self.greeted(now, &frame, out)?),
                    None => return Ok(None),
                },
                State::Unconnected | State::Closed => {
                    *input = &[];
                    return Ok(None);
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    #[inline]
    fn take_frame<'a>(&self, input: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Malformed> {
        frame::take_agreed(input, self.options.payload_max_bytes, self.agreed)
    }

    fn greeted<'a>(&mut self, now: Duration, frame: &Frame<'a>, out: &mut Vec<u8>) -> Result<Event<'a>, Fault> {
        match frame.header.kind {
            Kind::Welcome => {
                let welcome = control(frame, Welcome::read)?;
                self.check_welcome(&welcome)?;
                self.welcomed(now, &welcome, out);
                Ok(Event::Welcome(welcome))
            }
            Kind::Reject => {
                let reason = control(frame, Reason::read)?;
                self.state = State::Closed;
                self.not_taken_up_after(0);
                Ok(Event::Rejected(reason))
            }
            kind => Err(Misbehaved::Unexpected { kind }.into()),
        }
    }

    /// A server chooses among what we offered, and resumes the session we named.
    fn check_welcome(&self, welcome: &Welcome<'_>) -> Result<(), Fault> {
        if welcome.version != VERSION {
            return Err(Incompatible::Version { version_max: welcome.version }.into());
        }
        let is_resumption_ours = match welcome.resumption {
            Resumption::New => self.session == SessionKey::default(),
            Resumption::Resumed => self.session != SessionKey::default() && welcome.session == self.session,
            Resumption::UnknownSession => self.session != SessionKey::default(),
        };
        // A server without the feature knows no sessions and calls each new.
        let is_without = !welcome.features.contains(crate::handshake::Features::RESUME)
            && (welcome.resumption, welcome.session) == (Resumption::New, SessionKey::default());
        if self.features().contains(welcome.features) && (is_resumption_ours || is_without) {
            return Ok(());
        }
        Err(Malformed::Payload { kind: Kind::Welcome }.into())
    }

    fn welcomed(&mut self, now: Duration, welcome: &Welcome<'_>, out: &mut Vec<u8>) {
        self.state = State::Open;
        self.session = welcome.session;
        self.payload_max_bytes = self.options.request_max_bytes(welcome.payload_max_bytes);
        self.in_flight_max = usize::from(welcome.in_flight_max);
        self.agreed = welcome.features;
        if welcome.resumption != Resumption::Resumed {
            let connection = self.connection;
            let sent = self.window.kept_mut().filter(|(_, kept)| kept.sent_on != 0 && kept.sent_on != connection);
            let lost: Vec<u32> = sent.map(|(id, _)| id).collect();
            for id in lost {
                self.end(id, Verdict::Unknown(Unanswered::UnknownSession));
            }
        }
        self.send_kept(now, Some(Sample { clock_us: welcome.clock_us, heard_at: now }), out);
    }

    #[inline]
    fn open<'a>(&mut self, now: Duration, frame: &Frame<'a>, out: &mut Vec<u8>) -> Result<Option<Event<'a>>, Fault> {
        let Frame { header, payload } = *frame;
        let id = header.id;
        Ok(match header.kind {
            Kind::Reply => self.reply(now, frame)?,
            Kind::Error => {
                let reason = control(frame, Reason::read)?;
                self.settle(id)?.map(|_| Event::Error { id, reason })
            }
            Kind::Event => Some(self.event(frame)?),
            Kind::Message => {
                let is_urgent = header.flags.contains(Flags::URGENT);
                Some(Event::Message { topic: header.topic, payload, is_urgent })
            }
            Kind::Ping | Kind::Pong if self.state == State::Leaving => None,
            Kind::Ping => {
                frame::put(out, frame::header(Kind::Pong, id), &[&0u64.to_le_bytes()], u32::MAX).ok();
                None
            }
            Kind::Pong => {
                let clock_us = control(frame, Fields::u64)?;
                self.ponged(now, id, clock_us, out);
                None
            }
            Kind::Goodbye => {
                let goodbye = control(frame, Goodbye::read)?;
                self.state = State::Leaving;
                self.not_taken_up_after(goodbye.last_id);
                Some(Event::Goodbye(goodbye))
            }
            kind => return Err(Misbehaved::Unexpected { kind }.into()),
        })
    }

    #[inline(never)] // Apart from those that nothing is kept of.
    fn reply<'a>(&mut self, now: Duration, frame: &Frame<'a>) -> Result<Option<Event<'a>>, Fault> {
        let mut fields = Fields::new(frame.payload);
        let took = Span::read_if(&frame.header, &mut fields)?.map(Span::duration);
        let id = frame.header.id;
        let Some(slot) = self.settle(id)? else { return Ok(None) };
        if let Slot::Kept(kept) = slot
            && let Some(caused_at) = kept.caused_at
        {
            self.timing = Some((id, Timing { caused_at, sent_at: kept.sent_at, answered_at: now, took }));
        }
        Ok(Some(Event::Reply { id, payload: fields.rest() }))
    }

    fn event<'a>(&self, frame: &Frame<'a>) -> Result<Event<'a>, Fault> {
        let Header { id, flags, .. } = frame.header;
        if !self.window.knows(id) {
            return Err(Misbehaved::Id { id }.into());
        }
        let mut fields = Fields::new(frame.payload);
        let head = EventHead::read(&mut fields).ok_or(Malformed::Payload { kind: Kind::Event })?;
        let head = EventHead { lag: Span::read_if(&frame.header, &mut fields)?, ..head };
        Ok(Event::Event { id, head, payload: fields.rest(), is_urgent: flags.contains(Flags::URGENT) })
    }

    /// Settles `id`; nothing where its verdict was told already and the answer comes too late.
    #[inline]
    fn settle(&mut self, id: u32) -> Result<Option<Slot>, Fault> {
        let slot = self.window.settle(id);
        if slot.is_some() {
            return Ok(slot);
        }
        if self.window.knows(id) { Ok(None) } else { Err(Misbehaved::Id { id }.into()) }
    }

    fn ponged(&mut self, now: Duration, id: u32, clock_us: u64, out: &mut Vec<u8>) {
        if id == self.ping && id != self.answered {
            self.answered = id;
            self.send_kept(now, Some(Sample { clock_us, heard_at: now }), out);
        }
    }
}
