//! A process in the folder that systemd makes for its unit, and who may ask it.

use super::{SOC, Scene};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] =
    &[Scene { name: "members_of_the_group_of_a_unit_may_ask_and_change_nothing", play: members }];

/// The user and the group are those that the unit would have: the numbers are free.
fn members(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "members", None)?;
    guest.run(&format!(
        "{SOC}; chmod 666 /dev/gpiochip*; ip address add 10.9.0.1/24 dev lo; umask 022; unset XDG_RUNTIME_DIR"
    ))?;
    guest.run(
        "folder=/run/soquete/units/led_process; mkdir -p $folder && chown 61184:2000 $folder && chmod 750 $folder",
    )?;
    guest.run(
        "RUNTIME_DIRECTORY=$folder setpriv --reuid=61184 --regid=2000 --clear-groups \\
         soquete run led_process -c $RIG_DATA/led.toml >/run/led.log 2>&1 &",
    )?;
    guest.until("soquete set LED on")?;
    guest.run("is 1 value a 7 && is 'srw-rw---- 61184 2000' stat -c '%A %u %g' $folder/led_process.sock")?;
    guest.run("member='setpriv --reuid=3000 --regid=2000 --clear-groups'")?;
    guest.run("has GPIO17 $member soquete status && is on $member soquete get LED && has LED $member soquete lines")?;
    guest.run("has 'members of the group may only ask' $member soquete set LED off && is 1 value a 7")?;
    guest.run("has 'members of the group may only ask' $member soquete lease LED && is 1 value a 7")?;
    guest.run("has 'units of systemd' soquete down && has 'soquete.target' soquete down")?;
    let stranger = "setpriv --reuid=3000 --regid=3000 --clear-groups soquete status";
    guest.run(&format!("has 'systemd runs led_process as a unit, and /run/soquete/units/led_process' {stranger}"))?;
    guest.run(&format!("has 'members of group soquete may ask' {stranger}")).map(drop)
}
