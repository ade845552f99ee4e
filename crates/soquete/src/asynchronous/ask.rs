//! What the handles ask of the driver, and how it ends.

use super::subscription::Feed;
use crate::{Cause, Error};
use soquete_proto::client::{Unanswered, Verdict};
use soquete_proto::handshake::Code;
use std::io;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// What a handle asks of the driver.
pub(super) enum Ask {
    Request {
        topic: u16,
        payload: Box<[u8]>,
        deadline: Option<Duration>,
        waiting: Waiting,
        feed: Option<Feed>,
    },
    Message {
        topic: u16,
        payload: Box<[u8]>,
        _permit: OwnedSemaphorePermit,
    },
    Urgent(Urgent),
    /// Nobody waits any more for the request of this token, or listens to the subscription it made.
    Cancel(u64),
    Close(oneshot::Sender<()>),
}

/// A message that goes before what is asked and not sent.
pub(super) struct Urgent {
    pub(super) topic: u16,
    pub(super) payload: Box<[u8]>,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Who waits for the end of a request.
pub(super) struct Waiting {
    pub(super) token: u64,
    pub(super) tell: oneshot::Sender<Ended>,
    /// It outlives connections; a plain request does not.
    pub(super) is_call: bool,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// How a request ended.
pub(super) enum Ended {
    Reply(Vec<u8>),
    Failed(Code, String),
    Unanswered(Verdict),
    Error(Error),
}

impl Ended {
    /// Returns the end of what was never sent for want of a server that answers.
    pub(super) fn not_answering() -> Self {
        Ended::Unanswered(Verdict::NotDone(Unanswered::NotAnswering))
    }
}

/// Returns why a plain request has no answer.
pub(super) fn verdict_error(verdict: Verdict) -> Cause {
    let (Verdict::NotDone(why) | Verdict::Unknown(why)) = verdict;
    match why {
        Unanswered::NoServer | Unanswered::NotAnswering => Cause::Timeout,
        Unanswered::TooLong => Cause::Misuse("longer than the server takes"),
        Unanswered::ConnectionLost | Unanswered::UnknownSession | Unanswered::NotTakenUp | Unanswered::Cancelled => {
            Cause::Closed
        }
    }
}

/// Says the same once more: an error has one owner, and several may have to hear it.
pub(super) fn again(error: &Error) -> Error {
    let copy = |error: &io::Error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    let cause = match error.cause() {
        Cause::Io(error) => Cause::Io(copy(error)),
        Cause::Timeout => Cause::Timeout,
        Cause::Rejected { code, text } => Cause::Rejected { code: *code, text: text.clone() },
        Cause::Protocol(fault) => Cause::Protocol(fault.to_string().into()),
        Cause::Oversize { len_bytes, max_bytes } => Cause::Oversize { len_bytes: *len_bytes, max_bytes: *max_bytes },
        Cause::Closed => Cause::Closed,
        Cause::Unresolved(error) => Cause::Unresolved(copy(error)),
        Cause::Busy(what) => Cause::Busy(what),
        Cause::FileInTheWay => Cause::FileInTheWay,
        Cause::Misuse(what) => Cause::Misuse(what),
    };
    match error.address() {
        Some(address) => Error::new(error.operation(), address, cause),
        None => Error::without_address(error.operation(), cause),
    }
}

/// Takes a request back where the future that waits for it is dropped.
pub(super) struct Guard<'a> {
    asks: Option<&'a mpsc::UnboundedSender<Ask>>,
    token: u64,
}

impl<'a> Guard<'a> {
    pub(super) fn new(asks: &'a mpsc::UnboundedSender<Ask>, token: u64) -> Self {
        Guard { asks: Some(asks), token }
    }

    /// Notes that the request has ended.
    pub(super) fn disarm(&mut self) {
        self.asks = None;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(asks) = self.asks {
            // A driver that is gone has nothing to take back.
            let _ = asks.send(Ask::Cancel(self.token));
        }
    }
}
