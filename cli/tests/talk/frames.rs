//! `--frames`.

use super::common::{Place, Program, tool, until};
use super::kit::{Listener, endpoint, run, sockets, soquete};
use rustix::process::Signal;
use std::io::Write;
use std::process::Stdio;

#[test]
fn a_board_is_asked_in_frames() {
    let place = Place::new();
    let _led = place.start("led_process");
    let at = place.endpoint();
    assert_eq!(run(&place, &["send", "--frames", &at, "LED ON", "LED"]).ok(), "OK LED ON\nOK LED ON\n");
    assert_eq!(run(&place, &["send", "--frames", "--hex", &at, "4c 45 44"]).ok(), "4f 4b 20 4c 45 44 20 4f 4e\n");
    let mut asking = soquete(&place, &["send", "--frames", &at]);
    assert_eq!(tool::feed(&mut asking, "LED TOGGLE\nLED").ok(), "OK LED OFF\nOK LED OFF\n");
    let unknown = run(&place, &["send", "--frames", &at, "LAMP ON", "LED ON"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""), "{unknown:?}");
    assert!(unknown.err.contains("LAMP"), "{unknown:?}");
    assert_eq!(run(&place, &["send", "--frames", &at, "LED"]).ok(), "OK LED OFF\n", "what came behind is not sent");
    let refused = run(&place, &["send", "--frames", "--service", "lamp", &at, "LED"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn a_listener_shows_each_request_and_answers_it() {
    for kind in ["tcp", "unix", "seqpacket", "udp", "unixgram"] {
        let place = Place::bare();
        let words = ["--frames", "--service", "lamp", "--reply", "OK"];
        let mut listener = Listener::new(&place, &endpoint(&place, kind), &words);
        let sent = run(&place, &["send", "--frames", "--service", "lamp", &listener.at, "LED ON", "LED"]);
        assert_eq!(sent.ok(), "OK\nOK\n", "{kind}");
        let first = listener.program.next("REQUEST id 1 topic 0 from \"soquete send\"");
        assert!(first.ends_with("): \"LED ON\""), "{first}");
        listener.program.next("REQUEST id 2 topic 0");
        listener.done();
    }
}

#[test]
fn without_a_reply_the_answer_is_empty_and_a_second_client_is_turned_away() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--frames"]);
    let mut first = soquete(&place, &["send", "--frames", &listener.at]);
    first.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let mut input = first.stdin.take().unwrap();
    input.write_all(b"hello\n").unwrap();
    listener.program.next("\"hello\"");
    let second = run(&place, &["send", "--frames", &listener.at, "me too"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("it talks with another client"), "{second:?}");
    drop(input);
    assert_eq!(first.wait_with_output().unwrap().stdout, b"\n");
    listener.done();
}

#[test]
fn a_stranger_and_who_asks_nothing_are_not_the_one_client() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "unix"), &["--frames", "--reply", "OK"]);
    let at = listener.at.clone();
    let stranger = run(&place, &["send", &at, "hello"]);
    assert_ne!(stranger.code, Some(2), "{stranger:?}");
    listener.program.log.wait_for("is here", 1);
    listener.program.log.wait_for("was refused: ", 1);
    assert_eq!(run(&place, &["send", "--frames", &at, "--service", "lamp", "LED"]).code, Some(1));
    listener.program.log.wait_for("was refused: ", 2);
    assert_eq!(run(&place, &["send", "--frames", &at]).code, Some(0), "nothing is asked");
    listener.program.log.wait_for("has left", 1);
    assert_eq!(run(&place, &["send", "--frames", &at, "LED"]).ok(), "OK\n");
    listener.done();
}

#[test]
fn who_speaks_no_frames_ends_it_before_anything_is_asked() {
    let place = Place::bare();
    let listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--reply", "what do you want?"]);
    let sent = run(&place, &["send", "--frames", &listener.at, "LED ON", "--timeout", "20s"]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    let nobody = run(&place, &["listen", "--frames", &endpoint(&place, "unix"), "--timeout", "10ms"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
}

#[test]
fn a_signal_ends_who_asks_in_order_and_leaves_no_file() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "unixgram"), &["--frames", "--keep"]);
    let mut asking = soquete(&place, &["send", "--frames", &listener.at]);
    asking.stdin(Stdio::piped());
    let mut asking = Program::begin(asking);
    until("it has a path of its own", || sockets(&place) == 2);
    asking.signal(Signal::INT);
    assert_eq!(asking.wait().code(), Some(0), "{}", asking.log.text());
    assert_eq!(sockets(&place), 1);
    listener.interrupt();
    assert_eq!(sockets(&place), 0);
}
