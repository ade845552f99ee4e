//! Outputs: what they begin with, what sets them, what they end with.

use super::{LINES, Scene, board};
use crate::rig::Trouble;
use crate::rig::guest::Parts;

pub(super) const SCENES: &[Scene] = &[Scene { name: "outputs_begin_as_configured", play: outputs }];

fn outputs(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("is 1 value a 7 && is 1 value a 5 && is 0 value a 6 && is 0 value b 0")?;
    let lines = guest.run(LINES)?;
    for (line, value) in [("LED", "on"), ("LOW", "off"), ("KEPT", "unknown"), ("FAR", "off")] {
        let is_there = lines.lines().any(|row| row.split_whitespace().eq([line, "output", value]));
        is_there.then_some(()).ok_or_else(|| Trouble(format!("{line} is not {value}:\n{lines}")))?;
    }
    guest.run("soquete set LOW on --at tcp://127.0.0.1:5555 && is 0 value a 5")?;
    guest.run("kill $board; wait $board; is 0 value a 7 && has 'LED off, by stop' cat /run/board.log").map(drop)
}
