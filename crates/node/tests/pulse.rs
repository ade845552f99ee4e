//! Pulses and blinks of processes at work, in threads of the test: in text, in frames, by rules and through a relay.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

#[path = "kit/running.rs"]
mod running;

use running::{Running, new_path};
use soquete::{Client, Endpoint, Received, UnixName};
use soquete_node::config::{Delivery, Direction, LineConfig, LineKind, ProcessConfig, RuleConfig, Serve, Trigger};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn process(name: &str) -> ProcessConfig {
    let mut config = ProcessConfig::new(name.parse().unwrap());
    config.serve.push(Serve::new(Endpoint::Unix(UnixName::Path(new_path()))));
    config.syslog = None;
    config
}

fn add(config: &mut ProcessConfig, name: &str, kind: LineKind) {
    config.lines.push(LineConfig::new(name.parse().unwrap(), kind));
}

/// A process with the outputs LED and LAMP.
fn board() -> ProcessConfig {
    let mut config = process("board_process");
    ["LED", "LAMP"].iter().for_each(|name| add(&mut config, name, LineKind::Virtual(Direction::Output)));
    config
}

/// Adds a button that sends a pulse of 20 ms; returns the FIFO that presses it.
fn add_button(config: &mut ProcessConfig, to: &[Endpoint], delivery: Delivery) -> PathBuf {
    let path = new_path();
    add(config, "BUTTON", LineKind::Fifo { path: path.clone(), mode: 0o600 });
    let rule = RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED PULSE 20ms");
    config.rules.push(RuleConfig { to: to.to_vec(), delivery, ..rule });
    path
}

fn press(fifo: &PathBuf) {
    std::fs::File::options().write(true).open(fifo).unwrap().write_all(b"0\n").unwrap();
}

fn ask(client: &mut Client, command: &str) -> String {
    String::from_utf8(client.request(command.as_bytes()).unwrap().to_vec()).unwrap()
}

fn watch(process: &Running) -> Client {
    let mut client = process.client();
    assert_eq!(ask(&mut client, "WATCH LED LAMP"), "OK WATCH");
    client
}

/// Waits for the next change; returns it, and who caused it.
fn next_event(watch: &mut Client) -> (String, String) {
    match watch.receive().unwrap() {
        Received::Event { payload, .. } => {
            let text = String::from_utf8_lossy(payload);
            let words: Vec<&str> = text.splitn(4, ' ').collect();
            (words[..2].join(" "), words[3].to_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for a pulse of the LED, and returns who caused its end.
fn pulsed(watch: &mut Client) -> String {
    assert_eq!(next_event(watch).0, "LED ON");
    let (event, cause) = next_event(watch);
    assert_eq!(event, "LED OFF");
    cause
}

/// Sends a line of text; returns the answer.
fn text(process: &Running, line: &str) -> String {
    let Endpoint::Unix(UnixName::Path(path)) = &process.endpoint else { unreachable!() };
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_pulse_ends_by_itself_and_says_who_asked_for_it() {
    let board = Running::start(board());
    let mut watch = watch(&board);
    let mut client = board.client();
    assert_eq!(ask(&mut client, "LED PULSE 20ms"), "OK LED ON");
    let (on, by) = next_event(&mut watch);
    assert_eq!((on.as_str(), next_event(&mut watch)), ("LED ON", ("LED OFF".into(), format!("the pulse of {by}"))));
    assert_eq!(text(&board, "led pulse 20ms"), "OK LED ON\n");
    pulsed(&mut watch);
}

#[test]
fn a_pulse_stands_among_other_verbs_and_whatever_is_told_later_ends_it() {
    let board = Running::start(board());
    let mut watch = watch(&board);
    assert_eq!(text(&board, "LED PULSE 50ms LAMP ON"), "OK LED ON LAMP ON\n");
    let told = [next_event(&mut watch).0, next_event(&mut watch).0];
    assert_eq!(told, ["LED ON", "LAMP ON"]);
    // On a slow machine the pulse may be over already, and this the only one that switches the LED on.
    assert_eq!(text(&board, "LED ON"), "OK LED ON\n");
    // sleep is the thing under test: whether a pulse that was ended has its end all the same.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(text(&board, "LED LAMP OFF"), "ERR set lines and ask for lines in two commands\n");
    assert_eq!(text(&board, "LED"), "OK LED ON\n");
}

#[test]
fn a_blink_goes_on_until_it_is_told_something_else() {
    let board = Running::start(board());
    let mut watch = watch(&board);
    assert_eq!(text(&board, "LED BLINK 10ms"), "OK LED ON\n");
    for _ in 0..5 {
        pulsed(&mut watch);
    }
    assert_eq!(text(&board, "LED OFF"), "OK LED OFF\n");
    assert_eq!(text(&board, "LAMP ON"), "OK LAMP ON\n");
    let mut last = String::new();
    loop {
        match next_event(&mut watch).0 {
            event if event == "LAMP ON" => break,
            event => last = event,
        }
    }
    assert!(["", "LED OFF"].contains(&last.as_str()), "{last}");
    assert_eq!(text(&board, "LED BLINK 10ms 10ms 1"), "OK LED ON\n");
    assert!(pulsed(&mut watch).starts_with("the blink of "));
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let board = Running::start(board());
    assert_eq!(text(&board, "LED PULSE 2h"), "ERR a pulse lasts from 1 ms to 1 h\n");
    assert_eq!(text(&board, "LED BLINK 5ms"), "ERR a line that blinks is on and off for 10 ms to 1 h each\n");
    assert_eq!(text(&board, "LED BLINK 1s 0"), "ERR a line blinks from 1 to 1000000 times\n");
    assert_eq!(text(&board, "LED PULSE"), "ERR PULSE is written as in LED PULSE 500ms\n");
}

#[test]
fn a_relay_passes_a_pulse_on_and_the_far_board_keeps_its_time() {
    let board = Running::start(board());
    let mut config = process("relay_process");
    let kind =
        LineKind::Remote { direction: Direction::Output, at: board.endpoint.clone(), line: "LED".parse().unwrap() };
    add(&mut config, "LED", kind);
    add(&mut config, "LAMP", LineKind::Virtual(Direction::Output));
    let relay = Running::start(config);
    let mut client = relay.client();
    let begun = Instant::now();
    while ask(&mut client, "LED") == "OK LED UNKNOWN" {
        assert!(begun.elapsed() < PATIENCE);
    }
    let mut watch = watch(&relay);
    assert_eq!(ask(&mut client, "LED PULSE 20ms LAMP ON"), "OK LED ON LAMP ON");
    let mut told = [(); 3].map(|()| next_event(&mut watch));
    told.sort_by_key(|(event, _)| event.clone());
    assert_eq!(told.each_ref().map(|(event, _)| event.as_str()), ["LAMP ON", "LED OFF", "LED ON"]);
    assert!(told[1].1.starts_with("the pulse of relay_process ("), "{told:?}");
    assert_eq!(ask(&mut client, "LED BLINK 20ms 30ms 1"), "OK LED ON");
    assert!(pulsed(&mut watch).starts_with("the blink of relay_process ("));
}

#[test]
fn a_rule_sends_a_pulse_here_in_frames_and_as_text() {
    let mut config = board();
    let own = add_button(&mut config, &[], Delivery::Frames);
    let board = Running::start(config);
    let mut watch = watch(&board);
    press(&own);
    assert_eq!(pulsed(&mut watch), "the pulse of BUTTON press");
    for delivery in [Delivery::Frames, Delivery::Text] {
        let mut config = process("button_process");
        let fifo = add_button(&mut config, std::slice::from_ref(&board.endpoint), delivery);
        let _button = Running::start(config);
        press(&fifo);
        assert!(pulsed(&mut watch).starts_with("the pulse of "));
    }
}
