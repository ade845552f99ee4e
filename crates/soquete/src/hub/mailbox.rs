//! Where answers that are not given at once wait for the loop.

use super::ConnectionId;
use crate::system::{self, Bell};
use soquete_proto::handshake::{Code, Reason};
use soquete_proto::server::{Answer, Ticket};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An answer under way to the loop.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) connection: ConnectionId,
    pub(super) service: usize,
    pub(super) ticket: Option<Ticket>,
    pub(super) answer: Result<Box<[u8]>, (Code, Box<str>)>,
}

impl Letter {
    pub(super) fn answer(&self) -> Answer<'_> {
        match &self.answer {
            Ok(payload) => Answer::Reply(payload),
            Err((code, text)) => Answer::Error(Reason { code: *code, text }),
        }
    }
}

/// A queue that any thread can put answers into, and a bell that wakes the loop where it sleeps.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    /// Whether there is a letter: asked several times a turn, so that it must not cost a lock.
    has_letters: AtomicBool,
    bell: Bell,
    /// Whether the loop is about to sleep, so that a letter must ring. Without it each letter would cost a system call.
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Mailbox {
            letters: Mutex::new(Vec::new()),
            has_letters: AtomicBool::new(false),
            bell: Bell::new()?,
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }))
    }

    fn put(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        self.has_letters.store(true, Ordering::SeqCst);
        self.ring_if_asleep();
    }

    fn ring_if_asleep(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Says that the loop will sleep now; false where there is a letter already, so that it must not.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        !self.has_letters()
    }

    /// Says that the loop is awake. A letter that does not see it yet rings once in vain.
    pub(super) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Silences the bell after it woke the loop.
    pub(crate) fn silence(&self) {
        self.bell.silence();
    }

    #[inline]
    pub(super) fn has_letters(&self) -> bool {
        self.has_letters.load(Ordering::SeqCst)
    }

    pub(super) fn take(&self) -> Vec<Letter> {
        self.has_letters.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.ring();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

system::descriptor!(Mailbox, |mailbox| &mailbox.bell);

/// Answers one request later, from any thread.
///
/// One that is dropped without an answer tells the client that the outcome is unknown.
#[derive(Debug)]
#[must_use = "a responder that is dropped tells the client that the outcome is unknown"]
pub struct Responder {
    mailbox: Arc<Mailbox>,
    connection: ConnectionId,
    service: usize,
    ticket: Option<Ticket>,
    is_answered: bool,
}

impl Responder {
    pub(super) fn new(mailbox: Arc<Mailbox>, connection: ConnectionId, service: usize, ticket: Option<Ticket>) -> Self {
        Responder { mailbox, connection, service, ticket, is_answered: false }
    }

    /// Returns the connection that waits for the answer.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Says when what it answers was done; as [`Exchange::done_at`](super::Exchange::done_at).
    pub fn done_at(&mut self, at: Duration) {
        self.ticket.iter_mut().for_each(|ticket| ticket.done_at(at));
    }

    /// Answers with `payload`. A client that has gone by then is no error; one that resumes its session gets it.
    pub fn reply(mut self, payload: &[u8]) {
        self.put(Ok(payload.into()));
    }

    /// Answers that it was not done, or that nobody knows.
    pub fn refuse(mut self, code: Code, text: &str) {
        self.put(Err((code, text.into())));
    }

    fn put(&mut self, answer: Result<Box<[u8]>, (Code, Box<str>)>) {
        self.is_answered = true;
        let Responder { connection, service, ticket, .. } = *self;
        self.mailbox.put(Letter { connection, service, ticket, answer });
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.is_answered {
            self.put(Err((Code::Unknown, "the server gave no answer".into())));
        }
    }
}

/// Stops or wakes a loop from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Mailbox>);

impl Stopper {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Stopper(mailbox)
    }

    /// Has the turn that is under way come back, and no other. Does not block.
    pub fn wake(&self) {
        self.0.ring();
    }

    /// Ends [`Server::run`](crate::Server::run) after the turn that is under way, or whatever else it is of: how, stands
    /// there. Does not block.
    pub fn stop(&self) {
        self.0.stop();
    }
}
