//! What an endpoint tells about itself: its name, in the handshake, and its lines.

use serde::Serialize;
use soquete::{Cause, Client, ClientOptions, Clock, Endpoint, Error, Operation, Received};
use soquete_proto::client::{Client as Session, Event, Options, Request};

use crate::command::answer::{self, Row, Value, plain};
use crate::reach::Deadline;

/// Octets taken at once. The answer to `LINES` of the largest board fits twice.
const RECEIVE_MAX_BYTES: usize = 64 << 10;

/// What an endpoint tells about itself.
#[derive(Debug, Serialize)]
pub(super) struct Far {
    /// What the server calls itself; empty where it has no name.
    pub(super) name: String,
    /// Where it was asked.
    pub(super) endpoints: [String; 1],
    /// Its lines.
    pub(super) lines: Vec<FarLine>,
}

/// A line as it is told at an endpoint.
#[derive(Debug, Serialize)]
pub(super) struct FarLine {
    /// Its name.
    pub(super) name: String,
    /// `input` or `output`.
    pub(super) direction: &'static str,
    /// What it has.
    pub(super) value: Value,
}

impl From<Row> for FarLine {
    fn from(row: Row) -> Self {
        Self { name: row.name.to_string(), direction: answer::direction(row.direction), value: row.value }
    }
}

/// Asks an endpoint. The library's client keeps the handshake to itself, so the session is driven here, over a
/// connection of raw octets.
///
/// # Errors
/// It cannot be reached, refuses, or is no board.
pub(super) fn ask(endpoint: &Endpoint, by: Deadline) -> Result<Far, Error> {
    let options =
        ClientOptions { connect_timeout: by.left(), timeout: Some(by.left()), ..ClientOptions::raw(RECEIVE_MAX_BYTES) };
    let mut connection = Client::connect(endpoint, options)?;
    let mut session = Session::new(Options { name: "soquete".into(), ..Options::new("board") });
    let mut out = Vec::new();
    session.connected(Clock::now(), &mut out);
    session
        .request(Clock::now(), Request::new(b"LINES"), &mut out)
        .map_err(|misuse| Error::new(Operation::Send, endpoint, Cause::Protocol(Box::new(misuse))))?;
    let (mut input, mut name) = (Vec::new(), String::new());
    loop {
        if !out.is_empty() {
            connection.message(&out)?;
            out.clear();
        }
        let Received::Message { payload } = connection.receive()? else { continue };
        input.extend_from_slice(payload);
        let mut rest = input.as_slice();
        let broken = |fault| Error::new(Operation::Receive, endpoint, Cause::Protocol(Box::new(fault)));
        while let Some(event) = session.next(Clock::now(), &mut rest, &mut out).map_err(broken)? {
            match event {
                Event::Welcome(welcome) => name = plain(welcome.name),
                Event::Reply { payload, .. } => return far(endpoint, name, payload),
                Event::Rejected(reason) => return Err(refused(Operation::Handshake, endpoint, &reason)),
                Event::Error { reason, .. } => return Err(refused(Operation::Receive, endpoint, &reason)),
                Event::Event { .. } | Event::Message { .. } | Event::Goodbye(_) => {}
            }
        }
        let taken = input.len() - rest.len();
        input.drain(..taken);
    }
}

fn far(endpoint: &Endpoint, name: String, payload: &[u8]) -> Result<Far, Error> {
    let rows = answer::rows(&String::from_utf8_lossy(payload))
        .map_err(|wrong| Error::new(Operation::Receive, endpoint, Cause::Protocol(Box::new(wrong))))?;
    Ok(Far { name, endpoints: [endpoint.to_string()], lines: rows.into_iter().map(FarLine::from).collect() })
}

fn refused(operation: Operation, endpoint: &Endpoint, reason: &soquete_proto::handshake::Reason<'_>) -> Error {
    Error::new(operation, endpoint, Cause::Rejected { code: reason.code as u8, text: reason.text.into() })
}
