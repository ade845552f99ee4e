//! How old causes are, how long servers took and how late events came: who tells whom, and what comes between.

use crate::ends::{Ends, heard, ms, plain, resuming};
use soquete_proto::client::{Event, Options, Request, Timing};
use soquete_proto::frame::{self, Flags, HEADER_LEN_BYTES, Header, Kind};
use soquete_proto::handshake::{EventHead, Features, Hello, RequestHead, SessionKey, put_event};
use soquete_proto::opening::OPENING;
use soquete_proto::server::{Event as Heard, Link, Options as Served};
use soquete_proto::span::Span;
use std::time::Duration;

fn board() -> Served {
    Served::new("board")
}

fn timed() -> Options {
    Options { timed: true, ..resuming() }
}

fn press(caused_at: Duration) -> Request<'static> {
    Request { once: true, caused_at: Some(caused_at), ..Request::new(b"LED TOGGLE") }
}

/// Lets the server take the next request up; returns when its cause was, and forgets it without an answer.
fn caused_at(ends: &mut Ends) -> Option<Duration> {
    let octets = std::mem::take(&mut ends.to_server);
    let mut input = &octets[..];
    while let Some(event) = ends.server.next(ends.now, &mut ends.link, &mut input, &mut ends.to_client).unwrap() {
        if let Heard::Request(request) = event {
            ends.tickets.push(request.ticket);
            return request.caused_at();
        }
    }
    panic!("no request")
}

/// Answers what is not answered yet, which was done at that time.
fn done(ends: &mut Ends, at: Duration) {
    ends.tickets.iter_mut().for_each(|ticket| ticket.done_at(at));
    ends.answer(b"OK LED ON");
}

/// Lets the client read one reply; returns its course.
fn timing(ends: &mut Ends) -> Option<Timing> {
    let octets = std::mem::take(&mut ends.to_client);
    let mut input = &octets[..];
    while let Some(event) = ends.client.next(ends.now, &mut input, &mut ends.to_server).unwrap() {
        if let Event::Reply { id, payload } = event {
            assert_eq!(payload, b"OK LED ON");
            return ends.client.timing(id);
        }
    }
    panic!("no reply")
}

#[test]
fn each_end_measures_on_its_own_clock_and_the_answer_has_both() {
    let mut ends = Ends::open(timed(), board());
    let edge = ends.now;
    ends.now += ms(3);
    ends.ask(press(edge));
    // The server's clock is another: here it is an hour ahead of the client's.
    let hour = Duration::from_secs(3600);
    ends.now += hour;
    let arrived_at = ends.now;
    assert_eq!(caused_at(&mut ends), Some(arrived_at - ms(3)), "as if the way had taken no time");
    done(&mut ends, arrived_at + ms(4));
    ends.now = edge + ms(10);
    let timing = timing(&mut ends).unwrap();
    let expected = Timing { caused_at: edge, sent_at: edge + ms(3), answered_at: edge + ms(10), took: Some(ms(4)) };
    assert_eq!(timing, expected);
    assert_eq!((timing.earliest(), timing.done_at()), (Some(edge + ms(7)), Some(edge + Duration::from_micros(8500))));
}

#[test]
fn what_the_server_says_is_never_later_than_its_answer() {
    let timing = Timing { caused_at: ms(1), sent_at: ms(2), answered_at: ms(5), took: Some(Duration::from_secs(9)) };
    assert_eq!((timing.earliest(), timing.done_at()), (Some(ms(5)), Some(ms(5))));
}

#[test]
fn the_time_that_a_request_waits_for_the_clock_of_the_server_is_part_of_the_age() {
    let mut ends = Ends::open(timed(), board());
    let edge = ends.now;
    ends.ask(Request { deadline: Some(edge + ms(2_000)), ..press(edge) });
    ends.serve();
    ends.now += ms(70);
    ends.hear();
    assert_eq!(caused_at(&mut ends), Some(edge));
}

#[test]
fn a_request_that_is_asked_for_again_is_as_old_as_it_is_and_counts_from_its_first_sending() {
    let mut ends = Ends::open(timed(), board());
    let edge = ends.now;
    ends.now += ms(1);
    let sent_at = ends.now;
    ends.ask(press(edge));
    ends.cut();
    ends.now += ms(500);
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(caused_at(&mut ends), Some(edge), "it never arrived before");
    done(&mut ends, sent_at + ms(502));
    ends.now += ms(3);
    let timing = timing(&mut ends).unwrap();
    assert_eq!((timing.sent_at, timing.took), (sent_at, Some(ms(2))));
}

#[test]
fn what_was_done_before_the_cut_tells_from_memory_how_long_it_took() {
    let mut ends = Ends::open(timed(), board());
    let edge = ends.now;
    ends.ask(press(edge));
    caused_at(&mut ends);
    done(&mut ends, edge + ms(4));
    ends.cut();
    ends.now += ms(900);
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0], "it is not done again");
    assert_eq!(timing(&mut ends).map(|timing| timing.took), Some(Some(ms(4))));
}

#[test]
fn a_connection_without_the_feature_gets_from_memory_what_was_remembered_with_a_span() {
    let mut ends = Ends::open(timed(), board());
    let edge = ends.now;
    ends.ask(press(edge));
    caused_at(&mut ends);
    done(&mut ends, edge + ms(4));
    let reply = asked_again_without_the_feature(&mut ends);
    assert_eq!(reply, (Flags::NONE, b"OK LED ON".to_vec()));
}

/// Takes up session 1 of the server by hand and asks for request 1 again; returns what its reply is.
fn asked_again_without_the_feature(ends: &mut Ends) -> (Flags, Vec<u8>) {
    let hello = Hello {
        version_max: 1,
        features: Features::RESUME,
        payload_max_bytes: 9,
        resume: SessionKey { session: 1, token: 8 + ms(100_000).as_nanos() },
        service: "board",
        name: "",
    };
    let mut octets = OPENING.to_vec();
    hello.put(&mut octets);
    let once = Header { flags: Flags::ONCE, ..frame::header(Kind::Request, 1) };
    let head = RequestHead { lowest: 1, ..RequestHead::default() };
    frame::put(&mut octets, once, &[&head.encode(), b"LED TOGGLE"], 99).unwrap();
    ends.link = Link::new(2, ends.now);
    (ends.to_server, ends.to_client) = (octets, Vec::new());
    assert_eq!(ends.serve(), ["open Resumed"]);
    let mut input = &ends.to_client[..];
    frame::take_within(&mut input, 1024).unwrap();
    let reply = frame::take_within(&mut input, 9).unwrap().unwrap();
    (reply.header.flags, reply.payload.to_vec())
}

#[test]
fn an_end_without_the_feature_is_told_nothing_and_the_client_knows_its_own_side() {
    for (client, told) in [(timed(), true), (resuming(), false), (plain(), false)] {
        let mut ends = Ends::open(client, board());
        assert_eq!(ends.link.takes_spans(), told);
        let edge = ends.now;
        ends.ask(press(edge));
        assert_eq!(caused_at(&mut ends).is_some(), told);
        ends.now += ms(5);
        let now = ends.now;
        done(&mut ends, now);
        let timing = timing(&mut ends).unwrap();
        assert_eq!((timing.sent_at, timing.answered_at, timing.took.is_some()), (edge, edge + ms(5), told));
    }
}

#[test]
fn a_request_that_goes_before_the_welcome_tells_no_age() {
    let mut ends = Ends::apart(Options { timed: true, ..plain() }, board());
    ends.connect(1);
    ends.ask(press(ms(99)));
    assert_eq!(caused_at(&mut ends), None);
}

#[test]
fn who_does_not_say_when_it_was_caused_is_answered_without_a_span() {
    let mut ends = Ends::open(timed(), board());
    ends.ask(Request::new(b"LED ON"));
    ends.serve();
    let now = ends.now;
    done(&mut ends, now);
    assert_eq!(ends.hear(), ["reply 1 OK LED ON"]);
}

#[test]
fn an_event_tells_how_late_it_was() {
    let mut ends = Ends::open(timed(), board());
    let watch = ends.ask(Request::new(b"WATCH"));
    ends.serve();
    ends.tickets.clear();
    for lag in [Some(Duration::from_micros(2_310)), None] {
        let lag = lag.map(Span::from);
        put_event(&mut ends.to_client, watch, EventHead { seq: 1, missed: 0, lag }, b"LED ON 1 x", 99).unwrap();
        let octets = std::mem::take(&mut ends.to_client);
        let event = ends.client.next(ends.now, &mut &octets[..], &mut ends.to_server).unwrap().unwrap();
        assert_eq!(heard(&event), "event 1 seq 1 missed 0 LED ON 1 x");
        assert!(matches!(event, Event::Event { head, .. } if head.lag == lag), "{event:?}");
    }
}

#[test]
fn a_span_that_would_make_a_payload_too_long_is_left_out() {
    let served = Served { payload_max_bytes: 13, ..board() };
    for (max_bytes, has_span) in [(13, false), (14, true)] {
        let mut ends = Ends::open(timed(), Served { payload_max_bytes: max_bytes, ..served.clone() });
        let edge = ends.now;
        ends.ask(press(edge));
        assert_eq!(caused_at(&mut ends).is_some(), has_span);
    }
    for (max_bytes, length) in [(13, 13), (12, 9)] {
        let mut ends = Ends::open(Options { payload_max_bytes: max_bytes, ..timed() }, board());
        let now = ends.now;
        ends.ask(press(now));
        caused_at(&mut ends);
        done(&mut ends, now);
        assert_eq!(ends.to_client.len(), HEADER_LEN_BYTES + length);
    }
}

#[test]
fn the_flag_without_the_feature_is_refused_by_the_header_alone() {
    let flagged = |kind| Header { flags: Flags::TIMED, length: 20, ..frame::header(kind, 1) }.encode();
    let mut ends = Ends::open(resuming(), board());
    ends.to_server.extend(flagged(Kind::Request));
    assert_eq!(ends.serve(), ["fault: unknown flags 0x04"]);
    for kind in [Kind::Reply, Kind::Event] {
        let mut ends = Ends::open(plain(), board());
        ends.ask(Request::new(b"WATCH"));
        ends.to_client.extend(flagged(kind));
        assert_eq!(ends.hear(), ["fault: unknown flags 0x04"]);
    }
}
