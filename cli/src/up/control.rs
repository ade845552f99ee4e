//! The control socket of `up`.
//!
//! | request | answer |
//! |---|---|
//! | `STATUS` | a [`Report`](super::report::Report) as JSON |
//! | `DOWN` | when all have stopped: what was stopped, a line each |
//! | `LOGS` [n] | the number of the next line, LF, then lines of the log from number n on, each with LF; none: there are no more |
//! | `FOLLOW` [n] | `OK`, then an EVENT for each line from number n on; without n, from now on |
//!
//! Lines are counted from 0. A follower that is slow gets the next line that is still kept, with the count of those it missed.

use soquete::{ConnectionId, Ending, Exchange, Handler, Hub, Peer, Pushed, Responder};
use soquete_proto::handshake::{Code, EventHead};

use super::crew::Crew;

/// Octets of lines in one answer to `LOGS`.
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// Who follows the log at a time: people at terminals.
const FOLLOWERS_MAX: usize = 64;

/// What clients want of `up` that takes more than an answer.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Who wants to know when all have stopped.
    pub(super) down: Vec<Responder>,
    followers: Vec<Follower>,
}

/// A client that hears each line of the log.
#[derive(Debug)]
struct Follower {
    connection: ConnectionId,
    /// The request that began it.
    id: u32,
    /// The number of the line it gets next.
    next: u64,
    is_full: bool,
}

/// Answers requests, and notes wishes.
pub(super) struct Desk<'a> {
    pub(super) crew: &'a Crew,
    pub(super) wishes: &'a mut Wishes,
}

impl Handler for Desk<'_> {
    fn receive(&mut self, mut exchange: Exchange<'_>) {
        let request = String::from_utf8_lossy(exchange.payload).into_owned();
        let (word, number) = match request.split_once(' ') {
            Some((word, number)) => (word, number.parse::<u64>().ok()),
            None => (request.as_str(), Some(if request == "FOLLOW" { self.crew.log.end() } else { 0 })),
        };
        // What a client does not take, it is told by the library.
        let _ = match (word, number) {
            ("STATUS", _) => exchange.reply(&serde_json::to_vec(&self.crew.report()).unwrap_or_default()),
            ("DOWN", _) => {
                self.wishes.down.push(exchange.later());
                Ok(())
            }
            ("LOGS", Some(from)) => {
                let (next, lines) = self.crew.log.chunk(from, CHUNK_MAX_BYTES);
                exchange.reply(format!("{next}\n{lines}").as_bytes())
            }
            ("FOLLOW", Some(_)) if self.wishes.followers.len() >= FOLLOWERS_MAX => {
                exchange.refuse(Code::Busy, &format!("{FOLLOWERS_MAX} clients follow the log already"));
                Ok(())
            }
            ("FOLLOW", Some(next)) => {
                let (connection, id) = (exchange.connection(), exchange.id());
                self.wishes.followers.push(Follower { connection, id, next, is_full: false });
                exchange.keep_open();
                exchange.reply(b"OK")
            }
            _ => {
                exchange.refuse(Code::Malformed, "unknown request; expected STATUS, DOWN, LOGS or FOLLOW");
                Ok(())
            }
        };
    }

    fn cancel(&mut self, connection: ConnectionId, id: u32) {
        self.wishes.followers.retain(|follower| (follower.connection, follower.id) != (connection, id));
    }

    fn close(&mut self, connection: ConnectionId, _: &Peer, _: &Ending) {
        self.wishes.followers.retain(|follower| follower.connection != connection);
    }
}

impl Wishes {
    /// Gives each follower the lines it has not got yet, as far as it takes them.
    pub(super) fn feed(&mut self, hub: &mut Hub, crew: &Crew) {
        while let Some(drained) = hub.next_drained() {
            let is_it = |follower: &&mut Follower| follower.connection == drained;
            self.followers.iter_mut().filter(is_it).for_each(|follower| follower.is_full = false);
        }
        let mut followers = std::mem::take(&mut self.followers);
        followers.retain_mut(|follower| self.feed_one(follower, hub, crew));
        self.followers = followers;
    }

    /// Gives one follower its lines; says whether it is still there.
    fn feed_one(&mut self, follower: &mut Follower, hub: &mut Hub, crew: &Crew) -> bool {
        while !follower.is_full
            && let Some((number, line)) = crew.log.line_from(follower.next)
        {
            let missed = u32::try_from(number - follower.next).unwrap_or(u32::MAX);
            let head = EventHead { seq: number, missed, lag: None };
            let mut desk = Desk { crew, wishes: self };
            match hub.push(follower.connection, follower.id, head, line.as_bytes(), &mut desk) {
                Pushed::Queued | Pushed::TooLong => follower.next = number + 1,
                Pushed::Full => follower.is_full = true,
                Pushed::Gone => return false,
            }
        }
        true
    }
}
