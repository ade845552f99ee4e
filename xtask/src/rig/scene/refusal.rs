//! Lines that cannot be had, and what is said of them.

use super::{SOC, Scene, board};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "who_has_a_busy_line_is_named", play: busy },
    Scene { name: "who_may_not_open_a_chip_hears_it", play: denied },
    Scene { name: "without_a_chip_nothing_starts", play: none },
];

fn busy(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("has 'A: gpio:GPIO17: busy: soquete board has it' soquete run other -c $RIG_DATA/busy.toml")?;
    guest.run("has 'soquete board' soquete lines --hardware").map(drop)
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

fn none(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "none", None)?;
    let other = "soquete run other -c $RIG_DATA/busy.toml";
    guest.run(&format!("has 'there is no GPIO chip (no /dev/gpiochip*)' {other}")).map(drop)
}
