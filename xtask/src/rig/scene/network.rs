//! Two machines whose cable is pulled, or of which one is silent: what becomes of presses and of outputs.

use super::{Pair, Scene, pair, release};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "a_press_that_the_network_loses_is_not_done", play: lossy },
    Scene { name: "an_output_is_safe_when_the_cable_of_its_owner_is_pulled", play: silent },
    Scene { name: "an_output_is_safe_when_its_owner_is_killed", play: killed },
];

/// How often the button is pressed until the network is back; each press waits for 2 seconds at most.
const PRESSES_MAX: u32 = 30;

/// Presses, and waits until it is known what became of that: the press that has this number.
fn press(button: &mut Guest, number: u32) -> Result<(), Trouble> {
    button.run("pull a 4 down")?;
    button.until(&format!("is {number} grep -c 'LED TOGGLE to' /run/button.log"))?;
    release(button)
}

/// A press that the network loses is not done, and not done later either; with the network, presses are done again.
fn lossy(parts: &Parts) -> Result<(), Trouble> {
    let Pair { mut led, mut button, cable } = pair(parts, "button.toml")?;
    press(&mut button, 1)?;
    led.until("is 1 value a 7")?;
    cable.pull();
    press(&mut button, 2)?;
    button.run("has 'LED TOGGLE to tcp://10.9.0.1:5555: not done' cat /run/button.log")?;
    led.run("is 1 value a 7")?;
    cable.plug();
    let mut pressed = 2;
    while button.run("grep -c ': done$' /run/button.log")? == "1" && pressed < PRESSES_MAX {
        pressed += 1;
        press(&mut button, pressed)?;
    }
    button.run("is 2 grep -c ': done$' /run/button.log")?;
    led.run("is 0 value a 7 && is 2 grep -c 'by button_process' /run/led.log").map(drop)
}

/// Boots both machines; the button owns both outputs of the other, and has set both to what is not safe for them.
fn owned(parts: &Parts) -> Result<Pair, Trouble> {
    let mut pair = pair(parts, "owner.toml")?;
    pair.button.until("has 'leased LED' cat /run/button.log")?;
    pair.led.run("is 0 value a 7 && is 1 value a 6")?;
    pair.button.run("pull a 4 down")?;
    pair.led.until("is 1 value a 7")?;
    release(&mut pair.button)?;
    pair.button.run("pull a 4 down")?;
    pair.led.until("is 0 value a 6")?;
    pair.led.run("is 1 value a 7")?;
    release(&mut pair.button)?;
    Ok(pair)
}

/// What both outputs have that are safe.
fn is_safe(led: &mut Guest) -> Result<(), Trouble> {
    led.until("is 0 value a 7")?;
    led.until("is 1 value a 6")?;
    led.run("has 'by the end of the lease of button_process' cat /run/led.log").map(drop)
}

/// With the cable plugged in again, the button owns the outputs again.
fn silent(parts: &Parts) -> Result<(), Trouble> {
    let Pair { mut led, mut button, cable } = owned(parts)?;
    cable.pull();
    is_safe(&mut led)?;
    led.run("leases() { grep -c 'LED: leased by button_process' /run/led.log; }; before=$(leases)")?;
    led.run("is_leased_again() { test $(leases) -gt $before; }")?;
    cable.plug();
    led.until("is_leased_again")?;
    button.run("pull a 4 down")?;
    led.until("is 1 value a 7").map(drop)
}

fn killed(parts: &Parts) -> Result<(), Trouble> {
    let Pair { mut led, mut button, cable: _cable } = owned(parts)?;
    button.run("kill -9 $button")?;
    is_safe(&mut led)
}
