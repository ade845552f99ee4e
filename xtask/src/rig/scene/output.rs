//! Outputs: what they begin with, what sets them, what they end with.

use super::{BOARD, LINES, SOC, Scene, board};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "outputs_begin_as_configured", play: outputs },
    Scene { name: "an_output_has_its_first_value_before_it_is_one", play: first_value },
    Scene { name: "an_output_that_keeps_is_left_as_it_is_until_it_is_set", play: kept },
    Scene { name: "an_output_pulses_and_blinks", play: pulsed },
    Scene { name: "what_a_released_line_has_is_decided_by_the_hardware", play: released },
];

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

/// Every value that the kernel gave the hardware is looked at: a wrong one would be there too shortly to be seen else.
fn first_value(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "first", None)?;
    guest.run(&format!("{SOC}; trace; {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    let driven = guest.run("driven")?;
    // LED is 7 and on, LOW is 5 and off, which is high there; KEPT is not touched.
    if driven != "7 1\n7 out\n5 1\n5 out" {
        return Err(Trouble(format!("this was driven:\n{driven}")));
    }
    guest.run("soquete set LED off --at tcp://127.0.0.1:5555 && is '7 0' eval 'driven | tail -n 1'").map(drop)
}

/// A bootloader, or a resistor, has it on.
fn kept(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "kept", None)?;
    guest.run(&format!("{SOC}; pull a 6 up; {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("at='--at tcp://127.0.0.1:5555'; is 1 value a 6 && is unknown soquete get KEPT $at")?;
    guest.run("soquete set KEPT off $at && is 0 value a 6 && is off soquete get KEPT $at").map(drop)
}

/// LED is 7. Nothing is said of how long it took, but that each change was one.
fn pulsed(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("at='--at tcp://127.0.0.1:5555'; soquete set LED off $at && trace && soquete pulse LED 100ms $at")?;
    guest.until("is off soquete get LED $at")?;
    guest.run("is '7 1 7 0' eval 'echo $(driven)' && soquete blink LED 20ms 10ms $at")?;
    guest.run("blinks() { [ $(driven | grep -c '7 1') -ge 6 ]; }")?;
    guest.until("blinks")?;
    guest.run("is '' eval 'driven | uniq -d' && soquete set LED off $at")?;
    // sleep is the thing under test: a blink that was ended would be on again.
    guest.run("sleep 0.2; is 0 value a 7 && has 'LED off, by the blink of soquete' cat /run/board.log").map(drop)
}

/// The simulator gives a line that nobody has what it is pulled to. So the value at a stop, and the last one of a
/// process that is killed, hold only while somebody holds the line.
fn released(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("is 1 value a 7 && kill -9 $board; wait $board; is 0 value a 7")?;
    guest.run(&format!("pull a 7 up; {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("at='--at tcp://127.0.0.1:5555'; soquete set LED off $at && is 0 value a 7 && soquete set LED on $at")?;
    guest.run("trace; kill $board; wait $board; has '7 0' driven && is 1 value a 7").map(drop)
}
