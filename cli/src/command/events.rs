//! Follows the changes of one server, across its restarts.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use soquete::{Backoff, Client, Clock, Error, EventHead, Received};
use soquete_node::config::LineName;
use soquete_proto::span::Span;

use super::answer::{self, Change, Row};
use crate::reach::Target;

/// Silence after which the server is asked whether it is still there. 10 s: a machine that lost its power says no
/// goodbye, and whoever watches wants to know.
const SILENCE: Duration = Duration::from_secs(10);

/// The same over datagrams: 2 s. Nothing tells of the end of a process there, of the shortest restart neither, but an answer
/// that does not come.
const SILENCE_OF_DATAGRAMS: Duration = Duration::from_secs(2);

/// A change, and its place among those of its board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    /// What changed.
    pub(crate) change: Change,
    /// The number that the board gave it.
    pub(crate) seq: u64,
    /// How many changes before it were missed, as far as the numbers show.
    pub(crate) missed: u64,
    /// How long after its cause it happened, where the board knows.
    pub(crate) lag: Option<Duration>,
}

/// What becomes of following.
#[derive(Debug)]
pub(crate) enum Notice {
    /// From now on changes are told; of these lines.
    Watching(Vec<LineName>),
    /// A change.
    Happened(Happening),
    /// The server is gone, or cannot be watched; it is tried again.
    Gone(Trouble),
    /// It is back, and has this now.
    Back(Vec<Row>),
}

/// Why a server cannot be watched.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What is wrong.
    pub(crate) error: Error,
    /// Whether it never could.
    pub(crate) is_first: bool,
}

/// Follows one server.
pub(crate) struct Follower {
    target: Target,
    names: Vec<LineName>,
    timeout: Duration,
    silence: Duration,
    sequence: Sequence,
    /// How often it was watched.
    times: u64,
    /// Whether it was told that the server is gone.
    is_gone_told: bool,
}

/// The numbers of the changes heard last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sequence {
    last: Option<u64>,
    /// Whether the next comes over a new connection, so that what happened in between was not counted by the server.
    is_resumed: bool,
}

/// Nobody listens any more, or the server is gone.
enum End {
    NobodyListens,
    Trouble(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Trouble(error)
    }
}

impl Follower {
    /// Makes a follower of the lines named, of all where none is. `timeout` bounds connecting and each answer.
    pub(crate) fn new(target: Target, names: Vec<LineName>, timeout: Duration) -> Self {
        let silence = if target.endpoint.is_datagram() { SILENCE_OF_DATAGRAMS } else { SILENCE };
        Self { target, names, timeout, silence, sequence: Sequence::default(), times: 0, is_gone_told: false }
    }

    /// Tells what happens until `tell` says that nobody listens; comes back with jittered backoff to a server that
    /// is gone.
    pub(crate) fn follow(mut self, tell: impl Fn(Notice) -> bool) {
        let mut backoff = Backoff::default();
        loop {
            let times = self.times;
            let End::Trouble(error) = self.watch(&tell) else { return };
            if self.times > times {
                backoff.reset();
                self.is_gone_told = false;
            }
            // A server that stays away is one trouble, not one for each attempt.
            let trouble = Trouble { error, is_first: self.times == 0 };
            if !std::mem::replace(&mut self.is_gone_told, true) && !tell(Notice::Gone(trouble)) {
                return;
            }
            thread::sleep(backoff.next(RandomState::new().hash_one(Clock::now())));
        }
    }

    /// Watches over one connection until it ends.
    fn watch(&mut self, tell: &impl Fn(Notice) -> bool) -> End {
        match self.begin() {
            Err(error) => End::Trouble(error),
            Ok((client, rows)) => {
                let notice = if self.times == 0 {
                    Notice::Watching(rows.into_iter().map(|row| row.name).collect())
                } else {
                    Notice::Back(rows)
                };
                self.times += 1;
                if tell(notice) { self.listen(client, tell) } else { End::NobodyListens }
            }
        }
    }

    /// Subscribes, and then asks for the present values, so that no change falls between the two.
    fn begin(&self) -> Result<(Client, Vec<Row>), Error> {
        let mut client = self.target.connect(self.timeout, self.timeout.min(self.silence), self.timeout)?;
        let names: String = self.names.iter().map(|name| format!(" {name}")).collect();
        client.request(format!("WATCH{names}").as_bytes())?;
        let answer = String::from_utf8_lossy(client.request(b"LINES")?).into_owned();
        let mut rows = answer::rows(&answer).map_err(|wrong| self.target.wrong_answer(wrong))?;
        rows.retain(|row| self.names.is_empty() || self.names.contains(&row.name));
        Ok((client, rows))
    }

    fn listen(&mut self, mut client: Client, tell: &impl Fn(Notice) -> bool) -> End {
        self.sequence.is_resumed = true;
        let (mut heard_at, mut is_asked) = (Clock::now(), false);
        loop {
            let received = match client.receive() {
                Ok(Received::Event { head, payload, .. }) => Some((head, answer::change(payload))),
                Ok(_) => None,
                Err(error) if error.is_timeout() && !is_asked => {
                    if Clock::now().saturating_sub(heard_at) >= self.silence {
                        is_asked = true;
                        if let Err(error) = client.submit(b"LINES") {
                            return error.into();
                        }
                    }
                    continue;
                }
                Err(error) => return error.into(),
            };
            (heard_at, is_asked) = (Clock::now(), false);
            match received {
                None => {}
                Some((_, Err(wrong))) => return self.target.wrong_answer(wrong).into(),
                Some((EventHead { seq, missed, lag }, Ok(change))) => {
                    let missed = self.sequence.missed(seq, u64::from(missed), self.names.is_empty());
                    if !tell(Notice::Happened(Happening { change, seq, missed, lag: lag.map(Span::duration) })) {
                        return End::NobodyListens;
                    }
                }
            }
        }
    }
}

impl Sequence {
    /// Notes a change and returns how many before it were missed: what the server counted, and, over a new connection,
    /// what its number shows where every line is watched.
    fn missed(&mut self, seq: u64, counted: u64, is_every_line: bool) -> u64 {
        let before = self.last.replace(seq);
        let is_resumed = std::mem::replace(&mut self.is_resumed, false);
        match before {
            // A board that was restarted counts anew, its start values among the first; what it has now was just told.
            Some(last) if is_resumed && seq <= last => counted,
            Some(last) if is_resumed && is_every_line => (seq - last - 1).max(counted),
            _ => counted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_shows_in_the_numbers_after_a_new_connection() {
        let mut sequence = Sequence::default();
        let mut next = |is_resumed, seq, counted, is_every_line| {
            sequence.is_resumed = is_resumed;
            sequence.missed(seq, counted, is_every_line)
        };
        assert_eq!(next(true, 7, 0, true), 0, "the first");
        assert_eq!(next(false, 10, 2, true), 2, "as the server counted");
        assert_eq!(next(true, 14, 0, true), 3, "11, 12 and 13");
        assert_eq!(next(true, 3, 0, true), 0, "it was restarted, and its values were told");
        assert_eq!(next(true, 9, 0, false), 0, "those may have been of other lines");
    }
}
