//! One at the other end: what is to be sent to it, and how far it has come.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::PollFlags;
use soquete::{Address, Clock, Error, Operation};

use super::output::{Voice, note};
use super::socket::Socket;
use crate::output::Exit;

/// Octets that may wait for a peer before no more is read for it: 256 KiB.
const QUEUE_MAX_BYTES: usize = 256 << 10;

/// How soon a datagram is tried again for which the receiver had no room, where the kernel does not tell when it has: of a
/// Unix socket that is not connected.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(10);

/// How often it is said of one socket that a datagram was not heard or did not arrive: 10 times, since anybody can send any
/// number of them.
const NOTES_MAX: u32 = 10;

/// What is to be sent, as often as told.
#[derive(Debug)]
struct Packet {
    octets: Rc<[u8]>,
    times: usize,
    to: Option<Address>,
}

/// How far our side of a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    /// It ends once everything is sent.
    Ending,
    Ended,
}

/// Whom datagrams are from and go to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Partner {
    /// Whoever the socket is connected to, or aimed at.
    Fixed,
    /// Everybody; each gets its own answers.
    Anybody,
    /// The first to send something.
    FirstToCome,
    /// It has come.
    Come(Address),
}

/// One at the other end.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) socket: Socket,
    pub(super) voice: Voice,
    pub(super) name: String,
    pub(super) partner: Partner,
    queue: VecDeque<Packet>,
    queued_bytes: usize,
    /// Octets of the first packet that were sent.
    sent: usize,
    side: Side,
    /// To be sent once nothing waits.
    urgent: Option<u8>,
    /// Why nothing more can be sent or received.
    pub(super) lost: Option<Error>,
    /// Whether a Unix receiver had no room.
    is_refused: bool,
    /// To whom the datagram went that was dropped last.
    pub(super) dropped_to: Option<Address>,
    /// Whether what comes first is still to be looked at.
    pub(super) is_to_peek: bool,
    /// Whether its own side has ended.
    pub(super) has_ended: bool,
    /// Whether it has said anything.
    pub(super) has_spoken: bool,
    /// Whether anything was sent to it.
    pub(super) is_told: bool,
    /// Whether a line of it was not ended yet.
    pub(super) is_midline: bool,
    /// How often more is to be said about datagrams that were lost.
    notes_left: u32,
    /// When something moved last.
    pub(super) moved_at: Duration,
}

impl Peer {
    /// Makes a peer behind a socket that does not block.
    pub(super) fn new(socket: Socket, name: String, partner: Partner) -> Self {
        Self {
            socket,
            voice: Voice::new(name.clone()),
            name,
            partner,
            queue: VecDeque::new(),
            queued_bytes: 0,
            sent: 0,
            side: Side::Open,
            urgent: None,
            lost: None,
            is_refused: false,
            dropped_to: None,
            is_to_peek: false,
            has_ended: false,
            has_spoken: false,
            is_told: false,
            is_midline: false,
            notes_left: NOTES_MAX,
            moved_at: Clock::now(),
        }
    }

    /// Says that a datagram was lost, unless that was said often enough.
    pub(super) fn note(&mut self, text: impl fmt::Display) {
        if self.notes_left > 0 {
            self.notes_left -= 1;
            note(text);
        }
    }

    /// Has something sent, `times` times.
    pub(super) fn put(&mut self, octets: Rc<[u8]>, times: usize, to: Option<Address>) {
        if times > 0 {
            self.queued_bytes = self.queued_bytes.saturating_add(octets.len().saturating_mul(times));
            self.queue.push_back(Packet { octets, times, to });
        }
    }

    /// Has an octet sent as urgent data, once nothing else waits.
    pub(super) fn put_urgent(&mut self, octet: Option<u8>) {
        self.urgent = octet;
    }

    /// Has our side ended, once nothing waits.
    pub(super) fn finish(&mut self) {
        if self.side == Side::Open {
            self.side = Side::Ending;
        }
    }

    /// Says whether our side has ended, as far as this kind of socket knows ends.
    pub(super) fn is_finished(&self) -> bool {
        self.side == Side::Ended
    }

    /// Says whether an octet has come from there or gone there.
    pub(super) fn has_talked(&self) -> bool {
        self.has_spoken || self.is_told
    }

    /// Says whether something waits to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty() || self.urgent.is_some() || self.side == Side::Ending
    }

    /// Says whether more may be put.
    pub(super) fn has_room(&self) -> bool {
        self.side == Side::Open && self.queued_bytes < QUEUE_MAX_BYTES && self.partner != Partner::FirstToCome
    }

    /// Says what is waited for on its socket.
    pub(super) fn interest(&self, may_receive: bool) -> PollFlags {
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, may_receive && !self.has_ended && self.queued_bytes < QUEUE_MAX_BYTES);
        interest.set(PollFlags::PRI, matches!(self.socket, Socket::Stream(_)) && interest.contains(PollFlags::IN));
        interest.set(PollFlags::OUT, self.is_waiting() && !self.is_refused);
        interest
    }

    /// Says when it is to be tried again without being ready.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.is_refused.then_some(RETRY_AFTER)
    }

    /// Sends what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// Those of the socket; the packet that met it is dropped.
    pub(super) fn send(&mut self) -> io::Result<()> {
        self.is_refused = false;
        while let Some(packet) = self.queue.front_mut() {
            let sent = match self.socket.send(&packet.octets[self.sent..], packet.to.as_ref()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_refused = packet.to.is_some();
                    return Ok(());
                }
                Err(error) => {
                    self.drop_packet();
                    return Err(error);
                }
                Ok(len) => len,
            };
            self.is_told = true;
            self.moved_at = Clock::now();
            self.sent += sent;
            self.queued_bytes = self.queued_bytes.saturating_sub(sent);
            if self.sent == packet.octets.len() {
                self.sent = 0;
                packet.times -= 1;
                if packet.times == 0 {
                    self.queue.pop_front();
                }
            }
        }
        self.send_end()
    }

    /// Notes that it is lost. What it had said before it turned us away can still be received.
    pub(super) fn lose(&mut self, operation: Operation, error: io::Error) {
        self.queue.clear();
        (self.queued_bytes, self.sent, self.urgent, self.side) = (0, 0, None, Side::Ended);
        self.has_ended |= operation == Operation::Receive || matches!(self.socket, Socket::Datagram(_));
        self.lost.get_or_insert(Error::new(operation, &self.name, error));
    }

    /// Says how the program ends where this peer is lost: after something was sent nobody knows what became of it.
    pub(super) fn exit(&self) -> Exit {
        if self.is_told && matches!(self.socket, Socket::Stream(_)) { Exit::Unknown } else { Exit::NotDone }
    }

    fn drop_packet(&mut self) {
        if let Some(packet) = self.queue.pop_front() {
            let left = packet.octets.len().saturating_mul(packet.times).saturating_sub(self.sent);
            self.queued_bytes = self.queued_bytes.saturating_sub(left);
            self.sent = 0;
            self.dropped_to = packet.to;
        }
    }

    /// Sends what comes behind everything else.
    fn send_end(&mut self) -> io::Result<()> {
        if let Some(octet) = self.urgent {
            match self.socket.send_urgent(octet) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                sent => sent?,
            }
            (self.urgent, self.is_told) = (None, true);
        }
        if self.side == Side::Ending {
            self.socket.finish();
            self.side = Side::Ended;
            self.moved_at = Clock::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use soquete::Stream;

    use super::*;

    #[test]
    fn what_waits_is_sent_in_order_and_then_our_side_ends() {
        let (one, mut other) = Stream::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        let mut peer = Peer::new(Socket::Stream(one), "me".into(), Partner::Fixed);
        peer.put(b"once "[..].into(), 1, None);
        peer.put(b"twice "[..].into(), 2, None);
        peer.put(b"never"[..].into(), 0, None);
        peer.finish();
        assert!(peer.is_waiting() && !peer.is_finished());
        peer.send().unwrap();
        assert!(peer.is_finished() && !peer.is_waiting() && peer.queued_bytes == 0);
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "once twice twice ");
    }

    #[test]
    fn one_who_takes_nothing_is_given_no_more_than_the_bound() {
        let (one, mut other) = Stream::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        let mut peer = Peer::new(Socket::Stream(one), "me".into(), Partner::Fixed);
        let piece: Rc<[u8]> = vec![7; 64 << 10].into();
        let mut len = 0;
        while peer.has_room() {
            peer.put(piece.clone(), 1, None);
            len += piece.len();
            peer.send().unwrap();
        }
        assert!(peer.queued_bytes <= QUEUE_MAX_BYTES + piece.len());
        let mut room = vec![0; 64 << 10];
        while len > 0 {
            len -= other.read(&mut room).unwrap();
            peer.send().unwrap();
        }
        assert!(peer.has_room() && peer.queued_bytes == 0);
    }
}
