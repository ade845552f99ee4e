//! What a client does when its time has come.

use super::{Client, State, Unanswered, Verdict};
use crate::fault::{Fault, Misbehaved};
use std::time::Duration;

impl Client {
    /// Ends what has had its time, and looks after silence. To be called at [`timeout`](Client::timeout).
    ///
    /// # Errors
    /// [`Misbehaved::Silent`] where the server has not even answered a ping, [`Misbehaved::Handshake`] where it has not
    /// answered the HELLO in the same time; close the connection.
    pub fn handle_timeout(&mut self, now: Duration, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.end_late(now);
        let silence = now.saturating_sub(self.heard_at);
        let limit = self.options.ping_after.saturating_mul(3);
        let fault = match self.state {
            State::Greeting if silence >= limit => Misbehaved::Handshake { limit },
            State::Open | State::Leaving if self.is_awaiting() && silence >= limit => Misbehaved::Silent { limit },
            State::Open if self.is_awaiting() && silence >= self.options.ping_after && self.ping == self.answered => {
                self.send_ping(out);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.state = State::Closed;
        Err(fault.into())
    }

    /// Ends what was not sent until its deadline, and what was sent and not answered until it had time to settle.
    fn end_late(&mut self, now: Duration) {
        let (why, settle) = (self.why_unanswered(), self.options.settle);
        let mut ended = Vec::new();
        for (id, kept) in self.window.kept_mut() {
            match kept.deadline {
                Some(deadline) if kept.sent_on == 0 && now >= deadline => ended.push((id, Verdict::NotDone(why))),
                Some(deadline) if now >= deadline.saturating_add(settle) => ended.push((id, Verdict::Unknown(why))),
                _ => {}
            }
        }
        for (id, verdict) in ended {
            self.end(id, verdict);
        }
    }

    pub(super) fn why_unanswered(&self) -> Unanswered {
        if self.has_connection() { Unanswered::NotAnswering } else { Unanswered::NoServer }
    }

    fn is_awaiting(&self) -> bool {
        self.subscriptions || self.window.unsettled() > 0
    }

    /// Returns when [`handle_timeout`](Client::handle_timeout) has something to do.
    pub fn timeout(&mut self) -> Option<Duration> {
        let settle = self.options.settle;
        let deadlines = self.window.kept_mut().filter_map(|(_, kept)| {
            kept.deadline.map(|deadline| if kept.sent_on == 0 { deadline } else { deadline.saturating_add(settle) })
        });
        let deadline = deadlines.min();
        let pings = match self.state {
            State::Open if self.is_awaiting() && self.ping == self.answered => Some(1),
            State::Open | State::Leaving if self.is_awaiting() => Some(3),
            State::Greeting => Some(3),
            _ => None,
        };
        let silence = pings.map(|pings| self.heard_at.saturating_add(self.options.ping_after.saturating_mul(pings)));
        deadline.into_iter().chain(silence).min()
    }
}
