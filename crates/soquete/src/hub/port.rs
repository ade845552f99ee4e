//! Ports of datagrams: one socket for everybody, who are told apart by their addresses and the numbers of their sessions.

use super::connection::{Turn, Visit, Wire};
use super::handler::{Exchange, Fate, Tongue, Way};
use super::{ConnectionId, Ending, Framing, Handler, Hub, Slot};
use crate::{Address, Arrival, Clock, Datagram, Languages};
use rustix::fd::{AsFd, BorrowedFd};
use soquete_proto::channel::{Announcements, Channel, Dropped, Packet, put_reset};
use soquete_proto::frame::Frame;
use soquete_proto::opening::Language;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Datagrams received in one turn at the most: a sender without end must not keep the others waiting.
const DATAGRAMS_MAX: usize = 64;

/// Senders of single datagrams, and clients that have not proved their address, that are remembered at a port. Default
/// 1,024; beyond it the one that was silent longest goes. Reason: addresses can be forged, and streams need room as well.
const VISITS_MAX: usize = 1_024;

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
    /// Senders of datagrams that are messages of their own.
    senders: HashMap<Address, usize>,
    announcements: Announcements<Address>,
    /// In which second how many resets were sent.
    resets: (Duration, u32),
    /// Takes no newcomers any more.
    pub(super) is_closed: bool,
}

impl Port {
    pub(super) fn new(socket: Datagram, service: usize) -> Self {
        Port {
            socket: Arc::new(socket),
            service,
            sessions: HashMap::new(),
            openings: HashMap::new(),
            senders: HashMap::new(),
            announcements: Announcements::default(),
            resets: (Duration::ZERO, 0),
            is_closed: false,
        }
    }

    pub(super) fn forget(&mut self, visit: &Visit) {
        match &visit.channel {
            Some(channel) => {
                self.sessions.remove(&channel.number());
                self.openings.remove(&(visit.from.clone(), channel.peer()));
            }
            None => drop(self.senders.remove(&visit.from)),
        }
    }

    /// Tells who addressed a session that nobody here knows so, if not too many were told in this second.
    fn reset(&mut self, now: Duration, session: u64, from: &Address) {
        if now.saturating_sub(self.resets.0) >= Duration::from_secs(1) {
            self.resets = (now, 0);
        }
        if self.resets.1 < RESETS_MAX {
            self.resets.1 += 1;
            let mut reset = Vec::new();
            put_reset(&mut reset, session);
            // It is as good as lost where there is no room for it.
            let _ = self.socket.send_to(&reset, from);
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
    Packet(soquete_proto::channel::Datagram<'a>),
    Dropped(Dropped),
}

impl Hub {
    /// Receives what has come to a port, up to so many datagrams.
    pub(super) fn receive<H: Handler>(&mut self, key: usize, handler: &mut H) {
        let Some(Slot::Port(port)) = self.slots.get(key) else { return };
        let socket = port.socket.clone();
        let mut scratch = std::mem::take(&mut self.shared.scratch);
        for _ in 0..DATAGRAMS_MAX {
            match socket.receive_from(&mut scratch) {
                Ok(arrival) => self.arrive(key, &arrival, &mut scratch, handler),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                // It is about a datagram that was sent, to somebody who has gone.
                Err(_) => {}
            }
        }
        self.shared.scratch = scratch;
    }

    fn arrive<H: Handler>(&mut self, key: usize, arrival: &Arrival, scratch: &mut [u8], handler: &mut H) {
        let now = Clock::now();
        self.seen_at = now;
        let Some(Slot::Port(port)) = self.slots.get(key) else { return };
        let framing = self.shared.services[port.service].framing;
        let result = match sort(framing, &scratch[..arrival.len_bytes]) {
            Mail::Single => self.take_single(key, arrival, scratch, handler),
            Mail::Packet(datagram) => self.take_packet(key, arrival, &datagram, now, handler),
            Mail::Dropped(why) => Err(why),
        };
        if result.is_err() {
            self.counts.dropped += 1;
        }
    }

    /// Takes a datagram that is a message of its own.
    fn take_single<H: Handler>(
        &mut self,
        port: usize,
        arrival: &Arrival,
        scratch: &mut [u8],
        handler: &mut H,
    ) -> Result<(), Dropped> {
        let key = match self.port(port)?.senders.get(&arrival.from) {
            Some(key) => *key,
            None => {
                let key = self.visit(port, arrival, None, handler)?;
                self.port(port)?.senders.insert(arrival.from.clone(), key);
                key
            }
        };
        self.with(key, self.seen_at, handler, |connection, lent, handler, _| {
            let len = connection.end_line(scratch, 0, arrival.len_bytes);
            connection.message_turn(&scratch[..len], lent, handler)
        });
        Ok(())
    }

    /// Takes a datagram of the protocol.
    fn take_packet<H: Handler>(
        &mut self,
        port: usize,
        arrival: &Arrival,
        datagram: &soquete_proto::channel::Datagram<'_>,
        now: Duration,
        handler: &mut H,
    ) -> Result<(), Dropped> {
        use soquete_proto::channel::Datagram;
        let from = &arrival.from;
        match datagram {
            Datagram::Opening(packet) => match self.port(port)?.openings.get(&(from.clone(), packet.number)).copied() {
                Some(key) => self.go_on(key, packet, handler),
                None => self.open(port, arrival, packet, now, handler),
            },
            Datagram::Of(packet) => {
                let session = packet.head.session;
                let Some(key) = self.port(port)?.sessions.get(&session).copied() else {
                    self.port(port)?.reset(now, session, from);
                    return Err(Dropped::Unknown);
                };
                let is_theirs = matches!(self.slots.get(key), Some(Slot::Connection { connection, .. })
                    if connection.wire.visit().is_some_and(|visit| visit.from == *from));
                if is_theirs { self.go_on(key, packet, handler) } else { Err(Dropped::Unknown) }
            }
            Datagram::Announcement { number, packet, frame } => {
                self.port(port)?.announcements.admit(now, from, *number, *packet)?;
                self.announced(port, arrival, frame, handler)
            }
            // Nobody here is a client.
            Datagram::Reset { .. } => Err(Dropped::Unknown),
        }
    }

    /// Opens a session over datagrams.
    fn open<H: Handler>(
        &mut self,
        port: usize,
        arrival: &Arrival,
        opening: &Packet<'_>,
        now: Duration,
        handler: &mut H,
    ) -> Result<(), Dropped> {
        let number = crate::entropy::random_u64().max(1);
        let channel = Channel::accept(now, number, opening);
        let key = self.visit(port, arrival, Some(channel), handler)?;
        let port = self.port(port)?;
        port.sessions.insert(number, key);
        port.openings.insert((arrival.from.clone(), opening.number), key);
        // The opening is in the channel already; that it comes again only has it answered again.
        self.with(key, now, handler, |connection, lent, handler, _| connection.arrived_turn(Turn::Idle, lent, handler));
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
    fn announced<H: Handler>(
        &mut self,
        port: usize,
        arrival: &Arrival,
        frame: &Frame<'_>,
        handler: &mut H,
    ) -> Result<(), Dropped> {
        let service = self.port(port)?.service;
        let (peer, topic, payload) = (&arrival.peer, frame.header.topic, frame.payload);
        if let Framing::Detect(Languages { text: true, .. }) = self.shared.services[service].framing {
            let mut command = [payload, b"\n"].concat();
            let arrival = Arrival { len_bytes: payload.len(), ..arrival.clone() };
            return self.take_single(port, &arrival, &mut command, handler);
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

    /// Notes a newcomer at a port; one more makes room where there are too many.
    fn visit<H: Handler>(
        &mut self,
        port: usize,
        arrival: &Arrival,
        channel: Option<Channel>,
        handler: &mut H,
    ) -> Result<usize, Dropped> {
        let Port { socket, service, is_closed, .. } = self.port(port)?;
        let (socket, service) = (socket.clone(), *service);
        if *is_closed {
            return Err(Dropped::Crowded);
        }
        self.make_room(port, handler)?;
        let visit = Visit::new(socket, port, arrival.from.clone(), channel);
        let wire = Wire::Visit(Box::new(visit));
        self.insert(service, wire, arrival.peer, self.seen_at, handler).ok_or(Dropped::Crowded)
    }

    /// Has the visit end that was silent longest, of those that nobody would miss, where there are too many.
    fn make_room<H: Handler>(&mut self, port: usize, handler: &mut H) -> Result<(), Dropped> {
        let Some(Slot::Port(port)) = self.slots.get(port) else { return Ok(()) };
        let Port { sessions, senders, .. } = &**port;
        if sessions.len() + senders.len() < VISITS_MAX {
            return Ok(());
        }
        let keys = senders.values().chain(sessions.values());
        let silent = keys.filter_map(|key| match self.slots.get(*key) {
            Some(Slot::Connection { connection, .. }) if connection.is_passing() => Some((connection.heard_at(), *key)),
            _ => None,
        });
        let Some((_, key)) = silent.min() else { return Err(Dropped::Crowded) };
        self.counts.turned_away += 1;
        self.remove(key, self.seen_at, &Ending::Left, handler);
        Ok(())
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
        Framing::Raw(bounds) | Framing::Line(bounds) if octets.len() > bounds.receive_max_bytes => {
            return Mail::Dropped(Dropped::TooLong);
        }
        Framing::Raw(_) | Framing::Line(_) => return Mail::Single,
        Framing::Frames => (false, true),
        Framing::Detect(languages) => (languages.text, languages.frames),
    };
    match octets.first().map(|first| Language::of(*first)) {
        Some(Some(Language::Text)) if text => Mail::Single,
        Some(Some(Language::Frames)) if frames => match soquete_proto::channel::Datagram::read(octets) {
            Ok(datagram) => Mail::Packet(datagram),
            Err(why) => Mail::Dropped(why),
        },
        _ => Mail::Dropped(Dropped::Strange),
    }
}
