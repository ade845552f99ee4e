//! Rules that own what they set, for as long as their process lives.

use super::{client, configure, cut_again_and_again, refused};
use crate::common::proxy::{Cut, Proxy, Way};
use crate::common::{Place, Program};
use std::time::{Duration, Instant};

/// Makes a place whose button owns the LED.
fn place(lease: &str) -> Place {
    let place = Place::bare();
    with_button(&place, &format!("'{}'", place.endpoint()), lease);
    place
}

fn with_button(place: &Place, to: &str, lease: &str) {
    let fifo = place.fifo();
    configure(
        place,
        &format!(
            "[processes.button_process]\nlines.BUTTON = {{ input = 'fifo:{}' }}\n\
             [[processes.button_process.rules]]\non = 'BUTTON press'\nsend = ['LED ON', 'LED OFF']\nto = {to}\n\
             lease = '{lease}'\n",
            fifo.display()
        ),
    );
}

/// Presses, and says how that ended.
fn press(place: &Place, button: &Program) -> String {
    place.press(1);
    button.next("BUTTON press: LED O")
}

#[test]
fn a_rule_owns_its_line_while_its_process_lives_and_the_line_is_safe_when_that_is_killed() {
    let place = place("1s");
    let led = place.start("led_process");
    let mut button = place.start("button_process");
    led.next("LED: leased by button_process (tcp://");
    button.next(&format!("BUTTON press: leased LED at {} for 1s", place.endpoint()));
    assert!(press(&place, &button).ends_with(": done"));
    led.next("LED on, by button_process");
    let (mut eve, _) = client(&place);
    assert!(refused(&eve.ask("LED OFF")).starts_with("LED is leased by button_process (tcp://"));
    let status = place.run("status").ok();
    assert!(status.contains("button_process (tcp://") && status.contains(" s more") && status.contains("LEASE"));
    assert!(place.run("status --json").ok().contains("\"held\": true"));
    let watch = Program::begin(place.soquete("watch --json LED"));
    // sleep is the thing under test: longer than the lease, which is renewed meanwhile
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(eve.ask("LED"), "OK LED ON");
    assert_eq!(led.log.count("LED: leased by"), 1, "{}", led.log.text());
    button.kill();
    led.next("LED: the lease of button_process (tcp://");
    led.next("LED Status: Off");
    led.next("LED off, by the end of the lease of button_process (tcp://");
    watch.next("\"by\":\"the end of the lease of button_process (tcp://");
}

#[test]
fn a_process_that_is_stopped_in_order_leaves_a_safe_line_in_its_time() {
    let place = place("1s");
    let led = place.start("led_process");
    let mut button = place.start("button_process");
    button.next("leased LED");
    assert!(press(&place, &button).ends_with(": done"));
    let stopped = Instant::now();
    assert_eq!(button.stop().code(), Some(0));
    led.next("LED off, by the end of the lease of button_process");
    // The latest renewal was at most a third of the lease before, and a loaded machine may be late with that.
    assert!(stopped.elapsed() >= Duration::from_millis(100), "at once");
    assert_eq!(led.log.count("released"), 0);
}

#[test]
fn a_stopped_process_has_lost_its_line_and_takes_it_again_before_it_commands_it() {
    let place = place("500ms");
    let led = place.start("led_process");
    let button = place.start("button_process");
    button.next("leased LED");
    led.next("LED: leased by button_process");
    assert!(press(&place, &button).ends_with(": done"));
    button.pause();
    led.next("LED off, by the end of the lease of button_process");
    place.press(1);
    button.go_on();
    assert!(button.next("BUTTON press: LED OFF").ends_with(": done"));
    led.next("LED: leased by button_process");
    led.next("LED Status: Off");
}

#[test]
fn a_line_that_another_owns_is_told_of_and_taken_when_it_is_free() {
    let place = place("300ms");
    let _led = place.start("led_process");
    let (mut eve, eve_name) = client(&place);
    assert_eq!(eve.ask("LEASE LED 1h"), "OK LEASE LED 1h");
    let button = place.start("button_process");
    let report = button.next("BUTTON press: no lease on LED at tcp://");
    assert!(report.contains(&format!("LED is leased by {eve_name}")) && report.ends_with("it is tried again"));
    assert!(place.run("status").ok().contains("BUTTON press has no lease on LED at tcp://"));
    let report = press(&place, &button);
    assert!(report.contains(&format!(": not done: LED is leased by {eve_name}")), "{report}");
    assert_eq!(eve.ask("RELEASE LED"), "OK RELEASE LED");
    button.next("BUTTON press: leased LED at tcp://");
    assert!(press(&place, &button).ends_with(": done"));
    assert_eq!(button.log.count("no lease on LED"), 1, "{}", button.log.text());
}

#[test]
fn a_server_that_is_started_anew_is_asked_for_the_lease_again() {
    let place = place("10s");
    let mut led = place.start("led_process");
    let button = place.start("button_process");
    button.next("leased LED");
    led.kill();
    let led = place.start("led_process");
    led.next("LED: leased by button_process");
    assert!(press(&place, &button).ends_with(": done"));
}

#[test]
fn a_lease_survives_the_connections_of_its_owner() {
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    with_button(&place, &proxy.to(), "2s");
    let led = place.start("led_process");
    let button = place.start("button_process");
    button.next("leased LED");
    cut_again_and_again(&place, &proxy);
    assert!(press(&place, &button).ends_with(": done"));
    assert_eq!(led.log.with("LED: ").len(), 1, "leased once: {}", led.log.text());
}

#[test]
fn a_lease_ends_with_the_network_and_is_taken_again_when_that_is_back() {
    let place = Place::bare();
    let proxy = Proxy::new(place.host, place.addr());
    with_button(&place, &proxy.to(), "500ms");
    let led = place.start("led_process");
    let button = place.start("button_process");
    button.next("leased LED");
    assert!(press(&place, &button).ends_with(": done"));
    proxy.lose_after(Way::ToServer, 0);
    led.next("LED off, by the end of the lease of button_process");
    button.next("BUTTON press: no lease on LED at tcp://");
    proxy.cut(Cut::End);
    led.next("LED: leased by button_process");
    button.next("BUTTON press: leased LED at tcp://");
}
