//! Answers that are not given at once.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/hub.rs"]
mod kit;
#[path = "kit/proxy.rs"]
mod proxy;

use kit::*;
use proxy::{Cut, Proxy};
use soquete::{Bounds, Client, ClientOptions, Code, Framing, Limits, Outcome, Received, Responder, Stream};
use soquete_proto::content::Content;
use soquete_proto::frame::Flags;
use soquete_proto::handshake::{RequestHead, SessionKey};
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Waits for the next request that is answered later.
fn responder(served: &Served) -> Responder {
    served.log.wait(|seen| seen.responders.pop())
}

fn client(served: &Served) -> Client {
    Client::connect(&served.endpoint, ClientOptions::frames("board")).unwrap()
}

/// Greets with the wish to resume `key`; returns the session that goes on or begins.
fn greet(stream: &mut Stream, frames: &mut Frames, key: SessionKey) -> SessionKey {
    stream.write_all(&hello(1, 1 << 20, Some(key))).unwrap();
    let session = frames.next(stream, |_, content| {
        let Content::Welcome(welcome) = content else { panic!("{content:?}") };
        welcome.session
    });
    session.unwrap()
}

fn once(id: u32, payload: &[u8]) -> Vec<u8> {
    request(id, payload, Flags::ONCE, RequestHead { lowest: id, ..RequestHead::default() })
}

#[test]
fn an_answer_may_come_from_another_thread_in_every_language() {
    let bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
    let cases = [
        (Framing::Raw(bounds), ClientOptions::raw(64)),
        (Framing::Line(bounds), ClientOptions::line(64)),
        (ALL, ClientOptions::line(64)),
        (ALL, ClientOptions::frames("board")),
        (Framing::Frames, ClientOptions::frames("board")),
    ];
    for (framing, options) in cases {
        let served = serve_with("tcp://127.0.0.1:0", framing, Limits::default(), Options::new("board"));
        let log = served.log.clone();
        let answering = std::thread::spawn(move || log.wait(|seen| seen.responders.pop()).reply(b"at last"));
        let mut client = Client::connect(&served.endpoint, options).unwrap();
        assert_eq!(client.request(b"LATER").unwrap(), b"at last", "{framing:?}");
        answering.join().unwrap();
    }
}

#[test]
fn a_refusal_may_come_late_as_well() {
    let served = serve();
    let log = served.log.clone();
    let refusing = std::thread::spawn(move || {
        for _ in 0..2 {
            log.wait(|seen| seen.responders.pop()).refuse(Code::Refused, "not\ntoday");
        }
    });
    let error = client(&served).request(b"LATER").unwrap_err();
    assert!(error.is_rejected() && error.to_string().contains("not today"), "{error}");
    let mut text = Client::connect(&served.endpoint, ClientOptions::line(64)).unwrap();
    assert_eq!(text.request(b"LATER").unwrap(), b"ERR not today");
    refusing.join().unwrap();
}

#[test]
fn a_responder_that_is_dropped_leaves_the_outcome_unknown() {
    let served = serve();
    let log = served.log.clone();
    let dropping = std::thread::spawn(move || (0..3).for_each(|_| drop(log.wait(|seen| seen.responders.pop()))));
    let outcome = client(&served).call(b"LATER", SOON).unwrap();
    assert_eq!(outcome, Outcome::Unknown("the server gave no answer".into()));
    let error = client(&served).request(b"LATER").unwrap_err();
    assert!(error.to_string().contains("the server gave no answer (code 9)"), "{error}");
    let mut text = Client::connect(&served.endpoint, ClientOptions::line(64)).unwrap();
    assert_eq!(text.request(b"LATER").unwrap(), b"ERR the server gave no answer");
    dropping.join().unwrap();
}

#[test]
fn other_requests_of_the_connection_do_not_wait() {
    let served = serve();
    let mut client = client(&served);
    let late = client.submit(b"LATER").unwrap();
    let early = client.submit(b"LED ON").unwrap();
    assert_eq!(client.receive().unwrap(), Received::Reply { id: early, payload: b"OK LED ON" });
    responder(&served).reply(b"at last");
    assert_eq!(client.receive().unwrap(), Received::Reply { id: late, payload: b"at last" });
}

#[test]
fn lines_behind_one_that_is_answered_late_wait_for_it() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"LATER\nLED ON\nLATER\nLED OFF\nQUIT\n").unwrap();
    responder(&served).reply(b"first");
    responder(&served).reply(b"second");
    assert_eq!(text_to_end(&mut stream), "first\nOK LED ON\nsecond\nOK LED OFF\nOK\n");
}

#[test]
fn a_thousand_answers_from_eight_threads_each_find_their_request() {
    let served = serve();
    let mut client = client(&served);
    let ids: Vec<u32> = (0..1_000).map(|_| client.submit(b"LATER").unwrap()).collect();
    // They go out with the first receive, which must not wait for an answer to any of them.
    client.submit(b"LED").unwrap();
    assert!(matches!(client.receive().unwrap(), Received::Reply { payload: b"OK", .. }));
    let mut responders = served.log.with(|seen| std::mem::take(&mut seen.responders));
    assert_eq!(responders.len(), ids.len());
    let answering: Vec<_> = (0..8)
        .map(|_| responders.split_off(responders.len() - 125))
        .map(|share| std::thread::spawn(move || share.into_iter().rev().for_each(|responder| responder.reply(b"."))))
        .collect();
    let mut answered: Vec<u32> = ids
        .iter()
        .map(|_| match client.receive().unwrap() {
            Received::Reply { id, payload: b"." } => id,
            received => panic!("{received:?}"),
        })
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, ids);
    answering.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn an_answer_given_while_the_client_is_away_is_there_when_it_is_back() {
    let served = serve();
    let mut frames = Frames::default();
    let mut stream = served.connect();
    let key = greet(&mut stream, &mut frames, SessionKey::default());
    stream.write_all(&once(1, b"LATER")).unwrap();
    let responder = responder(&served);
    stream.abort();
    served.log.endings(1);
    responder.reply(b"remembered");

    let (mut stream, mut frames) = (served.connect(), Frames::default());
    assert_eq!(greet(&mut stream, &mut frames, key), key);
    stream.write_all(&once(1, b"LATER")).unwrap();
    assert_eq!(
        frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: b"remembered" }),
        Some(true)
    );
    assert_eq!(served.log.with(|seen| seen.messages), 1, "it was not asked for twice");
}

#[test]
fn an_answer_given_after_the_client_is_back_goes_over_its_new_connection() {
    let served = serve();
    let mut frames = Frames::default();
    let mut stream = served.connect();
    let key = greet(&mut stream, &mut frames, SessionKey::default());
    stream.write_all(&once(1, b"LATER")).unwrap();
    let responder = responder(&served);
    stream.abort();
    served.log.endings(1);

    let (mut stream, mut frames) = (served.connect(), Frames::default());
    greet(&mut stream, &mut frames, key);
    stream.write_all(&[once(1, b"LATER"), plain(2, b"LED")].concat()).unwrap();
    assert_eq!(frames.next(&mut stream, |header, _| header.id), Some(2));
    responder.reply(b"at last");
    assert_eq!(
        frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: b"at last" }),
        Some(true)
    );
    assert_eq!(served.log.with(|seen| seen.messages), 2, "the two requests, once each");
}

#[test]
fn a_call_that_is_answered_late_is_done_although_its_connection_was_cut() {
    let served = serve();
    // Everything up to the welcome passes; the server's next frame cuts.
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let log = served.log.clone();
    let answering = std::thread::spawn(move || log.wait(|seen| seen.responders.pop()).reply(b"at last"));
    let mut client = Client::connect(&proxy.endpoint, ClientOptions::frames("board")).unwrap();
    assert_eq!(client.call(b"LATER", SOON).unwrap(), Outcome::Done(b"at last".to_vec()));
    answering.join().unwrap();
    assert_eq!(proxy.connections(), 2);
    assert_eq!(served.log.with(|seen| seen.messages), 1);
}

#[test]
fn an_answer_for_a_client_that_left_is_nobody_elses() {
    let served = serve();
    for _ in 0..20 {
        let mut gone = served.connect();
        gone.write_all(&[greeting(), plain(1, b"LATER")].concat()).unwrap();
        let stale = responder(&served);
        let before = served.log.with(|seen| seen.endings.len());
        gone.abort();
        served.log.endings(before + 1);

        let (mut stream, mut frames) = (served.connect(), Frames::default());
        stream.write_all(&[greeting(), plain(1, b"LATER")].concat()).unwrap();
        let fresh = responder(&served);
        stale.reply(b"stale");
        fresh.reply(b"fresh");
        assert!(frames.show(&mut stream).contains("Welcome"));
        assert_eq!(
            frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: b"fresh" }),
            Some(true)
        );
    }
}

#[test]
fn a_late_answer_longer_than_the_client_takes_is_told_so() {
    let served = serve();
    let (mut stream, mut frames) = (served.connect(), Frames::default());
    stream.write_all(&[hello(1, 10, None), plain(1, b"LATER"), plain(2, b"LATER")].concat()).unwrap();
    assert!(frames.show(&mut stream).contains("Welcome"));
    let both = served.log.wait(|seen| (seen.responders.len() == 2).then(|| std::mem::take(&mut seen.responders)));
    both.into_iter().zip([11, 10]).for_each(|(responder, len)| responder.reply(&vec![b'.'; len]));
    let said = frames.show(&mut stream);
    assert!(said.contains("ReplyTooLong") && said.contains("11 octets, at most 10"), "{said}");
    assert_eq!(
        frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: &[b'.'; 10] }),
        Some(true)
    );
}

#[test]
fn a_late_answer_to_a_client_that_takes_nothing_holds_up_nobody() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(&greeting()).unwrap();
    for id in 1..=64 {
        stream.write_all(&plain(id, b"LATER")).unwrap();
    }
    let responders =
        served.log.wait(|seen| (seen.responders.len() == 64).then(|| std::mem::take(&mut seen.responders)));
    responders.into_iter().for_each(|responder| responder.reply(&vec![b'.'; 1 << 20]));
    served.assert_serves();
    // All of them come once it reads.
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    for _ in 1..=64 {
        assert_eq!(frames.next(&mut stream, |header, _| header.length), Some(1 << 20));
    }
    assert_eq!(stream.set_nonblocking(true).and_then(|()| stream.read(&mut [0])).unwrap_err().kind(), WOULD_BLOCK);
}

const WOULD_BLOCK: std::io::ErrorKind = std::io::ErrorKind::WouldBlock;
