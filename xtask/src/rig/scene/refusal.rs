//! Lines that cannot be had, and what is said of them.

use super::{BOARD, LINES, SOC, Scene, USB, board};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "who_has_a_busy_line_is_named", play: busy },
    Scene { name: "who_may_not_open_a_chip_hears_it", play: denied },
    Scene { name: "without_a_chip_nothing_starts", play: none },
    Scene { name: "who_is_of_the_group_of_a_chip_needs_no_root", play: member },
    Scene { name: "two_lines_of_one_name_are_told_by_their_places", play: same_name },
    Scene { name: "an_input_is_not_set_and_no_line_is_had_twice", play: misused },
];

fn busy(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("has 'A: gpio:GPIO17: busy: soquete board has it' soquete run other -c $RIG_DATA/busy.toml")?;
    let lines = guest.run("soquete lines --hardware")?;
    for row in
        ["soc 7 GPIO17 output push-pull soquete board", "soc 4 GPIO4 input low pull-up soquete board", "usb 7 input"]
    {
        let is_there = lines.lines().any(|line| line.split_whitespace().eq(row.split(' ')));
        is_there.then_some(()).ok_or_else(|| Trouble(format!("`{row}` is not there:\n{lines}")))?;
    }
    Ok(())
}

fn denied(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "denied", None)?;
    guest.run(SOC)?;
    guest.run("mkdir -m 700 /run/nobody && chown 65534:65534 /run/nobody && chmod 600 /dev/gpiochip0")?;
    guest.run("nobody='env XDG_RUNTIME_DIR=/run/nobody setpriv --reuid=65534 --regid=65534 --clear-groups'")?;
    let other = "$nobody soquete run other -c $RIG_DATA/busy.toml";
    guest.run(&format!("has 'A: gpio:GPIO17: open /dev/gpiochip0: permission denied' {other}"))?;
    guest.run(&format!("has 'only root may open it: a udev rule lets a group in' {other}"))?;
    guest.run("chgrp video /dev/gpiochip0; chmod 660 /dev/gpiochip0")?;
    guest.run(&format!("has '`sudo adduser $USER video`' {other}")).map(drop)
}

fn member(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "member", None)?;
    guest.run(&format!("{SOC}; {USB}; chgrp video /dev/gpiochip*; chmod 660 /dev/gpiochip*"))?;
    guest.run("mkdir -m 700 /run/nobody && chown 65534:65534 /run/nobody; gid=$(getent group video | cut -d: -f3)")?;
    guest.run("member=\"setpriv --reuid=65534 --regid=65534 --groups=$gid\"")?;
    guest.run(&format!("XDG_RUNTIME_DIR=/run/nobody $member {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("is 1 value a 7 && pull a 4 down")?;
    guest.until("is 0 value a 7").map(drop)
}

fn same_name(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "same", None)?;
    guest.run(&format!("{SOC}; sim b usb 0:P0 2:GPIO17"))?;
    let other = "soquete run other -c $RIG_DATA/busy.toml";
    guest.run(&format!("has 'A: gpio:GPIO17: 2 lines have this name: soc/7, usb/2' {other}"))?;
    guest.run(&format!("has 'by the label of its chip and its offset: gpio:soc/7' {other}")).map(drop)
}

/// That two names are one line, the kernel alone knows.
fn misused(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("at='--at tcp://127.0.0.1:5555'")?;
    guest.run("has 'BUTTON is an input and cannot be set' soquete set BUTTON on $at")?;
    guest.run("is 1 value a 7 && soquete set LED off $at && is 0 value a 7 && kill $board; wait $board")?;
    guest.run("has 'B: gpio:soc/7: busy: soquete twice has it' soquete run twice -c $RIG_DATA/twice.toml").map(drop)
}

fn none(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "none", None)?;
    let other = "soquete run other -c $RIG_DATA/busy.toml";
    guest.run(&format!("has 'there is no GPIO chip (no /dev/gpiochip*)' {other}")).map(drop)
}
