//! The loop: one thread, one level-triggered epoll set, everything a descriptor.
//!
//! [`Hub::turn`] serves what is ready and comes back. Connections are read at most once a turn, so none can keep the
//! others waiting; interest in writing is there only while a peer does not take what is sent. Descriptors that are not
//! the hub's own (FIFOs, signals, children) are watched for its user, who asks with [`Hub::next_ready`] after a turn.

#[cfg(unix)]
mod accept;
mod alone;
// Half of it is for datagrams, which only the loop serves.
#[cfg_attr(windows, allow(dead_code))]
mod connection;
mod handler;
#[cfg(unix)]
mod letters;
mod limits;
mod mailbox;
#[cfg(unix)]
mod poller;
#[cfg(unix)]
mod port;
#[cfg(unix)]
mod push;
#[cfg(windows)]
mod seat;
mod service;

pub(crate) use alone::Alone;
#[cfg(unix)]
pub(crate) use alone::Beside;
pub(crate) use connection::PACKET_MAX_BYTES;
pub use handler::{Ending, Exchange, Handler, Tongue};
pub use limits::Limits;
pub(crate) use mailbox::Mailbox;
pub use mailbox::{Responder, Stopper};
#[cfg(unix)]
pub use push::Pushed;
#[cfg(windows)]
pub(crate) use seat::Hub;
pub use service::{Bounds, Framing, Languages};

use connection::Lent;
use service::Service;
use std::io;
use std::sync::Arc;
use std::time::Duration;
#[cfg(unix)]
use {
    crate::{Clock, Error, Listener, Operation, Peer},
    connection::{Connection, Turn, Wire},
    poller::{Interest, Poller},
    port::Port,
    rustix::event::epoll,
    rustix::fd::{AsFd, BorrowedFd, OwnedFd},
    slab::Slab,
    std::collections::{BTreeSet, VecDeque},
};

/// Octets that one read may bring. Large, so that many frames come at once; one buffer serves all connections.
const SCRATCH_LEN_BYTES: usize = 256 << 10;

/// How often silence is looked after while anyone is connected.
const TICK: Duration = Duration::from_secs(1);

/// How long is waited where no descriptor is left for a newcomer.
const PAUSE: Duration = Duration::from_millis(10);

/// How long the words to a refused peer may take to be read.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Names a connection for as long as it lives; no later one has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// Names a watched descriptor.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(usize);

/// Numbers about a hub, for status.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections at present.
    pub connections: usize,
    /// Connections ever accepted.
    pub accepted: u64,
    /// Connections that had to go or were turned away for want of room.
    pub turned_away: u64,
    /// Datagrams that were dropped: of another protocol, damaged, doubled, forged, too many.
    pub dropped: u64,
}

/// What is at a key. Every connection has one, so what is large is in a box.
#[cfg(unix)]
enum Slot {
    Listener { listener: Box<Listener>, service: usize, streak: u32 },
    Connection { connection: Box<Connection>, interest: Interest },
    Port(Box<Port>),
    Source { fd: OwnedFd },
    Bell,
    Ticker,
}

/// The loop, with its listeners, connections and watched descriptors.
#[cfg(unix)]
pub struct Hub {
    poller: Poller,
    slots: Slab<Slot>,
    shared: Shared,
    limits: Limits,
    counts: Counts,
    ready: VecDeque<SourceId>,
    drained: VecDeque<ConnectionId>,
    /// Given up for a moment when no other descriptor is left, so that a newcomer can be taken off the queue.
    reserve: Option<OwnedFd>,
    generation: u32,
    is_ticking: bool,
    /// When something is due for which session over datagrams.
    due: BTreeSet<(Duration, usize)>,
    /// Invariant: the sum of what the connections hold.
    waiting_bytes: usize,
    /// What the clock said when a connection was served last.
    seen_at: Duration,
}

/// What every connection is lent for its turns.
struct Shared {
    services: Vec<Service>,
    mailbox: Arc<Mailbox>,
    scratch: Box<[u8]>,
    out: Vec<u8>,
}

impl Shared {
    fn new() -> io::Result<Self> {
        Ok(Shared {
            services: Vec::new(),
            mailbox: Mailbox::new()?,
            scratch: vec![0; SCRATCH_LEN_BYTES].into_boxed_slice(),
            out: Vec::new(),
        })
    }

    fn lend(&mut self, now: Duration) -> Lent<'_> {
        let Shared { services, mailbox, scratch, out } = self;
        Lent { now, scratch, out, services, mailbox }
    }
}

#[cfg(unix)]
impl Hub {
    /// Makes a loop without anything in it.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn new(limits: Limits) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::without_address(Operation::Poll, error);
        let mut hub = Hub {
            poller: Poller::new().map_err(failed)?,
            slots: Slab::new(),
            shared: Shared::new().map_err(failed)?,
            limits,
            counts: Counts::default(),
            ready: VecDeque::new(),
            drained: VecDeque::new(),
            reserve: accept::reserve(),
            generation: 0,
            is_ticking: false,
            due: BTreeSet::new(),
            waiting_bytes: 0,
            seen_at: Clock::now(),
        };
        let bell = hub.slots.insert(Slot::Bell);
        hub.poller.add(hub.shared.mailbox.as_fd(), bell, Interest::Read).map_err(failed)?;
        let ticker = hub.slots.insert(Slot::Ticker);
        hub.poller.add_ticker(ticker).map_err(failed)?;
        Ok(hub)
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Watches a descriptor for something to read; [`next_ready`](Hub::next_ready) tells.
    ///
    /// # Errors
    /// EPERM for what can always be read, such as a regular file.
    pub fn watch(&mut self, fd: BorrowedFd<'_>) -> Result<SourceId, Error> {
        self.watch_for(fd, Interest::Read)
    }

    /// Watches a descriptor for room to write as well: a connection under way tells that it is made.
    ///
    /// # Errors
    /// As [`watch`](Hub::watch).
    pub fn watch_writable(&mut self, fd: BorrowedFd<'_>) -> Result<SourceId, Error> {
        self.watch_for(fd, Interest::ReadWrite)
    }

    fn watch_for(&mut self, fd: BorrowedFd<'_>, interest: Interest) -> Result<SourceId, Error> {
        let failed = |error: io::Error| Error::without_address(Operation::Poll, error);
        let fd = fd.try_clone_to_owned().map_err(failed)?;
        let entry = self.slots.vacant_entry();
        self.poller.add(fd.as_fd(), entry.key(), interest).map_err(failed)?;
        let source = SourceId(entry.key());
        entry.insert(Slot::Source { fd });
        Ok(source)
    }

    /// Ends the watch over a descriptor.
    pub fn unwatch(&mut self, source: SourceId) {
        if let Some(Slot::Source { fd }) = self.slots.get(source.0) {
            self.poller.remove(fd.as_fd());
            self.slots.remove(source.0);
            self.ready.retain(|ready| *ready != source);
        }
    }

    /// Returns the next watched descriptor that became ready in the last turn.
    pub fn next_ready(&mut self) -> Option<SourceId> {
        self.ready.pop_front()
    }

    /// Returns a handle by which any thread can stop [`Server::run`](crate::Server::run) or wake a turn.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(self.shared.mailbox.clone())
    }

    /// Says whether a [`Stopper`] was used.
    pub fn is_stopped(&self) -> bool {
        self.shared.mailbox.is_stopped()
    }

    /// Returns numbers for status.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes through the connections at present: id, service and peer.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, usize, &Peer)> {
        self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Connection { connection, .. } => Some((connection.id, connection.service, &connection.peer)),
            _ => None,
        })
    }

    /// Serves what is ready; waits for it up to `timeout`, or for ever.
    ///
    /// # Errors
    /// What the wait itself can say; a failing connection ends and is no error of the loop.
    pub fn turn<H: Handler>(&mut self, timeout: Option<Duration>, handler: &mut H) -> Result<(), Error> {
        let has_delivered = self.shared.mailbox.has_letters();
        if has_delivered {
            self.deliver_letters(handler);
        }
        // What an answer set free may have changed what the caller waits for.
        let may_sleep =
            !has_delivered && self.ready.is_empty() && self.drained.is_empty() && self.shared.mailbox.fall_asleep();
        let timeout = if may_sleep { self.until_due(timeout) } else { Some(Duration::ZERO) };
        let events = self.wait(timeout);
        self.shared.mailbox.wake();
        let events = events.map_err(|error| Error::without_address(Operation::Poll, error))?;
        let mut listeners = Vec::new();
        for &(key, flags) in &events {
            match self.slots.get(key) {
                Some(Slot::Connection { .. }) => self.serve(key, flags, handler),
                Some(Slot::Source { .. }) => self.ready.push_back(SourceId(key)),
                Some(Slot::Bell) => self.shared.mailbox.silence(),
                Some(Slot::Ticker) => self.tick(Clock::now(), handler),
                // Newcomers last, so that a key that was freed in this batch is not used again within it.
                Some(Slot::Listener { .. } | Slot::Port(_)) => listeners.push(key),
                None => {}
            }
        }
        self.poller.give_back(events);
        for key in listeners {
            self.accept(key, Clock::now(), handler);
            self.receive(key, handler);
        }
        if !self.due.is_empty() {
            self.repeat(Clock::now(), handler);
        }
        if self.shared.mailbox.has_letters() {
            self.deliver_letters(handler);
        }
        // Until the next turn another loop may sleep on our descriptor: an answer must ring.
        if !self.shared.mailbox.fall_asleep() {
            self.shared.mailbox.ring();
        }
        Ok(())
    }

    /// Returns in how long something is due for a session over datagrams, if that is before `timeout`.
    ///
    /// Who drives the hub from another loop has to come back by then: the descriptor of the hub does not tell.
    #[inline]
    pub fn until_due(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some((at, _)) = self.due.first() else { return timeout };
        let due = at.saturating_sub(Clock::now());
        Some(timeout.map_or(due, |timeout| timeout.min(due)))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<poller::Events> {
        if !self.limits.spin.is_zero() && timeout != Some(Duration::ZERO) {
            let until = Clock::now() + self.limits.spin;
            while Clock::now() < until {
                let events = self.poller.wait(Some(Duration::ZERO))?;
                if !events.is_empty() {
                    return Ok(events);
                }
                self.poller.give_back(events);
            }
        }
        self.poller.wait(timeout)
    }

    fn serve<H: Handler>(&mut self, key: usize, flags: epoll::EventFlags, handler: &mut H) {
        // A turn that reads looks at the clock after it, and needs none before.
        let reads = matches!(self.slots.get(key), Some(Slot::Connection { interest: Interest::Read, .. }));
        let now = if reads { self.seen_at } else { Clock::now() };
        let is_over = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        self.with(key, now, handler, |connection, lent, handler, interest| match interest {
            Interest::Read | Interest::ReadWrite => connection.read_turn(lent, handler),
            Interest::Write => connection.resume_turn(lent, handler),
            // It waits for an answer and is not read, but the peer is gone altogether.
            Interest::None if is_over => Turn::Closed(Ending::Left),
            Interest::None => Turn::Waiting,
        });
    }

    /// Lends a connection what it needs for a turn, and has epoll watch for what the turn came to.
    fn with<H: Handler>(
        &mut self,
        key: usize,
        now: Duration,
        handler: &mut H,
        turn: impl FnOnce(&mut Connection, &mut Lent<'_>, &mut H, Interest) -> Turn,
    ) {
        let Some(wanted) = self.lend(key, now, handler, turn) else { return };
        let Some(Slot::Connection { connection, interest }) = self.slots.get_mut(key) else { return };
        match &connection.wire {
            Wire::Visit(_) => {
                *interest = wanted;
                self.note_due(key);
            }
            Wire::Stream(stream) => {
                if wanted != *interest && self.poller.change(stream.as_fd(), key, wanted).is_ok() {
                    *interest = wanted;
                }
            }
        }
    }

    /// Lends a connection what it needs for a turn; returns what it waits for then, or nothing where it is over.
    fn lend<H: Handler>(
        &mut self,
        key: usize,
        now: Duration,
        handler: &mut H,
        turn: impl FnOnce(&mut Connection, &mut Lent<'_>, &mut H, Interest) -> Turn,
    ) -> Option<Interest> {
        let Some(Slot::Connection { connection, interest }) = self.slots.get_mut(key) else { return None };
        let mut lent = self.shared.lend(now);
        let held = connection.held_bytes();
        let turn = turn(connection, &mut lent, handler, *interest);
        let now = lent.now;
        self.seen_at = now;
        self.waiting_bytes = self.waiting_bytes - held + connection.held_bytes();
        let wanted = match turn {
            Turn::Idle => Interest::Read,
            Turn::Blocked => Interest::Write,
            Turn::Waiting => Interest::None,
            Turn::Closed(ending) => {
                self.remove(key, now, &ending, handler);
                return None;
            }
        };
        if connection.is_lagging && connection.output_len() == 0 {
            connection.is_lagging = false;
            self.drained.push_back(connection.id);
        }
        if self.waiting_bytes > self.limits.waiting_max_bytes {
            self.end_the_heaviest(now, handler);
        }
        self.slots.contains(key).then_some(wanted)
    }

    /// Ends the connection that holds most, since all together hold too much.
    fn end_the_heaviest<H: Handler>(&mut self, now: Duration, handler: &mut H) {
        let held = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Connection { connection, .. } => Some((connection.held_bytes(), key)),
            _ => None,
        });
        let Some((held, key)) = held.max() else { return };
        let why = format!("{held} octets wait for it, and all connections together hold too much");
        self.remove(key, now, &Ending::Refused(why), handler);
    }

    fn remove<H: Handler>(&mut self, key: usize, now: Duration, ending: &Ending, handler: &mut H) {
        let Some(Slot::Connection { connection, .. }) = self.slots.try_remove(key) else { return };
        self.waiting_bytes -= connection.held_bytes();
        self.shared.out.clear();
        let mut lent = self.shared.lend(now);
        connection.leave(&mut lent);
        if let Some(visit) = connection.wire.visit() {
            if let Some(Slot::Port(port)) = self.slots.get_mut(visit.port) {
                port.forget(now, visit, ending);
            }
            if let Some(due) = visit.due {
                self.due.remove(&(due, key));
            }
        }
        self.counts.connections -= 1;
        handler.close(connection.id, &connection.peer, ending);
    }

    fn set_ticking(&mut self, is_ticking: bool) {
        if self.is_ticking != is_ticking {
            self.is_ticking = is_ticking;
            self.poller.set_ticker(is_ticking.then_some(self.limits.period()));
        }
    }

    fn tick<H: Handler>(&mut self, now: Duration, handler: &mut H) {
        self.poller.silence_ticker();
        let Limits { silence, idle, .. } = self.limits;
        for key in self.keys() {
            self.with(key, now, handler, |connection, lent, _, interest| {
                match connection.tick(silence, idle, lent) {
                    // Nothing was due: it goes on as it was.
                    Turn::Idle => interest.turn(),
                    turn => turn,
                }
            });
        }
        for service in &mut self.shared.services {
            service.core.sweep(now);
        }
        // Sessions without a connection have their time, too.
        let has_sessions = self.shared.services.iter().any(|service| service.core.sessions() > 0);
        self.set_ticking(self.counts.connections > 0 || has_sessions);
    }

    fn keys(&self) -> Vec<usize> {
        let is_connection = |slot: &Slot| matches!(slot, Slot::Connection { .. });
        self.slots.iter().filter(|(_, slot)| is_connection(slot)).map(|(key, _)| key).collect()
    }

    fn is_there(slots: &Slab<Slot>, id: ConnectionId) -> bool {
        matches!(slots.get(id.key()), Some(Slot::Connection { connection, .. }) if connection.id == id)
    }

    fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        match self.slots.get_mut(id.key()) {
            Some(Slot::Connection { connection, .. }) if connection.id == id => Some(connection),
            _ => None,
        }
    }
}

#[cfg(unix)]
impl Interest {
    /// Returns the turn that leaves a connection with this interest.
    fn turn(self) -> Turn {
        match self {
            Interest::Read | Interest::ReadWrite => Turn::Idle,
            Interest::Write => Turn::Blocked,
            Interest::None => Turn::Waiting,
        }
    }
}

#[cfg(unix)]
impl ConnectionId {
    /// That of a message that came over none: an announcement.
    const NONE: Self = ConnectionId(0);

    fn key(self) -> usize {
        usize::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(usize::MAX)
    }
}
