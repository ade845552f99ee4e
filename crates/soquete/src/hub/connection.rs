//! One connection of a server: the wire, what came and could not be used yet, what is to go and could not be sent yet.

mod outgoing;
mod speak;
mod visit;
mod wire;

use super::ConnectionId;
use super::handler::{Ending, Fate, Handler, Tongue, put_err, put_stream};
use super::mailbox::{Letter, Mailbox};
use super::service::{Bounds, Framing, Service, TEXT_BOUNDS};
use crate::stream::Peer;
use crate::{Clock, Stream};
pub(crate) use wire::PACKET_MAX_BYTES;
#[cfg(unix)]
pub(super) use wire::Visit;
pub(super) use wire::Wire;

use rustix::io::Errno;
use soquete_proto::frame::{self, Front};
use soquete_proto::handshake::{Code, EventHead};
use soquete_proto::lines;
use soquete_proto::opening::Language;
use soquete_proto::server::Link;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

/// What a connection is lent for a turn; an idle one owns no buffer.
pub(super) struct Lent<'a> {
    pub(super) now: Duration,
    /// Where a read goes: behind the tail that is kept.
    pub(super) scratch: &'a mut [u8],
    /// What is gathered to be sent; empty between turns.
    pub(super) out: &'a mut Vec<u8>,
    pub(super) services: &'a mut [Service],
    pub(super) mailbox: &'a Arc<Mailbox>,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Everything was used; wait for more.
    Idle,
    /// Wait until the peer takes what is to go.
    Blocked,
    /// Wait for the answer to the line before.
    Waiting,
    /// The connection is over.
    Closed(Ending),
}

/// Octets of answers given later that may wait for a peer that does not read: 128 MiB, twice 64 answers of 1 MiB.
const UNREAD_MAX_BYTES: usize = 128 << 20;

/// How long a peer may take nothing of what waits for it, unless it waits for events: 60 s, more than any network holds.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long somebody who sends single datagrams is remembered after the last, unless he waits for events (then as long
/// as a stream may be idle). Default 60 s.
const VISIT_KEPT: Duration = Duration::from_secs(60);

/// Octets gathered before they are sent within a turn.
const FLUSH_AT_BYTES: usize = 256 << 10;

#[derive(Debug)]
enum Codec {
    /// No octet has come.
    Undecided,
    Raw(Bounds),
    Line(Bounds),
    /// Text on a port of several languages: the first line may be HTTP.
    Text {
        is_first: bool,
    },
    Frames(Box<Link>),
    /// Refused: what comes is thrown away until the peer has read why.
    Lingering {
        left_bytes: usize,
        why: Ending,
        /// What it was before: its session ends with the connection, not with the refusal.
        link: Option<Box<Link>>,
    },
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) wire: Wire,
    pub(super) peer: Peer,
    pub(super) service: usize,
    /// Why the handler does not admit the peer.
    refused: Option<Box<str>>,
    name: Box<str>,
    codec: Codec,
    /// An incomplete tail, or what was kept back while the connection was blocked or waiting.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Where `output` can be overtaken, if it is of frames.
    front: Front,
    fate: Fate,
    /// Whether an octet has ever come.
    has_spoken: bool,
    has_ended: bool,
    heard_at: Duration,
    /// The peer did not take events fast enough; some were not queued.
    pub(super) is_lagging: bool,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        wire: Wire,
        peer: Peer,
        service: usize,
        admitted: Result<(), String>,
        lent: &Lent<'_>,
    ) -> Self {
        let codec = match lent.services[service].framing {
            Framing::Raw(bounds) => Codec::Raw(bounds),
            Framing::Line(bounds) => Codec::Line(bounds),
            Framing::Frames | Framing::Detect(_) => Codec::Undecided,
        };
        Connection {
            id,
            wire,
            peer,
            service,
            refused: admitted.err().map(String::into_boxed_str),
            name: Box::default(),
            codec,
            input: Vec::new(),
            output: Vec::new(),
            front: Front::default(),
            fate: Fate::default(),
            has_spoken: false,
            has_ended: false,
            heard_at: lent.now,
            is_lagging: false,
        }
    }

    /// Says whether no octet has ever come.
    pub(super) fn is_silent(&self) -> bool {
        !self.has_spoken
    }

    /// Says why the handler does not admit its peer, where it does not and that was not said yet.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    pub(super) fn heard_at(&self) -> Duration {
        self.heard_at
    }

    /// Says whether an answer to it is still to come.
    pub(super) fn is_owed(&self) -> bool {
        self.fate.deferred > 0
    }

    /// Returns how many octets are kept for it: what came and cannot be used yet, and what it has not taken.
    pub(super) fn held_bytes(&self) -> usize {
        self.input.len() + self.wire.ahead_bytes() + self.output_len()
    }

    pub(super) fn output_len(&self) -> usize {
        self.output.len() + self.wire.waiting_bytes()
    }

    /// Reads once, uses what came, sends what that gave.
    pub(super) fn read_turn<H: Handler>(&mut self, lent: &mut Lent<'_>, handler: &mut H) -> Turn {
        let Wire::Stream(stream) = &self.wire else { return Turn::Idle };
        let kept = self.input.len();
        let read = if kept < lent.scratch.len() / 2 {
            lent.scratch[..kept].copy_from_slice(&self.input);
            retry(|| (&*stream).read(&mut lent.scratch[kept..]))
        } else {
            // A long frame: read behind what is there of it, no more than it needs.
            let needed = frame::needed(&self.input).unwrap_or(0).saturating_sub(kept);
            // A packet has more than that, perhaps, and comes whole or not at all.
            let least = if stream.keeps_packets() { lent.scratch.len() } else { 4096 };
            self.input.resize(kept + needed.clamp(least, lent.scratch.len()), 0);
            let read = retry(|| (&*stream).read(&mut self.input[kept..]));
            self.input.truncate(kept + read.as_ref().copied().unwrap_or(0));
            read
        };
        // Read after it: a process may be stopped at any moment, and what it then finds may be late.
        lent.now = Clock::now();
        if !matches!(self.codec, Codec::Lingering { .. }) {
            // Who was refused and drips on is cut off all the same.
            self.heard_at = lent.now;
        }
        match read {
            Ok(0) => self.end_turn(lent, handler),
            Ok(_) if self.input.len() > kept => {
                let input = std::mem::take(&mut self.input);
                self.use_input(&input, lent, handler)
            }
            Ok(len) => {
                let len = if stream.keeps_packets() { self.end_line(lent.scratch, kept, len) } else { len };
                self.input.clear();
                let scratch = std::mem::take(&mut lent.scratch);
                let turn = self.use_input(&scratch[..kept + len], lent, handler);
                lent.scratch = scratch;
                turn
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.resume_turn(lent, handler),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                Turn::Closed(Ending::Refused("a packet that is longer than there is room for".into()))
            }
            Err(_) => Turn::Closed(self.ending_or(Ending::Left)),
        }
    }

    /// Goes on after being blocked, or after an answer was given: sends, then uses what was kept back.
    pub(super) fn resume_turn<H: Handler>(&mut self, lent: &mut Lent<'_>, handler: &mut H) -> Turn {
        if self.input.is_empty() {
            return if self.has_ended { self.end_turn(lent, handler) } else { self.flush(lent) };
        }
        if let turn @ (Turn::Blocked | Turn::Closed(_)) = self.flush(lent) {
            return turn;
        }
        let input = std::mem::take(&mut self.input);
        self.use_input(&input, lent, handler)
    }

    /// Puts the end of a line behind a message of text: its own end is one. Returns the new length.
    pub(super) fn end_line(&self, buffer: &mut [u8], start: usize, len: usize) -> usize {
        let is_text = match (&self.codec, buffer.get(start)) {
            (Codec::Line(_) | Codec::Text { .. }, _) => true,
            (Codec::Undecided, Some(first)) => Language::of(*first) == Some(Language::Text),
            _ => false,
        };
        let has_end = len > 0 && matches!(buffer.get(start + len - 1), Some(b'\n' | 0));
        match buffer.get_mut(start + len) {
            Some(behind) if is_text && !has_end => {
                *behind = b'\n';
                len + 1
            }
            _ => len,
        }
    }

    /// The peer has ended its side: what it sent before is still used and answered.
    fn end_turn<H: Handler>(&mut self, lent: &mut Lent<'_>, handler: &mut H) -> Turn {
        self.has_ended = true;
        if self.fate.deferred > 0 && !matches!(self.codec, Codec::Lingering { .. }) {
            return match self.flush(lent) {
                Turn::Idle => Turn::Waiting,
                turn => turn,
            };
        }
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        match &self.codec {
            Codec::Undecided | Codec::Raw(_) | Codec::Lingering { .. } => {}
            Codec::Line(_) | Codec::Text { .. } => {
                if let Some(line) = lines::take_last(&mut rest) {
                    self.line(line, lent, handler);
                    if self.fate.deferred > 0 {
                        return Turn::Waiting;
                    }
                }
            }
            Codec::Frames(link) => {
                if let Err(fault) = lent.services[self.service].core.end(link, input.len()) {
                    return Turn::Closed(Ending::Refused(fault.to_string()));
                }
            }
        }
        self.fate.close = true;
        self.flush(lent)
    }

    fn use_input<H: Handler>(&mut self, input: &[u8], lent: &mut Lent<'_>, handler: &mut H) -> Turn {
        let mut rest = input;
        self.has_spoken = true;
        if let (Codec::Undecided, Some(&first)) = (&self.codec, rest.first()) {
            self.decide(first, lent);
        }
        let turn = loop {
            let had = rest.len();
            match &mut self.codec {
                Codec::Undecided => {}
                Codec::Raw(Bounds { receive_max_bytes, .. })
                    if rest.len() > *receive_max_bytes && self.wire.stream().is_some_and(Stream::keeps_packets) =>
                {
                    let why = format!("a packet of {} octets, at most {receive_max_bytes} are taken", rest.len());
                    return Turn::Closed(Ending::Refused(why));
                }
                Codec::Raw(bounds) => {
                    let (message, more) = rest.split_at(rest.len().min(bounds.receive_max_bytes));
                    let bounds = *bounds;
                    rest = more;
                    // A datagram without an octet is a message, too.
                    if !message.is_empty() || self.wire.visit().is_some() {
                        self.message(message, Tongue::Raw, bounds, lent, handler);
                    }
                }
                Codec::Line(_) | Codec::Text { .. } => self.lines(&mut rest, lent, handler),
                Codec::Frames(_) => self.frames(&mut rest, lent, handler),
                Codec::Lingering { left_bytes, why, .. } => {
                    let Some(left) = left_bytes.checked_sub(rest.len()) else {
                        return Turn::Closed(why.clone());
                    };
                    *left_bytes = left;
                    rest = &[];
                }
            }
            let turn = self.flush(lent);
            let has_stalled = rest.is_empty() || rest.len() == had;
            if turn != Turn::Idle || has_stalled {
                break turn;
            }
        };
        // Behind a goodbye nothing counts, and what nobody will use must not be kept.
        if !rest.is_empty() && !self.fate.close {
            self.input.extend_from_slice(rest);
        }
        turn
    }

    /// Notes that one of its answers to come has come.
    pub(super) fn settle(&mut self) {
        self.fate.deferred = self.fate.deferred.saturating_sub(1);
    }

    /// Sends an answer that was given later, then goes on with what waited for it.
    pub(super) fn answer<H: Handler>(&mut self, letter: &Letter, lent: &mut Lent<'_>, handler: &mut H) -> Turn {
        if self.output_len() > UNREAD_MAX_BYTES {
            return Turn::Closed(Ending::Refused("it does not read its answers".into()));
        }
        match (&mut self.codec, letter.ticket) {
            (Codec::Frames(link), Some(ticket)) => {
                // Too long a reply is told to the client.
                let _ = lent.services[self.service].core.answer(ticket, letter.answer(), Some(link), lent.out);
            }
            (Codec::Line(_) | Codec::Text { .. } | Codec::Raw(_), None) => self.answer_stream(letter, lent),
            _ => {}
        }
        self.resume_turn(lent, handler)
    }

    /// Appends an answer that was given later to a stream without sessions; one that is too long is not sent at all.
    fn answer_stream(&self, letter: &Letter, lent: &mut Lent<'_>) {
        let (is_line, bounds) = match &self.codec {
            Codec::Raw(bounds) => (false, *bounds),
            Codec::Line(bounds) => (true, *bounds),
            _ => (true, TEXT_BOUNDS),
        };
        let refused = match &letter.answer {
            Ok(payload) => {
                put_stream(lent.out, payload, is_line, self.answer_max_bytes(bounds)).err().map(|e| e.to_string())
            }
            Err((_, text)) => Some(text.to_string()),
        };
        if let (Some(why), Codec::Text { .. } | Codec::Line(_)) = (refused, &self.codec) {
            put_err(lent.out, &why);
        }
    }

    /// Looks after silence. `silence` is the time to the first octet, `idle` the time between two lines.
    pub(super) fn tick(&mut self, silence: Duration, idle: Duration, lent: &mut Lent<'_>) -> Turn {
        let quiet = lent.now.saturating_sub(self.heard_at);
        if self.wire.visit().is_some_and(|visit| visit.channel.is_none()) && self.fate.deferred == 0 {
            let kept = if self.fate.stay { idle } else { VISIT_KEPT };
            return if quiet >= kept { Turn::Closed(Ending::Left) } else { Turn::Idle };
        }
        if !self.has_spoken && quiet >= silence {
            return Turn::Closed(Ending::Refused(format!("silent for {silence:?}")));
        }
        if !self.output.is_empty() && !matches!(self.codec, Codec::Lingering { .. }) {
            let is_stalled = quiet >= STALL_TIMEOUT && !self.fate.stay;
            let why = || Ending::Refused(format!("it took nothing for {STALL_TIMEOUT:?}"));
            return if is_stalled { Turn::Closed(why()) } else { Turn::Idle };
        }
        match &mut self.codec {
            Codec::Lingering { why, .. } if quiet >= super::LINGER_TIMEOUT => Turn::Closed(why.clone()),
            Codec::Text { .. } if quiet >= idle && !self.fate.stay && self.fate.deferred == 0 => {
                put_err(lent.out, &format!("idle for {idle:?}"));
                self.fate.close = true;
                self.flush(lent)
            }
            Codec::Frames(link) => {
                let before = lent.out.len();
                let result = lent.services[self.service].core.handle_timeout(lent.now, link, lent.out);
                if let Err(fault) = result {
                    self.refuse(fault.to_string());
                }
                if lent.out.len() > before { self.flush(lent) } else { Turn::Idle }
            }
            _ => Turn::Idle,
        }
    }

    /// Says goodbye, where there is a language for it.
    pub(super) fn goodbye(&mut self, text: &str, lent: &mut Lent<'_>) -> Turn {
        if let Codec::Frames(link) = &mut self.codec {
            lent.services[self.service].core.refuse(link, Code::Closing, text, lent.out);
        }
        self.fate.close = true;
        self.flush(lent)
    }

    /// Notes its end where a session may outlive it.
    pub(super) fn leave(&self, lent: &mut Lent<'_>) {
        if let Codec::Frames(link) | Codec::Lingering { link: Some(link), .. } = &self.codec {
            let core = &mut lent.services[self.service].core;
            let is_unproved = self.wire.visit().is_some_and(|visit| !visit.is_proved());
            if is_unproved { core.closed_unproved(lent.now, link) } else { core.closed(lent.now, link) }
        }
    }

    /// Says whether nothing but its last words is to be said over it.
    pub(super) fn is_ending(&self) -> bool {
        self.fate.close || matches!(self.codec, Codec::Lingering { .. })
    }

    /// Returns the longest payload that the client of a connection of frames takes.
    pub(super) fn payload_max_bytes(&self) -> Option<u32> {
        if let Codec::Frames(link) = &self.codec { Some(link.payload_max_bytes()) } else { None }
    }

    /// Returns what an event begins with over it: without its lag where the client wants none.
    pub(super) fn event_head(&self, head: EventHead) -> EventHead {
        let takes_spans = matches!(&self.codec, Codec::Frames(link) if link.takes_spans());
        EventHead { lag: head.lag.filter(|_| takes_spans), ..head }
    }

    /// Says whether events to it may overtake.
    pub(super) fn takes_urgent(&self) -> bool {
        matches!(&self.codec, Codec::Frames(link) if link.takes_urgent())
    }

    pub(super) fn is_frames(&self) -> bool {
        matches!(self.codec, Codec::Frames(_))
    }

    fn ending_or(&self, ending: Ending) -> Ending {
        if let Codec::Lingering { why, .. } = &self.codec { why.clone() } else { ending }
    }
}

fn retry(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
