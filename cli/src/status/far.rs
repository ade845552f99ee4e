//! What an endpoint tells about itself: its name, in the handshake, and its lines.

use serde::Serialize;
use soquete::Error;
use soquete_node::status::LeaseStatus;

use crate::command::answer::{self, Row, Value, plain};
use crate::reach::{Deadline, Target};

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
    /// Why it is unknown, where the board says so.
    pub(super) why: Option<String>,
    /// Who owns it; nothing where nobody does.
    pub(super) lease: Option<LeaseStatus>,
}

impl From<Row> for FarLine {
    fn from(row: Row) -> Self {
        let (name, direction) = (row.name.to_string(), answer::direction(row.direction));
        Self { name, direction, value: row.value, why: row.why, lease: row.lease }
    }
}

/// Asks an endpoint.
///
/// # Errors
/// It cannot be reached, refuses, or is no board.
pub(super) fn ask(target: &Target, by: Deadline) -> Result<Far, Error> {
    let mut client = target.connect(by.left(), by.left(), by.left())?;
    let text = String::from_utf8_lossy(client.request(b"LINES")?).into_owned();
    let rows = answer::rows(&text).map_err(|wrong| target.wrong_answer(wrong))?;
    let lines = rows.into_iter().map(FarLine::from).collect();
    Ok(Far { name: plain(client.server()), endpoints: [target.endpoint.to_string()], lines })
}
