//! The one error of this library: which operation, at which address, for which cause.

mod words;

pub(crate) use words::NO_SESSION;

use std::{fmt, io};

use rustix::io::Errno;

/// The one error of this library: it knows operation, address and cause, and prints as one lower-case line,
/// `connect tcp://127.0.0.1:5555: connection refused`.
#[derive(Debug)]
pub struct Error {
    operation: Operation,
    address: Option<Box<str>>,
    cause: Cause,
}

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Looking up a host name.
    Resolve,
    /// Taking an address to listen at.
    Bind,
    /// Starting to listen.
    Listen,
    /// Taking a new connection.
    Accept,
    /// Making a connection.
    Connect,
    /// Making a connection with a peer that makes it, too.
    Meet,
    /// Agreeing with the peer on who talks and how.
    Handshake,
    /// Sending.
    Send,
    /// Receiving.
    Receive,
    /// Waiting for descriptors to become ready.
    Poll,
}

/// Why it failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system said no.
    Io(io::Error),
    /// The time given for it is over.
    Timeout,
    /// The peer turned us away and said why.
    Rejected {
        /// The reason's number in the protocol.
        code: u8,
        /// The reason in the peer's words.
        text: Box<str>,
    },
    /// The peer broke the protocol.
    Protocol(Box<dyn std::error::Error + Send + Sync>),
    /// A message is longer than agreed.
    Oversize {
        /// The octets it has.
        len_bytes: usize,
        /// The most it may have.
        max_bytes: usize,
    },
    /// The peer closed the connection in an orderly way where more was expected.
    Closed,
    /// A host name could not be turned into an address.
    Unresolved(io::Error),
    /// A bound is reached at this moment: what is full, in words.
    Busy(&'static str),
    /// A file that is no socket has the path of a Unix endpoint; it is left alone.
    FileInTheWay,
    /// The caller asked for something this operation cannot do: what, in words.
    Misuse(&'static str),
}

impl Error {
    /// Makes an error of an operation at an address: an [`Endpoint`](crate::Endpoint), a [`Peer`](crate::Peer), a name.
    pub fn new(operation: Operation, address: impl fmt::Display, cause: impl Into<Cause>) -> Self {
        let address = Some(address.to_string().into_boxed_str());
        Self { operation, address, cause: cause.into() }
    }

    /// Makes an error of an operation that has no address, such as waiting for many descriptors.
    pub fn without_address(operation: Operation, cause: impl Into<Cause>) -> Self {
        Self { operation, address: None, cause: cause.into() }
    }

    /// Makes the error of a send that failed, with where it was to go. A message that was too long (EMSGSIZE) is told with its
    /// length and the limit: [`Stream::packet_max_bytes`](crate::Stream::packet_max_bytes),
    /// [`Datagram::max_bytes`](crate::Datagram::max_bytes). Where the limit lay elsewhere, on the way, say, it is EMSGSIZE.
    ///
    /// ```
    /// use soquete::{Datagram, Error};
    ///
    /// let board: soquete::Endpoint = "udp://127.0.0.1:5555".parse()?;
    /// let button = Datagram::connect(&board, &Default::default())?;
    /// let picture = vec![0; 70_000];
    /// let sent = button.send(&picture).map_err(|error| Error::of_send(&board, picture.len(), button.max_bytes(), error));
    /// let line = "send udp://127.0.0.1:5555: message of 70000 octets, at most 65507 allowed";
    /// assert_eq!(sent.unwrap_err().to_string(), line);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_send(to: impl fmt::Display, len_bytes: usize, max_bytes: usize, error: io::Error) -> Self {
        let is_too_long = Errno::from_io_error(&error) == Some(Errno::MSGSIZE) && len_bytes > max_bytes;
        let cause = if is_too_long { Cause::Oversize { len_bytes, max_bytes } } else { error.into() };
        Self::new(Operation::Send, to, cause)
    }

    /// Says what was being done.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Says where, as an endpoint or peer prints.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Says why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Tells whether time ran out, here or in the kernel (ETIMEDOUT).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, Cause::Timeout) || self.is_errno(Errno::TIMEDOUT)
    }

    /// Tells whether the peer turned us away in the handshake; trying again without a change is useless.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(self.cause, Cause::Rejected { .. })
    }

    /// Tells whether a connect found nobody to take it: refused (ECONNREFUSED), or the listener's queue is full.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_errno(Errno::CONNREFUSED)
            || self.operation == Operation::Connect && matches!(self.cause, Cause::Busy(_))
    }

    /// Tells whether somebody else has the address (EADDRINUSE).
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.is_errno(Errno::ADDRINUSE)
    }

    /// Tells whether the connection has ended: by the peer's orderly close, by reset (ECONNRESET), or because we
    /// sent after its end (EPIPE).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.cause, Cause::Closed)
            || matches!(self.io_kind(), Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
    }

    /// Gives the kind of the operating system's error, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.cause {
            Cause::Io(error) => Some(error.kind()),
            _ => None,
        }
    }

    fn is_errno(&self, errno: Errno) -> bool {
        words::errno(&self.cause) == Some(errno)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "{} {address}: {}", self.operation, self.cause),
            None => write!(f, "{}: {}", self.operation, self.cause),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Io(error) | Cause::Unresolved(error) => Some(error),
            Cause::Protocol(fault) => Some(fault.as_ref()),
            _ => None,
        }
    }
}

impl Operation {
    /// Makes the error of this operation at an address from a cause that is yet to come, for `map_err`.
    pub(crate) fn failed<C: Into<Cause>>(self, address: impl fmt::Display) -> impl FnOnce(C) -> Error {
        move |cause| Error::new(self, address, cause)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Meet => "meet",
            Self::Handshake => "handshake",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Poll => "poll",
        })
    }
}

impl From<io::Error> for Cause {
    /// Takes an operating system's error. One that would block met the timeout of a blocking stream, so it is
    /// [`Cause::Timeout`]; an early end of a stream is [`Cause::Closed`].
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::Timeout,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        io::Error::from(errno).into()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn connect(cause: impl Into<Cause>) -> Error {
        Error::new(Operation::Connect, "tcp://127.0.0.1:5555", cause)
    }

    #[test]
    fn it_prints_operation_address_and_cause_in_one_line() {
        let refused = connect(Errno::CONNREFUSED);
        assert_eq!(refused.to_string(), "connect tcp://127.0.0.1:5555: connection refused");
        assert_eq!(Error::without_address(Operation::Poll, Cause::Timeout).to_string(), "poll: timed out");
        assert_eq!(refused.operation(), Operation::Connect);
        assert_eq!(refused.address(), Some("tcp://127.0.0.1:5555"));
        assert!(matches!(refused.cause(), Cause::Io(_)));
    }

    #[test]
    fn it_answers_questions() {
        assert!(connect(Errno::CONNREFUSED).is_refused());
        assert!(connect(Cause::Busy("the queue is full")).is_refused());
        assert!(!Error::new(Operation::Resolve, "led", Cause::Busy("too many")).is_refused());
        assert!(connect(Errno::TIMEDOUT).is_timeout());
        assert!(connect(Errno::AGAIN).is_timeout());
        assert!(connect(Errno::ADDRINUSE).is_in_use());
        assert!(connect(io::Error::from(io::ErrorKind::UnexpectedEof)).is_closed());
        assert!(connect(Errno::CONNRESET).is_closed());
        assert!(connect(Errno::PIPE).is_closed());
        assert!(connect(Cause::Rejected { code: 1, text: "no such service".into() }).is_rejected());
        assert_eq!(connect(Errno::NOENT).io_kind(), Some(io::ErrorKind::NotFound));
        assert_eq!(connect(Cause::Closed).io_kind(), None);
    }

    #[test]
    fn it_keeps_the_source() {
        assert!(connect(Errno::PIPE).source().is_some_and(<dyn std::error::Error>::is::<io::Error>));
        assert!(connect(Cause::Protocol("bad magic".into())).source().is_some());
        assert!(connect(Cause::Closed).source().is_none());
    }

    #[test]
    fn it_stays_small_and_can_go_to_another_thread() {
        fn assert_shared<T: Send + Sync + 'static>() {}
        assert_shared::<Error>();
        assert!(size_of::<Error>() <= 64);
    }
}
