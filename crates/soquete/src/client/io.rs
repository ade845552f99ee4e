//! How a client sends and receives.

use super::link::Link;
use super::{Client, Codec, FLUSH_AT_BYTES, options};
use crate::hub::PACKET_MAX_BYTES;
use crate::{Cause, Clock, Error, Operation, Stream, system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, send};
use std::time::Duration;

impl Client {
    /// Sends what is gathered, then waits until something has arrived.
    #[inline]
    pub(super) fn fill(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        if let Some(Link::Carrier(_)) = self.link {
            return self.fill_carried(timeout);
        }
        self.flush_within(timeout)?;
        let stream = match &self.link {
            Some(Link::Stream(stream)) => stream,
            Some(_) => return self.fill_datagram(timeout),
            None => return Err(self.closed(Operation::Receive)),
        };
        let room = match (stream.keeps_packets(), self.is_frames()) {
            (false, is_frames) => self.input.room(is_frames, self.options.receive_max_bytes),
            (true, true) => self.input.message_room(usize::MAX),
            (true, false) => self.input.message_room(self.options.receive_max_bytes),
        };
        let read = match receive_spinning(stream, room, self.options.spin) {
            Some(read) => read,
            None => receive_within(stream, room, timeout),
        };
        match read {
            Ok(0) => Err(self.closed(Operation::Receive)),
            Ok(len) => {
                self.input.filled(len);
                if self.is_timed() {
                    self.heard_at = Clock::now();
                }
                Ok(())
            }
            Err(Errno::AGAIN) => Err(Error::new(Operation::Receive, &self.endpoint, Cause::Timeout)),
            Err(errno) => Err(Error::new(Operation::Receive, &self.endpoint, errno)),
        }
    }

    /// Says whether anybody asks when something arrived: a deadline or a watch does, plain requests do not.
    #[inline]
    fn is_timed(&self) -> bool {
        matches!(&self.codec, Codec::Frames(core) if core.is_timed())
    }

    #[inline]
    pub(super) fn flush_if_full(&mut self) -> Result<(), Error> {
        if self.out.len() < FLUSH_AT_BYTES { Ok(()) } else { self.flush() }
    }

    /// Sends what is gathered. While the server takes no more, what it sends is received: two ends that only write
    /// would wait for each other for ever.
    #[inline(never)]
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.flush_within(self.options.timeout)
    }

    #[inline]
    fn flush_within(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        match self.link {
            Some(Link::Carrier(_)) => return self.flush_carried(timeout),
            Some(Link::Datagram(_)) if self.out.is_empty() => return Ok(()),
            Some(Link::Datagram(_)) => return self.flush_datagram(),
            _ => {}
        }
        let mut sent = 0;
        let result = self.send_from(&mut sent, timeout);
        // What was sent must not be sent again, whatever became of the rest.
        self.front.sent(&self.out, sent);
        self.out.drain(..sent);
        result
    }

    #[inline]
    fn send_from(&mut self, sent: &mut usize, timeout: Option<Duration>) -> Result<(), Error> {
        while *sent < self.out.len() {
            let Some(Link::Stream(stream)) = &self.link else { return Err(self.closed(Operation::Send)) };
            let piece = if stream.keeps_packets() && self.is_frames() { PACKET_MAX_BYTES } else { usize::MAX };
            let piece = &self.out[*sent..self.out.len().min(sent.saturating_add(piece))];
            match send(stream, piece, system::NO_SIGNAL | system::SEND_NOW) {
                Ok(len) => *sent += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_for_room(timeout)?,
                Err(errno) => return Err(Error::new(Operation::Send, &self.endpoint, errno)),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        let Some(Link::Stream(stream)) = &self.link else { return Err(self.closed(Operation::Send)) };
        if self.input.unread().len() >= options::READ_AHEAD_MAX_BYTES {
            let cause = Cause::Busy("128 MiB of answers wait: receive them first");
            return Err(Error::new(Operation::Send, &self.endpoint, cause));
        }
        let mut fds = [PollFd::new(stream, PollFlags::IN | PollFlags::OUT)];
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Err(Error::new(Operation::Send, &self.endpoint, Cause::Timeout)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::new(Operation::Send, &self.endpoint, errno)),
        }
        if fds[0].revents().contains(PollFlags::IN) {
            let keeps_packets = stream.keeps_packets();
            let room = if keeps_packets { self.input.message_room(usize::MAX) } else { self.input.more_room() };
            if let Ok(len) = receive(stream, room, system::RECEIVE_NOW) {
                self.input.filled(len);
                self.heard_at = Clock::now();
            }
        }
        Ok(())
    }
}

/// Receives once; a packet that is longer than the room is an error.
#[inline]
fn receive(stream: &Stream, room: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
    stream.cut().receive(stream, room, flags).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

fn receive_spinning(stream: &Stream, room: &mut [u8], spin: Duration) -> Option<Result<usize, Errno>> {
    let until = if spin.is_zero() { return None } else { Clock::now() + spin };
    while Clock::now() < until {
        match receive(stream, room, system::RECEIVE_NOW) {
            Err(Errno::AGAIN | Errno::INTR) => std::hint::spin_loop(),
            result => return Some(result),
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
        match receive(stream, room, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            // There a client's stream does not block; where there is a deadline, the wait is above.
            #[cfg(windows)]
            Err(Errno::AGAIN) if deadline.is_none() => {
                poll(&mut [PollFd::new(stream, PollFlags::IN)], None)?;
            }
            #[cfg(windows)]
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
}
