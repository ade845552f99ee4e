//! What a server does with what it receives.

use super::ConnectionId;
use super::mailbox::{Mailbox, Responder};
use crate::stream::Peer;
use crate::{Cause, Error, Operation};
use soquete_proto::fault::Misuse;
use soquete_proto::handshake::{Code, Reason};
use soquete_proto::server::{Answer, Link, Server, Ticket};
use soquete_proto::span::Span;
use std::sync::Arc;
use std::time::Duration;

/// What a server does with its connections and what they bring. A closure that takes an [`Exchange`] is one.
pub trait Handler {
    /// Deals with a message that was received.
    fn receive(&mut self, exchange: Exchange<'_>);

    /// Says whether a peer may come in; where it may not, why. The peer is told in its language.
    fn admit(&mut self, service: usize, peer: &Peer) -> Result<(), String> {
        let _ = (service, peer);
        Ok(())
    }

    /// Hears that the client takes request `id` back, or ends the subscription that it made.
    fn cancel(&mut self, connection: ConnectionId, id: u32) {
        let _ = (connection, id);
    }

    /// Hears how a connection ended.
    fn close(&mut self, connection: ConnectionId, peer: &Peer, ending: &Ending) {
        let _ = (connection, peer, ending);
    }

    /// Returns the page for a browser that asks an endpoint which speaks HTTP what it is.
    fn page(&mut self, service: usize) -> String {
        let _ = service;
        String::from("This port speaks no more HTTP than this page.\n")
    }
}

impl<F: FnMut(Exchange<'_>)> Handler for F {
    #[inline(always)] // Out of line the exchange is copied once more.
    fn receive(&mut self, exchange: Exchange<'_>) {
        self(exchange);
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The peer closed it, or went by reset: many clients do, and it is no error.
    Left,
    /// This end closed it, as it was to.
    Closed,
    /// It was refused or given up, for this reason; the peer was told where it has a language for it.
    Refused(String),
}

/// The language of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// What one receive brought.
    Raw,
    /// A line of text.
    Text,
    /// A frame.
    Frames,
}

/// A message that was received, and the way to answer it.
///
/// A request that is dropped without an answer is refused with *no answer*; a message that wants none may be dropped.
pub struct Exchange<'a> {
    /// The application's octets.
    pub payload: &'a [u8],
    /// The application's message type; 0 in text and raw.
    pub topic: u16,
    /// When it must not be done any more, on the clock of [`crate::Clock`].
    pub deadline: Option<Duration>,
    /// How many servers it has passed.
    pub hops: u8,
    /// The language it came in.
    pub tongue: Tongue,
    /// Where it came from.
    pub peer: &'a Peer,
    /// What the client calls itself; empty in text and raw.
    pub name: &'a str,
    /// The service it came to, counted in the order in which they were added.
    pub service: usize,
    /// How old its cause was when it was sent, where the client says so.
    pub(super) age: Option<Span>,
    pub(super) connection: ConnectionId,
    pub(super) way: Way<'a>,
    pub(super) mailbox: &'a Arc<Mailbox>,
    pub(super) fate: &'a mut Fate,
}

/// Where an answer goes.
pub(super) enum Way<'a> {
    /// Nowhere: none is wanted.
    None { is_urgent: bool },
    /// Behind what is in `out`, as it is or with LF behind it.
    Stream { out: &'a mut Vec<u8>, is_line: bool, max_bytes: usize },
    /// Through the session.
    Frames { core: &'a mut Server, link: &'a mut Link, out: &'a mut Vec<u8>, ticket: Ticket },
    /// It was given.
    Answered,
}

/// What the handler wants to become of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    /// Answers that will come later.
    pub(super) deferred: u32,
    /// Lines that were no command.
    pub(super) malformed: u8,
    /// To be closed once all is sent.
    pub(super) close: bool,
    /// Not to be closed for being idle.
    pub(super) stay: bool,
}

impl Exchange<'_> {
    /// Returns the connection it came over.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Returns the request's id where it has one, which names the subscription that it may begin.
    pub fn id(&self) -> u32 {
        if let Way::Frames { ticket, .. } = &self.way { ticket.id } else { 0 }
    }

    /// Returns the session of its client, which may survive the connection; nothing where none is remembered, in text and
    /// in raw, and for a message that wants no answer. Sessions of two services may have the same number.
    pub fn session(&self) -> Option<u64> {
        if let Way::Frames { link, .. } = &self.way { link.session() } else { None }
    }

    /// Says whether it is a message that overtook others at its sender.
    pub fn is_urgent(&self) -> bool {
        matches!(self.way, Way::None { is_urgent: true })
    }

    /// Says whether an answer is wanted.
    pub fn wants_answer(&self) -> bool {
        !matches!(self.way, Way::None { .. })
    }

    /// Returns when what caused it happened, on the clock of [`crate::Clock`] and as if it had been on its way for no time;
    /// nothing where the client does not say, and in text and raw.
    pub fn caused_at(&self) -> Option<Duration> {
        if let Way::Frames { ticket, .. } = &self.way { ticket.caused_at(self.age) } else { None }
    }

    /// Says when what it asks for was done, on the clock of [`crate::Clock`]. A client that has told when it was caused, in
    /// frames, is told with the reply how long that took; any other is not.
    pub fn done_at(&mut self, at: Duration) {
        if let Way::Frames { ticket, .. } = &mut self.way {
            ticket.done_at(at);
        }
    }

    /// Answers with `payload`; in text LF is put behind it. Where none is wanted, it goes nowhere.
    ///
    /// # Errors
    /// A payload longer than the peer takes. Nothing of it is sent; a client of frames is told so.
    #[inline]
    pub fn reply(mut self, payload: &[u8]) -> Result<(), Error> {
        let result = match std::mem::replace(&mut self.way, Way::Answered) {
            Way::Stream { out, is_line, max_bytes } => put_stream(out, payload, is_line, max_bytes),
            Way::Frames { core, link, out, ticket } => core.reply(ticket, payload, link, out),
            Way::None { .. } | Way::Answered => Ok(()),
        };
        result.map_err(|misuse| too_long(self.peer, misuse))
    }

    /// Answers that it was not done, or that nobody knows: `ERR` in text, an ERROR frame, nothing in raw.
    pub fn refuse(mut self, code: Code, text: &str) {
        self.refuse_by(code, text);
    }

    /// Answers as [`refuse`](Exchange::refuse) that this is no command. A text connection ends at the third.
    pub fn malformed(mut self, text: &str) {
        self.fate.malformed = self.fate.malformed.saturating_add(1);
        self.refuse_by(Code::Malformed, text);
    }

    fn refuse_by(&mut self, code: Code, text: &str) {
        match std::mem::replace(&mut self.way, Way::Answered) {
            Way::Stream { out, is_line: true, .. } => put_err(out, text),
            Way::Frames { core, link, out, ticket } => {
                // A reason fits every link.
                let _ = core.answer(ticket, Answer::Error(Reason { code, text }), Some(link), out);
            }
            Way::Stream { .. } | Way::None { .. } | Way::Answered => {}
        }
    }

    /// Answers later. A connection of frames goes on with other requests meanwhile, one of text or raw waits; raw datagrams
    /// do not wait for each other.
    pub fn later(mut self) -> Responder {
        let ticket = match std::mem::replace(&mut self.way, Way::Answered) {
            Way::Frames { ticket, .. } => Some(ticket),
            Way::Stream { .. } | Way::None { .. } | Way::Answered => None,
        };
        self.fate.deferred += 1;
        Responder::new(self.mailbox.clone(), self.connection, self.service, ticket)
    }

    /// Has the connection closed once everything before, and the answer to this, is sent.
    pub fn close_after(&mut self) {
        self.fate.close = true;
    }

    /// Has the connection kept however long it is idle: it waits for events.
    pub fn keep_open(&mut self) {
        self.fate.stay = true;
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if let Way::Frames { .. } = self.way {
            self.refuse_by(Code::Refused, "no answer");
        }
    }
}

/// Appends an answer to a stream without sessions.
pub(super) fn put_stream(out: &mut Vec<u8>, payload: &[u8], is_line: bool, max_bytes: usize) -> Result<(), Misuse> {
    if payload.len() > max_bytes {
        return Err(Misuse::Oversize { len_bytes: payload.len(), max_bytes });
    }
    out.extend_from_slice(payload);
    if is_line {
        out.push(b'\n');
    }
    Ok(())
}

/// Appends the line that says why not.
pub(super) fn put_err(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"ERR ");
    out.extend(text.bytes().map(|octet| if octet == b'\n' { b' ' } else { octet }));
    out.push(b'\n');
}

fn too_long(peer: &Peer, misuse: Misuse) -> Error {
    let cause = match misuse {
        Misuse::Oversize { len_bytes, max_bytes } => Cause::Oversize { len_bytes, max_bytes },
        Misuse::InFlight { .. } => Cause::Misuse("too many requests unanswered"),
    };
    Error::new(Operation::Send, peer, cause)
}
