//! What becomes of a command whatever happens to connections and servers: done once, not done, or unknown.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/hub.rs"]
mod kit;
#[path = "kit/proxy.rs"]
mod proxy;

use kit::*;
use proxy::{Cut, Proxy};
use soquete::{Client, ClientFraming, ClientOptions, Endpoint, Exchange, Limits, Outcome};
use soquete_proto::content::Content;
use soquete_proto::frame::Flags;
use soquete_proto::handshake::RequestHead;
use soquete_proto::server::Options;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

/// What the server may do beyond the deadline before a call returns.
const SETTLE: Duration = Duration::from_secs(1);

fn client(endpoint: &Endpoint) -> Client {
    Client::connect(endpoint, ClientOptions::frames("board")).unwrap()
}

/// A client that notices silence soon.
fn impatient_client(endpoint: &Endpoint) -> Client {
    let mut options = ClientOptions::frames("board");
    if let ClientFraming::Frames(core) = &mut options.framing {
        core.ping_after = Duration::from_millis(100);
    }
    Client::connect(endpoint, options).unwrap()
}

fn done(answer: &str) -> Outcome {
    Outcome::Done(answer.as_bytes().to_vec())
}

#[test]
fn a_connection_cut_between_act_and_answer_is_answered_from_memory() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let mut client = client(&proxy.endpoint);
    assert_eq!(client.call(b"LED TOGGLE", SOON).unwrap(), done("OK LED TOGGLE"));
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
    assert_eq!(proxy.connections(), 2);
    assert_eq!(client.call(b"LED ON", SOON).unwrap(), done("OK LED ON"), "and the session goes on");
}

#[test]
fn connections_cut_again_and_again_change_nothing() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1); 5]);
    assert_eq!(client(&proxy.endpoint).call(b"LED TOGGLE", SOON).unwrap(), done("OK LED TOGGLE"));
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
    assert_eq!(proxy.connections(), 6);
}

/// Makes three calls in a row through a proxy whose first connection is cut as `cut` says; returns whether it was cut.
fn three_calls_through(cut: Cut) -> bool {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[cut]);
    let mut client = client(&proxy.endpoint);
    for command in ["LED TOGGLE", "LED ON", "LED TOGGLE"] {
        let outcome = client.call(command.as_bytes(), SOON).unwrap();
        assert_eq!(outcome, done(&format!("OK {command}")), "{cut:?}");
    }
    assert_eq!(served.log.commands(), ["LED TOGGLE", "LED ON", "LED TOGGLE"], "{cut:?}");
    proxy.connections() > 1
}

/// Runs `is_cut` for 0, 1, 2, … until it says no, in a few threads.
fn cut_at_every_octet(is_cut: impl Fn(usize) -> bool + Send + Sync + 'static) -> usize {
    let (is_cut, next) = (Arc::new(is_cut), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (is_cut, next) = (is_cut.clone(), next.clone());
            std::thread::spawn(move || {
                loop {
                    let len = next.fetch_add(1, Ordering::Relaxed);
                    if !is_cut(len) {
                        return len;
                    }
                }
            })
        })
        .collect();
    let ends: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    ends.into_iter().min().unwrap()
}

#[test]
fn a_cut_at_any_octet_of_what_the_client_says_changes_nothing() {
    let len = cut_at_every_octet(|len| three_calls_through(Cut::Requests(len)));
    assert!(len > 100, "{len}");
}

#[test]
fn a_cut_at_any_octet_of_what_the_server_says_changes_nothing() {
    let len = cut_at_every_octet(|len| three_calls_through(Cut::Answers(len)));
    assert!(len > 100, "{len}");
}

/// Calls through a proxy that cuts every connection at the same place; returns whether it was not done.
fn call_through_always(cut: Cut) -> bool {
    let served = serve();
    let proxy = Proxy::start(&served.endpoint, move |_| cut);
    let outcome = client(&proxy.endpoint).call(b"LED TOGGLE", SHORT / 2).unwrap();
    let commands = || served.log.commands().len();
    match outcome {
        Outcome::Done(_) => assert_eq!(commands(), 1, "{cut:?}"),
        Outcome::NotDone(_) => {
            // What is still under way must not be done either: whoever comes later comes after it.
            served.assert_serves();
            assert_eq!(commands(), 0, "{cut:?}");
        }
        Outcome::Unknown(_) => assert!(commands() <= 1, "{cut:?}"),
    }
    !matches!(outcome, Outcome::Done(_))
}

#[test]
fn where_every_connection_is_cut_it_is_done_at_most_once_and_what_is_called_not_done_is_not() {
    let requests = cut_at_every_octet(|len| call_through_always(Cut::Requests(len)));
    let answers = cut_at_every_octet(|len| call_through_always(Cut::Answers(len)));
    assert!(requests > 50 && answers > 50, "{requests} {answers}");
}

#[test]
fn a_server_that_was_restarted_leaves_it_unknown_and_does_not_repeat_it() {
    let endpoint = "mem:restarted";
    let served = serve_with(endpoint, ALL, Limits::default(), Options::new("board"));
    let (tell, told) = mpsc::channel();
    let restarting = std::thread::spawn(move || {
        let responder = served.log.wait(|seen| seen.responders.pop());
        served.stop();
        drop(responder);
        tell.send(serve_with(endpoint, ALL, Limits::default(), Options::new("board"))).unwrap();
    });
    let outcome = client(&endpoint.parse().unwrap()).call(b"LATER", SOON).unwrap();
    assert_eq!(outcome, Outcome::Unknown("unknown session: the server was restarted in between".into()));
    restarting.join().unwrap();
    let served = told.recv().unwrap();
    served.assert_serves();
    served.log.with(|seen| assert_eq!((seen.messages, seen.responders.len()), (2, 0), "the two of assert_serves"));
}

#[test]
fn a_press_while_the_server_is_down_is_done_when_it_is_back_within_its_time() {
    let endpoint = "mem:back-within";
    let serve = || serve_with(endpoint, ALL, Limits::default(), Options::new("board"));
    let served = serve();
    let mut client = client(&endpoint.parse().unwrap());
    client.call(b"LED ON", SOON).unwrap();
    served.stop();
    let (tell, told) = mpsc::channel();
    let calling = std::thread::spawn(move || {
        tell.send(()).unwrap();
        client.call(b"LED TOGGLE", SOON).unwrap()
    });
    told.recv().unwrap();
    let served = serve();
    assert_eq!(calling.join().unwrap(), done("OK LED TOGGLE"));
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
}

#[test]
fn nobody_there_is_not_done_at_the_deadline() {
    let served = serve();
    let mut client = client(&served.endpoint);
    client.call(b"LED ON", SOON).unwrap();
    served.stop();
    let begin = Instant::now();
    let outcome = client.call(b"LED TOGGLE", SHORT).unwrap();
    assert_eq!(outcome, Outcome::NotDone("no server within its time".into()));
    let took = begin.elapsed();
    assert!(took >= SHORT && took < SHORT + SETTLE, "{took:?}");
}

/// A server whose thread stands still from `BLOCK` until the test says so, as one that was sent SIGSTOP.
fn serve_stoppable() -> (Served, mpsc::Sender<()>) {
    let (go_on, wait) = mpsc::channel::<()>();
    let log = Arc::new(Log::default());
    let mut counting = Counting(log.clone());
    let handler = move |exchange: Exchange<'_>| {
        if exchange.payload == b"BLOCK" {
            exchange.reply(b"OK").unwrap();
            // A test that failed has hung up.
            let _ = wait.recv();
            return;
        }
        soquete::Handler::receive(&mut counting, exchange);
    };
    (serve_by("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"), (log, handler)), go_on)
}

/// Has the server stand still.
fn block(served: &Served) -> soquete::Stream {
    let mut stream = served.connect();
    stream.write_all(&[greeting(), plain(1, b"LED"), plain(2, b"BLOCK")].concat()).unwrap();
    stream
}

#[test]
fn a_server_that_stands_still_leaves_it_not_done_and_does_not_do_it_later() {
    let (served, go_on) = serve_stoppable();
    let mut there = client(&served.endpoint);
    there.call(b"LED ON", SOON).unwrap();
    let _blocking = block(&served);
    served.log.wait(|seen| (seen.messages >= 2).then_some(()));
    let mut newcomer = client(&served.endpoint);
    for client in [&mut there, &mut newcomer] {
        let begin = Instant::now();
        let outcome = client.call(b"LED TOGGLE", SHORT).unwrap();
        assert_eq!(outcome, Outcome::NotDone("the server did not answer within its time".into()));
        assert!(begin.elapsed() < SHORT + SETTLE, "{:?}", begin.elapsed());
    }
    go_on.send(()).unwrap();
    assert_eq!(there.call(b"LED OFF", SOON).unwrap(), done("OK LED OFF"));
    assert_eq!(newcomer.call(b"LED OFF", SOON).unwrap(), done("OK LED OFF"));
    served.assert_serves();
    assert_eq!(served.log.commands(), ["LED ON", "LED OFF", "LED OFF"], "never the toggle");
}

#[test]
fn what_lies_in_the_buffer_of_a_server_that_stood_still_is_refused_when_it_is_late() {
    let (served, go_on) = serve_stoppable();
    let (mut stream, mut frames) = (served.connect(), Frames::default());
    stream.write_all(&hello(1, 1 << 20, Some(Default::default()))).unwrap();
    let clock_us = frames.next(&mut stream, |_, content| match content {
        Content::Welcome(welcome) => welcome.clock_us,
        content => panic!("{content:?}"),
    });
    let began = Instant::now();
    let head = |id| RequestHead { deadline_us: clock_us.unwrap() + 200_000, hops: 0, lowest: id };
    let _blocking = block(&served);
    served.log.wait(|seen| (seen.messages >= 1).then_some(()));
    stream.write_all(&request(1, b"LED ON", Flags::ONCE, head(1))).unwrap();
    stream.write_all(&request(2, b"LED ON", Flags::NONE, head(1))).unwrap();
    while began.elapsed() < Duration::from_millis(250) {
        // sleep is the thing under test: a deadline must pass while the server stands still.
        std::thread::sleep(Duration::from_millis(10));
    }
    go_on.send(()).unwrap();
    for id in [1, 2] {
        let said = frames.next(&mut stream, |header, content| format!("{} {content:?}", header.id)).unwrap();
        assert!(said.starts_with(&format!("{id} Error")) && said.contains("Expired"), "{said}");
    }
    assert!(served.log.commands().is_empty());
}

#[test]
fn a_call_outlives_a_connection_that_falls_silent() {
    for frames in [0, 1] {
        let served = serve();
        let proxy = Proxy::start_first(&served.endpoint, &[Cut::Stall(frames)]);
        let outcome = impatient_client(&proxy.endpoint).call(b"LED TOGGLE", SOON);
        assert_eq!(outcome.unwrap(), done("OK LED TOGGLE"), "after {frames} frames");
        assert_eq!(served.log.commands(), ["LED TOGGLE"], "after {frames} frames");
    }
}

#[test]
fn a_call_outlives_a_connection_that_talks_nonsense() {
    for frames in [0, 1] {
        let served = serve();
        let proxy = Proxy::start_first(&served.endpoint, &[Cut::Garble(frames)]);
        let outcome = client(&proxy.endpoint).call(b"LED TOGGLE", SOON);
        assert_eq!(outcome.unwrap(), done("OK LED TOGGLE"), "after {frames} frames");
        assert_eq!(served.log.commands(), ["LED TOGGLE"], "after {frames} frames");
    }
}

#[test]
fn a_call_that_was_refused_the_session_is_not_done_later() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::Reject]);
    let mut client = client(&proxy.endpoint);
    assert!(client.call(b"LED TOGGLE", SOON).unwrap_err().is_rejected());
    assert_eq!(client.call(b"LED ON", SOON).unwrap(), done("OK LED ON"));
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[test]
fn a_call_that_was_done_is_not_called_undone_by_a_later_refusal() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1), Cut::Reject]);
    let outcome = client(&proxy.endpoint).call(b"LED TOGGLE", SOON);
    assert!(matches!(outcome, Ok(Outcome::Done(_) | Outcome::Unknown(_))), "{outcome:?}");
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
}

#[test]
fn a_plain_request_is_not_repeated_over_another_connection() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let error = client(&proxy.endpoint).request(b"LED TOGGLE").unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
}
