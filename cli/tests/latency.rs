//! How long it is from the edge of a button to the LED, as the built program tells it. Whether that is quick is none of
//! these tests' matter: only whether the figures are there, agree with each other, and count what happened.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::proxy::{Cut, Proxy, Way};
use common::wire::{HELLO, REPLY, WELCOME, Wire, frame, hello, request};
use common::{Place, Program, Rule, until};
use rustix::process::Signal;
use serde_json::Value;
use std::io::Read;
use std::net::TcpListener;

/// Presses the button so often, one after the other, and waits until each is done.
fn press(place: &Place, button: &Program, presses: usize) {
    for _ in 0..presses {
        place.press(1);
        button.next(": done");
    }
}

/// Returns what a process tells about itself.
fn status(place: &Place, process: &str) -> Value {
    let status: Value = serde_json::from_str(&place.run("status --json").ok()).unwrap();
    let processes = status["processes"].as_array().unwrap();
    processes.iter().find(|told| told["name"] == process).unwrap_or_else(|| panic!("{status:#}")).clone()
}

/// Returns what the button tells of its presses at its only target.
#[track_caller]
fn at_target(place: &Place) -> Value {
    let button = status(place, "button_process");
    let targets = button["rules"][0]["latency"].as_array().unwrap();
    assert_eq!(targets.len(), 1, "{button:#}");
    targets[0].clone()
}

/// Waits until the button has read its press, which so is at least as old as what follows takes.
fn wait_until_waiting(place: &Place) {
    until("a press waits", || {
        // One that is stopped does not answer, and is not waited for.
        let status = place.run("status --json --timeout 300ms").out;
        status.contains("\"waiting\": 1")
    });
}

/// Takes the figures of a distribution, which agree with each other: count, median and longest.
#[track_caller]
fn figures(latency: &Value) -> (u64, u64, u64) {
    let [count, p50, p99, max] = ["count", "p50_us", "p99_us", "max_us"]
        .map(|field| latency[field].as_u64().unwrap_or_else(|| panic!("{field} of {latency:#}")));
    assert!(p50 <= p99 && p99 <= max && max < 3_600_000_000, "{latency:#}");
    (count, p50, max)
}

/// What was sent was not set before, and what was set was not answered before; all of it so often.
#[track_caller]
fn agrees(target: &Value, presses: u64) {
    let [sent, took, set, answered] = ["sent", "took", "set", "answered"].map(|figure| figures(&target[figure]));
    for (count, ..) in [sent, took, set, answered] {
        assert_eq!(count, presses, "{target:#}");
    }
    assert!(sent.1 <= set.1 && set.1 <= answered.1, "{target:#}");
    assert!(sent.2 <= set.2 && set.2 <= answered.2 && took.2 <= answered.2, "{target:#}");
}

#[test]
fn status_tells_it_at_both_ends_as_often_as_there_were_presses() {
    let place = Place::new();
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    assert_eq!(status(&place, "button_process")["rules"][0]["latency"], Value::Array(vec![]));
    assert_eq!(status(&place, "led_process")["lines"][0]["latency"], Value::Null);
    press(&place, &button, 7);
    place.run("press BUTTON").ok();
    button.next(": done");
    // Whoever sends it by hand does not say since when it was wanted.
    place.run("set LED on").ok();
    let target = at_target(&place);
    assert_eq!((&target["to"], &target["from"]), (&place.endpoint().into(), &"fifo".into()));
    agrees(&target, 8);
    let (count, median, longest) = figures(&status(&place, "led_process")["lines"][0]["latency"]);
    let (_, until_answered, longest_answered) = figures(&target["answered"]);
    assert_eq!(count, 8);
    // To the microsecond that each end cuts off, and the buckets of the medians.
    assert!(median <= until_answered + until_answered / 16 + 2 && longest <= longest_answered + 2, "{target:#}");
    let page = place.run("status").ok();
    assert!(page.contains(&format!("  BUTTON press (fifo)  set by {}  8 ", place.endpoint())), "{page}");
    assert!(page.contains("  edge, without the wire  LED set  8 "), "{page}");
}

#[test]
fn a_request_that_is_asked_for_again_is_as_old_as_it_is() {
    let place = Place::new();
    let proxy = Proxy::new(place.host, place.addr());
    place.configure(&Rule { to: proxy.to(), within: "20s", ..Rule::default() });
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    press(&place, &button, 1);
    // What the LED answers is lost with the connection, and it answers again from memory.
    led.pause();
    place.press(1);
    wait_until_waiting(&place);
    // sleep is the thing under test: the press gets older while its LED is stopped.
    std::thread::sleep(std::time::Duration::from_millis(300));
    proxy.cut_after(Way::ToClient, 30, Cut::Reset);
    led.go_on();
    button.next(": done");
    assert!(proxy.has_cut() && proxy.connections() > 1);
    let target = at_target(&place);
    agrees(&target, 2);
    let (.., longest) = figures(&target["answered"]);
    let (count, _, longest_at_led) = figures(&status(&place, "led_process")["lines"][0]["latency"]);
    assert_eq!(count, 2);
    for us in [longest, longest_at_led] {
        assert!(us >= 300_000, "{us}: {target:#}");
    }
}

#[test]
fn a_lost_request_is_as_old_as_it_is_when_it_is_asked_for_again() {
    let place = Place::new();
    let proxy = Proxy::new(place.host, place.addr());
    place.configure(&Rule { to: proxy.to(), within: "20s", ..Rule::default() });
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    press(&place, &button, 1);
    // A PING passes, and nothing of the request that follows it.
    proxy.lose_after(Way::ToServer, 12);
    place.press(1);
    wait_until_waiting(&place);
    // sleep is the thing under test: the press gets older while nobody has it.
    std::thread::sleep(std::time::Duration::from_millis(300));
    proxy.cut(Cut::Reset);
    button.next(": done");
    agrees(&at_target(&place), 2);
    let (.., longest) = figures(&status(&place, "led_process")["lines"][0]["latency"]);
    assert!(longest >= 300_000, "{longest}");
}

#[test]
fn a_line_of_the_same_process_is_exact_and_as_text_only_this_side_is_known() {
    let place = Place::bare();
    place.write_config(
        "[processes.board]\nsyslog = 'off'\nlines.KEY = { input = 'virtual' }\nlines.LED = { output = 'virtual' }\n\
         [[processes.board.rules]]\non = 'KEY press'\nsend = 'LED TOGGLE'\n",
    );
    let board = place.start("board");
    for _ in 0..3 {
        place.run("press KEY").ok();
        board.next(": done");
    }
    let told = status(&place, "board");
    let target = &told["rules"][0]["latency"][0];
    assert_eq!((&target["to"], &target["from"]), (&"this process".into(), &"press".into()));
    assert_eq!(["sent", "took", "answered"].map(|figure| &target[figure]), [&Value::Null; 3]);
    assert_eq!(figures(&target["set"]), figures(&told["lines"].as_array().unwrap()[1]["latency"]));
    assert_eq!(figures(&target["set"]).0, 3);
    drop(board);

    place.configure(&Rule { send: "'LED ON'", language: "text", ..Rule::default() });
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    press(&place, &button, 2);
    let target = at_target(&place);
    assert_eq!(["took", "set"].map(|figure| &target[figure]), [&Value::Null; 2]);
    assert!(figures(&target["sent"]).2 <= figures(&target["answered"]).2, "{target:#}");
    assert_eq!(status(&place, "led_process")["lines"][0]["latency"], Value::Null);
    let page = place.run("status").ok();
    assert!(page.contains(&format!("  BUTTON press (fifo)  answered by {}  2 ", place.endpoint())), "{page}");
}

#[test]
fn watch_tells_each_change_how_late_it_was_and_all_of_them_at_the_end() {
    let place = Place::new();
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    let mut people = Program::begin(place.soquete("watch --latency LED"));
    let mut programs = Program::begin(place.soquete("watch --latency --json"));
    let mut others = Program::begin(place.soquete("watch LED"));
    // A change that each of them has heard shows that it watches.
    until("all watch", || {
        place.run("toggle LED").ok();
        [&people, &programs, &others].iter().all(|watch| !watch.log.lines().is_empty())
    });
    place.run("set LED off").ok();
    press(&place, &button, 2);
    let (on, off) = (people.next("after the edge"), people.next("after the edge"));
    assert!(on.contains(" LED on   by button_process (tcp://") && off.contains(" LED off "), "{on}{off}");
    others.next("on   by button_process");
    others.next("off  by button_process");
    let changes: Vec<Value> =
        (0..2).map(|_| serde_json::from_str(&programs.next("\"by\":\"button_process")).unwrap()).collect();
    assert!(changes.iter().all(|change| change["latency_us"].as_u64().is_some_and(|us| us < 3_600_000_000)));
    for watch in [&mut people, &mut programs, &mut others] {
        watch.signal(Signal::INT);
        assert!(watch.wait().success());
    }
    let sum = people.next(" LED set ");
    assert_eq!(sum.split_whitespace().take(4).collect::<Vec<_>>(), ["edge", "LED", "set", "2"]);
    let sum: Value = serde_json::from_str(&programs.next("\"latency\":")).unwrap();
    assert_eq!((&sum["process"], &sum["line"], figures(&sum["latency"]).0), (&"led_process".into(), &"LED".into(), 2));
    let plain = others.log.text();
    assert!(!plain.contains("edge"), "{plain}");
}

#[test]
fn watch_says_that_no_change_had_the_time_of_an_edge() {
    let place = Place::new();
    let _led = place.start("led_process");
    for more in ["", " --json"] {
        let mut watch = Program::begin(place.soquete(&format!("watch --latency LED{more}")));
        until("it watches", || {
            place.run("toggle LED").ok();
            !watch.log.lines().is_empty()
        });
        watch.signal(Signal::INT);
        assert!(watch.wait().success());
        watch.next("no change had the time of an edge");
    }
}

/// Speaks as a server that knows of no feature: takes one request up and answers it. Returns the request's flags and what
/// stands behind its head of 13 octets.
fn serve_as_before(listener: &TcpListener) -> (u8, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut wire = Wire(stream);
    let mut opening = [0; 8];
    wire.0.read_exact(&mut opening).unwrap();
    let hello = wire.frame();
    assert_eq!((hello.kind, hello.payload[1] & 4), (HELLO, 4), "it offers the feature");
    let welcome = [&[1][..], &[0; 8], &4096_u32.to_le_bytes(), &[9, 0], &1_u64.to_le_bytes(), &[0; 27]].concat();
    wire.send(frame(WELCOME, 0, &welcome));
    let mut header = [0; 12];
    wire.0.read_exact(&mut header).unwrap();
    let mut payload = vec![0; header[0].into()];
    wire.0.read_exact(&mut payload).unwrap();
    wire.send(frame(REPLY, u32::from(header[8]), b"OK LED ON"));
    wire.rest();
    (header[5], String::from_utf8_lossy(&payload[13..]).into_owned())
}

#[test]
fn a_server_of_before_is_told_what_it_was_and_only_this_side_is_known() {
    let place = Place::new();
    let listener = TcpListener::bind(place.addr()).unwrap();
    let server = std::thread::spawn(move || serve_as_before(&listener));
    let mut button = place.start("button_process");
    press(&place, &button, 1);
    let target = at_target(&place);
    assert_eq!(["took", "set"].map(|figure| &target[figure]), [&Value::Null; 2]);
    assert_eq!((figures(&target["sent"]).0, figures(&target["answered"]).0), (1, 1));
    assert!(button.stop().success());
    assert_eq!(server.join().unwrap(), (1, "LED TOGGLE".to_owned()));
}

#[test]
fn a_client_of_before_hears_of_a_press_what_it_always_did() {
    let place = Place::new();
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    let mut wire = Wire::connect(place.addr());
    wire.send([hello("board"), request(1, "WATCH")].concat());
    assert_eq!((wire.frame().kind, wire.frame().kind), (WELCOME, REPLY));
    press(&place, &button, 1);
    let event = wire.frame();
    let text = String::from_utf8_lossy(&event.payload[12..]);
    assert!(text.starts_with("LED ON ") && text.contains(" button_process (tcp://"), "{text:?}");
}
