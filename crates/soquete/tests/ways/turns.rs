//! One after the other: who waits for whom, and for how long.

use crate::kit::{PATIENCE, alone, connect, line, text_to_end};
use crate::proxy::{Cut, Proxy};
use crate::serving::{BOUNDS, Way, endpoints, hasty, serve, serve_with};
use soquete::{Client, ClientOptions, Endpoint, Exchange, Framing, Limits, Outcome, Server};
use std::io::{Read, Write};
use std::time::Duration;

#[test]
fn the_next_is_served_when_the_one_before_has_ended() {
    for endpoint in endpoints() {
        let served = serve(Way::InTurn, &endpoint, Framing::Line(BOUNDS));
        let mut first = Client::connect(&served.endpoint, ClientOptions::line(1024)).unwrap();
        let mut second = connect(&served.endpoint);
        second.write_all(b"second\n").unwrap();
        for _ in 0..10 {
            assert_eq!(first.request(b"first").unwrap(), b"first");
        }
        second.set_nonblocking(true).unwrap();
        assert!(second.read(&mut [0]).is_err(), "it is not its turn");
        second.set_nonblocking(false).unwrap();
        drop(first);
        let mut answer = [0; 64];
        let len = second.read(&mut answer).unwrap();
        assert_eq!(&answer[..len], b"second\n");
    }
}

#[test]
fn who_says_nothing_while_another_waits_has_to_go() {
    for first in ["", "one\n", "half a line"] {
        let served = serve_with(&tcp(), Framing::Line(BOUNDS), hasty(), Server::run_in_turn);
        let mut silent = connect(&served.endpoint);
        silent.write_all(first.as_bytes()).unwrap();
        let mut client = Client::connect(&served.endpoint, ClientOptions::line(1024)).unwrap();
        assert_eq!(client.request(b"two").unwrap(), b"two");
        assert_eq!(text_to_end(&mut silent), if first == "one\n" { first } else { "" });
    }
}

#[test]
fn who_is_owed_an_answer_or_does_not_read_is_told_from_who_is_silent() {
    let served = serve_with(&tcp(), Framing::Line(BOUNDS), hasty(), Server::run_in_turn);
    let mut greedy = connect(&served.endpoint);
    greedy.set_send_timeout(Some(Duration::from_millis(100))).unwrap();
    // It sends until nobody takes any more, and reads nothing of what comes back.
    let dots = [&[b'.'; 9999][..], b"\n"].concat();
    while greedy.write_all(&dots).is_ok() {}
    let mut client = Client::connect(&served.endpoint, ClientOptions::line(1024)).unwrap();
    assert_eq!(client.request(b"two").unwrap(), b"two", "who does not read has to go, too");
    drop(client);

    let mut patient = connect(&served.endpoint);
    patient.write_all(b"SLOW\n").unwrap();
    let mut next = connect(&served.endpoint);
    next.write_all(b"one\n").unwrap();
    assert_eq!(line(&mut patient), "slow", "who waits for its answer is not silent");
}

#[test]
fn datagrams_have_no_turns() {
    let server = Server::bind(&"udp://127.0.0.1:0".parse().unwrap(), Framing::Frames).unwrap();
    let endpoint = server.endpoint().clone();
    let error = server.run_in_turn(|_: Exchange<'_>| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("listen {endpoint}: datagrams have no turns"));
}

#[test]
fn two_hundred_turns_leave_no_descriptor() {
    alone("turns::two_hundred_turns_leave_no_descriptor", || {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        let served = serve(Way::InTurn, &tcp(), Framing::Line(BOUNDS));
        for turn in 0..200 {
            let mut stream = connect(&served.endpoint);
            stream.write_all(b"one\n").unwrap();
            if turn % 2 == 0 { stream.abort() } else { assert_eq!(line(&mut stream), "one") }
        }
        drop(served);
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_lonely_one_may_think_as_long_as_it_likes() {
    let served = serve_with(&tcp(), Framing::Line(BOUNDS), hasty(), Server::run_in_turn);
    let mut thinking = connect(&served.endpoint);
    // sleep is the thing under test: several times the patience passes while nobody waits.
    std::thread::sleep(4 * hasty().patience);
    thinking.write_all(b"one\n").unwrap();
    assert_eq!(line(&mut thinking), "one");
}

#[test]
fn who_never_says_anything_goes_although_nobody_waits() {
    let limits = Limits { silence: Duration::from_millis(40), ..Limits::default() };
    let served = serve_with(&tcp(), Framing::Frames, limits, Server::run_in_turn);
    assert_eq!(text_to_end(&mut connect(&served.endpoint)), "");
}

#[test]
fn a_stop_ends_the_wait_for_a_newcomer_and_turns_the_queue_away() {
    for endpoint in endpoints() {
        drop(serve(Way::InTurn, &endpoint, Framing::Frames));
    }
    let served = serve(Way::InTurn, &tcp(), Framing::Line(BOUNDS));
    let mut first = connect(&served.endpoint);
    first.write_all(b"one\n").unwrap();
    assert_eq!(line(&mut first), "one");
    let mut queued = connect(&served.endpoint);
    drop(served);
    assert_eq!(text_to_end(&mut first), "");
    assert_eq!(text_to_end(&mut queued), "");
}

#[test]
fn a_session_goes_on_over_the_next_connection() {
    let served = serve(Way::InTurn, &tcp(), Framing::Frames);
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let mut client = Client::connect(&proxy.endpoint, ClientOptions::frames("")).unwrap();
    assert_eq!(client.call(b"one", PATIENCE).unwrap(), Outcome::Done(b"one".to_vec()), "from memory");
    assert_eq!(proxy.connections(), 2);
    assert_eq!(client.call(b"LATER", PATIENCE).unwrap(), Outcome::Done(b"later".to_vec()));
}

fn tcp() -> Endpoint {
    "tcp://127.0.0.1:0".parse().unwrap()
}
