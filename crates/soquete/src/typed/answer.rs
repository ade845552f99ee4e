//! How a server answers typed questions.

use super::mismatch::Mismatch;
use super::{Message, Question, encode, read, unread, unwritten};
use crate::hub::ConnectionId;
use crate::{Cause, Error, Exchange, Operation};
use soquete_proto::handshake::Code;
use std::marker::PhantomData;

impl<'a> Exchange<'a> {
    /// Reads a message that wants no answer. Where one is wanted, [`question`](Exchange::question) is the way.
    ///
    /// # Errors
    /// [`Cause::Protocol`] with a [`Mismatch`] for a message of another topic or version, or that is no `M`.
    pub fn decode<M: Message>(&self) -> Result<M, Error> {
        self.read().map_err(|mismatch| unread(self.peer, mismatch))
    }

    /// Reads a question; the answer goes by what comes with it, and can only be of the type that fits.
    ///
    /// # Errors
    /// [`Cause::Protocol`] with a [`Mismatch`] for a message of another topic or version, or that is no `Q`: the peer was refused
    /// with the same words as [`Code::Malformed`], nothing is left to be done but to log it.
    pub fn question<Q: Question>(self) -> Result<(Q, Answering<'a, Q>), Error> {
        match self.read() {
            Ok(question) => Ok((question, Answering { exchange: self, question: PhantomData })),
            Err(mismatch) => {
                let error = unread(self.peer, mismatch.clone());
                self.malformed(&mismatch.to_string());
                Err(error)
            }
        }
    }

    /// Answers a question with what `act` makes of it.
    ///
    /// # Errors
    /// As [`question`](Exchange::question), in which case `act` was not called, and [`Answering::reply`].
    pub fn answer<Q: Question>(self, act: impl FnOnce(Q) -> Q::Answer) -> Result<(), Error> {
        let (question, answering) = self.question()?;
        answering.reply(&act(question))
    }

    fn read<M: Message>(&self) -> Result<M, Mismatch> {
        match Mismatch::of_envelope::<M>(self.tongue, self.topic) {
            Some(mismatch) => Err(mismatch),
            None => read(self.payload),
        }
    }
}

/// The way to answer a question of type `Q`. Dropped without an answer, it refuses with *no answer*.
pub struct Answering<'a, Q> {
    exchange: Exchange<'a>,
    question: PhantomData<fn(&Q)>,
}

impl<'a, Q: Question> Answering<'a, Q> {
    /// Returns the connection and the request's id, by which a subscription is named towards
    /// [`Hub::push_typed`](crate::Hub::push_typed).
    pub fn subscription(&self) -> (ConnectionId, u32) {
        (self.exchange.connection(), self.exchange.id())
    }

    /// Returns the exchange, for all that is not about types; its payload has been read.
    pub fn exchange(&mut self) -> &mut Exchange<'a> {
        &mut self.exchange
    }

    /// Answers.
    ///
    /// # Errors
    /// As [`Exchange::reply`]; [`Cause::Protocol`] where the answer cannot be written: the peer is told that the outcome
    /// is unknown.
    pub fn reply(self, answer: &Q::Answer) -> Result<(), Error> {
        match encode(answer) {
            Ok(octets) => self.exchange.reply(&octets),
            Err(mismatch) => {
                let error = unwritten(self.exchange.peer, mismatch.clone());
                self.exchange.refuse(Code::Unknown, &mismatch.to_string());
                Err(error)
            }
        }
    }

    /// Answers that it was not done, or that nobody knows.
    pub fn refuse(self, code: Code, text: &str) {
        self.exchange.refuse(code, text);
    }

    /// Answers later, from any thread; as [`Exchange::later`].
    pub fn later(self) -> Responder<Q> {
        Responder { responder: self.exchange.later(), question: PhantomData }
    }
}

/// Answers one question of type `Q` later; as [`crate::Responder`].
#[must_use = "a responder that is dropped tells the client that the outcome is unknown"]
pub struct Responder<Q> {
    responder: crate::Responder,
    question: PhantomData<fn(&Q)>,
}

impl<Q: Question> Responder<Q> {
    /// Answers.
    ///
    /// # Errors
    /// [`Cause::Protocol`] where the answer cannot be written: the peer is told that the outcome is unknown.
    pub fn reply(self, answer: &Q::Answer) -> Result<(), Error> {
        match encode(answer) {
            Ok(octets) => {
                self.responder.reply(&octets);
                Ok(())
            }
            Err(mismatch) => {
                self.responder.refuse(Code::Unknown, &mismatch.to_string());
                Err(Error::without_address(Operation::Send, Cause::Protocol(Box::new(mismatch))))
            }
        }
    }

    /// Answers that it was not done, or that nobody knows.
    pub fn refuse(self, code: Code, text: &str) {
        self.responder.refuse(code, text);
    }
}
