//! Messages as Rust types: serde says what they consist of, [postcard](https://postcard.jamesmunns.com) how that
//! becomes octets, and the topic which type it is.
//!
//! A type names its topic and its version once, and its answer's type with it, so that the two ends cannot disagree about
//! either. What arrives under another topic or in another version, or cannot be read whole, is refused, and the refusal
//! names type, topics and versions. On the wire a message begins with its version, as postcard writes a `u16` (one octet
//! below 128); answers and events have none of their own, since they are of the version that was asked.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use soquete::typed::{Message, Question};
//! use soquete::{Client, ClientOptions, Exchange, Framing, Server};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Set { line: String, on: bool }
//! impl Message for Set { const TOPIC: u16 = 1; }
//! impl Question for Set { type Answer = u32; }
//!
//! let mut server = Server::bind(&"mem:typed".parse()?, Framing::Frames)?;
//! let stopper = server.stopper();
//! let serving = std::thread::spawn(move || {
//!     let mut count = 0;
//!     server.run(move |exchange: Exchange<'_>| match exchange.topic {
//!         Set::TOPIC => exchange.answer(|set: Set| { count += u32::from(set.on); count }).unwrap_or_default(),
//!         topic => exchange.refuse(soquete::Code::Malformed, &format!("unknown topic {topic}")),
//!     })
//! });
//! let mut client = Client::connect(&"mem:typed".parse()?, ClientOptions::frames(""))?;
//! assert_eq!(client.ask(&Set { line: "LED".into(), on: true })?, 1);
//! stopper.stop();
//! serving.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod mismatch;
mod octets;

pub use answer::{Answering, Responder};
pub use mismatch::Mismatch;

#[cfg(unix)]
use crate::hub::{ConnectionId, Handler, Hub, Pushed};
use crate::{Cause, Client, Error, Operation, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(unix)]
use soquete_proto::handshake::EventHead;
use std::fmt;
use std::time::Duration;

/// A type that goes over the wire under a topic of its own.
///
/// Within one service no two types may share a topic: the one would be read as the other where their octets allow it.
pub trait Message: Serialize + DeserializeOwned {
    /// The topic: 0 to 65,535.
    const TOPIC: u16;

    /// The version of the type, of its answer and of its events: 0 to 65,535, default 1. To be raised with every change of
    /// what they consist of; two ends of different versions refuse each other, whichever is the newer.
    const VERSION: u16 = 1;
}

/// A message that wants an answer, of one type.
pub trait Question: Message {
    /// What it is answered with.
    type Answer: Serialize + DeserializeOwned;
}

/// A question that begins a subscription.
pub trait Subscribe: Question {
    /// What the subscriber is told from then on.
    type Event: Serialize + DeserializeOwned;
}

/// Returns the octets of a value.
///
/// # Errors
/// [`Mismatch::Unwritable`] for what postcard has no form for, such as a sequence whose length is not known.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Mismatch> {
    postcard::to_allocvec(value).map_err(|_| Mismatch::Unwritable { name: mismatch::short_name::<T>() })
}

/// Reads a value, such as an event, that `payload` holds and nothing else. A `T` with `&str` or `&[u8]` in it borrows from
/// the payload and copies nothing.
///
/// What it allocates and how deep it goes is bounded by the octets that are there, whatever lengths they claim; with one
/// exception: of a sequence whose elements have no octets, such as `Vec<()>`, it makes as many as are claimed.
///
/// # Errors
/// [`Mismatch::Payload`] for octets that are no `T`, end early or are left over, or are nested deeper than 256 KiB of
/// stack can hold.
pub fn decode<'de, T: Deserialize<'de>>(payload: &'de [u8]) -> Result<T, Mismatch> {
    match octets::take(payload) {
        Some((value, [])) => Ok(value),
        _ => Err(Mismatch::Payload { name: mismatch::short_name::<T>(), len_bytes: payload.len() }),
    }
}

/// Returns the octets of a message: its version, then itself.
pub(crate) fn write<M: Message>(message: &M) -> Result<Vec<u8>, Mismatch> {
    encode(&(M::VERSION, message)).map_err(|_| Mismatch::Unwritable { name: mismatch::short_name::<M>() })
}

/// Reads a message of this version.
fn read<M: Message>(payload: &[u8]) -> Result<M, Mismatch> {
    let name = mismatch::short_name::<M>();
    match octets::take(payload) {
        Some((version, rest)) if version == M::VERSION => decode(rest),
        Some((version, _)) => Err(Mismatch::Version { name, expected: M::VERSION, version }),
        None => Err(Mismatch::Payload { name, len_bytes: payload.len() }),
    }
}

impl Client {
    /// Asks and waits for the answer; as [`request`](Client::request).
    ///
    /// # Errors
    /// As [`request`](Client::request): [`Cause::Rejected`] where the server does not take this type;
    /// [`Cause::Protocol`] with a [`Mismatch`] where the answer is of another type.
    pub fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, Error> {
        let octets = write(question).map_err(|mismatch| unwritten(self.endpoint(), mismatch))?;
        let answer = decode(self.request_on(Q::TOPIC, &octets)?);
        answer.map_err(|mismatch| unread(self.endpoint(), mismatch))
    }

    /// Asks for something that must not be done twice, nor late; as [`call`](Client::call).
    ///
    /// # Errors
    /// As [`call`](Client::call); [`Cause::Protocol`] where it was done and the answer is of another type.
    pub fn ask_once<Q: Question>(&mut self, question: &Q, timeout: Duration) -> Result<Outcome<Q::Answer>, Error> {
        let octets = write(question).map_err(|mismatch| unwritten(self.endpoint(), mismatch))?;
        let outcome = self.call_on(Q::TOPIC, &octets, timeout)?;
        outcome.decoded().map_err(|mismatch| unread(self.endpoint(), mismatch))
    }

    /// Sends a message that wants no answer; as [`message`](Client::message).
    ///
    /// # Errors
    /// As [`message`](Client::message).
    pub fn tell<M: Message>(&mut self, message: &M) -> Result<(), Error> {
        let octets = write(message).map_err(|mismatch| unwritten(self.endpoint(), mismatch))?;
        self.batch(|batch| batch.message_on(M::TOPIC, &octets))
    }

    /// Sends a message that overtakes; as [`urgent`](Client::urgent).
    ///
    /// # Errors
    /// As [`urgent`](Client::urgent).
    pub fn tell_urgent<M: Message>(&mut self, message: &M) -> Result<(), Error> {
        let octets = write(message).map_err(|mismatch| unwritten(self.endpoint(), mismatch))?;
        self.batch(|batch| batch.urgent_on(M::TOPIC, &octets))
    }
}

impl Outcome {
    pub(crate) fn decoded<A: DeserializeOwned>(self) -> Result<Outcome<A>, Mismatch> {
        Ok(match self {
            Outcome::Done(octets) => Outcome::Done(decode(&octets)?),
            Outcome::NotDone(why) => Outcome::NotDone(why),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        })
    }
}

#[cfg(unix)]
impl Hub {
    /// Sends an event to the subscription that request `id` of a connection made; as [`push`](Hub::push).
    ///
    /// # Errors
    /// As [`encode`].
    pub fn push_typed<S: Subscribe, H: Handler>(
        &mut self,
        (to, id): (ConnectionId, u32),
        head: EventHead,
        event: &S::Event,
        handler: &mut H,
    ) -> Result<Pushed, Mismatch> {
        Ok(self.push(to, id, head, &encode(event)?, handler))
    }

    /// Sends an event that overtakes; as [`push_urgent`](Hub::push_urgent).
    ///
    /// # Errors
    /// As [`encode`].
    pub fn push_urgent_typed<S: Subscribe, H: Handler>(
        &mut self,
        (to, id): (ConnectionId, u32),
        head: EventHead,
        event: &S::Event,
        handler: &mut H,
    ) -> Result<Pushed, Mismatch> {
        Ok(self.push_urgent(to, id, head, &encode(event)?, handler))
    }
}

pub(crate) fn unwritten(address: impl fmt::Display, mismatch: Mismatch) -> Error {
    Error::new(Operation::Send, address, Cause::Protocol(Box::new(mismatch)))
}

pub(crate) fn unread(address: impl fmt::Display, mismatch: Mismatch) -> Error {
    Error::new(Operation::Receive, address, Cause::Protocol(Box::new(mismatch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_whole_or_not_at_all() {
        let octets = encode(&(7u16, "LED")).unwrap();
        assert_eq!(octets, [7, 3, b'L', b'E', b'D']);
        assert_eq!(decode::<(u16, String)>(&octets), Ok((7, "LED".to_owned())));
        for cut in 0..octets.len() {
            assert!(decode::<(u16, String)>(&octets[..cut]).is_err(), "{cut}");
        }
        let longer = [&octets[..], &[0]].concat();
        assert_eq!(
            decode::<(u16, String)>(&longer).unwrap_err().to_string(),
            "6 octets that are no (u16, alloc::string::String)"
        );
    }

    #[test]
    fn a_length_that_lies_allocates_nothing() {
        assert!(decode::<Vec<u64>>(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]).is_err());
        assert!(decode::<String>(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, b'x']).is_err());
    }
}
