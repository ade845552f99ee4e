//! How a server ends a link: its own reasons, silence, and the end of the stream.

use super::link::State;
use super::{Link, Server};
use crate::fault::{Fault, Malformed, Misbehaved};
use crate::frame::{self, Kind};
use crate::handshake::{Code, Goodbye, Reason};
use std::time::Duration;

impl Server {
    /// Ends a link from this side: a REJECT before the handshake was done, a GOODBYE after it.
    ///
    /// What arrives after a GOODBYE is thrown away, and the client knows that it was not taken up; what was can still
    /// be answered until the caller closes the connection.
    pub fn refuse(&self, link: &mut Link, code: Code, text: &str, out: &mut Vec<u8>) {
        let reason = Reason { code, text };
        link.state = match link.state {
            State::Opening | State::Greeting => {
                reason.put_reject(out);
                State::Closed
            }
            State::Open => {
                Goodbye { last_id: link.last_id, reason }.put(out);
                State::Leaving
            }
            State::Leaving | State::Closed => return,
        };
    }

    /// Ends a link over which nothing more is to be said.
    pub(super) fn end_at_once(&self, link: &mut Link, code: Code, text: &str, out: &mut Vec<u8>) {
        self.refuse(link, code, text, out);
        link.state = State::Closed;
    }

    /// Looks after the silence of a link: pings it, or gives it up. To be called about once a second.
    ///
    /// # Errors
    /// The handshake or an answer to a ping did not come in time; as [`next`](Server::next), why is in `out`.
    pub fn handle_timeout(&self, now: Duration, link: &mut Link, out: &mut Vec<u8>) -> Result<(), Fault> {
        let silence = now.saturating_sub(link.heard_at);
        let (fault, code) = match link.state {
            State::Opening | State::Greeting => {
                let limit = self.options.handshake_timeout;
                if now.saturating_sub(link.opened_at) < limit {
                    return Ok(());
                }
                (Misbehaved::Handshake { limit }, Code::Malformed)
            }
            State::Open => {
                let limit = self.options.ping_after.saturating_mul(3);
                if silence < limit {
                    if silence >= self.options.ping_after && !link.pinged {
                        link.pinged = true;
                        out.extend_from_slice(&frame::header(Kind::Ping, 0).encode());
                    }
                    return Ok(());
                }
                (Misbehaved::Silent { limit }, Code::Closing)
            }
            State::Leaving | State::Closed => return Ok(()),
        };
        self.end_at_once(link, code, &fault.to_string(), out);
        Err(fault.into())
    }

    /// Judges the end of the stream, with `left_bytes` of input that made no whole frame.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] where the stream ended within the handshake or a frame.
    pub fn end(&self, link: &Link, left_bytes: usize) -> Result<(), Fault> {
        let truncated = match link.state {
            State::Leaving | State::Closed => false,
            State::Open => left_bytes > 0,
            State::Opening | State::Greeting => true,
        };
        if truncated { Err(Malformed::Truncated { len_bytes: left_bytes }.into()) } else { Ok(()) }
    }
}
