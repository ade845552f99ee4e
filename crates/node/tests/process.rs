//! Processes at work, in threads of the test: presses that become values, in every language and whatever happens.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

#[path = "kit/running.rs"]
#[allow(dead_code, reason = "each file of tests uses its part")]
mod running;

use running::{Running, new_path};
use soquete::{Client, Endpoint, Outcome};
use soquete_node::config::{Delivery, LineConfig, LineKind, ProcessConfig, RuleConfig, Serve, Trigger};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// Connects to a process in text.
fn tcp(process: &Running) -> TcpStream {
    let stream = TcpStream::connect(process.endpoint.socket_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends `octets`, ends the sending side, and returns all that is answered.
fn talk(process: &Running, octets: &[u8]) -> String {
    let mut stream = tcp(process);
    stream.write_all(octets).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn led_config(endpoint: &str) -> ProcessConfig {
    let mut config = ProcessConfig::new("led_process".parse().unwrap());
    config.serve.push(Serve::new(endpoint.parse().unwrap()));
    config.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::Log));
    config.syslog = None;
    config
}

fn led() -> Running {
    Running::start(led_config("tcp://127.0.0.1:0"))
}

/// A button process whose presses go to `to`; returns it with the path of its FIFO.
fn button(to: &Endpoint, delivery: Delivery, send: &[&str]) -> (Running, PathBuf) {
    let path = new_path();
    let mut config = ProcessConfig::new("button_process".parse().unwrap());
    let line = "BUTTON".parse().unwrap();
    config.lines.push(LineConfig::new(line, LineKind::Fifo { path: path.clone(), mode: 0o600 }));
    let mut rule = RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED TOGGLE");
    rule.send = send.iter().map(ToString::to_string).collect();
    rule.to = vec![to.clone()];
    rule.delivery = delivery;
    config.rules.push(rule);
    (Running::start(config), path)
}

fn press(path: &PathBuf, presses: usize) {
    let mut fifo = std::fs::File::options().write(true).open(path).unwrap();
    fifo.write_all("0\n".repeat(presses).as_bytes()).unwrap();
}

/// Waits for the next event of a watch.
fn next_event(watch: &mut Client) -> (u64, String) {
    match watch.receive().unwrap() {
        soquete::Received::Event { head, payload, .. } => {
            let text = String::from_utf8(payload.to_vec()).unwrap();
            (head.seq, text.split(' ').take(2).collect::<Vec<_>>().join(" "))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_is_answered_line_by_line() {
    let led = led();
    assert_eq!(talk(&led, b"LED ON\nled\nLED TOGGLE\r\nQUIT\n"), "OK LED ON\nOK LED ON\nOK LED OFF\nOK QUIT\n");
    assert_eq!(talk(&led, b"LINES"), "OK 1\nLED OFF OUTPUT\n");
    assert_eq!(talk(&led, b"LEX ON\n"), "ERR there is no line LEX; lines: LED\n");
    assert!(talk(&led, b"HELP\n").starts_with("OK 11\nLED ON"));
    assert_eq!(talk(&led, b""), "");
}

#[test]
fn the_programs_of_the_seeds_set_the_led() {
    let led = led();
    for (command, value) in [("LED ON\0", "on"), ("LED OFF\0", "off"), ("LED ON\0", "on")] {
        let mut stream = tcp(&led);
        stream.write_all(command.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        drop(stream);
        let expected = format!("OK LED {}", value.to_uppercase());
        // The next connection is served after that one.
        let mut client = led.client();
        while client.request(b"LED").unwrap() != expected.as_bytes() {}
    }
}

#[test]
fn a_press_on_the_fifo_toggles_the_led_of_another_process() {
    let led = led();
    let mut watch = led.client();
    watch.request(b"WATCH").unwrap();
    let (_button, path) = button(&led.endpoint, Delivery::Frames, &["LED TOGGLE"]);
    let mut last = 0;
    for value in ["LED ON", "LED OFF", "LED ON"] {
        press(&path, 1);
        let (seq, told) = next_event(&mut watch);
        assert_eq!(told, value);
        last = seq;
    }
    press(&path, 500);
    for nth in 0..500 {
        let (seq, value) = next_event(&mut watch);
        assert_eq!(seq, last + 1, "no press is lost");
        last = seq;
        assert_eq!(value, if nth % 2 == 0 { "LED OFF" } else { "LED ON" });
    }
}

#[test]
fn a_fifo_that_was_removed_is_made_anew() {
    let led = led();
    let mut watch = led.client();
    watch.request(b"WATCH").unwrap();
    let (_button, path) = button(&led.endpoint, Delivery::Frames, &["LED TOGGLE"]);
    for value in ["LED ON", "LED OFF"] {
        std::fs::remove_file(&path).unwrap();
        while !path.exists() {}
        press(&path, 1);
        assert_eq!(next_event(&mut watch).1, value);
    }
}

#[test]
fn a_rule_as_text_drives_a_server_of_the_seeds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Endpoint::from(listener.local_addr().unwrap());
    let (_button, path) = button(&to, Delivery::Text, &["LED ON", "LED OFF"]);
    for expected in ["LED ON", "LED OFF", "LED ON"] {
        press(&path, 1);
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 100];
        let len = stream.read(&mut buffer).unwrap();
        // As the seed compares: the start of what one receive brought.
        assert!(buffer[..len].starts_with(expected.as_bytes()), "{:?}", buffer[..len].escape_ascii().to_string());
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
}

#[test]
fn a_call_sets_a_line_once() {
    let led = led();
    let mut client = led.client();
    for value in ["ON", "OFF", "ON"] {
        let outcome = client.call(b"LED TOGGLE", Duration::from_secs(5)).unwrap();
        assert_eq!(outcome, Outcome::Done(format!("OK LED {value}").into_bytes()));
    }
    let refused = client.call(b"LEX ON", Duration::from_secs(5)).unwrap();
    assert_eq!(refused, Outcome::NotDone("there is no line LEX; lines: LED".into()));
}
