//! What a frame says, of every kind: for tests, tools and other readers of the wire.
//!
//! The two ends of a session read only the kinds they expect, and do not come through here.

use crate::fault::{Malformed, Misuse};
use crate::field::Fields;
use crate::frame::{self, Frame, Header, Kind};
use crate::handshake::{EventHead, Goodbye, Hello, Reason, RequestHead, Welcome, control, put_timed};
use crate::span::Span;

/// What a frame says beyond its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// HELLO.
    Hello(Hello<'a>),
    /// WELCOME.
    Welcome(Welcome<'a>),
    /// REJECT.
    Reject(Reason<'a>),
    /// MESSAGE: the application's octets.
    Message(&'a [u8]),
    /// REQUEST.
    Request {
        /// What the payload begins with.
        head: RequestHead,
        /// How old its cause was when it was sent, where the client says so.
        age: Option<Span>,
        /// The application's octets.
        payload: &'a [u8],
    },
    /// REPLY.
    Reply {
        /// How long the server took, where it says so.
        took: Option<Span>,
        /// The application's octets.
        payload: &'a [u8],
    },
    /// ERROR.
    Error(Reason<'a>),
    /// EVENT.
    Event {
        /// What the payload begins with.
        head: EventHead,
        /// The application's octets.
        payload: &'a [u8],
    },
    /// CANCEL.
    Cancel,
    /// PING.
    Ping,
    /// PONG.
    Pong {
        /// The session clock of a server in microseconds; 0 from a client, which has none.
        clock_us: u64,
    },
    /// GOODBYE.
    Goodbye(Goodbye<'a>),
}

impl<'a> Content<'a> {
    /// Reads a frame.
    ///
    /// ```
    /// use soquete_proto::content::Content;
    /// use soquete_proto::frame;
    /// let octets = [8, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 0x40, 0x42, 0x0F, 0, 0, 0, 0, 0];
    /// let frame = frame::take(&mut &octets[..], 1024)?.unwrap();
    /// assert_eq!(Content::read(&frame)?, Content::Pong { clock_us: 1_000_000 });
    /// # Ok::<(), soquete_proto::fault::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// [`Malformed::Payload`] for a payload that ends early, has octets left over, or text that is no line of UTF-8.
    pub fn read(frame: &Frame<'a>) -> Result<Self, Malformed> {
        let (kind, payload) = (frame.header.kind, frame.payload);
        let mut fields = Fields::new(payload);
        Ok(match kind {
            Kind::Hello => Content::Hello(control(frame, Hello::read)?),
            Kind::Welcome => Content::Welcome(control(frame, Welcome::read)?),
            Kind::Reject => Content::Reject(control(frame, Reason::read)?),
            Kind::Message => Content::Message(payload),
            Kind::Request => {
                let head = RequestHead::read(&mut fields).ok_or(Malformed::Payload { kind })?;
                let age = Span::read_if(&frame.header, &mut fields)?;
                Content::Request { head, age, payload: fields.rest() }
            }
            Kind::Reply => {
                let took = Span::read_if(&frame.header, &mut fields)?;
                Content::Reply { took, payload: fields.rest() }
            }
            Kind::Error => Content::Error(control(frame, Reason::read)?),
            Kind::Event => {
                let head = EventHead::read(&mut fields).ok_or(Malformed::Payload { kind })?;
                let head = EventHead { lag: Span::read_if(&frame.header, &mut fields)?, ..head };
                Content::Event { head, payload: fields.rest() }
            }
            Kind::Cancel => control(frame, |_| Some(Content::Cancel))?,
            Kind::Ping => control(frame, |_| Some(Content::Ping))?,
            Kind::Pong => Content::Pong { clock_us: control(frame, Fields::u64)? },
            Kind::Goodbye => Content::Goodbye(control(frame, Goodbye::read)?),
        })
    }

    /// Returns the kind of frame that says this.
    pub fn kind(&self) -> Kind {
        match self {
            Content::Hello(_) => Kind::Hello,
            Content::Welcome(_) => Kind::Welcome,
            Content::Reject(_) => Kind::Reject,
            Content::Message(_) => Kind::Message,
            Content::Request { .. } => Kind::Request,
            Content::Reply { .. } => Kind::Reply,
            Content::Error(_) => Kind::Error,
            Content::Event { .. } => Kind::Event,
            Content::Cancel => Kind::Cancel,
            Content::Ping => Kind::Ping,
            Content::Pong { .. } => Kind::Pong,
            Content::Goodbye(_) => Kind::Goodbye,
        }
    }

    /// Appends the frame that says this; `header` gives flags, topic and id, where the kind has them, a span its own flag.
    ///
    /// # Errors
    /// [`Misuse::Oversize`] for a payload that no header can say the length of; nothing is appended then.
    pub fn put(&self, header: Header, out: &mut Vec<u8>) -> Result<(), Misuse> {
        let header = Header { kind: self.kind(), ..header };
        let put = |out: &mut Vec<u8>, parts: &[&[u8]]| frame::put(out, header, parts, u32::MAX);
        match self {
            Content::Hello(hello) => hello.put(out),
            Content::Welcome(welcome) => welcome.put(out),
            Content::Reject(reason) => reason.put_reject(out),
            Content::Goodbye(goodbye) => goodbye.put(out),
            Content::Message(payload) => put(out, &[payload])?,
            Content::Reply { took, payload } => put_timed(out, header, *took, [&[], payload], u32::MAX)?,
            Content::Request { head, age, payload } => {
                put_timed(out, header, *age, [&head.encode(), payload], u32::MAX)?;
            }
            Content::Event { head, payload } => put_timed(out, header, head.lag, [&head.encode(), payload], u32::MAX)?,
            Content::Error(reason) => put(out, &[&reason.payload()])?,
            Content::Cancel | Content::Ping => put(out, &[])?,
            Content::Pong { clock_us } => put(out, &[&clock_us.to_le_bytes()])?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Flags;

    #[test]
    fn a_frame_comes_back_as_it_went() {
        let said = Content::Request {
            head: RequestHead { deadline_us: 7, hops: 1, lowest: 3 },
            age: None,
            payload: b"LED ON",
        };
        let header = Header { flags: Flags::ONCE, topic: 2, ..frame::header(Kind::Request, 4) };
        let mut out = Vec::new();
        said.put(header, &mut out).unwrap();
        let frame = frame::take_within(&mut &out[..], 6).unwrap().unwrap();
        assert_eq!((frame.header.topic, frame.header.id), (2, 4));
        assert_eq!(Content::read(&frame), Ok(said));
    }

    #[test]
    fn a_ping_with_a_payload_is_malformed() {
        let mut out = Vec::new();
        frame::put(&mut out, frame::header(Kind::Ping, 1), &[b"x"], 1).unwrap();
        let frame = frame::take(&mut &out[..], 1).unwrap().unwrap();
        assert_eq!(Content::read(&frame), Err(Malformed::Payload { kind: Kind::Ping }));
    }
}
