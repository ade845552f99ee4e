//! Presses through the chain while everything happens at random moments: the LED is toggled as often as is reported.

use crate::common::chance::Chance;
use crate::common::proxy::{Cut, Proxy, Way};
use crate::common::{Program, until};
use crate::{Chain, PROCESSES};
use std::time::Duration;

/// Presses up to three times in one write; returns how often.
fn press(chain: &Chain, chance: &mut Chance) -> usize {
    let presses = usize::try_from(chance.below(4)).unwrap();
    chain.place.press(presses);
    presses
}

/// Presses until one is done: what came late would come before that. Returns how many are reported done and how many
/// unknown, of all.
fn reported(chain: &Chain, button: &Program, mut presses: usize) -> [usize; 2] {
    let reported = |end: &str| button.log.count(end);
    button.log.wait_for("BUTTON press: ", presses);
    let done = reported(": done");
    while reported(": done") == done {
        chain.place.press(1);
        presses += 1;
        button.log.wait_for("BUTTON press: ", presses);
    }
    assert_eq!(reported(": done") + reported(": not done: ") + reported(": unknown: "), presses);
    [": done", ": unknown: "].map(reported)
}

/// Counts how often the LED was toggled, `before` by those that were killed: at least as often as is done.
fn toggled(led: &Program, before: usize, done: usize) -> usize {
    let count = || before + led.log.count("LED Status: ");
    until("toggled as often as done", || count() >= done);
    count()
}

#[test]
fn presses_through_links_that_are_cut_again_and_again_toggle_once_each() {
    let mut chance = Chance::new();
    let chain = Chain::new("30s");
    let [led, _middle, _near] = chain.start();
    let button = chain.place.start("button_process");
    let mut presses = 0;
    for _ in 0..60 {
        presses += press(&chain, &mut chance);
        let link = &chain.links[usize::try_from(chance.below(3)).unwrap()];
        let way = if chance.below(2) == 0 { Way::ToServer } else { Way::ToClient };
        let cut = if chance.below(2) == 0 { Cut::End } else { Cut::Reset };
        link.cut_after(way, usize::try_from(chance.below(400)).unwrap(), cut);
        // sleep is the thing under test: cuts at any moment
        std::thread::sleep(chance.time(Duration::from_millis(20)));
    }
    let [done, _] = reported(&chain, &button, presses);
    assert_eq!(done, presses + 1, "while all live, all are done: {}", button.log.text());
    // One is off at the start.
    led.log.wait_for("LED Status: ", done);
    let cut: usize = chain.links.iter().map(Proxy::connections).sum();
    assert!(cut > 15, "{cut} connections: hardly anything was cut");
    chain.wait_for(if done % 2 == 1 { "on" } else { "off" });
}

#[test]
fn presses_through_processes_that_stop_again_and_again_toggle_as_often_as_reported() {
    let mut chance = Chance::new();
    let chain = Chain::new("100ms");
    let programs = chain.start();
    let button = chain.place.start("button_process");
    let mut presses = 0;
    for _ in 0..40 {
        presses += press(&chain, &mut chance);
        // sleep is the thing under test: processes that stop at any moment
        std::thread::sleep(chance.time(Duration::from_millis(3)));
        let stopped = &programs[usize::try_from(chance.below(3)).unwrap()];
        stopped.pause();
        // sleep is the thing under test: for any time, shorter and longer than presses may take
        std::thread::sleep(chance.time(Duration::from_millis(150)));
        stopped.go_on();
    }
    let [done, unknown] = reported(&chain, &button, presses);
    let toggled = toggled(&programs[0], 0, done);
    println!("of {presses} presses {done} are done, {unknown} unknown, toggled {toggled} times");
    assert!((done..=done + unknown).contains(&toggled), "toggled {toggled} times: {}", button.log.text());
    assert!(done < presses, "{done} of {presses} presses done: none was late");
}

#[test]
fn presses_through_processes_that_are_killed_again_and_again_toggle_as_often_as_reported() {
    let mut chance = Chance::new();
    let chain = Chain::new("300ms");
    let mut programs = chain.start();
    let button = chain.place.start("button_process");
    let (mut presses, mut toggled) = (0, 0);
    for _ in 0..15 {
        presses += press(&chain, &mut chance);
        // sleep is the thing under test: a process that dies at any moment
        std::thread::sleep(chance.time(Duration::from_millis(5)));
        let nth = usize::try_from(chance.below(3)).unwrap();
        programs[nth].kill();
        toggled += if nth == 0 { programs[0].log.count("LED Status: ") } else { 0 };
        programs[nth] = chain.place.start(PROCESSES[nth]);
    }
    let [done, unknown] = reported(&chain, &button, presses);
    let toggled = self::toggled(&programs[0], toggled, done);
    println!("of {presses} presses {done} are done, {unknown} unknown, toggled {toggled} times");
    assert!((done..=done + unknown).contains(&toggled), "toggled {toggled} times: {}", button.log.text());
}
