//! What a press is promised: done, not done or unknown, never twice, never late. With the built program, each process one
//! of its own.
//!
//! | module | tests |
//! |---|---|
//! | here | presses in frames, whatever happens to server, button and connection |
//! | `random` | the same at random moments, many times |
//! | `text` | presses as text, whatever the server answers |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;
#[path = "delivery/random.rs"]
mod random;
#[path = "delivery/text.rs"]
mod text;

use common::proxy::{Cut, Proxy, Way};
use common::wire::{ERROR, WELCOME, Wire, hello, request_until};
use common::{Place, Program, Rule, until};
use std::time::Duration;

/// Octets of the WELCOME of `led_process`, and of a PONG.
const WELCOME_LEN: usize = 12 + 50 + "led_process".len();
const PONG_LEN: usize = 12 + 8;

/// A wait that is nothing but the time in which what must never happen would happen.
const A_SECOND_MORE: Duration = Duration::from_secs(1);

/// Counts how often the button has toggled the LED.
fn switched(place: &Place, led: &Program) -> usize {
    // Two toggles of our own: behind their lines nothing is missing before them.
    let mut wire = Wire::connect(place.addr());
    let own = wire.0.local_addr().unwrap();
    wire.ask("LED TOGGLE");
    wire.ask("LED TOGGLE");
    led.log.wait_for(&format!(", by tcp://{own}"), 2);
    led.log.count(", by button_process")
}

/// Waits until the button has this many presses under way.
fn wait_until_waiting(place: &Place, presses: u64) {
    let waiting = format!("\"waiting\": {presses}");
    until(&waiting, || place.run("status --json").ok().contains(&waiting));
}

/// Presses once more and says that it toggled the LED, and nothing did before: a late toggle would come before it.
fn press_proves(place: &Place, button: &Program, led: &Program, switched_before: usize) {
    place.press(1);
    button.next(": done");
    led.log.wait_for("LED Status: ", switched_before + 1);
}

#[test]
fn a_press_while_the_server_is_down_is_done_when_it_comes_back_in_time() {
    let place = Place::bare();
    place.configure(&Rule { within: "30s", ..Rule::default() });
    let button = place.start("button_process");
    place.press(1);
    wait_until_waiting(&place, 1);
    let led = place.start("led_process");
    led.next("LED Status: On");
    assert!(button.next("BUTTON press").ends_with(&format!("LED TOGGLE to {}: done", place.endpoint())));
    assert_eq!(switched(&place, &led), 1);
}

#[test]
fn a_press_while_the_server_stays_down_is_not_done_and_never_will_be() {
    let place = Place::bare();
    place.configure(&Rule { within: "1s", ..Rule::default() });
    let button = place.start("button_process");
    place.press(3);
    for _ in 0..3 {
        let report = button.next("BUTTON press");
        assert!(report.contains(": not done: "), "{report}");
    }
    let led = place.start("led_process");
    press_proves(&place, &button, &led, 0);
    assert_eq!(place.run("get LED").ok(), "on\n");
}

/// SIGSTOP led_process, press, wait `within` and a second more, SIGCONT.
fn a_press_on_a_stopped_server(presses_before: usize) {
    let place = Place::bare();
    place.configure(&Rule { within: "500ms", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    place.press(presses_before);
    button.log.wait_for(": done", presses_before);
    led.pause();
    place.press(2);
    button.log.wait_for(": not done: ", 2);
    // sleep is the thing under test: a second in which the press could still come out of some queue
    std::thread::sleep(A_SECOND_MORE);
    led.go_on();
    let value = if presses_before % 2 == 1 { "on\n" } else { "off\n" };
    assert_eq!(place.run("get LED").ok(), value);
    press_proves(&place, &button, &led, presses_before);
    assert_eq!(button.log.count(": unknown"), 0, "{}", button.log.text());
}

#[test]
fn a_press_on_a_stopped_server_is_not_done_over_a_new_connection() {
    a_press_on_a_stopped_server(0);
}

#[test]
fn a_press_on_a_stopped_server_is_not_done_over_an_open_connection() {
    a_press_on_a_stopped_server(1);
}

#[test]
fn a_request_that_lay_in_a_stopped_server_beyond_its_deadline_is_expired() {
    let place = Place::new();
    let led = place.start("led_process");
    let mut wire = Wire::connect(place.addr());
    let welcome = wire.send(hello("board")).frame();
    assert_eq!(welcome.kind, WELCOME);
    let clock_us = u64::from_le_bytes(welcome.payload[15..23].try_into().unwrap());
    led.pause();
    wire.send(request_until(1, clock_us + 100_000, "LED ON"));
    wire.send(request_until(2, clock_us + 60_000_000, "LED"));
    // sleep is the thing under test: the deadline passes while the request lies there
    std::thread::sleep(Duration::from_millis(200));
    led.go_on();
    let expired = wire.frame();
    assert_eq!((expired.kind, expired.reason().0), (ERROR, 7), "{expired:?}");
    assert_eq!(wire.frame().payload, b"OK LED OFF");
}

/// The server dies by SIGKILL after it has switched the LED and before its answer has come through; says what the button
/// reports. `presses_before` make the connection one that is open already.
fn a_server_that_dies_between_act_and_answer(presses_before: usize, comes_back: bool) -> String {
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    let within = if comes_back { "30s" } else { "1s" };
    place.configure(&Rule { to: proxy.to(), within, ..Rule::default() });
    let (mut led, button) = (place.start("led_process"), place.start("button_process"));
    place.press(presses_before);
    button.log.wait_for(": done", presses_before);
    proxy.lose_after(Way::ToClient, if presses_before > 0 { PONG_LEN } else { WELCOME_LEN });
    place.press(1);
    led.log.wait_for("LED Status: ", presses_before + 1);
    led.kill();
    proxy.cut(Cut::End);
    let report = if comes_back { String::new() } else { button.next("unknown: ") };
    let led = place.start("led_process");
    let report = if comes_back { button.next("unknown: ") } else { report };
    press_proves(&place, &button, &led, 0);
    assert_eq!(button.log.count("BUTTON press"), presses_before + 2, "{}", button.log.text());
    report
}

#[test]
fn a_server_killed_between_act_and_answer_makes_the_press_unknown() {
    let report = a_server_that_dies_between_act_and_answer(0, false);
    assert!(report.contains("unknown: no server within its time"), "{report}");
}

#[test]
fn a_server_killed_between_act_and_answer_makes_a_press_over_an_open_connection_unknown() {
    let report = a_server_that_dies_between_act_and_answer(3, false);
    assert!(report.contains("unknown: no server within its time"), "{report}");
}

#[test]
fn a_server_restarted_between_act_and_answer_knows_no_session_and_the_press_is_unknown() {
    for presses_before in [0, 1] {
        let report = a_server_that_dies_between_act_and_answer(presses_before, true);
        assert!(report.contains("unknown: unknown session: the server was restarted in between"), "{report}");
    }
}

#[test]
fn a_press_that_was_not_sent_to_the_killed_server_is_done_by_the_next_one() {
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    place.configure(&Rule { to: proxy.to(), within: "30s", ..Rule::default() });
    let (mut led, button) = (place.start("led_process"), place.start("button_process"));
    place.press(1);
    button.next(": done");
    // Its PONG does not come, so the request is not sent: it is known not to be done.
    proxy.lose_after(Way::ToClient, 0);
    place.press(1);
    wait_until_waiting(&place, 1);
    led.kill();
    proxy.cut(Cut::End);
    let led = place.start("led_process");
    button.next(": done");
    assert_eq!(switched(&place, &led), 1);
    assert_eq!(button.log.count(": unknown"), 0, "{}", button.log.text());
}

/// Cuts the connection after each count of octets of one press; each press toggles once and is done.
fn a_cut_at_each_octet(way: Way, is_open_before: bool) {
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    place.configure(&Rule { to: proxy.to(), within: "30s", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    let mut presses = 0;
    let mut press = || {
        presses += 1;
        place.press(1);
        let report = button.next("BUTTON press");
        assert!(report.ends_with(": done"), "press {presses}: {report}");
        led.log.wait_for("LED Status: ", presses);
    };
    press();
    for octets in 1.. {
        if is_open_before {
            press();
        } else {
            proxy.cut(Cut::End);
        }
        let cut = if octets % 2 == 0 { Cut::End } else { Cut::Reset };
        proxy.cut_after(way, octets, cut);
        press();
        if !proxy.has_cut() {
            let least = if is_open_before { PONG_LEN + 21 } else { WELCOME_LEN + 21 };
            assert!(octets > least, "the whole conversation had {octets} octets");
            break;
        }
    }
    assert_eq!(button.log.count(": done"), button.log.count("BUTTON press"));
}

#[test]
fn a_cut_at_each_octet_of_the_request_leaves_one_toggle_a_press() {
    a_cut_at_each_octet(Way::ToServer, true);
}

#[test]
fn a_cut_at_each_octet_of_the_answer_leaves_one_toggle_a_press() {
    a_cut_at_each_octet(Way::ToClient, true);
}

#[test]
fn a_cut_at_each_octet_of_greeting_and_request_leaves_one_toggle_a_press() {
    a_cut_at_each_octet(Way::ToServer, false);
}

#[test]
fn a_cut_at_each_octet_of_welcome_and_answer_leaves_one_toggle_a_press() {
    a_cut_at_each_octet(Way::ToClient, false);
}

#[test]
fn a_killed_button_says_at_its_next_start_how_many_presses_it_forgot() {
    let place = Place::bare();
    place.configure(&Rule { within: "1m", ..Rule::default() });
    let mut button = place.start("button_process");
    place.press(3);
    wait_until_waiting(&place, 3);
    button.kill();
    let mut button = place.start("button_process");
    button.next("3 presses were under way when this process was killed, and forgotten with it");
    assert!(place.run("status --json").ok().contains("\"forgotten\": 3"));
    let led = place.start("led_process");
    press_proves(&place, &button, &led, 0);
    wait_until_waiting(&place, 0);
    button.kill();
    let mut button = place.start("button_process");
    press_proves(&place, &button, &led, 1);
    assert_eq!(button.log.count("forgotten"), 0, "it is told once: {}", button.log.text());
    assert_eq!(button.stop().code(), Some(0));
}

#[test]
fn a_button_that_stops_in_order_reports_every_press_before_it_goes() {
    let place = Place::bare();
    place.configure(&Rule { within: "1m", ..Rule::default() });
    let mut button = place.start("button_process");
    place.press(5);
    wait_until_waiting(&place, 5);
    assert_eq!(button.stop().code(), Some(0));
    assert_eq!(button.log.count("BUTTON press"), 5, "{}", button.log.text());
    let button = place.start("button_process");
    let led = place.start("led_process");
    press_proves(&place, &button, &led, 0);
    assert_eq!(button.log.count("forgotten"), 0, "{}", button.log.text());
}

#[test]
fn presses_that_still_lie_in_the_fifo_when_the_button_stops_are_not_lost_in_silence() {
    let place = Place::bare();
    place.configure(&Rule { within: "1m", ..Rule::default() });
    let mut button = place.start("button_process");
    place.press(100);
    wait_until_waiting(&place, 32);
    button.stop();
    let reported = button.log.count("BUTTON press");
    let told = button.log.lines().iter().any(|line| line.contains("68 "));
    assert!(reported == 100 || told, "{reported} of 100 presses are reported, and nobody tells of the others");
}

#[test]
fn presses_that_wait_in_the_fifo_have_their_turn_when_those_before_have_ended() {
    let place = Place::bare();
    place.configure(&Rule { within: "100ms", ..Rule::default() });
    let button = place.start("button_process");
    place.press(100);
    button.log.wait_for("BUTTON press: ", 100);
    assert_eq!(button.log.count(": not done"), 100);
}

#[test]
fn presses_of_one_write_are_all_done_and_in_order() {
    const PRESSES: usize = 500;
    let place = Place::bare();
    place.configure(&Rule { send: "['LED ON', 'LED OFF']", within: "30s", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    place.press(PRESSES);
    button.log.wait_for("BUTTON press: ", PRESSES);
    assert_eq!(button.log.count(": done"), PRESSES);
    led.log.wait_for("LED Status: ", PRESSES);
    let switched = led.log.with("LED Status: ");
    for (nth, line) in switched.iter().enumerate() {
        assert!(line.ends_with(if nth % 2 == 0 { "On" } else { "Off" }), "switch {nth}: {line}");
    }
}

#[test]
fn a_press_does_not_wait_for_the_pause_after_earlier_ones() {
    let place = Place::bare();
    place.configure(&Rule { within: "250ms", ..Rule::default() });
    let button = place.start("button_process");
    for _ in 0..6 {
        for _ in 0..2 {
            place.press(1);
            button.next(": not done");
        }
        let _led = place.start("led_process");
        place.press(1);
        let report = button.next("BUTTON press");
        assert!(report.ends_with(": done"), "the server was there all its time: {report}");
    }
}

#[test]
fn a_press_with_several_targets_is_done_when_all_have_done_it_and_not_done_when_none_has() {
    let place = Place::bare();
    let (led, lamp) = (place.endpoint(), format!("unix://{}", place.dir.join("lamp.sock").display()));
    place.configure(&Rule {
        send: "['LED ON', 'LED OFF']",
        to: format!("['{led}', '{lamp}']"),
        within: "1s",
        ..Rule::default()
    });
    let text = std::fs::read_to_string(place.config()).unwrap();
    place.write_config(&format!(
        "{text}[processes.lamp_process]\nserve = ['{lamp}']\nsyslog = 'off'\nlines.LED = {{ output = 'log' }}\n"
    ));
    let button = place.start("button_process");
    let (mut first, second) = (place.start("led_process"), place.start("lamp_process"));
    let press = || {
        place.press(1);
        button.next("BUTTON press: ")
    };
    assert!(press().ends_with(&format!("LED ON to {led}, {lamp}: done")));
    first.next("Status: On");
    second.next("Status: On");
    first.kill();
    let report = press();
    assert!(report.contains("LED OFF to"), "{report}");
    assert!(report.contains(&format!("unknown: {lamp} did it; {led} did not: no server within its time")), "{report}");
    second.next("Status: Off");
    drop(second);
    for _ in 0..2 {
        let report = press();
        assert!(report.contains("LED ON to") && report.contains(": not done: "), "{report}");
    }
    let (first, second) = (place.start("led_process"), place.start("lamp_process"));
    let report = press();
    assert!(report.contains("LED ON to") && report.ends_with(": done"), "{report}");
    first.next("Status: On");
    second.next("Status: On");
}
