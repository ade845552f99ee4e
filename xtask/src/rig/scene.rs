//! What is played on the guests: each scene boots its own, so that none inherits anything.
//!
//! To add one, write a function of [`Parts`] in the file of its topic and a line in that file's `SCENES`.

mod chip;
mod death;
mod input;
mod network;
mod output;
mod refusal;
mod story;
mod unit;

use super::Trouble;
use super::cable::Cable;
use super::guest::{Card, Guest, Parts};

/// One scene: a sentence that is true when it ends well.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&Parts) -> Result<(), Trouble>,
}

/// Every scene, by topic, in the order in which they are played.
pub(crate) const TOPICS: &[&[Scene]] = &[
    output::SCENES,
    input::SCENES,
    refusal::SCENES,
    chip::SCENES,
    death::SCENES,
    story::SCENES,
    network::SCENES,
    unit::SCENES,
];

/// Plugs the chip that every machine has; nobody presses the button, nobody the key.
const SOC: &str = "sim a soc 3:GPIO3 4:GPIO4 6:GPIO6 7:GPIO17; pull a 4 up; pull a 3 down";
const USB: &str = "sim b usb 0:P0 1:P1";
const BOARD: &str = "soquete run board -c $RIG_DATA/board.toml >/run/board.log 2>&1 & board=$!";
const LINES: &str = "soquete lines --at tcp://127.0.0.1:5555";

/// Boots a machine with both chips, on which the board runs.
fn board(parts: &Parts) -> Result<Guest, Trouble> {
    let mut guest = Guest::boot(parts, "board", None)?;
    guest.run(&format!("{SOC}; {USB}; pull a 4 down; {BOARD}"))?;
    guest.until(&format!("has LED {LINES}"))?;
    Ok(guest)
}

/// Lets go of the button, and waits until that was told: the simulator merges edges that come too fast.
fn release(guest: &mut Guest) -> Result<(), Trouble> {
    guest.run("pull a 4 up")?;
    guest.until("is off soquete get BUTTON --at tcp://127.0.0.1:5555")
}

/// The machine with the LED, and the machine with the button.
struct Pair {
    led: Guest,
    button: Guest,
    cable: Cable,
}

/// Boots both machines, a cable between them; `config` is that of the button.
fn pair(parts: &Parts, config: &str) -> Result<Pair, Trouble> {
    let (cable, [one, other]) = Cable::lay().map_err(|error| Trouble(format!("lay a cable: {error}")))?;
    let mut led = Guest::boot(parts, "led", Some(Card { cable: one, number: 1 }))?;
    let mut button = Guest::boot(parts, "button", Some(Card { cable: other, number: 2 }))?;
    led.run(&format!("{SOC}; soquete run led_process -c $RIG_DATA/led.toml >/run/led.log 2>&1 & led=$!"))?;
    led.until("has LED soquete lines --at tcp://10.9.0.1:5555")?;
    let run = format!("soquete run button_process -c $RIG_DATA/{config} >/run/button.log 2>&1 & button=$!");
    button.run(&format!("{SOC}; {run}"))?;
    button.until(&format!("has BUTTON {LINES}"))?;
    Ok(Pair { led, button, cable })
}
