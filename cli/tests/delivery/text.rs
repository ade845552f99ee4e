//! Presses as text, whatever the server answers.

use crate::common::wire::Wire;
use crate::common::{Place, Rule};
use crate::wait_until_waiting;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A server of the seeds, or of anybody: does this with the one command that a connection brings.
fn serve_once(listener: &TcpListener, expected: &str, serve: impl FnOnce(&mut TcpStream)) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut room = [0; 100];
    // As the seeds receive: once.
    let len = stream.read(&mut room).unwrap();
    assert_eq!(room[..len].escape_ascii().to_string(), format!("{expected}\\n"));
    assert_eq!(stream.read(&mut room).unwrap(), 0, "it ends its side");
    serve(&mut stream);
}

fn answer(answer: &'static str) -> impl FnOnce(&mut TcpStream) {
    move |stream| stream.write_all(answer.as_bytes()).unwrap()
}

#[test]
fn a_press_as_text_ends_as_its_server_says_and_the_list_goes_on_unless_it_was_not_done() {
    let place = Place::bare();
    place.configure(&Rule { send: "['LED ON', 'LED OFF']", language: "text", within: "1s", ..Rule::default() });
    let button = place.start("button_process");
    let listener = TcpListener::bind(place.addr()).unwrap();
    let ends = |listener: &TcpListener, expected: &str, end: &str, serve: Box<dyn FnOnce(&mut TcpStream)>| {
        place.press(1);
        serve_once(listener, expected, serve);
        let report = button.next("BUTTON press");
        assert!(report.contains(&format!(": {expected} to {}: {end}", place.endpoint())), "{report}");
    };
    ends(&listener, "LED ON", "done", Box::new(answer("OK LED ON\n")));
    ends(&listener, "LED OFF", "done", Box::new(|_| {}));
    ends(&listener, "LED ON", "not done: ERR it is Sunday", Box::new(answer("ERR it is Sunday\r\n")));
    ends(&listener, "LED ON", "done", Box::new(answer("OK\0")));
    ends(&listener, "LED OFF", "not done: ERR", Box::new(answer("ERR")));
    let reset = |stream: &mut TcpStream| Wire(stream.try_clone().unwrap()).reset();
    ends(&listener, "LED OFF", "unknown: the connection was reset", Box::new(reset));
    ends(&listener, "LED ON", "unknown: it was answered by", Box::new(answer("SURE\n")));
    place.press(1);
    // It keeps silent until nobody waits for it any more.
    serve_once(&listener, "LED OFF", |_| drop(button.next("unknown: no answer within its time")));
    drop(listener);
    place.press(1);
    let report = button.next("LED ON to");
    assert!(report.contains("not done: connect ") && report.ends_with("connection refused"), "{report}");
    let listener = TcpListener::bind(place.addr()).unwrap();
    ends(&listener, "LED ON", "done", Box::new(|_| {}));
}

#[test]
fn a_press_as_text_is_done_by_a_server_that_comes_in_time() {
    let place = Place::bare();
    place.configure(&Rule { send: "'LED ON'", language: "text", within: "30s", ..Rule::default() });
    let button = place.start("button_process");
    place.press(1);
    wait_until_waiting(&place, 1);
    serve_once(&TcpListener::bind(place.addr()).unwrap(), "LED ON", answer(""));
    button.next(": done");
}
