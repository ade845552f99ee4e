//! The button that switches the LED: on one machine, on two, and over a network that fails.

use super::{SOC, Scene, pair, release};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "on_one_machine_the_button_switches_the_led", play: one_machine },
    Scene { name: "on_two_machines_the_button_switches_the_led", play: two_machines },
    Scene { name: "a_press_that_the_network_loses_is_not_done", play: lossy },
];

/// How often the button is pressed until the network is back; each press waits for 2 seconds at most.
const PRESSES_MAX: u32 = 30;

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
    let (mut led, mut button) = pair(parts)?;
    for (way, value) in [("down", 1), ("up", 1), ("down", 0), ("up", 0)] {
        button.run(&format!("pull a 4 {way}"))?;
        led.until(&format!("is {value} value a 7"))?;
    }
    Ok(())
}

/// A press that the network loses is not done, and not done later either; with the network, presses are done again.
///
/// What is sent goes to a card that nobody has, as behind a switch whose cable is pulled: the guest's own link, once
/// down, does not come up again, since the kernel closes its descriptor.
fn lossy(parts: &Parts) -> Result<(), Trouble> {
    let (mut led, mut button) = pair(parts)?;
    button.run("pull a 4 down")?;
    led.until("is 1 value a 7")?;
    button.until("is 1 grep -c ': done$' /run/button.log")?;
    release(&mut button)?;
    button.run("ip neighbour replace 10.9.0.1 lladdr 02:00:00:00:00:ff dev vec0 nud permanent; pull a 4 down")?;
    button.until("has 'LED TOGGLE to tcp://10.9.0.1:5555: not done' cat /run/button.log")?;
    led.run("is 1 value a 7")?;
    button.run("ip neighbour del 10.9.0.1 dev vec0")?;
    let mut pressed = 2;
    while button.run("grep -c ': done$' /run/button.log")? == "1" && pressed < PRESSES_MAX {
        pressed += 1;
        release(&mut button)?;
        button.run("pull a 4 down")?;
        button.until(&format!("is {pressed} grep -c 'LED TOGGLE to' /run/button.log"))?;
    }
    button.run("is 2 grep -c ': done$' /run/button.log")?;
    led.run("is 0 value a 7 && is 2 grep -c 'by button_process' /run/led.log").map(drop)
}
