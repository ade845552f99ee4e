//! Room at a port of datagrams: whoever forges addresses must not take it from the others.

use super::super::{Ending, Handler, Hub, Slot};
use super::Dropped;
use crate::Peer;
use std::time::Duration;

/// Senders of single datagrams that are remembered at a port. Default 1,024; beyond it those go that were silent longest
/// and wait for nothing, an eighth of all at once; where all wait for events, one of them. Reason: addresses can be forged.
const SENDERS_MAX: usize = 1_024;

/// Clients that have opened a session and not proved their address. Default 256; beyond it the eighth goes that came
/// first. Reason: the session of each has a place among the 1,024 that a server remembers.
const NEWCOMERS_MAX: usize = 256;

impl Hub {
    /// Makes room for one more sender of single datagrams.
    pub(super) fn room_for_sender<H: Handler>(&mut self, port: usize, handler: &mut H) -> Result<(), Dropped> {
        let senders = &self.port(port)?.senders;
        if senders.len() < SENDERS_MAX {
            return Ok(());
        }
        let keys = senders.values().copied().collect::<Vec<_>>();
        let mut silent: Vec<(bool, Duration, usize)> = keys
            .into_iter()
            .filter_map(|key| match self.slots.get(key) {
                Some(Slot::Connection { connection, .. }) if !connection.is_owed() => {
                    Some((connection.waits_for_events(), connection.heard_at(), key))
                }
                _ => None,
            })
            .collect();
        silent.sort_unstable();
        let Some((waits_for_events, ..)) = silent.first() else { return Err(Dropped::Crowded) };
        let many = if *waits_for_events { 1 } else { SENDERS_MAX / 8 };
        let passing = silent.iter().take(many).filter(|(waits, ..)| waits == waits_for_events);
        self.turn_out(passing.map(|(.., key)| *key).collect(), handler);
        Ok(())
    }

    /// Makes room for one more client that has not proved its address.
    pub(super) fn room_for_newcomer<H: Handler>(&mut self, port: usize, handler: &mut H) -> Result<(), Dropped> {
        if self.port(port)?.newcomers.len() < NEWCOMERS_MAX {
            return Ok(());
        }
        let mut newcomers = std::mem::take(&mut self.port(port)?.newcomers);
        newcomers.retain(|number| self.newcomer(port, *number).is_some());
        let first = newcomers.len().saturating_sub(NEWCOMERS_MAX - NEWCOMERS_MAX / 8);
        let keys = newcomers.drain(..first).filter_map(|number| self.newcomer(port, number)).collect();
        self.port(port)?.newcomers = newcomers;
        self.turn_out(keys, handler);
        Ok(())
    }

    /// Lets a sender of single datagrams in, unless it comes over UDP and is not admitted: the address may be forged, and who
    /// has it has asked for nothing, so it is not told why.
    pub(super) fn admit_sender<H: Handler>(&mut self, key: usize, handler: &mut H) -> Result<(), Dropped> {
        let Some(Slot::Connection { connection, .. }) = self.slots.get(key) else { return Err(Dropped::Unknown) };
        let refusal = connection.refusal().filter(|_| matches!(connection.peer, Peer::Udp(_)));
        let Some(ending) = refusal.map(|why| Ending::Refused(why.to_owned())) else { return Ok(()) };
        self.remove(key, self.seen_at, &ending, handler);
        Err(Dropped::Unknown)
    }

    /// Returns the key of a session whose client has not proved its address.
    fn newcomer(&self, port: usize, number: u64) -> Option<usize> {
        let Some(Slot::Port(port)) = self.slots.get(port) else { return None };
        let key = *port.sessions.get(&number)?;
        let Some(Slot::Connection { connection, .. }) = self.slots.get(key) else { return None };
        connection.wire.visit().filter(|visit| !visit.is_proved()).map(|_| key)
    }

    fn turn_out<H: Handler>(&mut self, keys: Vec<usize>, handler: &mut H) {
        for key in keys {
            self.counts.turned_away += 1;
            self.remove(key, self.seen_at, &Ending::Left, handler);
        }
    }
}
