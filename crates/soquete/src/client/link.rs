//! What a client talks over.

use super::{Client, Codec};
use crate::datagram::{Carrier, call_bytes};
use crate::resolve::resolve_within;
use crate::{Clock, Datagram, DatagramOptions, Endpoint, Error, Host, Operation, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

/// How long [`Client::finish`] waits for the server to say that all has arrived, where the client has no timeout.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) enum Link {
    Stream(Stream),
    /// Each datagram is a message.
    Datagram(Box<Datagram>),
    /// A session over datagrams.
    Carrier(Box<Carrier>),
}

impl Link {
    /// Connects, or aims where there is nothing to connect to.
    pub(super) fn connect(endpoint: &Endpoint, is_frames: bool, timeout: Duration) -> Result<Self, Error> {
        if !endpoint.is_datagram() {
            return Stream::connect_timeout(endpoint, timeout).map(Self::Stream);
        }
        let found = match endpoint.host() {
            Some((host @ Host::Name(_), port)) => Some(endpoint.at(resolve_within(host, port, timeout)?[0])),
            _ => None,
        };
        let endpoint = found.as_ref().unwrap_or(endpoint);
        if is_frames {
            return Ok(Self::Carrier(Box::new(Carrier::connect(endpoint, Clock::now())?)));
        }
        Datagram::connect(endpoint, &DatagramOptions::default()).map(|socket| Self::Datagram(Box::new(socket)))
    }

    /// Bounds how long a send waits for room that is not waited for elsewhere: for a datagram, in the queue of a Unix socket.
    pub(super) fn bound_send(&self, timeout: Option<Duration>) -> io::Result<()> {
        let Self::Datagram(socket) = self else { return Ok(()) };
        // The kernel takes no timeout of zero.
        socket.set_send_timeout(timeout.map(|timeout| timeout.max(Duration::from_micros(1))))
    }

    /// Says whether each send is a message apart from the others.
    pub(super) fn keeps_messages(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.keeps_packets(),
            Self::Datagram(_) => true,
            Self::Carrier(_) => false,
        }
    }

    /// Ends the sending side; of datagrams only this end hears.
    pub(super) fn finish(&self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.shutdown(Shutdown::Write),
            Self::Datagram(socket) => socket.shutdown(Shutdown::Write),
            Self::Carrier(_) => Ok(()),
        }
    }
}

impl Client {
    /// Adds a datagram to those of its length, as many as one system call sends.
    #[inline]
    pub(super) fn gather(&mut self, payload: &[u8]) -> Result<(), Error> {
        let len_bytes = payload.len() + usize::from(matches!(self.codec, Codec::Line));
        if len_bytes != self.segment_len_bytes {
            self.flush()?;
            (self.segment_len_bytes, self.segments_max_bytes) = (len_bytes, call_bytes(len_bytes));
        } else if self.out.len() + len_bytes > self.segments_max_bytes {
            self.flush()?;
        }
        self.put_message(payload);
        Ok(())
    }

    /// Sends the datagrams that are gathered; after an error those that were not sent are lost.
    pub(super) fn flush_datagram(&mut self) -> Result<(), Error> {
        let Some(Link::Datagram(socket)) = &self.link else { return Ok(()) };
        let (mut rest, len_bytes) = (&self.out[..], self.segment_len_bytes);
        let mut sent = Ok(());
        while !rest.is_empty() && sent.is_ok() {
            sent = socket.send_segments(rest, len_bytes).map(|len| rest = &rest[len..]);
        }
        self.out.clear();
        sent.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::MSGSIZE) => too_long(Operation::Send, &self.endpoint, len_bytes),
            _ => Error::new(Operation::Send, &self.endpoint, error),
        })
    }

    /// Waits for a datagram.
    pub(super) fn fill_datagram(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        let Some(Link::Datagram(socket)) = &self.link else { return Ok(()) };
        let failed = |error: io::Error| Error::new(Operation::Receive, &self.endpoint, error);
        let deadline = timeout.map(|timeout| Clock::now() + timeout);
        wait(&**socket, PollFlags::empty(), deadline, None).map_err(|errno| failed(errno.into()))?;
        let len = socket.receive(self.input.message_room(self.options.receive_max_bytes)).map_err(failed)?;
        self.input.filled(len);
        Ok(())
    }

    /// Gives the carrier what is gathered, and waits until all of it was sent once.
    pub(super) fn flush_carried(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        self.carry(timeout, Operation::Send, |carrier, _| carrier.is_sent())
    }

    /// Waits until something has arrived.
    pub(super) fn fill_carried(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        self.carry(timeout, Operation::Receive, |_, arrived| arrived > 0)
    }

    /// Waits until everything has arrived at the server, as far as there is something to wait for.
    pub(super) fn settle_carried(&mut self) -> Result<(), Error> {
        let timeout = self.options.timeout.unwrap_or(FINISH_TIMEOUT);
        self.carry(Some(timeout), Operation::Send, |carrier, _| carrier.is_settled())
    }

    /// Sends and receives over the carrier until `is_done`, which is told how many octets have arrived.
    fn carry(
        &mut self,
        timeout: Option<Duration>,
        operation: Operation,
        is_done: impl Fn(&Carrier, usize) -> bool,
    ) -> Result<(), Error> {
        let Some(Link::Carrier(carrier)) = &mut self.link else { return Ok(()) };
        let failed = |error: io::Error| Error::new(operation, &self.endpoint, error);
        let deadline = timeout.map(|timeout| Clock::now() + timeout);
        let mut arrived = Vec::new();
        self.front.sent(&self.out, self.out.len());
        loop {
            carrier.send(Clock::now(), &mut self.out).map_err(failed)?;
            if is_done(carrier, arrived.len()) {
                break;
            }
            let room = if carrier.is_full() { PollFlags::OUT } else { PollFlags::empty() };
            wait(&**carrier, room, deadline, carrier.timeout()).map_err(|errno| failed(errno.into()))?;
            let received = carrier.receive(Clock::now(), &mut arrived);
            // Whatever becomes of the rest, what has arrived must not be lost.
            self.input.append(&mut arrived, received.as_ref().copied().unwrap_or(0));
            self.heard_at = Clock::now();
            if received.map_err(failed)? > 0 && is_done(carrier, 1) {
                // What arrived is acknowledged now rather than with the next request.
                carrier.send(Clock::now(), &mut self.out).map_err(failed)?;
                break;
            }
        }
        Ok(())
    }

    pub(super) fn is_frames(&self) -> bool {
        matches!(self.codec, Codec::Frames(_))
    }
}

/// Makes the error of a message that is longer than its carrier takes.
pub(super) fn too_long(operation: Operation, endpoint: &Endpoint, len_bytes: usize) -> Error {
    Error::new(operation, endpoint, crate::Cause::Oversize { len_bytes, max_bytes: crate::DATAGRAM_MAX_BYTES })
}

/// Waits for something to read, or `room`, until `deadline`, which is EAGAIN; comes back at `due` as well.
fn wait(socket: &impl AsFd, room: PollFlags, deadline: Option<Duration>, due: Option<Duration>) -> Result<(), Errno> {
    loop {
        let now = Clock::now();
        let until = deadline.into_iter().chain(due).min();
        let left = until.map(|until| until.saturating_sub(now));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(socket, PollFlags::IN | room)], timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(0) if deadline.is_some_and(|deadline| Clock::now() >= deadline) => return Err(Errno::AGAIN),
            Ok(0) if due.is_some_and(|due| Clock::now() >= due) => return Ok(()),
            Ok(0) => {}
            Ok(_) => return Ok(()),
        }
    }
}
