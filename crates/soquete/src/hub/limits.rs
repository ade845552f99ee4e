//! What a server allows to its connections.

use super::TICK;
use std::time::Duration;

/// Bounds of a hub.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. Default 10,000: half of the 20,000 descriptors that a process may have where it has raised its soft limit, as `soquete run` does. When it is
    /// reached the oldest that has not sent an octet goes; where there is none, the newcomer is turned away.
    pub connections_max: usize,
    /// Time to the first octet. Default 5 min: a person at netcat.
    pub silence: Duration,
    /// Time between two lines of text, unless the connection waits for events. Default 1 h.
    pub idle: Duration,
    /// How long a connection may say nothing while another waits for its turn, where they are served [one after the
    /// other](crate::Server::run_in_turn). Default 10 s: time to think of a line, not to go for a coffee.
    pub patience: Duration,
    /// Octets kept for all connections together: frames not complete yet, and what peers do not take. Default 256 MiB:
    /// twice what one may hold. Above it the connection that holds most ends.
    pub waiting_max_bytes: usize,
    /// How long a turn tries before it blocks. Default 0: it holds a core, and hurts where both ends share one.
    pub spin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 10_000,
            silence: Duration::from_secs(5 * 60),
            idle: Duration::from_secs(60 * 60),
            patience: Duration::from_secs(10),
            waiting_max_bytes: 256 << 20,
            spin: Duration::ZERO,
        }
    }
}

impl Limits {
    /// Returns how often silence is to be looked after.
    pub(super) fn period(&self) -> Duration {
        let shortest = self.silence.min(self.idle).min(self.patience).min(4 * TICK) / 4;
        shortest.max(Duration::from_millis(10))
    }
}
