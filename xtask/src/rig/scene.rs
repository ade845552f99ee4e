//! What is played on the guests: each scene boots its own, so that none inherits anything.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use super::Trouble;
use super::guest::{Card, Guest, Parts};

/// One scene: a sentence that is true when it ends well.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&Parts) -> Result<(), Trouble>,
}

/// Every scene, in the order in which they are played.
pub(crate) const SCENES: &[Scene] = &[
    Scene { name: "outputs_begin_as_configured", play: outputs },
    Scene { name: "a_button_is_pressed_released_held_and_pressed_twice", play: inputs },
    Scene { name: "who_has_a_busy_line_is_named", play: busy },
    Scene { name: "who_may_not_open_a_chip_hears_it", play: denied },
    Scene { name: "a_chip_goes_and_comes_back", play: vanishing },
    Scene { name: "a_chip_comes_late", play: late },
    Scene { name: "without_a_chip_nothing_starts", play: none },
    Scene { name: "on_one_machine_the_button_switches_the_led", play: story },
    Scene { name: "a_bouncing_press_is_one_press", play: bounce },
    Scene { name: "a_thousand_edges_are_all_told_in_order", play: edges },
    Scene { name: "on_two_machines_the_button_switches_the_led", play: two_machines },
    Scene { name: "a_press_that_the_network_loses_is_not_done", play: lossy },
];

/// How often the button is pressed until the network is back; each press waits for 2 seconds at most.
const PRESSES_MAX: u32 = 30;

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

fn inputs(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    // The bias is asked of the chip, and it pulls up what was down.
    guest.run("is pull-up pulled a 4")?;
    guest.run("pull a 4 down")?;
    guest.until("is 0 value a 7")?;
    guest.run("is 0 value a 6 && pull a 4 up")?;
    guest.until("is 1 value a 6")?;
    guest.run("is 0 value b 0 && pull a 4 down")?;
    guest.until("is 1 value a 7")?;
    guest.until("is 1 value b 0")?;
    guest.run("is 1 value a 5 && pull a 3 up")?;
    guest.until("is 0 value a 5").map(drop)
}

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

fn vanishing(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("at='--at tcp://127.0.0.1:5555'; unplug b")?;
    guest.until("is unknown soquete get FAR $at")?;
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

fn none(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "none", None)?;
    let other = "soquete run other -c $RIG_DATA/busy.toml";
    guest.run(&format!("has 'there is no GPIO chip (no /dev/gpiochip*)' {other}")).map(drop)
}

/// The seeds' story as it is typed on a Raspberry Pi; in the end a process is killed, and there again.
fn story(parts: &Parts) -> Result<(), Trouble> {
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

/// Two presses, of which the first bounces, are two switches.
fn bounce(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "bounce", None)?;
    guest.run(&format!("{SOC}; soquete run board -c $RIG_DATA/bounce.toml >/run/board.log 2>&1 &"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("to=$(wire a 4)/pull; for way in down up down up down; do echo pull-$way >$to; done")?;
    guest.until("is 1 value a 7")?;
    release(&mut guest)?;
    guest.run("pull a 4 down")?;
    guest.until("is 0 value a 7")?;
    guest.run("is 2 grep -c 'by BUTTON press' /run/board.log").map(drop)
}

/// Lets go of the button, and waits until that was told: the simulator merges edges that come too fast.
fn release(guest: &mut Guest) -> Result<(), Trouble> {
    guest.run("pull a 4 up")?;
    guest.until("is off soquete get BUTTON --at tcp://127.0.0.1:5555")
}

/// The simulator merges interrupts, so each edge waits until the one before was told.
fn edges(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run(
        ": >/run/told; soquete watch BUTTON --at tcp://127.0.0.1:5555 >>/run/told 2>/dev/null & exec 9</run/told",
    )?;
    // The watch is there once it tells of a press; what it told by then is read over.
    guest.run("knock() { pull a 4 down; sleep 0.1; pull a 4 up; sleep 0.1; has off cat /run/told; }")?;
    guest.until("knock")?;
    guest.run("while IFS= read -r told <&9; do :; done")?;
    guest.run(
        "to=$(wire a 4)/pull; n=0
         while [ $n -lt 500 ]; do
             for way in down:on up:off; do
                 echo pull-${way%:*} >$to
                 until IFS= read -r told <&9; do :; done
                 case $told in *' '${way#*:}' '*) ;; *) echo \"edge $n: $told, not $way\"; return 1 ;; esac
             done
             n=$((n + 1))
         done",
    )?;
    guest.run("! grep lost /run/board.log").map(drop)
}

/// Boots the machine with the LED and the machine with the button, a cable between them.
fn pair(parts: &Parts) -> Result<(Guest, Guest), Trouble> {
    let failed = |error: std::io::Error| Trouble(format!("make a cable: {error}"));
    let (one, other) = UnixDatagram::pair().map_err(failed)?;
    let card = |cable: UnixDatagram, number| Some(Card { cable: OwnedFd::from(cable), number });
    let mut led = Guest::boot(parts, "led", card(one, 1))?;
    let mut button = Guest::boot(parts, "button", card(other, 2))?;
    led.run(&format!("{SOC}; soquete run led_process -c $RIG_DATA/led.toml >/run/led.log 2>&1 &"))?;
    led.until("has LED soquete lines --at tcp://10.9.0.1:5555")?;
    button.run(&format!("{SOC}; soquete run button_process -c $RIG_DATA/button.toml >/run/button.log 2>&1 &"))?;
    button.until(&format!("has BUTTON {LINES}"))?;
    Ok((led, button))
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
