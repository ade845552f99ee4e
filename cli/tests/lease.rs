//! Who owns a line, and what becomes of it when its owner is gone. With the built program, each process one of its own.
//!
//! | module | tests |
//! |---|---|
//! | here | owners in text and frames: refused, taken over, gone, stopped, cut off |
//! | `rule` | rules that own what they set |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;
#[path = "lease/rule.rs"]
mod rule;

use common::proxy::{Cut, Proxy, Way};
use common::wire::Wire;
use common::{Place, Program, until};
use rustix::process::Signal;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Makes a place with an LED, and a PUMP that is safe on and may be taken over.
fn place() -> Place {
    let place = Place::bare();
    configure(&place, "");
    place
}

/// Writes the configuration of that place, with more behind it.
fn configure(place: &Place, more: &str) {
    place.write_config(&format!(
        "[processes.led_process]\nserve = ['{at}', 'udp://{}']\nsyslog = 'off'\nlines.LED = {{ output = 'log' }}\n\
         lines.PUMP = {{ output = 'virtual', safe = 'on', take-over = true }}\n{more}",
        place.addr(),
        at = place.endpoint(),
    ));
}

/// A text connection, and what it is called in answers.
fn client(place: &Place) -> (Wire, String) {
    let wire = Wire::connect(place.addr());
    let name = format!("tcp://{}", wire.0.local_addr().unwrap());
    (wire, name)
}

/// Returns the reason of a refusal without the time that is left.
#[track_caller]
fn refused(answer: &str) -> &str {
    let reason = answer.strip_prefix("ERR ").unwrap_or_else(|| panic!("granted: {answer}"));
    reason.split_once(" for ").map_or(reason, |(reason, _)| reason)
}

/// Asks how long the LED is leased still, in milliseconds.
fn left_ms(wire: &mut Wire) -> u64 {
    wire.ask("LINES");
    let (led, _pump) = (wire.line(), wire.line());
    let left = led.split_whitespace().nth(4).and_then(|left| left.strip_suffix("ms"));
    left.map_or(0, |left| left.parse().unwrap())
}

/// Cuts the connection of the owner of a lease of 2 s for longer than that; after each cut it is renewed.
fn cut_again_and_again(place: &Place, proxy: &Proxy) {
    let (begun, (mut wire, _)) = (Instant::now(), client(place));
    for cut in 1.. {
        proxy.cut(if cut % 2 == 0 { Cut::End } else { Cut::Reset });
        until("it is back", || proxy.connections() > cut);
        until("it is renewed", || left_ms(&mut wire) > 1400);
        if begun.elapsed() > Duration::from_millis(2500) {
            break;
        }
    }
}

/// Begins to own a line by the program; it owns it on return.
fn owner(place: &Place, arguments: &str) -> Program {
    let owner = Program::begin(place.soquete(&format!("lease {arguments}")));
    owner.next("Ctrl-C releases it");
    owner
}

#[test]
fn only_its_owner_sets_a_line_and_the_others_are_told_who_that_is() {
    let place = place();
    let led = place.start("led_process");
    let ((mut eve, eve_name), (mut bob, _)) = (client(&place), client(&place));
    assert_eq!(eve.ask("lease led 1m"), "OK LEASE LED 1m");
    led.next(&format!("LED: leased by {eve_name} for 60s"));
    assert_eq!(eve.ask("LED ON"), "OK LED ON");
    let leased = format!("LED is leased by {eve_name},");
    for command in ["LED OFF", "LED TOGGLE", "PUMP ON LED OFF", "LEASE LED 1s", "LEASE PUMP LED 1s", "RELEASE LED"] {
        assert_eq!(refused(&bob.ask(command)), leased, "{command}");
    }
    assert_eq!(bob.ask("LED PUMP"), "OK LED ON PUMP OFF");
    assert_eq!(bob.ask("WATCH LED"), "OK WATCH");
    bob.ask("LINES");
    let row = bob.line();
    assert!(row.starts_with("LED ON OUTPUT LEASED ") && row.ends_with(&format!("ms {eve_name}")), "{row}");
    let at = place.endpoint();
    for arguments in ["set LED off", "toggle LED", "lease LED"] {
        for run in [place.run(arguments), place.run(&format!("{arguments} --at {at}"))] {
            assert_eq!(run.code, Some(1), "{run:?}");
            assert!(run.err.starts_with(&format!("soquete: LED: not done: {leased} for ")), "{run:?}");
        }
    }
    for arguments in ["lines", "status", "status --json"] {
        let shown = place.run(arguments).ok();
        assert!(shown.contains(&eve_name), "{shown}");
    }
    assert!(place.run(&format!("lines --at {at}")).ok().contains(&format!("{eve_name}, for ")));
    assert_eq!(eve.ask("RELEASE LED"), "OK RELEASE LED");
    led.next(&format!("LED: released by {eve_name}"));
    assert_eq!(place.run("get LED").ok(), "on\n");
    assert_eq!(place.run("set LED off").ok(), "LED off\n");
}

#[test]
fn what_cannot_be_leased_says_why() {
    let place = place();
    let _led = place.start("led_process");
    let (mut eve, _) = client(&place);
    assert_eq!(eve.ask("RELEASE LED"), "ERR nobody has a lease on LED");
    assert_eq!(eve.ask("LEASE LAMP 1s"), "ERR there is no line LAMP; lines: LED, PUMP");
    for time in ["99ms", "61m", "99999999999999999999h"] {
        assert_eq!(eve.ask(&format!("LEASE LED {time}")), "ERR a lease lasts from 100 ms to 1 h");
    }
    assert_eq!(eve.ask("LEASE LED"), "ERR LEASE is written as in LEASE LED 3s");
    let run = place.run("lease LED --for 2m");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("expected 100ms to 1m"), "{run:?}");
}

#[test]
fn a_connection_that_ends_ends_no_lease_but_its_time_does_and_the_line_becomes_safe() {
    let place = place();
    let led = place.start("led_process");
    for is_reset in [false, true] {
        let ((mut eve, eve_name), (mut bob, _)) = (client(&place), client(&place));
        let begun = Instant::now();
        assert_eq!(eve.ask("LEASE LED 300ms"), "OK LEASE LED 300ms");
        assert_eq!(eve.ask("LED ON"), "OK LED ON");
        assert_eq!(bob.ask("WATCH"), "OK WATCH");
        if is_reset {
            eve.reset();
        } else {
            drop(eve);
        }
        assert_eq!(bob.line(), "EVENT LED OFF");
        assert!(begun.elapsed() >= Duration::from_millis(300), "before its time");
        led.next(&format!("LED: the lease of {eve_name} ended"));
        led.next("LED Status: Off");
        led.next(&format!("LED off, by the end of the lease of {eve_name}"));
        assert_eq!(bob.ask("LED ON"), "OK LED ON");
        bob.line();
    }
}

#[test]
fn an_owner_that_is_killed_leaves_a_safe_line() {
    let place = place();
    let led = place.start("led_process");
    let watch = Program::begin(place.soquete("watch PUMP LED"));
    until("it watches", || {
        place.run("toggle LED").ok();
        watch.log.count("LED") > 0
    });
    place.run("set LED on").ok();
    let begun = Instant::now();
    let mut owner = owner(&place, "LED on --for 1s");
    owner.kill();
    led.next("LED off, by the end of the lease of soquete (unix:");
    assert!(begun.elapsed() >= Duration::from_secs(1), "before its time");
    watch.next("by the end of the lease of soquete (unix:");
}

#[test]
fn an_owner_that_is_told_to_end_releases_the_line_and_leaves_it_as_it_is() {
    let place = place();
    let led = place.start("led_process");
    for signal in [Signal::INT, Signal::TERM] {
        let mut owner = owner(&place, "LED on --for 1m");
        owner.signal(signal);
        owner.next("LED is released");
        assert_eq!(owner.wait().code(), Some(0));
        led.next("LED: released by soquete");
        assert_eq!(place.run("get LED").ok(), "on\n");
    }
}

#[test]
fn a_line_that_is_started_anew_gets_the_value_of_its_owner_again() {
    let place = place();
    let mut led = place.start("led_process");
    // Renewed every 2 s; the process has 4 s to be back.
    let owner = owner(&place, "LED on --for 6s");
    led.kill();
    let led = place.start("led_process");
    led.next("LED on, by soquete (unix:");
    owner.next("LED was switched on again");
    assert_eq!(place.run("get LED").ok(), "on\n");
}

#[test]
fn an_owner_that_is_stopped_has_lost_the_line_when_it_goes_on() {
    let place = place();
    let led = place.start("led_process");
    let mut owner = owner(&place, "LED on --for 500ms");
    owner.pause();
    led.next("LED off, by the end of the lease of soquete");
    owner.go_on();
    owner.next("the line becomes safe unless somebody else owns it");
    assert_eq!(owner.wait().code(), Some(1));
    assert_eq!(led.log.count("LED: leased by"), 1, "a renewal that came too late: {}", led.log.text());
}

#[test]
fn an_owner_whose_connection_is_cut_again_and_again_owns_the_line_all_the_time() {
    let place = place();
    let led = place.start("led_process");
    let proxy = Proxy::new(place.host, place.addr());
    let mut owner = owner(&place, &format!("LED on --for 2s --at tcp://{}", proxy.addr));
    cut_again_and_again(&place, &proxy);
    owner.signal(Signal::INT);
    assert_eq!(owner.wait().code(), Some(0), "{}", owner.log.text());
    led.next("LED: released by soquete");
    assert_eq!(led.log.with("LED: ").len(), 2, "leased once and released: {}", led.log.text());
}

#[test]
fn an_owner_whose_network_is_gone_leaves_a_safe_line_and_says_so() {
    let place = place();
    let led = place.start("led_process");
    let proxy = Proxy::new(place.host, place.addr());
    let mut owner = owner(&place, &format!("LED on --for 600ms --at tcp://{}", proxy.addr));
    proxy.lose_after(Way::ToServer, 0);
    led.next("LED off, by the end of the lease of soquete");
    owner.next("its lease is lost");
    assert_ne!(owner.wait().code(), Some(0));
}

#[test]
fn a_line_that_may_be_taken_over_is_and_who_owned_it_is_told_by_whom() {
    let place = place();
    let led = place.start("led_process");
    let ((mut eve, eve_name), (mut bob, bob_name)) = (client(&place), client(&place));
    assert_eq!(eve.ask("LEASE PUMP 1m"), "OK LEASE PUMP 1m");
    assert_eq!(eve.ask("PUMP OFF"), "OK PUMP OFF");
    assert_eq!(bob.ask("LEASE PUMP 300ms"), "OK LEASE PUMP 300ms");
    led.next(&format!("PUMP: taken over by {bob_name} for 300ms, from {eve_name}"));
    bob.ask("LEASE PUMP 30s");
    for command in ["PUMP ON", "LEASE PUMP 1m", "RELEASE PUMP"] {
        assert_eq!(refused(&eve.ask(command)), format!("PUMP was taken over by {bob_name}, who has it"), "{command}");
    }
    assert_eq!(eve.ask("PUMP"), "OK PUMP OFF");
    bob.ask("LEASE PUMP 100ms");
    led.next(&format!("PUMP on, by the end of the lease of {bob_name}"));
    assert_eq!(eve.ask("LEASE PUMP 1m"), "OK LEASE PUMP 1m");
}

#[test]
fn an_owner_that_is_taken_over_ends_and_says_by_whom() {
    let place = place();
    let _led = place.start("led_process");
    let mut owner = owner(&place, "PUMP --for 300ms");
    let (mut bob, bob_name) = client(&place);
    assert_eq!(bob.ask("LEASE PUMP 1m"), "OK LEASE PUMP 1m");
    owner.next(&format!("PUMP: not done: PUMP was taken over by {bob_name}, who has it for "));
    assert_eq!(owner.wait().code(), Some(1));
    assert_eq!(bob.ask("PUMP"), "OK PUMP OFF");
}

#[test]
fn a_server_that_was_stopped_ends_leases_before_it_takes_what_lies_in_its_buffer() {
    let place = place();
    let led = place.start("led_process");
    let (mut eve, eve_name) = client(&place);
    assert_eq!(eve.ask("LEASE LED PUMP 200ms"), "OK LEASE LED PUMP 200ms");
    assert_eq!(eve.ask("LED ON"), "OK LED ON");
    led.next("LED Status: On");
    led.pause();
    eve.send("LED PUMP\nLEASE LED 1m\nLED ON\n");
    // sleep is the thing under test: the lease ends while the server is stopped
    std::thread::sleep(Duration::from_millis(250));
    led.go_on();
    assert_eq!(eve.line(), "OK LED OFF PUMP ON");
    assert_eq!(eve.line(), "OK LEASE LED 1m");
    assert_eq!(eve.line(), "OK LED ON");
    let expected = [
        format!("LED: the lease of {eve_name} ended"),
        "LED Status: Off".into(),
        format!("PUMP on, by the end of the lease of {eve_name}"),
        format!("LED: leased by {eve_name} for 60s"),
        "LED Status: On".into(),
    ];
    expected.iter().for_each(|line| drop(led.next(line)));
}

#[test]
fn a_server_that_is_started_anew_knows_of_no_lease_and_its_outputs_have_their_start_values() {
    let place = place();
    let mut led = place.start("led_process");
    let (mut eve, _) = client(&place);
    assert_eq!(eve.ask("LEASE LED PUMP 1h"), "OK LEASE LED PUMP 1h");
    assert_eq!(eve.ask("LED ON"), "OK LED ON");
    led.kill();
    let _led = place.start("led_process");
    let (mut bob, _) = client(&place);
    assert_eq!(bob.ask("LED PUMP"), "OK LED OFF PUMP OFF");
    assert_eq!(bob.ask("LED ON PUMP ON"), "OK LED ON PUMP ON");
}

#[test]
fn over_single_datagrams_the_address_of_the_sender_is_the_owner() {
    let place = place();
    let _led = place.start("led_process");
    let socket = || {
        let socket = UdpSocket::bind((place.host, 0)).unwrap();
        socket.connect(place.addr()).unwrap();
        socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
        socket
    };
    let ask = |socket: &UdpSocket, command: &str| {
        socket.send(command.as_bytes()).unwrap();
        let mut room = [0; 1500];
        let len = socket.recv(&mut room).unwrap();
        String::from_utf8_lossy(&room[..len]).trim_end().to_owned()
    };
    // In frames it is the session, as everywhere.
    let mut ann = owner(&place, &format!("LED --at udp://{}", place.addr()));
    let (eve, bob) = (socket(), socket());
    assert!(ask(&eve, "LEASE LED 1m").starts_with("ERR LED is leased by soquete (udp://"));
    ann.signal(Signal::INT);
    assert_eq!(ann.wait().code(), Some(0));
    assert_eq!(ask(&eve, "LEASE LED 1m"), "OK LEASE LED 1m");
    assert_eq!(ask(&eve, "LED ON"), "OK LED ON");
    let answer = ask(&bob, "LED OFF");
    assert!(refused(&answer).contains(&eve.local_addr().unwrap().to_string()), "{answer}");
    assert_eq!(ask(&eve, "LEASE LED 1m"), "OK LEASE LED 1m");
    assert_eq!(ask(&eve, "RELEASE LED"), "OK RELEASE LED");
    assert_eq!(ask(&bob, "LED OFF"), "OK LED OFF");
}

#[test]
fn a_line_of_another_server_is_leased_there_and_its_owner_is_told_through_the_relay() {
    let place = Place::bare();
    let relay = place.dir.join("relay.sock");
    configure(
        &place,
        &format!(
            "[processes.relay]\nserve = 'unix://{}'\nlines.FAR = {{ output = 'remote', at = '{}', line = 'LED' }}\n",
            relay.display(),
            place.endpoint()
        ),
    );
    let (_led, _relay) = (place.start("led_process"), place.start("relay"));
    let (mut eve, eve_name) = client(&place);
    assert_eq!(eve.ask("LEASE LED 1m"), "OK LEASE LED 1m");
    let run = place.run("lease FAR");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("FAR is a line of another server, which alone can lease it"), "{run:?}");
    let run = place.run("set FAR on");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains(&format!("LED is leased by {eve_name}")), "{run:?}");
}
