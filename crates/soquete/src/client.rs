//! A client that blocks, over the same protocol core as the server.

mod call;
mod input;
mod io;
mod link;
mod options;
mod outcome;

pub(crate) use options::carried;
pub use options::{ClientFraming, ClientOptions};
pub use outcome::Outcome;

use crate::{Cause, Clock, Endpoint, Error, Operation};
use input::Input;
use link::Link;
use soquete_proto::client::{Client as Core, Event, Request};
use soquete_proto::fault::Misuse;
use soquete_proto::frame::Front;
use soquete_proto::handshake::{Code, EventHead};
use soquete_proto::lines;
use std::collections::VecDeque;
use std::time::Duration;

/// Octets gathered before they are sent, while more is to come.
const FLUSH_AT_BYTES: usize = 256 << 10;

/// What [`Client::receive`] brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// The answer to a request.
    Reply {
        /// The request.
        id: u32,
        /// The application's octets.
        payload: &'a [u8],
    },
    /// A request was not done, or its outcome is unknown.
    Failed {
        /// The request.
        id: u32,
        /// Why, for programs.
        code: Code,
    },
    /// An event of the subscription that request `id` began.
    Event {
        /// The request.
        id: u32,
        /// The event's number, and how many were missed before it.
        head: EventHead,
        /// The application's octets.
        payload: &'a [u8],
        /// Whether it overtook others at the server.
        is_urgent: bool,
    },
    /// A message; in raw and line framing everything is one.
    Message {
        /// The application's octets.
        payload: &'a [u8],
    },
}

/// What was received, by where it lies.
#[derive(Clone, Copy)]
enum Kind {
    Reply(u32),
    Failed(u32, Code),
    Event { id: u32, head: EventHead, is_urgent: bool },
    Message,
}

enum Codec {
    Raw,
    Line,
    Frames(Box<Core>),
}

/// A connection to a server that blocks while it waits; two system calls a round trip.
///
/// Over datagrams a message has at most 65,454 octets in frames and 65,507 without; a longer one is
/// [`Cause::Oversize`] before anything is sent.
///
/// ```no_run
/// use soquete::{Client, ClientOptions};
/// let mut led = Client::connect(&"tcp://127.0.0.1:5555".parse()?, ClientOptions::frames("board"))?;
/// assert_eq!(led.request(b"LED ON")?, b"OK LED ON");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    endpoint: Endpoint,
    options: ClientOptions,
    link: Option<Link>,
    codec: Codec,
    input: Input,
    out: Vec<u8>,
    /// Octets of each datagram that `out` is of, and of all that go with one system call.
    segment_len_bytes: usize,
    segments_max_bytes: usize,
    /// Where `out` can be overtaken, if it is of frames.
    front: Front,
    /// What arrived while the answer to something else was awaited.
    kept: VecDeque<(Kind, Vec<u8>)>,
    /// The text of the latest refusal.
    reason: String,
    /// What the server calls itself.
    server: String,
    /// When it last received: a clock read once a receive serves all that came with it.
    heard_at: Duration,
}

impl Client {
    /// Connects. The handshake goes with the first request, so that it costs no round trip of its own.
    ///
    /// # Errors
    /// What [`Stream::connect_timeout`](crate::Stream::connect_timeout) says; [`Cause::Misuse`] for frames with a group, which
    /// has no session: an [`Announcement`](crate::Announcement) tells all of it.
    pub fn connect(endpoint: &Endpoint, options: ClientOptions) -> Result<Self, Error> {
        let codec = match &options.framing {
            ClientFraming::Raw => Codec::Raw,
            ClientFraming::Line => Codec::Line,
            ClientFraming::Frames(core) => Codec::Frames(Box::new(Core::new(carried(core, endpoint)))),
        };
        let mut client = Client {
            endpoint: endpoint.clone(),
            input: Input::new(),
            options,
            link: None,
            codec,
            out: Vec::new(),
            segment_len_bytes: 0,
            segments_max_bytes: 0,
            front: Front::default(),
            kept: VecDeque::new(),
            reason: String::new(),
            server: String::new(),
            heard_at: Duration::ZERO,
        };
        client.connect_within(client.options.connect_timeout)?;
        Ok(client)
    }

    /// Returns where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns what the server calls itself; empty where it has no name, and before the handshake.
    pub fn server(&self) -> &str {
        &self.server
    }

    fn connect_within(&mut self, timeout: Duration) -> Result<(), Error> {
        let link = Link::connect(&self.endpoint, self.is_frames(), timeout)?;
        let failed = |error: std::io::Error| Error::new(Operation::Connect, &self.endpoint, error);
        link.bound_send(self.options.timeout).map_err(failed)?;
        if let (Some(max_bytes), Endpoint::Tcp { .. }, Link::Stream(stream)) =
            (self.options.unsent_max_bytes, &self.endpoint, &link)
        {
            stream.set_unsent_max(max_bytes).map_err(failed)?;
        }
        #[cfg(windows)]
        if let Link::Stream(stream) = &link {
            // No call there says that it does not wait.
            stream.set_nonblocking(true).map_err(|error| Error::new(Operation::Connect, &self.endpoint, error))?;
        }
        self.link = Some(link);
        self.heard_at = Clock::now();
        self.input.clear();
        self.out.clear();
        if let Codec::Frames(core) = &mut self.codec {
            core.connected(self.heard_at, &mut self.out);
            self.front = Front::opening();
        }
        Ok(())
    }

    /// Completes the handshake now instead of with the first request.
    ///
    /// # Errors
    /// [`Cause::Rejected`] with the server's reason.
    pub fn handshake(&mut self) -> Result<(), Error> {
        while let Codec::Frames(core) = &self.codec
            && !core.is_open()
        {
            self.fill(self.options.timeout)?;
            if let Some((kind, payload)) = self.take_next()? {
                self.keep(kind, payload)?;
            }
        }
        Ok(())
    }

    /// Sends `payload` and waits for its answer: the reply, the next line, or what the next receive brings.
    ///
    /// # Errors
    /// [`Cause::Rejected`] where the server refused it, with the reason; [`Cause::Timeout`] after
    /// [`ClientOptions::timeout`]; what sending and receiving can say.
    #[inline]
    pub fn request(&mut self, payload: &[u8]) -> Result<&[u8], Error> {
        self.request_on(0, payload)
    }

    /// As [`request`](Client::request), with a message type; only frames carry one.
    ///
    /// # Errors
    /// As [`request`](Client::request).
    #[inline]
    pub fn request_on(&mut self, topic: u16, payload: &[u8]) -> Result<&[u8], Error> {
        let id = self.submit_on(topic, payload)?;
        loop {
            let (kind, range) = self.wait_next()?;
            match kind {
                Kind::Reply(answered) if answered == id => return Ok(self.input.get(range)),
                Kind::Message if id == 0 => return Ok(self.input.get(range)),
                Kind::Failed(answered, code) if answered == id => return Err(self.refused(code)),
                kind => self.keep(kind, range)?,
            }
        }
    }

    /// Sends a request without waiting for its answer, which [`receive`](Client::receive) brings; returns its id, in
    /// raw and line framing 0.
    ///
    /// What is submitted in a row goes out together: at the next `receive`, or when 256 KiB have gathered.
    ///
    /// # Errors
    /// [`Cause::Oversize`] above the server's limit; what sending can say.
    #[inline]
    pub fn submit(&mut self, payload: &[u8]) -> Result<u32, Error> {
        self.submit_on(0, payload)
    }

    /// As [`submit`](Client::submit), with a message type; only frames carry one.
    ///
    /// # Errors
    /// As [`submit`](Client::submit).
    #[inline]
    pub fn submit_on(&mut self, topic: u16, payload: &[u8]) -> Result<u32, Error> {
        self.check_connected()?;
        let id = match &mut self.codec {
            Codec::Frames(core) => core
                .request(self.heard_at, Request { topic, ..Request::new(payload) }, &mut self.out)
                .map_err(|misuse| misused(&self.endpoint, misuse))?,
            Codec::Raw | Codec::Line => {
                self.put_plain(payload)?;
                0
            }
        };
        self.flush_if_full()?;
        Ok(id)
    }

    /// Sends one message that wants no answer, at once. For many in a row there is [`batch`](Client::batch).
    ///
    /// # Errors
    /// As [`submit`](Client::submit).
    pub fn message(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.batch(|batch| batch.message(payload))
    }

    /// Sends one message at once, before all that was submitted and is not sent yet; completes the handshake first, which
    /// tells whether the server knows such messages. To one that does not it goes in its turn.
    ///
    /// It overtakes neither what the kernel holds ([`ClientOptions::unsent_max_bytes`]) nor earlier urgent ones. Where it
    /// is not sent within [`ClientOptions::timeout`] it stays before the others, and goes with what is sent next.
    ///
    /// # Errors
    /// As [`submit`](Client::submit); [`Cause::Misuse`] without frames.
    pub fn urgent(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.batch(|batch| batch.urgent_on(0, payload))
    }

    /// Sends many messages with few system calls: what `write` puts in goes out together, and all of it before this
    /// returns. In raw and line framing over UDP messages of one length go up to 64 with a call, cut by the kernel where it
    /// can; each is a datagram as ever, and they keep their order.
    ///
    /// # Errors
    /// As [`submit`](Client::submit), and what `write` returns. Datagrams that were gathered, up to 64, are lost with it.
    pub fn batch(&mut self, write: impl FnOnce(&mut Batch<'_>) -> Result<(), Error>) -> Result<(), Error> {
        write(&mut Batch(self))?;
        self.flush()
    }

    /// Returns the next that arrives, after sending what was submitted.
    ///
    /// # Errors
    /// [`Cause::Timeout`] after [`ClientOptions::timeout`], [`Cause::Closed`] at the end of the stream.
    #[inline]
    pub fn receive(&mut self) -> Result<Received<'_>, Error> {
        if let Some((kind, payload)) = self.kept.pop_front() {
            let range = self.input.keep(payload);
            return Ok(received(kind, self.input.get(range)));
        }
        let (kind, range) = self.wait_next()?;
        Ok(received(kind, self.input.get(range)))
    }

    /// Returns the text of the latest [`Received::Failed`].
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Says that nothing more will be sent; what the server still sends can be received. Frames say goodbye first; over
    /// datagrams it waits until the server says that all has arrived, for the timeout or 10 s, and that is the end.
    ///
    /// # Errors
    /// What sending can say.
    pub fn finish(&mut self) -> Result<(), Error> {
        if let Codec::Frames(core) = &mut self.codec {
            core.goodbye(&mut self.out);
        }
        self.flush()?;
        if let Some(Link::Carrier(_)) = self.link {
            self.settle_carried()?;
            // The server sends nothing behind a goodbye, and nothing would tell that it does not.
            self.link = None;
            return Ok(());
        }
        let link = self.link.as_ref().ok_or_else(|| self.closed(Operation::Send))?;
        link.finish().map_err(|error| Error::new(Operation::Send, &self.endpoint, error))
    }

    #[inline]
    fn wait_next(&mut self) -> Result<(Kind, std::ops::Range<usize>), Error> {
        loop {
            if let Some(next) = self.take_next()? {
                return Ok(next);
            }
            self.fill(self.options.timeout)?;
        }
    }

    /// Takes the next message out of what was received.
    #[inline]
    fn take_next(&mut self) -> Result<Option<(Kind, std::ops::Range<usize>)>, Error> {
        let mut rest = self.input.unread();
        if rest.is_empty() {
            return Ok(None);
        }
        let (kind, len_bytes) = match &mut self.codec {
            Codec::Raw => (Kind::Message, std::mem::take(&mut rest).len()),
            Codec::Line => match lines::take(&mut rest, self.options.receive_max_bytes) {
                Ok(Some(line)) => {
                    let len_bytes = line.len();
                    let end = self.input.unread().len() - rest.len();
                    let range = self.input.advance(end);
                    return Ok(Some((Kind::Message, range.start..range.start + len_bytes)));
                }
                Ok(None) => return Ok(None),
                Err(too_long) => {
                    let cause = Cause::Protocol(Box::new(too_long));
                    return Err(Error::new(Operation::Receive, &self.endpoint, cause));
                }
            },
            Codec::Frames(core) => loop {
                let event = core.next(self.heard_at, &mut rest, &mut self.out).map_err(|fault| {
                    Error::new(Operation::Receive, &self.endpoint, Cause::Protocol(Box::new(fault)))
                })?;
                match event {
                    None => {
                        self.input.advance(self.input.unread().len() - rest.len());
                        return Ok(None);
                    }
                    Some(Event::Reply { id, payload }) => break (Kind::Reply(id), payload.len()),
                    Some(Event::Error { id, reason }) => {
                        reason.text.clone_into(&mut self.reason);
                        break (Kind::Failed(id, reason.code), 0);
                    }
                    Some(Event::Event { id, head, payload, is_urgent }) => {
                        break (Kind::Event { id, head, is_urgent }, payload.len());
                    }
                    Some(Event::Message { payload, .. }) => break (Kind::Message, payload.len()),
                    Some(Event::Rejected(reason)) => {
                        let cause = Cause::Rejected { code: reason.code as u8, text: reason.text.into() };
                        return Err(Error::new(Operation::Handshake, &self.endpoint, cause));
                    }
                    Some(Event::Welcome(welcome)) => welcome.name.clone_into(&mut self.server),
                    Some(Event::Goodbye(_)) => {}
                }
            },
        };
        // The payload is the end of what was taken.
        let range = self.input.advance(self.input.unread().len() - rest.len());
        Ok(Some((kind, range.end - len_bytes..range.end)))
    }

    /// Without a connection the session would keep a request for the next one, long after its maker heard that it failed.
    #[inline]
    fn check_connected(&self) -> Result<(), Error> {
        if self.link.is_none() { Err(self.closed(Operation::Send)) } else { Ok(()) }
    }

    fn put_plain(&mut self, payload: &[u8]) -> Result<(), Error> {
        match &self.link {
            Some(Link::Datagram(_)) => self.gather(payload)?,
            _ => self.put_message(payload),
        }
        let keeps_messages = self.link.as_ref().is_some_and(Link::keeps_messages);
        if keeps_messages { self.flush() } else { Ok(()) }
    }

    /// Appends a message as raw and line framing have it.
    #[inline]
    fn put_message(&mut self, payload: &[u8]) {
        self.out.extend_from_slice(payload);
        if matches!(self.codec, Codec::Line) {
            self.out.push(b'\n');
        }
    }

    /// Keeps what arrived while something else was awaited.
    fn keep(&mut self, kind: Kind, range: std::ops::Range<usize>) -> Result<(), Error> {
        if self.kept.len() >= options::KEPT_MAX {
            let cause = Cause::Busy("too much arrived that nobody received: receive it first");
            return Err(Error::new(Operation::Receive, &self.endpoint, cause));
        }
        self.kept.push_back((kind, self.input.get(range).to_vec()));
        Ok(())
    }

    fn refused(&mut self, code: Code) -> Error {
        let text = std::mem::take(&mut self.reason).into();
        Error::new(Operation::Receive, &self.endpoint, Cause::Rejected { code: code as u8, text })
    }

    fn closed(&self, operation: Operation) -> Error {
        Error::new(operation, &self.endpoint, Cause::Closed)
    }

    fn misuse(&self, what: &'static str) -> Error {
        Error::new(Operation::Send, &self.endpoint, Cause::Misuse(what))
    }
}

/// Gathers messages; see [`Client::batch`].
pub struct Batch<'a>(&'a mut Client);

impl Batch<'_> {
    /// Adds a message.
    ///
    /// # Errors
    /// As [`Client::submit`].
    #[inline]
    pub fn message(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.message_on(0, payload)
    }

    /// Adds a message with a message type; only frames carry one.
    ///
    /// # Errors
    /// As [`Client::submit`].
    #[inline]
    pub fn message_on(&mut self, topic: u16, payload: &[u8]) -> Result<(), Error> {
        let client = &mut *self.0;
        client.check_connected()?;
        match &mut client.codec {
            Codec::Frames(core) => {
                core.message(topic, payload, &mut client.out).map_err(|misuse| misused(&client.endpoint, misuse))?;
            }
            Codec::Raw | Codec::Line if matches!(client.link, Some(Link::Datagram(_))) => client.gather(payload)?,
            Codec::Raw | Codec::Line => client.put_plain(payload)?,
        }
        client.flush_if_full()
    }

    /// Adds a message before all that is not sent; as [`Client::urgent`], with a message type.
    ///
    /// # Errors
    /// As [`Client::urgent`].
    pub fn urgent_on(&mut self, topic: u16, payload: &[u8]) -> Result<(), Error> {
        let client = &mut *self.0;
        client.check_connected()?;
        client.handshake()?;
        let Codec::Frames(core) = &mut client.codec else {
            return Err(client.misuse("an urgent message needs frames"));
        };
        let put = core.urgent(topic, payload, client.front, &mut client.out);
        put.map_err(|misuse| misused(&client.endpoint, misuse))?;
        client.flush_if_full()
    }
}

fn received(kind: Kind, payload: &[u8]) -> Received<'_> {
    match kind {
        Kind::Reply(id) => Received::Reply { id, payload },
        Kind::Failed(id, code) => Received::Failed { id, code },
        Kind::Event { id, head, is_urgent } => Received::Event { id, head, payload, is_urgent },
        Kind::Message => Received::Message { payload },
    }
}

fn misused(endpoint: &Endpoint, misuse: Misuse) -> Error {
    let cause = match misuse {
        Misuse::Oversize { len_bytes, max_bytes } => Cause::Oversize { len_bytes, max_bytes },
        Misuse::InFlight { .. } => Cause::Busy("too many requests unanswered"),
    };
    Error::new(Operation::Send, endpoint, cause)
}
