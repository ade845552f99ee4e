//! How conversations end: by both sides, by loss, or in silence.

use std::ops::ControlFlow;
use std::time::Duration;

use soquete::{Cause, Clock, Error, Operation};

use super::Room;
use crate::output::{Exit, Failure};
use crate::talk::failure;
use crate::talk::input::Input;
use crate::talk::output::note;
use crate::talk::peer::Peer;

/// How long a peer that has ended its side waits for ours where nothing comes that could be sent: 1 s.
const LINGER: Duration = Duration::from_secs(1);

/// A bound on silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Silence is an end as good as any.
    Ends(Duration),
    /// It means that there was no answer.
    Fails(Duration),
}

impl Patience {
    fn duration(self) -> Duration {
        let (Self::Ends(duration) | Self::Fails(duration)) = self;
        duration
    }
}

impl Room {
    /// Parts from the peers that are done, lost or silent; says whether the conversation is over.
    ///
    /// # Errors
    /// The only peer was lost or never said anything.
    pub(super) fn settle(&mut self) -> Result<ControlFlow<()>, Failure> {
        let mut place = 0;
        while let Some(peer) = self.peers.get(place) {
            match self.ending(peer) {
                None => place += 1,
                Some(ending) => {
                    let mut peer = self.peers.remove(place);
                    self.output.show_rest(&mut peer.voice);
                    (self.moved_at, self.is_full) = (Clock::now(), false);
                    match ending {
                        Err(Failure::Wrong { wrong, .. }) if self.manners.keeps || self.goes_on_after(&peer) => {
                            wrong.iter().for_each(note);
                        }
                        ending => ending?,
                    }
                    if self.manners.keeps || self.goes_on_after(&peer) {
                        note(format_args!("{} has left", peer.name));
                    }
                }
            }
        }
        if self.peers.is_empty() {
            return self.settle_alone();
        }
        let has_input = self.input.as_ref().is_some_and(|input| !input.is_ended());
        // Whoever read what comes has gone: what is on its way to the peer is sent all the same.
        let is_over = self.output.is_gone() && !has_input && !self.peers.iter().any(Peer::is_waiting);
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Says whether a listener for one client waits for another: this one came and went without an octet, and nothing of
    /// standard input was meant for it.
    fn goes_on_after(&self, peer: &Peer) -> bool {
        let is_unsaid = self.input.as_ref().is_none_or(Input::is_empty);
        self.door.is_some() && peer.has_ended && !peer.has_talked() && is_unsaid
    }

    /// Says whether it is over while nobody is here.
    fn settle_alone(&self) -> Result<ControlFlow<()>, Failure> {
        let Some(door) = &self.door else { return Ok(ControlFlow::Break(())) };
        match self.time_left() {
            Some(Duration::ZERO) if !self.has_heard => {
                Err(failure(Exit::NotDone, &Error::new(Operation::Accept, door.local(), Cause::Timeout)))
            }
            Some(Duration::ZERO) => Ok(ControlFlow::Break(())),
            _ if self.output.is_gone() => Ok(ControlFlow::Break(())),
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    /// Returns how it ends with a peer, where it ends now.
    fn ending(&self, peer: &Peer) -> Option<Result<(), Failure>> {
        let has_input = self.input.as_ref().is_some_and(|input| !input.is_ended());
        if peer.has_ended && !peer.is_waiting() && (!has_input || peer.lost.is_some()) {
            return Some(match &peer.lost {
                Some(error) => Err(failure(peer.exit(), error)),
                None => Ok(()),
            });
        }
        let patience = self.patience(peer)?;
        if Clock::now().saturating_sub(peer.moved_at) < patience.duration() {
            return None;
        }
        let silent = |operation| failure(peer.exit(), &Error::new(operation, &peer.name, Cause::Timeout));
        Some(match (&peer.lost, patience) {
            (Some(error), _) => Err(failure(peer.exit(), error)),
            (None, _) if peer.is_waiting() => Err(silent(Operation::Send)),
            (None, Patience::Ends(_)) => Ok(()),
            (None, Patience::Fails(_)) => {
                Err(failure(Exit::NotDone, &Error::new(Operation::Receive, &peer.name, Cause::Timeout)))
            }
        })
    }

    /// Returns how long a peer may be silent.
    fn patience(&self, peer: &Peer) -> Option<Patience> {
        let timeout = self
            .manners
            .timeout
            .map(|timeout| if peer.has_spoken { Patience::Ends(timeout) } else { Patience::Fails(timeout) });
        let half_over = match peer {
            peer if peer.is_waiting() => None,
            Peer { has_ended: true, .. } => Some(self.manners.wait.unwrap_or(LINGER)),
            // Who has set a time for the answer waits that long for the first.
            Peer { has_spoken: false, .. } if timeout.is_some() => None,
            peer if peer.is_finished() => self.manners.wait,
            _ => None,
        };
        half_over.map(Patience::Ends).or(timeout)
    }

    /// Returns the time until something is due.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = Clock::now();
        let of_peers = self.peers.iter().flat_map(|peer| {
            let silence = self.patience(peer).map(|patience| peer.moved_at + patience.duration());
            [silence, peer.retry_after().map(|after| now + after)]
        });
        let newcomer = self.manners.timeout.filter(|_| self.peers.is_empty()).map(|timeout| self.moved_at + timeout);
        let first = of_peers.chain([newcomer]).flatten().min();
        first.map(|at| at.saturating_sub(now))
    }
}
