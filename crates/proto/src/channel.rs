//! Datagrams: a channel carries the frames of a session, one a datagram, in order and each once, over a path that
//! loses, doubles and reorders.
//!
//! A channel takes the place of a connection; the session above it is the same. [`Datagram::read`] says what a datagram
//! is, a [`Channel`] is one end of one channel, [`Announcements`] receives messages to whoever listens.
//!
//! ```
//! use soquete_proto::channel::{Channel, Datagram};
//! use soquete_proto::client::{Client, Options};
//! use std::time::Duration;
//!
//! let now = Duration::ZERO;
//! let mut client = Client::new(Options::new("echo"));
//! let mut said = Vec::new();
//! client.connected(now, &mut said);
//!
//! let mut near = Channel::connect(now, 0x1234);
//! near.put(&mut said);
//! let mut datagram = Vec::new();
//! assert!(near.transmit(now, &mut datagram));
//!
//! let Ok(Datagram::Opening(opening)) = Datagram::read(&datagram) else { panic!() };
//! let mut far = Channel::accept(now, 0x5678, &opening);
//! assert_eq!(far.next().as_deref(), Some(opening.octets)); // for a `Server`, whose answer goes to `far.put`
//! ```

mod announcements;
mod dropped;
mod head;
mod incoming;
mod outgoing;
mod round_trip;

pub use announcements::{Announcements, SENDER_KEPT, SENDERS_MAX};
pub use dropped::Dropped;
pub use head::{Datagram, HEAD_LEN_BYTES, Head, MARK, NUMBER_LEN_BYTES, Packet, put_announcement, put_reset};

use crate::frame;
use crate::opening::OPENING;
use incoming::{Incoming, Place};
use outgoing::Outgoing;
use std::time::Duration;

/// The longest datagram, in octets: the longest that UDP over IPv4 carries.
pub const DATAGRAM_MAX_BYTES: usize = 65_507;

/// The longest frame that a channel carries, in octets with its header: what the options of
/// [`Client`](crate::client::Options::frame_max_bytes) and [`Link`](crate::server::Link::over) are to be told.
pub const FRAME_MAX_BYTES: u32 = 65_479;

/// The most packets sent and not acknowledged; the most that a receiver holds. Reason: what fits into the receive
/// buffer of a socket, where they are short.
pub const WINDOW_MAX: usize = 64;

/// The most octets sent and not acknowledged, or one packet; the most that a receiver holds, and one packet more.
/// Reason: what fits into the receive buffer of a socket, 208 KiB by default, where they are long.
pub const WINDOW_MAX_BYTES: usize = 128 << 10;

/// Octets that may wait while [`Channel::has_room`] says yes. Reason: as the longest application's payload.
pub const WAITING_MAX_BYTES: usize = 1 << 20;

/// Frames that may wait while [`Channel::has_room`] says yes. Reason: an answer to each request in flight, and as many
/// events.
pub const WAITING_MAX: usize = 2_048;

/// How long to wait for an acknowledgement before a round trip was measured. Reason: longer than most paths, shorter
/// than a person notices.
pub const REPEAT_FIRST: Duration = Duration::from_millis(200);

/// How long to wait for an acknowledgement at least. Reason: a process that is busy answers within that.
pub const REPEAT_MIN: Duration = Duration::from_millis(20);

/// How long to wait for an acknowledgement at most. Reason: a path that comes back is noticed within a second.
pub const REPEAT_MAX: Duration = Duration::from_secs(1);

/// How long nothing is heard, while something is unacknowledged, before the other end counts as lost. Reason: a dozen
/// repetitions, and a radio that changes its cell; a session is remembered six times as long.
pub const LOST_AFTER: Duration = Duration::from_secs(10);

/// How often an announcement is sent. Reason: of two that are lost one still arrives.
pub const ANNOUNCED: u32 = 3;

/// One end of a channel.
///
/// The shell gives it what its session says ([`put`](Channel::put)) and what arrives for it
/// ([`receive`](Channel::receive)), hands the session what [`next`](Channel::next) returns, and then sends what
/// [`transmit`](Channel::transmit) says until that is nothing: after each of these, and at
/// [`timeout`](Channel::timeout).
#[derive(Debug)]
pub struct Channel {
    /// How the other end is to address this one.
    number: u64,
    /// How this one is to address the other; 0 while that is not known.
    peer: u64,
    role: Role,
    incoming: Incoming,
    outgoing: Outgoing,
    heard_at: Duration,
    /// How many acknowledgements are due.
    acks: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Channel {
    /// Begins the channel of a client that is to be addressed by `number`: at random, so that only who is on the path
    /// can know it, and not 0.
    pub fn connect(now: Duration, number: u64) -> Self {
        Channel::new(now, number, Role::Client)
    }

    /// Begins the channel of a server that is to be addressed by `number` (as [`connect`](Channel::connect)), with the
    /// packet that opened it, which [`next`](Channel::next) then returns.
    ///
    /// Until the client has answered from its address to that number, nothing is sent but packet 1, and nothing arrives
    /// but the opening: so nobody can act under a forged address.
    pub fn accept(now: Duration, number: u64, opening: &Packet<'_>) -> Self {
        let mut channel = Channel { peer: opening.number, ..Channel::new(now, number, Role::Server) };
        let received = channel.receive(now, opening);
        debug_assert_eq!(received, Ok(()), "the opening opens it");
        channel
    }

    fn new(now: Duration, number: u64, role: Role) -> Self {
        debug_assert_ne!(number, 0, "0 is no number");
        // Who forges the address of somebody else makes us send little there: six datagrams, as TCP does.
        let first_max = if role == Role::Client { REPEAT_MAX } else { LOST_AFTER };
        let (incoming, outgoing) = (Incoming::default(), Outgoing::new(first_max));
        Channel { number, peer: 0, role, incoming, outgoing, heard_at: now, acks: 0 }
    }

    /// Returns the number by which this end is addressed.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number by which the other end is addressed; 0 while a client does not know it.
    pub fn peer(&self) -> u64 {
        self.peer
    }

    /// Takes whole frames off the front of `octets`, to send each in a packet of its own; the opening octets go with
    /// the first of a client. What is no whole frame stays.
    ///
    /// What is urgent goes before what was not sent yet. It takes whatever is there: see
    /// [`has_room`](Channel::has_room).
    pub fn put(&mut self, octets: &mut Vec<u8>) {
        let mut rest = &octets[..];
        loop {
            let is_opening = self.role == Role::Client && self.outgoing.is_fresh();
            let before = if is_opening { OPENING.len() } else { 0 };
            let Some(needed) = rest.get(before..).and_then(frame::needed) else { break };
            let Some((packet, after)) = rest.split_at_checked(before + needed) else { break };
            debug_assert!(needed <= FRAME_MAX_BYTES as usize, "a session that knows how long its frames may be");
            self.outgoing.put(packet);
            rest = after;
        }
        let put = octets.len() - rest.len();
        octets.drain(..put);
    }

    /// Takes a packet that arrived for this channel: one whose [`Head::session`] is [`number`](Channel::number), or at
    /// a server the opening again.
    ///
    /// # Errors
    /// Why it changed nothing, or nothing but what is acknowledged: the shell counts it.
    pub fn receive(&mut self, now: Duration, packet: &Packet<'_>) -> Result<(), Dropped> {
        let Packet { head, number, octets } = *packet;
        let is_opening = self.role == Role::Server && head.session == 0 && head.packet == 1;
        if head.session != self.number && !is_opening {
            return Err(Dropped::Unknown);
        }
        // Whoever has not told its number yet has told nothing else; and it tells one only.
        let is_known = if head.packet == 1 { self.peer == 0 || self.peer == number } else { self.peer != 0 };
        if !is_known {
            return Err(Dropped::Unknown);
        }
        let is_news = self.outgoing.acknowledge(now, head.ack)?;
        if head.packet == 1 {
            self.peer = number;
        }
        if !is_opening {
            self.heard_at = now;
        }
        if head.packet == 0 {
            if !is_news {
                self.outgoing.said_again(head.ack);
            }
            return Ok(());
        }
        let placed = self.incoming.put(head.packet, octets);
        if is_opening && placed == Err(Dropped::Duplicate) {
            self.outgoing.repeat_first();
            return Err(Dropped::Duplicate);
        }
        self.acks = match placed {
            // Said twice more, it says that something is missing.
            Ok(Place::BehindGap) => 2,
            Ok(Place::InOrder) | Err(Dropped::Duplicate | Dropped::Full) => self.acks.max(1),
            Err(_) => self.acks,
        };
        placed.map(|_| ())
    }

    /// Returns the octets of the next packet, in order and each once: for the session, which finds a whole frame there,
    /// behind the opening octets in the first of a client.
    ///
    /// What is not taken is held, up to [`WINDOW_MAX`] packets and [`WINDOW_MAX_BYTES`]; then the other end waits.
    #[expect(clippy::should_implement_trait, reason = "more may come after nothing")]
    pub fn next(&mut self) -> Option<Box<[u8]>> {
        self.incoming.take()
    }

    /// Appends the next datagram that is due, if one is: a packet, new or again, or an acknowledgement alone. To be
    /// called until it says no, with an empty `out` each time.
    pub fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        let ack = self.incoming.received();
        let is_proved = self.outgoing.is_proved();
        let (packet, octets) = match self.outgoing.next(now) {
            Some(next) => next,
            // Before that, packet 1 acknowledges what there is.
            None if self.acks > 0 && is_proved => (0, &[][..]),
            None => return false,
        };
        self.acks = self.acks.saturating_sub(1);
        out.reserve(HEAD_LEN_BYTES + NUMBER_LEN_BYTES + octets.len());
        out.extend_from_slice(&Head { session: self.peer, packet, ack }.encode());
        if packet == 1 {
            out.extend_from_slice(&self.number.to_le_bytes());
        }
        out.extend_from_slice(octets);
        true
    }

    /// Returns when [`transmit`](Channel::transmit) has something to send again, or [`is_lost`](Channel::is_lost) turns
    /// true; nothing where everything is acknowledged.
    pub fn timeout(&self) -> Option<Duration> {
        self.outgoing.timeout(self.heard_at)
    }

    /// Says whether the other end is lost: nothing was heard of it for [`LOST_AFTER`] while something was
    /// unacknowledged. The channel is of no more use then.
    pub fn is_lost(&self, now: Duration) -> bool {
        self.outgoing.lost_at(self.heard_at).is_some_and(|at| now >= at)
    }

    /// Says whether a reset that names `session` is to be believed: only who has got a datagram of ours, or is on the
    /// path, can know that number. The channel is of no more use then.
    pub fn is_reset_by(&self, session: u64) -> bool {
        self.peer != 0 && self.peer == session
    }

    /// Says whether the other end was heard from its address; a client's server always is, once it was heard.
    pub fn is_proved(&self) -> bool {
        self.outgoing.is_proved()
    }

    /// Returns how many octets wait to be sent or acknowledged.
    pub fn waiting_bytes(&self) -> usize {
        self.outgoing.waiting_bytes()
    }

    /// Returns how many octets of urgent frames wait to be sent.
    pub fn urgent_bytes(&self) -> usize {
        self.outgoing.urgent_bytes()
    }

    /// Returns how many octets have arrived and were not taken by [`next`](Channel::next).
    pub fn held_bytes(&self) -> usize {
        self.incoming.held_bytes()
    }

    /// Returns what a channel that has ended in peace may still be asked for: an acknowledgement of all that has arrived,
    /// since the last one may be lost.
    pub fn last_word(&self) -> [u8; HEAD_LEN_BYTES] {
        Head { session: self.peer, packet: 0, ack: self.incoming.received() }.encode()
    }

    /// Says whether everything that was put has arrived.
    pub fn is_settled(&self) -> bool {
        self.outgoing.waiting() == 0
    }

    /// Says whether an end that has said its last words may go: everything has arrived, or all but a GOODBYE that was sent
    /// three times. Who is told it and does not listen any more is not to be waited for.
    pub fn has_taken_leave(&self) -> bool {
        self.outgoing.has_taken_leave()
    }

    /// Says whether everything that was put was sent once.
    pub fn is_sent(&self) -> bool {
        self.outgoing.is_sent()
    }

    /// Says whether more may be put: fewer than [`WAITING_MAX`] frames of fewer than [`WAITING_MAX_BYTES`] wait. A shell
    /// that takes nothing ([`next`](Channel::next)) for a server while there is no room bounds what waits.
    pub fn has_room(&self) -> bool {
        self.outgoing.waiting() < WAITING_MAX && self.waiting_bytes() < WAITING_MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Kind, header};

    const NOW: Duration = Duration::from_secs(100);

    fn transmit(channel: &mut Channel, now: Duration) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        channel.transmit(now, &mut out).then_some(out)
    }

    #[test]
    fn a_server_that_does_not_answer_is_lost_after_its_time() {
        let mut channel = Channel::connect(NOW, 7);
        assert_eq!((channel.timeout(), channel.is_lost(NOW + LOST_AFTER)), (None, false), "nothing was asked");
        channel.put(&mut [&OPENING[..], &header(Kind::Hello, 0).encode()].concat());
        assert!(transmit(&mut channel, NOW).is_some());
        let mut times = 0;
        while let Some(at) = channel.timeout().filter(|at| *at < NOW + LOST_AFTER) {
            assert!(!channel.is_lost(at));
            times += usize::from(transmit(&mut channel, at).is_some());
        }
        assert_eq!((times, channel.is_lost(NOW + LOST_AFTER)), (11, true));
    }

    #[test]
    fn there_is_room_for_so_many_frames_and_so_many_octets() {
        let ping = header(Kind::Ping, 0).encode();
        let mut channel = Channel::connect(NOW, 7);
        channel.put(&mut [&OPENING[..], &ping].concat());
        for _ in 1..WAITING_MAX {
            assert!(channel.has_room());
            channel.put(&mut ping.to_vec());
        }
        assert!(!channel.has_room());

        let mut channel = Channel::connect(NOW, 7);
        channel.put(&mut [&OPENING[..], &ping].concat());
        let long = [&frame::Header { length: 32_768, ..header(Kind::Message, 0) }.encode()[..], &[0; 32_768]].concat();
        while channel.has_room() {
            channel.put(&mut long.clone());
        }
        assert!((WAITING_MAX_BYTES..WAITING_MAX_BYTES + long.len()).contains(&channel.waiting_bytes()));
    }

    #[test]
    fn what_is_no_whole_frame_stays() {
        let ping = header(Kind::Ping, 0).encode();
        let mut channel = Channel::connect(NOW, 7);
        let mut octets = [&OPENING[..], &ping[..5]].concat();
        channel.put(&mut octets);
        assert_eq!((octets.len(), channel.is_settled()), (13, true));
        octets.extend(&ping[5..]);
        octets.extend(&ping[..11]);
        channel.put(&mut octets);
        assert_eq!((&octets[..], channel.waiting_bytes()), (&ping[..11], 20));
    }
}
