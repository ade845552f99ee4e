//! The three forms of closing: at once, when all has been sent, and by reset.
//!
//! | form | what was written and not yet sent | who closes | the peer sees |
//! |---|---|---|---|
//! | drop | the kernel goes on sending it | goes on at once | all of it, then the end |
//! | [`Stream::close_within`] | the same | waits until the peer's kernel has it (SO_LINGER) | the same |
//! | [`Stream::abort`] | is thrown away | goes on at once | a reset |
//!
//! Textbooks say that a close blocks while data is on its way, and that a shutdown before it throws the data away. On
//! Linux neither holds: without SO_LINGER no close waits, and after a shutdown what was written is still sent.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;

use super::Stream;
use crate::Clock;

/// How much earlier than its whole seconds the kernel may stop waiting: it counts in ticks, of at most 10 ms, and the first
/// has begun already.
const TICK: Duration = Duration::from_millis(10);

/// How [`Stream::close_within`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The peer's kernel has acknowledged all that was written, and the end. Whether its program reads it is another
    /// matter. A connection that broke during the wait ends in the same way: the kernel does not tell.
    Sent,
    /// The time was over first. The kernel still goes on for a while, as after a drop.
    TimeOver,
}

impl Stream {
    /// Closes, and blocks until the peer's kernel has all that was written, or the time is over (SO_LINGER).
    ///
    /// The kernel counts in seconds, so a part of one becomes a whole one; a timeout of zero closes as a drop does and says
    /// [`Closed::TimeOver`]. It blocks even if the stream does not. Over Unix and `mem:` it never waits: what was written is
    /// with the peer already.
    ///
    /// That the peer's program has read everything only the peer can say: `shutdown(Shutdown::Write)`, and then read its answer
    /// until the end.
    ///
    /// # Errors
    ///
    /// What broke the connection before, such as ECONNRESET: what was written may be lost. EINVAL for a timeout above 68
    /// years.
    pub fn close_within(self, timeout: Duration) -> io::Result<Closed> {
        sockopt::socket_error(&self.fd)??;
        if timeout.is_zero() {
            return Ok(Closed::TimeOver);
        }
        sockopt::set_socket_linger(&self.fd, Some(timeout))?;
        let granted = Duration::from_secs(timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0));
        let begun = Clock::now();
        drop(self);
        Ok(if Clock::now() - begun + TICK < granted { Closed::Sent } else { Closed::TimeOver })
    }

    /// Closes at once and throws away what the peer has not got: over TCP the peer sees a reset (ECONNRESET).
    ///
    /// Over Unix and `mem:` there is no such thing; it closes, and the peer sees a reset only if it had sent
    /// something that was not read.
    pub fn abort(self) {
        // Nobody can do anything about a failure, and the stream is closed in any case.
        let _ = sockopt::set_socket_linger(&self.fd, Some(Duration::ZERO));
    }
}
