//! Who wants to hear of changes, and what they have not heard yet.

use super::Front;
use super::answer::{put_event, put_event_line};
use soquete::{ConnectionId, Hub, Pushed};
use soquete_board::{Board, Event, LineName, Refusal, WatcherId};
use soquete_proto::handshake::EventHead;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Events that one watcher may have waiting here. Default 256: one turn's changes. Beyond it the board holds them back,
/// and the watcher gets a snapshot and the count of what it missed.
const QUEUE_MAX: usize = 256;

/// Watches of one connection: 64, as many as a command has lines.
const PER_CONNECTION_MAX: usize = 64;

#[derive(Debug)]
struct Watcher {
    connection: ConnectionId,
    /// The request that began it; 0 in text.
    id: u32,
    is_text: bool,
    queue: VecDeque<(Event, u32)>,
    is_held: bool,
    /// Its connection takes no more at present.
    is_blocked: bool,
}

/// The watchers of a process.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    watchers: BTreeMap<u64, Watcher>,
    /// How many each connection has; none is not kept.
    counts: HashMap<ConnectionId, usize>,
    /// Watchers that may have something to be told.
    due: Vec<u64>,
    last: u64,
}

impl Watchers {
    /// Adds a watcher; in text a connection has one, and a new one takes the place of the old.
    pub(super) fn add(
        &mut self,
        connection: ConnectionId,
        id: u32,
        is_text: bool,
        lines: Vec<LineName>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        // One client must not take the places of all others. Those of a text connection take each other's place.
        if self.counts.get(&connection).is_some_and(|own| *own >= PER_CONNECTION_MAX) && !is_text {
            return Err(Refusal::WatchersFull);
        }
        self.last += 1;
        board.watch(WatcherId(self.last), lines)?;
        if is_text {
            self.cancel(connection, id, board);
        }
        let watcher = Watcher { connection, id, is_text, queue: VecDeque::new(), is_held: false, is_blocked: false };
        self.watchers.insert(self.last, watcher);
        *self.counts.entry(connection).or_default() += 1;
        Ok(())
    }

    /// Says whether a connection watches anything.
    pub(super) fn has_any(&self, connection: ConnectionId) -> bool {
        self.counts.contains_key(&connection)
    }

    /// Ends the watch that request `id` of a connection began.
    pub(super) fn cancel(&mut self, connection: ConnectionId, id: u32, board: &mut Board) {
        self.remove(board, |watcher| watcher.connection == connection && watcher.id == id);
    }

    /// Ends every watch of a connection.
    pub(super) fn close(&mut self, connection: ConnectionId, board: &mut Board) {
        self.remove(board, |watcher| watcher.connection == connection);
    }

    fn remove(&mut self, board: &mut Board, ends: impl Fn(&Watcher) -> bool) {
        self.watchers.retain(|key, watcher| {
            let ends = ends(watcher);
            if ends {
                board.unwatch(WatcherId(*key));
                // Each that is there is counted.
                if let Entry::Occupied(mut own) = self.counts.entry(watcher.connection) {
                    *own.get_mut() -= 1;
                    if *own.get() == 0 {
                        own.remove();
                    }
                }
            }
            !ends
        });
    }

    /// Puts a change behind what a watcher has not heard yet.
    pub(super) fn queue(&mut self, watcher: WatcherId, event: Event, missed: u32, board: &mut Board) {
        let Some(there) = self.watchers.get_mut(&watcher.0) else { return };
        there.queue.push_back((event, missed));
        if there.queue.len() >= QUEUE_MAX && !there.is_held {
            there.is_held = true;
            board.hold(watcher);
        }
        self.due.push(watcher.0);
    }

    /// Notes that a connection has taken everything and takes more.
    pub(super) fn drained(&mut self, connection: ConnectionId) {
        for (key, watcher) in self.watchers.iter_mut().filter(|(_, watcher)| watcher.connection == connection) {
            watcher.is_blocked = false;
            self.due.push(*key);
        }
    }

    /// Says whether somebody may have something to be told.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Tells what is to be told, as far as it is taken.
    pub(super) fn tell(&mut self, hub: &mut Hub, front: &mut Front) {
        for key in std::mem::take(&mut self.due) {
            let Some(watcher) = self.watchers.get_mut(&key) else { continue };
            let connection = watcher.connection;
            watcher.tell(hub, front);
            if hub.speaks_frames(connection).is_none() {
                // Its end came in the middle of this, when nobody could take its watches off the list.
                self.close(connection, &mut front.plant.board);
                continue;
            }
            let Some(watcher) = self.watchers.get_mut(&key) else { continue };
            if watcher.is_held && watcher.queue.is_empty() && !watcher.is_blocked {
                watcher.is_held = false;
                front.plant.board.resume(WatcherId(key));
                front.plant.carry_out(soquete::Clock::now());
            }
        }
    }
}

impl Watcher {
    fn tell(&mut self, hub: &mut Hub, front: &mut Front) {
        while let Some((event, missed)) = self.queue.front()
            && !self.is_blocked
        {
            let payload = if self.is_text { put_event_line(event) } else { put_event(event) };
            let lag = event.cause.at().map(|caused_at| event.at.saturating_sub(caused_at).into());
            let head = EventHead { seq: event.seq, missed: *missed, lag };
            match hub.push(self.connection, self.id, head, payload.as_bytes(), front) {
                Pushed::Full => self.is_blocked = true,
                Pushed::Queued | Pushed::TooLong => drop(self.queue.pop_front()),
                Pushed::Gone => return,
            }
        }
    }
}
