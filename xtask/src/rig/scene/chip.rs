//! Chips that go, come back, and come late.

use super::{BOARD, LINES, SOC, Scene, USB, board};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] =
    &[Scene { name: "a_chip_goes_and_comes_back", play: vanishing }, Scene { name: "a_chip_comes_late", play: late }];

fn vanishing(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("at='--at tcp://127.0.0.1:5555'; unplug b")?;
    guest.until("has 'is unknown: the chip is gone' soquete get FAR $at")?;
    guest.run("has 'not done: FAR was not set: gpio:P0: the chip is gone' soquete set FAR on $at")?;
    guest.run("soquete set LED off $at && is 0 value a 7 && plug b")?;
    guest.until("soquete set FAR on $at")?;
    guest.run("is 1 value b 0 && pull b 1 up")?;
    guest.until("is on soquete get FARKEY $at").map(drop)
}

fn late(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "late", None)?;
    guest.run(&format!("{SOC}; {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("has 'FAR: gpio:P0: no line has this name' cat /run/board.log && is 1 value a 7")?;
    guest.run("has 'no chip has this label; there are soc' cat /run/board.log")?;
    guest.run(USB)?;
    guest.until("soquete set FAR on --at tcp://127.0.0.1:5555")?;
    guest.run("is 1 value b 0 && has 'FAR: gpio:P0 is there' cat /run/board.log").map(drop)
}
