//! Requests that must not be done twice or late.

use super::{Client, Codec, Kind, Outcome, misused};
use crate::{Backoff, Cause, Clock, Error};
use soquete_proto::client::{Request, Verdict};
use soquete_proto::handshake::Code;
use std::time::Duration;

impl Client {
    /// Asks for something that must not be done twice, nor after `timeout` from now; tells how it ended.
    ///
    /// Where the connection is lost it is made again, and the server asked what became of the request. It returns
    /// within the timeout, and at most a second later where the request was sent and its outcome is still open.
    ///
    /// # Errors
    /// [`Cause::Rejected`](crate::Cause::Rejected) where the server refuses the session,
    /// [`Cause::Misuse`](crate::Cause::Misuse) without frames. A connection that is lost is no error but an outcome.
    pub fn call(&mut self, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        self.call_on(0, payload, timeout)
    }

    /// As [`call`](Client::call), with a message type.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub fn call_on(&mut self, topic: u16, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        let now = Clock::now();
        let Codec::Frames(core) = &mut self.codec else {
            return Err(self.misuse("a call needs frames"));
        };
        let request =
            Request { topic, once: true, deadline: Some(now.saturating_add(timeout)), ..Request::new(payload) };
        let id = core.request(now, request, &mut self.out).map_err(|misuse| misused(&self.endpoint, misuse))?;
        let mut backoff = Backoff::default();
        loop {
            if let Some(outcome) = self.verdict(id) {
                return Ok(outcome);
            }
            if self.link.is_none() {
                self.reconnect(&mut backoff);
                continue;
            }
            let timeout = self.until_timeout();
            if timeout == Some(Duration::ZERO) {
                // Also while the server keeps sending something else.
                self.tick();
                continue;
            }
            match self.fill(timeout) {
                Ok(()) => {}
                // ETIMEDOUT is another thing: a connection that is lost.
                Err(error) if matches!(error.cause(), Cause::Timeout) => {}
                Err(_) => self.disconnect(),
            }
            if let Some(outcome) = self.answer_to(id)? {
                return Ok(outcome);
            }
        }
    }

    /// Looks for the answer to `id` in what has come. A connection that talks nonsense is given up like one that is lost.
    fn answer_to(&mut self, id: u32) -> Result<Option<Outcome>, Error> {
        loop {
            match self.take_next() {
                Ok(None) => return Ok(None),
                Ok(Some((Kind::Reply(answered), range))) if answered == id => {
                    return Ok(Some(Outcome::Done(self.input.get(range).to_vec())));
                }
                Ok(Some((Kind::Failed(answered, code), _))) if answered == id => {
                    let reason = std::mem::take(&mut self.reason);
                    let is_not_done = code.is_not_done();
                    return Ok(Some(if is_not_done { Outcome::NotDone(reason) } else { Outcome::Unknown(reason) }));
                }
                Ok(Some((kind, range))) => {
                    if self.keep(kind, range.clone()).is_err() {
                        // Nobody has received so many: the oldest goes, since this call must be told how it ended.
                        self.kept.pop_front();
                        self.keep(kind, range)?;
                    }
                }
                Err(error) => {
                    self.disconnect();
                    // Who refuses the session has not seen the request, unless it was sent in an earlier connection.
                    return if error.is_rejected() && self.take_back(id) { Err(error) } else { Ok(None) };
                }
            }
        }
    }

    /// Gives a request up that was never sent, so that it is not done later either; says whether that could be.
    fn take_back(&mut self, id: u32) -> bool {
        let Codec::Frames(core) = &mut self.codec else { return false };
        let can_be = !core.was_sent(id);
        if can_be {
            core.cancel(id, &mut self.out);
        }
        can_be
    }

    fn verdict(&mut self, id: u32) -> Option<Outcome> {
        let Codec::Frames(core) = &mut self.codec else { return None };
        while let Some((ended, verdict)) = core.verdict() {
            if ended == id {
                return Some(match verdict {
                    Verdict::NotDone(why) => Outcome::NotDone(why.to_string()),
                    Verdict::Unknown(why) => Outcome::Unknown(why.to_string()),
                });
            }
            // Of another request, which `receive` must bring to its end.
            let (code, why) = match verdict {
                Verdict::NotDone(why) => (Code::Refused, why),
                Verdict::Unknown(why) => (Code::Unknown, why),
            };
            self.reason = why.to_string();
            self.kept.push_back((Kind::Failed(ended, code), Vec::new()));
        }
        None
    }

    /// Waits a little, then tries to connect; whether it came to anything shows in the stream.
    fn reconnect(&mut self, backoff: &mut Backoff) {
        let left = self.until_timeout().unwrap_or(Duration::MAX);
        let pause = backoff.next(crate::entropy::random_u64());
        std::thread::sleep(pause.min(left));
        if self.connect_within(left.saturating_sub(pause).max(Duration::from_millis(1))).is_err() {
            self.link = None;
        }
        self.tick();
    }

    fn until_timeout(&mut self) -> Option<Duration> {
        let Codec::Frames(core) = &mut self.codec else { return self.options.timeout };
        core.timeout().map(|at| at.saturating_sub(Clock::now()))
    }

    /// Ends what has had its time. A server that does not even answer a ping is given up.
    fn tick(&mut self) {
        if let Codec::Frames(core) = &mut self.codec
            && core.handle_timeout(Clock::now(), &mut self.out).is_err()
        {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        self.link = None;
        if let Codec::Frames(core) = &mut self.codec {
            core.disconnected();
        }
    }
}
