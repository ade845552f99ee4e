//! What a mode runs over.

use std::time::Duration;

/// The variable of the environment by which the table tells its children their side.
///
/// It serves other harnesses too: `SOQUETE_BENCH_SIDE=bare soquete bench ping …` is the same over bare sockets.
pub(super) const VARIABLE: &str = "SOQUETE_BENCH_SIDE";

/// How long both ends try before they block, where they spin.
const SPIN: Duration = Duration::from_micros(50);

/// What a child of the table runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The library.
    Soquete,
    /// The library, which tries for a while before it blocks.
    Spinning,
    /// The library, where `source` sends each datagram with a call of its own.
    Single,
    /// Bare blocking sockets.
    Bare,
    /// Bare blocking sockets; `pong` answers one message of each connection and keeps it.
    Holding,
}

impl Side {
    const ALL: [Side; 5] = [Side::Soquete, Side::Spinning, Side::Single, Side::Bare, Side::Holding];

    /// Returns what the environment says.
    pub(super) fn of_this_process() -> Option<Self> {
        let word = std::env::var(VARIABLE).ok()?;
        Side::ALL.into_iter().find(|side| side.word() == word)
    }

    /// Returns its word in the environment.
    pub(super) fn word(self) -> &'static str {
        match self {
            Side::Soquete => "soquete",
            Side::Spinning => "spin",
            Side::Single => "single",
            Side::Bare => "bare",
            Side::Holding => "hold",
        }
    }

    /// Returns how long an end tries before it blocks.
    pub(super) fn spin(side: Option<Self>) -> Duration {
        if side == Some(Side::Spinning) { SPIN } else { Duration::ZERO }
    }
}
