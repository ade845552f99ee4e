//! The button that switches the LED: on one machine, and on two.

use super::{Pair, SOC, Scene, pair};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "on_one_machine_the_button_switches_the_led", play: one_machine },
    Scene { name: "on_two_machines_the_button_switches_the_led", play: two_machines },
];

/// The seeds' story as it is typed on a Raspberry Pi; in the end a process is killed, and there again.
fn one_machine(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "story", None)?;
    guest.run(SOC)?;
    guest.run("soquete up --platform raspberry >/run/up.log 2>&1 &")?;
    guest.until("has 'up | button_process is ready' cat /run/up.log")?;
    let press = |value: u8, guest: &mut Guest| {
        guest.run("pull a 4 down")?;
        guest.until(&format!("is {value} value a 7"))?;
        guest.run("pull a 4 up")?;
        guest.until("has off soquete get BUTTON")
    };
    press(1, &mut guest)?;
    press(0, &mut guest)?;
    press(1, &mut guest)?;
    guest.run("led=$(sed -n 's/^up | led_process is ready, pid //p' /run/up.log); kill -9 $led")?;
    guest.until("has 'led_process has ended: killed by SIGKILL' cat /run/up.log")?;
    guest.until("is 2 grep -c 'led_process is ready' /run/up.log")?;
    guest.until("is 0 value a 7")?;
    press(1, &mut guest)?;
    guest.run("soquete down")?;
    guest.until("has 'led_process has stopped: exit code 0' cat /run/up.log")?;
    guest.run("is 0 value a 7").map(drop)
}

fn two_machines(parts: &Parts) -> Result<(), Trouble> {
    let Pair { mut led, mut button, cable: _cable } = pair(parts, "button.toml")?;
    for (way, value) in [("down", 1), ("up", 1), ("down", 0), ("up", 0)] {
        button.run(&format!("pull a 4 {way}"))?;
        led.until(&format!("is {value} value a 7"))?;
    }
    Ok(())
}
