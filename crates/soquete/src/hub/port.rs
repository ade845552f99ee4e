//! Ports of datagrams: one socket for everybody, who are told apart by their addresses and the numbers of their sessions.

mod crowd;
mod joined;
mod past;

use super::connection::{Turn, Visit, Wire};
use super::handler::{Exchange, Fate, Tongue, Way};
use super::{ConnectionId, Ending, Framing, Handler, Hub, Slot};
use crate::datagram::Via;
use crate::{Address, Arrival, Clock, Datagram, Languages};
use past::Past;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use soquete_proto::channel::{self, Announcements, Channel, Dropped, Head, Packet, put_reset};
use soquete_proto::frame::Frame;
use soquete_proto::opening::Language;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Datagrams received in one turn at the most: a sender without end must not keep the others waiting.
const DATAGRAMS_MAX: usize = 64;

/// Resets sent in a second at the most. Reason: who sends nonsense is not to be answered as often.
const RESETS_MAX: u32 = 100;

/// One socket of datagrams.
pub(super) struct Port {
    socket: Arc<Datagram>,
    service: usize,
    /// By the number that this end goes by.
    sessions: HashMap<u64, usize>,
    /// By who opened it and the number it goes by, since an opening comes again where its answer was lost.
    openings: HashMap<(Address, u64), usize>,
    /// The numbers of sessions in the order in which they were opened; those that were not proved are all among them.
    newcomers: Vec<u64>,
    /// Senders of datagrams that are messages of their own.
    senders: HashMap<Address, usize>,
    past: Past,
    announcements: Announcements<Address>,
    /// In which second how many resets were sent.
    resets: (Duration, u32),
    /// Takes no newcomers any more.
    pub(super) is_closed: bool,
}

/// A datagram that has come to a port, beside its octets.
struct Parcel {
    port: usize,
    arrival: Arrival,
    via: Option<Via>,
    now: Duration,
}

impl Port {
    pub(super) fn new(socket: Datagram, service: usize) -> Self {
        Port {
            socket: Arc::new(socket),
            service,
            sessions: HashMap::new(),
            openings: HashMap::new(),
            newcomers: Vec::new(),
            senders: HashMap::new(),
            past: Past::default(),
            announcements: Announcements::default(),
            resets: (Duration::ZERO, 0),
            is_closed: false,
        }
    }

    /// Takes note that a visit is over.
    pub(super) fn forget(&mut self, now: Duration, visit: &Visit, ending: &Ending) {
        let Some(channel) = &visit.channel else {
            self.senders.remove(&visit.from);
            return;
        };
        self.sessions.remove(&channel.number());
        let opening = (visit.from.clone(), channel.peer());
        self.openings.remove(&opening);
        // Who was not heard may open it again: the answer was lost.
        if channel.is_proved() {
            let word = (*ending == Ending::Closed).then(|| channel.last_word());
            self.past.note(now, channel.number(), opening, word);
        }
    }

    /// Answers a packet of a session that is not its sender's, or not any more: what ended in peace has arrived; who is
    /// wrong is told so, if not too many were told in this second. An acknowledgement needs no answer.
    fn answer_stranger(&mut self, parcel: &Parcel, head: Head) {
        let Parcel { now, via, arrival: Arrival { from, .. }, .. } = parcel;
        if head.packet == 0 {
            return;
        }
        // It is as good as lost where there is no room for it.
        if let Some(word) = self.past.word(head.session, from) {
            return drop(self.socket.send_via(word, from, *via));
        }
        if now.saturating_sub(self.resets.0) >= Duration::from_secs(1) {
            self.resets = (*now, 0);
        }
        if self.resets.1 < RESETS_MAX {
            self.resets.1 += 1;
            let mut reset = Vec::new();
            put_reset(&mut reset, head.session);
            let _ = self.socket.send_via(&reset, from, *via);
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What a datagram is, to a port.
enum Mail<'a> {
    /// A message of its own.
    Single,
    Packet(channel::Datagram<'a>),
    Dropped(Dropped),
}

impl Hub {
    /// Receives what has come to a port, up to so many datagrams.
    pub(super) fn receive<H: Handler>(&mut self, port: usize, handler: &mut H) {
        let Some(Slot::Port(place)) = self.slots.get(port) else { return };
        let socket = place.socket.clone();
        let mut scratch = std::mem::take(&mut self.shared.scratch);
        if socket.joins_segments() {
            self.receive_joined(port, &socket, &mut scratch, handler);
            self.shared.scratch = scratch;
            return;
        }
        for _ in 0..DATAGRAMS_MAX {
            match socket.receive_via(&mut scratch) {
                Ok((arrival, via)) => {
                    let now = Clock::now();
                    self.seen_at = now;
                    self.arrive(&Parcel { port, arrival, via, now }, &mut scratch, handler);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => self.counts.dropped += 1,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => self.counts.dropped += 1,
                // It is about a datagram that was sent, to somebody who has gone.
                Err(_) => {}
            }
        }
        self.shared.scratch = scratch;
    }

    fn arrive<H: Handler>(&mut self, parcel: &Parcel, scratch: &mut [u8], handler: &mut H) {
        let Some(Slot::Port(port)) = self.slots.get(parcel.port) else { return };
        let framing = self.shared.services[port.service].framing;
        let result = match sort(framing, &scratch[..parcel.arrival.len_bytes]) {
            Mail::Single => self.take_single(parcel, scratch, handler),
            Mail::Packet(datagram) => self.take_packet(parcel, &datagram, handler),
            Mail::Dropped(why) => Err(why),
        };
        if result.is_err() {
            self.counts.dropped += 1;
        }
    }

    /// Takes a datagram that is a message of its own.
    fn take_single<H: Handler>(&mut self, parcel: &Parcel, scratch: &mut [u8], handler: &mut H) -> Result<(), Dropped> {
        let key = self.sender(parcel, handler)?;
        let mut result = Ok(());
        self.with(key, parcel.now, handler, |connection, lent, handler, interest| {
            connection.wire.go_by(parcel.via);
            let len = connection.end_line(scratch, 0, parcel.arrival.len_bytes);
            if connection.has_room_ahead(len) {
                return connection.message_turn(&scratch[..len], lent, handler);
            }
            result = Err(Dropped::Full);
            interest.turn()
        });
        result
    }

    /// Finds the visit of a sender of single datagrams; a newcomer is noted.
    fn sender<H: Handler>(&mut self, parcel: &Parcel, handler: &mut H) -> Result<usize, Dropped> {
        let from = &parcel.arrival.from;
        if let Some(key) = self.port(parcel.port)?.senders.get(from) {
            return Ok(*key);
        }
        self.room_for_sender(parcel.port, handler)?;
        let key = self.visit(parcel, None, handler)?;
        self.admit_sender(key, handler)?;
        self.port(parcel.port)?.senders.insert(from.clone(), key);
        Ok(key)
    }

    /// Takes a datagram of the protocol.
    fn take_packet<H: Handler>(
        &mut self,
        parcel: &Parcel,
        datagram: &channel::Datagram<'_>,
        handler: &mut H,
    ) -> Result<(), Dropped> {
        use channel::Datagram;
        let from = &parcel.arrival.from;
        let port = self.port(parcel.port)?;
        match datagram {
            Datagram::Opening(packet) => {
                let opening = (from.clone(), packet.number);
                match port.openings.get(&opening).copied() {
                    Some(key) => self.go_on(key, packet, handler),
                    None if port.past.has(parcel.now, &opening) => Err(Dropped::Duplicate),
                    // Who has no name can never prove it.
                    None if from.is_nowhere() => Err(Dropped::Unknown),
                    None => self.open(parcel, packet, handler),
                }
            }
            Datagram::Of(packet) => {
                let key = port.sessions.get(&packet.head.session).copied();
                match key.filter(|key| self.is_of(*key, from)) {
                    Some(key) => self.go_on(key, packet, handler),
                    None => {
                        self.port(parcel.port)?.answer_stranger(parcel, packet.head);
                        Err(Dropped::Unknown)
                    }
                }
            }
            Datagram::Announcement { number, packet, frame } => {
                port.announcements.admit(parcel.now, from, *number, *packet)?;
                self.announced(parcel, frame, handler)
            }
            // Nobody here is a client.
            Datagram::Reset { .. } => Err(Dropped::Unknown),
        }
    }

    /// Says whether a session is of the client at that address.
    fn is_of(&self, key: usize, from: &Address) -> bool {
        matches!(self.slots.get(key), Some(Slot::Connection { connection, .. })
            if connection.wire.visit().is_some_and(|visit| visit.from == *from))
    }

    /// Opens a session over datagrams.
    fn open<H: Handler>(&mut self, parcel: &Parcel, opening: &Packet<'_>, handler: &mut H) -> Result<(), Dropped> {
        self.room_for_newcomer(parcel.port, handler)?;
        let number = crate::entropy::random_u64().max(1);
        let channel = Channel::accept(parcel.now, number, opening);
        let key = self.visit(parcel, Some(channel), handler)?;
        let port = self.port(parcel.port)?;
        port.sessions.insert(number, key);
        port.openings.insert((parcel.arrival.from.clone(), opening.number), key);
        port.newcomers.push(number);
        // The opening is in the channel already; that it comes again only has it answered again.
        self.with(key, parcel.now, handler, |connection, lent, handler, _| {
            connection.wire.go_by(parcel.via);
            connection.arrived_turn(Turn::Idle, lent, handler)
        });
        Ok(())
    }

    /// Gives a session a packet of its own.
    fn go_on<H: Handler>(&mut self, key: usize, packet: &Packet<'_>, handler: &mut H) -> Result<(), Dropped> {
        let mut result = Ok(());
        self.with(key, self.seen_at, handler, |connection, lent, handler, interest| {
            result = connection.receive_packet(packet, lent);
            connection.arrived_turn(interest.turn(), lent, handler)
        });
        result
    }

    /// Hands over a message to whoever listens: where text is spoken as a command that is answered in a datagram, else as
    /// a message that wants no answer.
    fn announced<H: Handler>(&mut self, parcel: &Parcel, frame: &Frame<'_>, handler: &mut H) -> Result<(), Dropped> {
        let Port { service, is_closed, .. } = *self.port(parcel.port)?;
        let (peer, topic, payload) = (&parcel.arrival.peer, frame.header.topic, frame.payload);
        if is_closed {
            return Err(Dropped::Crowded);
        }
        if let Framing::Detect(Languages { text: true, .. }) = self.shared.services[service].framing {
            // Frames would begin a session whose client has proved nothing.
            if payload.first().and_then(|first| Language::of(*first)) != Some(Language::Text) {
                return Err(Dropped::Malformed);
            }
            let mut command = [payload, b"\n"].concat();
            let arrival = Arrival { len_bytes: payload.len(), ..parcel.arrival.clone() };
            return self.take_single(&Parcel { arrival, ..*parcel }, &mut command, handler);
        }
        if handler.admit(service, peer).is_err() {
            return Err(Dropped::Unknown);
        }
        let mut fate = Fate::default();
        handler.receive(Exchange {
            payload,
            topic,
            deadline: None,
            hops: 0,
            age: None,
            tongue: Tongue::Frames,
            peer,
            name: "",
            service,
            connection: ConnectionId::NONE,
            way: Way::None { is_urgent: false },
            mailbox: &self.shared.mailbox,
            fate: &mut fate,
        });
        Ok(())
    }

    /// Notes a newcomer at a port.
    fn visit<H: Handler>(
        &mut self,
        parcel: &Parcel,
        channel: Option<Channel>,
        handler: &mut H,
    ) -> Result<usize, Dropped> {
        let Port { socket, service, is_closed, .. } = self.port(parcel.port)?;
        let (socket, service) = (socket.clone(), *service);
        if *is_closed {
            return Err(Dropped::Crowded);
        }
        let visit = Visit::new(socket, parcel.port, parcel.arrival.from.clone(), channel);
        let wire = Wire::Visit(Box::new(visit));
        self.insert(service, wire, parcel.arrival.peer, parcel.now, handler).ok_or(Dropped::Crowded)
    }

    fn port(&mut self, key: usize) -> Result<&mut Port, Dropped> {
        match self.slots.get_mut(key) {
            Some(Slot::Port(port)) => Ok(port),
            _ => Err(Dropped::Unknown),
        }
    }

    /// Does what is due at this time for sessions over datagrams: sends again what was not acknowledged.
    pub(super) fn repeat<H: Handler>(&mut self, now: Duration, handler: &mut H) {
        while let Some(&(at, key)) = self.due.first()
            && at <= now
        {
            self.due.remove(&(at, key));
            if let Some(Slot::Connection { connection, .. }) = self.slots.get_mut(key)
                && let Wire::Visit(visit) = &mut connection.wire
            {
                visit.due = None;
            }
            self.with(key, now, handler, |connection, lent, _, interest| connection.due_turn(interest.turn(), lent));
        }
    }

    /// Notes when something is due for a session over datagrams.
    pub(super) fn note_due(&mut self, key: usize) {
        let Some(Slot::Connection { connection, .. }) = self.slots.get_mut(key) else { return };
        let Wire::Visit(visit) = &mut connection.wire else { return };
        let due = visit.timeout();
        if due == visit.due {
            return;
        }
        if let Some(before) = visit.due {
            self.due.remove(&(before, key));
        }
        if let Some(due) = due {
            self.due.insert((due, key));
        }
        visit.due = due;
    }
}

/// Says what a datagram is by its first octet, at a port that speaks `framing`.
fn sort(framing: Framing, octets: &[u8]) -> Mail<'_> {
    let (text, frames) = match framing {
        Framing::Raw(bounds) if octets.len() > bounds.receive_max_bytes => return Mail::Dropped(Dropped::TooLong),
        Framing::Line(bounds) if has_longer(octets, bounds.receive_max_bytes) => {
            return Mail::Dropped(Dropped::TooLong);
        }
        Framing::Raw(_) | Framing::Line(_) => return Mail::Single,
        Framing::Frames => (false, true),
        Framing::Detect(languages) => (languages.text, languages.frames),
    };
    match octets.first().map(|first| Language::of(*first)) {
        Some(Some(Language::Text)) if text => Mail::Single,
        Some(Some(Language::Frames)) if frames => match channel::Datagram::read(octets) {
            Ok(datagram) => Mail::Packet(datagram),
            Err(why) => Mail::Dropped(why),
        },
        _ => Mail::Dropped(Dropped::Strange),
    }
}

/// Says whether a datagram has a line that is too long.
fn has_longer(octets: &[u8], max_bytes: usize) -> bool {
    octets.len() > max_bytes && {
        let lines = octets.split(|octet| matches!(octet, b'\n' | 0));
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).any(|line| line.len() > max_bytes)
    }
}
