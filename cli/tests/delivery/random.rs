//! Presses while everything happens at random moments: the LED is toggled as often as is reported.

use crate::common::chance::Chance;
use crate::common::proxy::{Cut, Proxy, Way};
use crate::common::{Place, Program, Rule};
use crate::switched;
use std::time::Duration;

/// Presses up to five times in one write; returns how often.
fn press(place: &Place, chance: &mut Chance) -> usize {
    let presses = usize::try_from(chance.below(6)).unwrap();
    place.press(presses);
    presses
}

/// Presses until one is done: what came late would come before that. Returns how many are reported done and how many
/// unknown, of all.
fn reported(place: &Place, button: &Program, mut presses: usize) -> [usize; 2] {
    let reported = |end: &str| button.log.count(end);
    button.log.wait_for("BUTTON press: ", presses);
    let done = reported(": done");
    while reported(": done") == done {
        place.press(1);
        presses += 1;
        button.log.wait_for("BUTTON press: ", presses);
    }
    assert_eq!(reported(": done") + reported(": not done: ") + reported(": unknown: "), presses);
    [": done", ": unknown: "].map(reported)
}

#[test]
fn presses_on_a_server_that_is_stopped_again_and_again_toggle_as_often_as_reported() {
    let mut chance = Chance::new();
    let place = Place::bare();
    place.configure(&Rule { within: "100ms", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    let mut presses = 0;
    for _ in 0..60 {
        presses += press(&place, &mut chance);
        // sleep is the thing under test: processes that stop at any moment
        std::thread::sleep(chance.time(Duration::from_millis(3)));
        let stopped = if chance.below(4) == 0 { &button } else { &led };
        stopped.pause();
        // sleep is the thing under test: for any time, shorter and longer than presses may take
        std::thread::sleep(chance.time(Duration::from_millis(150)));
        stopped.go_on();
    }
    let [done, unknown] = reported(&place, &button, presses);
    assert_eq!(unknown, 0, "only the death of the server makes one unknown: {}", button.log.text());
    assert_eq!(switched(&place, &led), done, "{}", button.log.text());
    assert!(done < presses, "{done} of {presses} presses done: none was late");
}

#[test]
fn presses_on_a_server_that_is_killed_again_and_again_toggle_as_often_as_reported() {
    let mut chance = Chance::new();
    let place = Place::bare();
    place.configure(&Rule { within: "150ms", ..Rule::default() });
    let button = place.start("button_process");
    let (mut presses, mut toggled) = (0, 0);
    for _ in 0..30 {
        presses += press(&place, &mut chance);
        let mut led = place.start("led_process");
        presses += press(&place, &mut chance);
        // sleep is the thing under test: a server that dies at any moment
        std::thread::sleep(chance.time(Duration::from_millis(3)));
        led.kill();
        toggled += led.log.count("LED Status: ");
    }
    let led = place.start("led_process");
    let [done, unknown] = reported(&place, &button, presses);
    toggled += switched(&place, &led);
    println!("of {presses} presses {done} are done, {unknown} unknown");
    let is_promised = (done..=done + unknown).contains(&toggled);
    assert!(is_promised, "toggled {toggled} times, {done} done, {unknown} unknown: {}", button.log.text());
}

#[test]
fn presses_over_a_wire_that_is_cut_again_and_again_toggle_once_each() {
    let mut chance = Chance::new();
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    place.configure(&Rule { to: proxy.to(), within: "30s", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    let mut presses = 0;
    for _ in 0..60 {
        presses += press(&place, &mut chance);
        let way = if chance.below(2) == 0 { Way::ToServer } else { Way::ToClient };
        let cut = if chance.below(2) == 0 { Cut::End } else { Cut::Reset };
        proxy.cut_after(way, usize::try_from(chance.below(250)).unwrap(), cut);
        // sleep is the thing under test: cuts at any moment
        std::thread::sleep(chance.time(Duration::from_millis(20)));
    }
    let [done, _] = reported(&place, &button, presses);
    assert_eq!(done, presses + 1, "while both live, all are done: {}", button.log.text());
    assert_eq!(switched(&place, &led), done);
    assert!(proxy.connections() > 10, "{} connections: hardly anything was cut", proxy.connections());
}
