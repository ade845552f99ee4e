//! A client that blocks, over the same protocol core as the server.

mod input;
mod options;

pub use options::{ClientFraming, ClientOptions};

use crate::{Backoff, Cause, Clock, Endpoint, Error, Operation, Stream};
use input::Input;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use soquete_proto::client::{Client as Core, Event, Request, Verdict};
use soquete_proto::fault::Misuse;
use soquete_proto::handshake::{Code, EventHead};
use soquete_proto::lines;
use std::collections::VecDeque;
use std::net::Shutdown;
use std::time::Duration;

/// Octets gathered before they are sent, while more is to come.
const FLUSH_AT_BYTES: usize = 256 << 10;

/// How a request ended that must not be done twice or late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<A = Vec<u8>> {
    /// It was done, once; the answer.
    Done(A),
    /// Nothing was done, and nothing will be: it is safe to repeat. Why.
    NotDone(String),
    /// Nobody knows. Why.
    Unknown(String),
}

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
    Event(u32, EventHead),
    Message,
}

enum Codec {
    Raw,
    Line,
    Frames(Box<Core>),
}

/// A connection to a server that blocks while it waits; two system calls a round trip.
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
    stream: Option<Stream>,
    codec: Codec,
    input: Input,
    out: Vec<u8>,
    /// What arrived while the answer to something else was awaited.
    kept: VecDeque<(Kind, Vec<u8>)>,
    /// The text of the latest refusal.
    reason: String,
}

impl Client {
    /// Connects. The handshake goes with the first request, so that it costs no round trip of its own.
    ///
    /// # Errors
    /// What [`Stream::connect_timeout`] says.
    pub fn connect(endpoint: &Endpoint, options: ClientOptions) -> Result<Self, Error> {
        let codec = match &options.framing {
            ClientFraming::Raw => Codec::Raw,
            ClientFraming::Line => Codec::Line,
            ClientFraming::Frames(core) => Codec::Frames(Box::new(Core::new(core.clone()))),
        };
        let mut client = Client {
            endpoint: endpoint.clone(),
            input: Input::new(),
            options,
            stream: None,
            codec,
            out: Vec::new(),
            kept: VecDeque::new(),
            reason: String::new(),
        };
        client.connect_within(client.options.connect_timeout)?;
        Ok(client)
    }

    /// Returns where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn connect_within(&mut self, timeout: Duration) -> Result<(), Error> {
        self.stream = Some(Stream::connect_timeout(&self.endpoint, timeout)?);
        self.input.clear();
        self.out.clear();
        if let Codec::Frames(core) = &mut self.codec {
            core.connected(Clock::now(), &mut self.out);
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
                let payload = self.input.get(payload).to_vec();
                self.kept.push_back((kind, payload));
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
                kind => self.kept.push_back((kind, self.input.get(range).to_vec())),
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
        let id = match &mut self.codec {
            Codec::Frames(core) => core
                .request(Clock::now(), Request { topic, ..Request::new(payload) }, &mut self.out)
                .map_err(|misuse| misused(&self.endpoint, misuse))?,
            Codec::Raw | Codec::Line => {
                self.put_plain(payload);
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

    /// Sends many messages with few system calls: what `write` puts in goes out together, and all of it before this
    /// returns.
    ///
    /// # Errors
    /// As [`submit`](Client::submit), and what `write` returns.
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

    /// Asks for something that must not be done twice, nor after `timeout` from now; tells how it ended.
    ///
    /// Where the connection is lost it is made again, and the server asked what became of the request. It returns
    /// within the timeout, and at most a second later where the request was sent and its outcome is still open.
    ///
    /// # Errors
    /// [`Cause::Rejected`] where the server refuses the session, [`Cause::Misuse`] without frames. A connection that
    /// is lost is no error but an outcome.
    pub fn call(&mut self, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        self.call_on(0, payload, timeout)
    }

    /// As [`call`](Client::call), with a message type.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub fn call_on(&mut self, topic: u16, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        let now = Clock::now();
        let Codec::Frames(core) = &mut self.codec else {
            return Err(self.misuse("a call needs frames"));
        };
        let request = Request { topic, once: true, deadline: Some(now.saturating_add(timeout)), ..Request::new(payload) };
        let id = core.request(now, request, &mut self.out).map_err(|misuse| misused(&self.endpoint, misuse))?;
        let mut backoff = Backoff::default();
        loop {
            if let Some(outcome) = self.verdict(id) {
                return Ok(outcome);
            }
            if self.stream.is_none() {
                self.reconnect(&mut backoff);
                continue;
            }
            let timeout = self.until_timeout();
            match self.fill(timeout) {
                Ok(()) => {}
                Err(error) if error.is_timeout() => self.tick()?,
                Err(_) => self.disconnect(),
            }
            while let Some((kind, range)) = self.take_next()? {
                match kind {
                    Kind::Reply(answered) if answered == id => return Ok(Outcome::Done(self.input.get(range).to_vec())),
                    Kind::Failed(answered, code) if answered == id => {
                        let reason = std::mem::take(&mut self.reason);
                        return Ok(if code.is_not_done() { Outcome::NotDone(reason) } else { Outcome::Unknown(reason) });
                    }
                    kind => self.kept.push_back((kind, self.input.get(range).to_vec())),
                }
            }
        }
    }

    fn verdict(&mut self, id: u32) -> Option<Outcome> {
        let Codec::Frames(core) = &mut self.codec else { return None };
        while let Some((ended, verdict)) = core.verdict() {
            if ended == id {
                return Some(match verdict {
                    Verdict::NotDone(why) => Outcome::NotDone(why.to_string()),
                    Verdict::Unknown(why) => Outcome::Unknown(why.to_string()),
                });
            }
        }
        None
    }

    /// Waits a little, then tries to connect; whether it came to anything shows in the stream.
    fn reconnect(&mut self, backoff: &mut Backoff) {
        let left = self.until_timeout().unwrap_or(Duration::MAX);
        #[allow(clippy::cast_possible_truncation)] // Any bits will do.
        let pause = backoff.next(crate::hub::entropy() as u64);
        std::thread::sleep(pause.min(left));
        if self.connect_within(left.saturating_sub(pause).max(Duration::from_millis(1))).is_err() {
            self.stream = None;
        }
        let _ = self.tick();
    }

    fn until_timeout(&mut self) -> Option<Duration> {
        let Codec::Frames(core) = &mut self.codec else { return self.options.timeout };
        core.timeout().map(|at| at.saturating_sub(Clock::now()))
    }

    fn tick(&mut self) -> Result<(), Error> {
        if let Codec::Frames(core) = &mut self.codec {
            core.handle_timeout(Clock::now(), &mut self.out).map_err(|fault| {
                Error::new(Operation::Receive, &self.endpoint, Cause::Protocol(Box::new(fault)))
            })?;
        }
        Ok(())
    }

    fn disconnect(&mut self) {
        self.stream = None;
        if let Codec::Frames(core) = &mut self.codec {
            core.disconnected();
        }
    }

    /// Says that nothing more will be sent; what the server still sends can be received. Frames say goodbye first.
    ///
    /// # Errors
    /// What sending can say.
    pub fn finish(&mut self) -> Result<(), Error> {
        if let Codec::Frames(core) = &mut self.codec {
            core.goodbye(&mut self.out);
        }
        self.flush()?;
        let stream = self.stream.as_ref().ok_or_else(|| self.closed(Operation::Send))?;
        stream.shutdown(Shutdown::Write).map_err(|error| Error::new(Operation::Send, &self.endpoint, error))
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
        let (kind, len_bytes) = match &mut self.codec {
            Codec::Raw if rest.is_empty() => return Ok(None),
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
                let event = core.next(Clock::now(), &mut rest, &mut self.out).map_err(|fault| {
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
                    Some(Event::Event { id, head, payload }) => break (Kind::Event(id, head), payload.len()),
                    Some(Event::Message { payload, .. }) => break (Kind::Message, payload.len()),
                    Some(Event::Rejected(reason)) => {
                        let cause = Cause::Rejected { code: reason.code as u8, text: reason.text.into() };
                        return Err(Error::new(Operation::Handshake, &self.endpoint, cause));
                    }
                    Some(Event::Welcome(_) | Event::Goodbye(_)) => {}
                }
            },
        };
        // The payload is the end of what was taken.
        let range = self.input.advance(self.input.unread().len() - rest.len());
        Ok(Some((kind, range.end - len_bytes..range.end)))
    }

    /// Sends what is gathered, then waits until something has arrived.
    #[inline]
    fn fill(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        self.flush()?;
        let Some(stream) = &self.stream else { return Err(self.closed(Operation::Receive)) };
        let room = self.input.room(matches!(self.codec, Codec::Frames(_)), self.options.receive_max_bytes);
        let read = match receive_spinning(stream, room, self.options.spin) {
            Some(read) => read,
            None => receive_within(stream, room, timeout),
        };
        match read {
            Ok(0) => Err(self.closed(Operation::Receive)),
            Ok(len) => {
                self.input.filled(len);
                Ok(())
            }
            Err(Errno::AGAIN) => Err(Error::new(Operation::Receive, &self.endpoint, Cause::Timeout)),
            Err(errno) => Err(Error::new(Operation::Receive, &self.endpoint, errno)),
        }
    }

    fn flush_if_full(&mut self) -> Result<(), Error> {
        if self.out.len() < FLUSH_AT_BYTES { Ok(()) } else { self.flush() }
    }

    /// Sends what is gathered. While the server takes no more, what it sends is received: two ends that only write
    /// would wait for each other for ever.
    #[inline]
    fn flush(&mut self) -> Result<(), Error> {
        let mut sent = 0;
        while sent < self.out.len() {
            let Some(stream) = &self.stream else { return Err(self.closed(Operation::Send)) };
            match send(stream, &self.out[sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(len) => sent += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_for_room()?,
                Err(errno) => return Err(Error::new(Operation::Send, &self.endpoint, errno)),
            }
        }
        self.out.clear();
        Ok(())
    }

    fn wait_for_room(&mut self) -> Result<(), Error> {
        let Some(stream) = &self.stream else { return Err(self.closed(Operation::Send)) };
        if self.input.unread().len() >= options::READ_AHEAD_MAX_BYTES {
            let cause = Cause::Busy("128 MiB of answers wait: receive them first");
            return Err(Error::new(Operation::Send, &self.endpoint, cause));
        }
        let mut fds = [PollFd::new(stream, PollFlags::IN | PollFlags::OUT)];
        let timeout = self.options.timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Err(Error::new(Operation::Send, &self.endpoint, Cause::Timeout)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::new(Operation::Send, &self.endpoint, errno)),
        }
        if fds[0].revents().contains(PollFlags::IN) {
            let room = self.input.more_room();
            if let Ok((len, _)) = recv(stream, room, RecvFlags::DONTWAIT) {
                self.input.filled(len);
            }
        }
        Ok(())
    }

    fn put_plain(&mut self, payload: &[u8]) {
        self.out.extend_from_slice(payload);
        if matches!(self.codec, Codec::Line) {
            self.out.push(b'\n');
        }
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
        match &mut client.codec {
            Codec::Frames(core) => {
                core.message(topic, payload, &mut client.out).map_err(|misuse| misused(&client.endpoint, misuse))?;
            }
            Codec::Raw | Codec::Line => client.put_plain(payload),
        }
        client.flush_if_full()
    }
}

fn received(kind: Kind, payload: &[u8]) -> Received<'_> {
    match kind {
        Kind::Reply(id) => Received::Reply { id, payload },
        Kind::Failed(id, code) => Received::Failed { id, code },
        Kind::Event(id, head) => Received::Event { id, head, payload },
        Kind::Message => Received::Message { payload },
    }
}

fn receive_spinning(stream: &Stream, room: &mut [u8], spin: Duration) -> Option<Result<usize, Errno>> {
    let until = if spin.is_zero() { return None } else { Clock::now() + spin };
    while Clock::now() < until {
        match recv(stream, &mut *room, RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::INTR) => std::hint::spin_loop(),
            result => return Some(result.map(|(len, _)| len)),
        }
    }
    None
}

fn receive_within(stream: &Stream, room: &mut [u8], timeout: Option<Duration>) -> Result<usize, Errno> {
    let deadline = timeout.map(|timeout| Clock::now() + timeout);
    loop {
        if let Some(deadline) = deadline {
            let left = deadline.saturating_sub(Clock::now());
            match poll(&mut [PollFd::new(stream, PollFlags::IN)], Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => return Err(Errno::AGAIN),
                Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(errno),
            }
        }
        match recv(stream, &mut *room, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            result => return result.map(|(len, _)| len),
        }
    }
}

fn misused(endpoint: &Endpoint, misuse: Misuse) -> Error {
    let cause = match misuse {
        Misuse::Oversize { len_bytes, max_bytes } => Cause::Oversize { len_bytes, max_bytes },
        Misuse::InFlight { .. } => Cause::Busy("too many requests unanswered"),
    };
    Error::new(Operation::Send, endpoint, cause)
}
