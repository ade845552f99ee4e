//! Rust types instead of octets, as the blocking client has them.

use super::{AsyncClient, Subscription};
use crate::typed::{Message, Question, Subscribe, decode, unread, unwritten, write};
use crate::{Error, Outcome};
use soquete_proto::handshake::EventHead;
use std::marker::PhantomData;
use std::time::Duration;

impl AsyncClient {
    /// Asks and waits for the answer; as [`request`](AsyncClient::request).
    ///
    /// # Errors
    /// As [`Client::ask`](crate::Client::ask).
    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Error> {
        let octets = self.written(question)?;
        decode(&self.request_on(Q::TOPIC, &octets).await?).map_err(|mismatch| unread(self.endpoint(), mismatch))
    }

    /// Asks for something that must not be done twice, nor late; as [`call`](AsyncClient::call).
    ///
    /// # Errors
    /// As [`Client::ask_once`](crate::Client::ask_once).
    pub async fn ask_once<Q: Question>(&self, question: &Q, timeout: Duration) -> Result<Outcome<Q::Answer>, Error> {
        let octets = self.written(question)?;
        let outcome = self.call_on(Q::TOPIC, &octets, timeout).await?;
        outcome.decoded().map_err(|mismatch| unread(self.endpoint(), mismatch))
    }

    /// Sends a message that wants no answer; as [`message`](AsyncClient::message).
    ///
    /// # Errors
    /// As [`message`](AsyncClient::message).
    pub async fn tell<M: Message>(&self, message: &M) -> Result<(), Error> {
        let octets = self.written(message)?;
        self.message_on(M::TOPIC, &octets).await
    }

    /// Sends a message that overtakes; as [`urgent`](AsyncClient::urgent).
    ///
    /// # Errors
    /// As [`message`](AsyncClient::message).
    pub async fn tell_urgent<M: Message>(&self, message: &M) -> Result<(), Error> {
        let octets = self.written(message)?;
        self.urgent_on(M::TOPIC, &octets).await
    }

    /// Asks for a subscription; as [`subscribe`](AsyncClient::subscribe).
    ///
    /// # Errors
    /// As [`ask`](AsyncClient::ask).
    pub async fn watch<S: Subscribe>(&self, question: &S) -> Result<Watching<S>, Error> {
        let octets = self.written(question)?;
        let subscription = self.subscribe_on(S::TOPIC, &octets).await?;
        let answer = decode(subscription.reply()).map_err(|mismatch| unread(self.endpoint(), mismatch))?;
        Ok(Watching { subscription, answer, question: PhantomData })
    }

    fn written<M: Message>(&self, message: &M) -> Result<Vec<u8>, Error> {
        write(message).map_err(|mismatch| unwritten(self.endpoint(), mismatch))
    }
}

/// A subscription whose events are of one type; dropping it ends it.
pub struct Watching<S: Subscribe> {
    subscription: Subscription,
    answer: S::Answer,
    question: PhantomData<fn(&S)>,
}

impl<S: Subscribe> Watching<S> {
    /// Returns what the server answered when it granted the subscription.
    pub fn answer(&self) -> &S::Answer {
        &self.answer
    }

    /// Waits for the next event; as [`Subscription::next`].
    ///
    /// # Errors
    /// [`Cause::Protocol`](crate::Cause::Protocol) for an event of another type; the next may be read all the same.
    pub async fn next(&mut self) -> Option<Result<(EventHead, S::Event), Error>> {
        let event = self.subscription.next().await?;
        let read = decode(&event.payload).map(|value| (event.head, value));
        Some(read.map_err(|mismatch| unread(self.subscription.client().endpoint(), mismatch)))
    }
}
