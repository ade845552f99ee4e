//! Every bound, at its limit and above.

use crate::ends::{Ends, ms, once, plain, resuming};
use soquete_proto::client::{Options, Request};
use soquete_proto::fault::Misuse;
use soquete_proto::frame::{self, Kind};
use soquete_proto::handshake::{CONTROL_MAX_BYTES, EventHead, put_event};
use soquete_proto::lines::{self, LINE_MAX_BYTES, TooLong};
use soquete_proto::opening::OPENING;
use soquete_proto::server::{Link, Options as Served, Server};
use std::time::Duration;

fn board() -> Served {
    Served::new("board")
}

#[test]
fn a_request_may_be_as_long_as_the_server_takes() {
    let mut ends = Ends::open(plain(), Served { payload_max_bytes: 5, ..board() });
    ends.ask(Request::new(b"12345"));
    ends.client.message(0, b"12345", &mut ends.to_server).unwrap();
    assert_eq!(ends.serve(), ["request 1 12345", "message 0 12345"]);
    let oversize = Misuse::Oversize { len_bytes: 6, max_bytes: 5 };
    assert_eq!(ends.client.request(ends.now, Request::new(b"123456"), &mut ends.to_server), Err(oversize));
    assert_eq!(ends.client.message(0, b"123456", &mut ends.to_server), Err(oversize));
    frame::put(&mut ends.to_server, frame::header(Kind::Message, 0), &[b"123456"], 6).unwrap();
    assert_eq!(ends.serve(), ["fault: frame of 6 octets, at most 5 are allowed"]);
}

#[test]
fn a_reply_or_event_may_be_as_long_as_the_client_takes() {
    let mut ends = Ends::open(Options { payload_max_bytes: 5, ..plain() }, board());
    ends.ask(Request::new(b"LED"));
    ends.ask(Request::new(b"LED"));
    ends.serve();
    let second = ends.tickets.pop().unwrap();
    ends.answer(b"12345");
    ends.tickets.push(second);
    ends.answer(b"123456");
    put_event(&mut ends.to_client, 1, EventHead::default(), b"12345", 5).unwrap();
    assert_eq!(
        put_event(&mut ends.to_client, 1, EventHead::default(), b"123456", 5),
        Err(Misuse::Oversize { len_bytes: 18, max_bytes: 17 })
    );
    assert_eq!(
        ends.hear(),
        ["reply 1 12345", "error 2 ReplyTooLong: 6 octets, at most 5 are allowed", "event 1 seq 0 missed 0 12345"]
    );
}

#[test]
fn no_frame_is_longer_than_what_carries_it_takes() {
    let len_bytes = |octets: &[u8]| octets.len();
    let wants = Options { frame_max_bytes: 100, ..plain() };
    let mut ends = Ends::apart(wants, board());
    ends.connect(1);
    ends.link = Link::new(1, ends.now).over(100);
    // Before the WELCOME and after it.
    for _ in 0..2 {
        let too_long = ends.client.request(ends.now, Request::new(&[7; 76]), &mut ends.to_server);
        assert_eq!(too_long, Err(Misuse::Oversize { len_bytes: 76, max_bytes: 75 }));
        let before = len_bytes(&ends.to_server);
        ends.ask(Request::new(&[7; 75]));
        assert_eq!(len_bytes(&ends.to_server) - before, 100);
        ends.serve();
        ends.hear();
    }
    assert_eq!((ends.client.payload_max_bytes(), ends.link.payload_max_bytes()), (75, 76));
    ends.tickets.truncate(1);
    ends.answer(&[7; 77]);
    assert_eq!(ends.hear(), ["error 1 ReplyTooLong: 77 octets, at most 76 are allowed"]);
    put_event(&mut ends.to_client, 1, EventHead::default(), &[7; 76], ends.link.payload_max_bytes()).unwrap();
    assert_eq!(len_bytes(&ends.to_client), 100);
}

#[test]
fn each_end_is_told_what_the_carrier_of_the_other_takes() {
    let mut ends = Ends::apart(Options { frame_max_bytes: 100, ..plain() }, board());
    ends.connect(1);
    ends.serve();
    assert_eq!(ends.link.payload_max_bytes(), 76, "told by the HELLO");
    let mut ends = Ends::apart(plain(), board());
    ends.connect(1);
    ends.link = Link::new(1, ends.now).over(100);
    ends.serve();
    ends.hear();
    assert_eq!(ends.client.payload_max_bytes(), 75, "told by the WELCOME");
}

#[test]
fn a_client_that_takes_no_payload_still_takes_control_frames() {
    let mut ends = Ends::apart(Options { payload_max_bytes: 0, ..plain() }, Served { payload_max_bytes: 0, ..board() });
    ends.connect(1);
    assert_eq!(ends.serve(), ["open New"]);
    ends.hear();
    ends.ask(Request::new(b""));
    ends.serve();
    ends.answer(b"");
    assert_eq!(ends.hear(), ["reply 1 "]);
    ends.client.goodbye(&mut ends.to_server);
    assert_eq!(ends.serve(), ["goodbye"]);
}

#[test]
fn the_first_frame_is_short_or_refused_by_its_header() {
    for (len_bytes, refused) in [(CONTROL_MAX_BYTES, false), (CONTROL_MAX_BYTES + 1, true)] {
        let mut ends = Ends::apart(plain(), board());
        ends.to_server.extend(OPENING);
        let header = frame::Header { length: len_bytes, ..frame::header(Kind::Hello, 0) };
        ends.to_server.extend(header.encode());
        assert_eq!(ends.serve().len(), usize::from(refused), "{len_bytes} octets");
    }
}

#[test]
fn as_many_requests_may_be_unanswered_as_the_server_says() {
    let mut ends = Ends::apart(plain(), Served { in_flight_max: 2, ..board() });
    ends.connect(1);
    for _ in 0..3 {
        ends.ask(Request::new(b"LED"));
    }
    assert_eq!(ends.serve(), ["open New", "request 1 LED", "request 2 LED"]);
    assert_eq!(ends.hear(), ["welcome New", "error 3 Busy: too many requests unanswered"]);
    let refused = ends.client.request(ends.now, Request::new(b"LED"), &mut ends.to_server);
    assert_eq!(refused, Err(Misuse::InFlight { max: 2 }));
    ends.answer(b"OK");
    ends.hear();
    ends.ask(Request::new(b"LED"));
    assert_eq!(ends.serve(), ["request 4 LED"]);
}

#[test]
fn the_highest_bound_of_requests_is_no_overflow() {
    let mut ends = Ends::open(plain(), Served { in_flight_max: u16::MAX, ..board() });
    for _ in 0..u16::MAX {
        ends.ask(Request::new(b""));
    }
    assert_eq!(ends.serve().len(), usize::from(u16::MAX));
    let header = frame::header(Kind::Request, 1 << 16);
    frame::put(&mut ends.to_server, header, &[&[0; 13]], 13).unwrap();
    assert_eq!(ends.serve(), [""; 0]);
    assert!(ends.to_client.windows(8).any(|octets| octets == b"too many"));
}

#[test]
fn as_many_sessions_are_remembered_as_there_is_room_for() {
    let mut ends = Ends::open(resuming(), Served { sessions_max: 2, session_kept: ms(60_000), ..board() });
    let mut clients: Vec<Ends> = (0..2).map(|_| Ends::apart(resuming(), board())).collect();
    for (other, room) in clients.iter_mut().zip([true, false]) {
        other.connect(9);
        let mut link = soquete_proto::server::Link::new(9, ends.now);
        let mut input = &other.to_server[..];
        ends.server.next(ends.now, &mut link, &mut input, &mut other.to_client).unwrap();
        assert_eq!(other.hear(), ["welcome New"]);
        assert_eq!(ends.server.sessions(), 2);
        other.cut();
        assert_eq!(other.client.unanswered(), 0, "room: {room}");
    }
}

#[test]
fn a_session_is_kept_for_its_time_and_no_longer() {
    for (away, resumption) in [(ms(59_999), "open Resumed"), (ms(60_000), "open UnknownSession")] {
        let mut ends = Ends::open(resuming(), board());
        ends.cut();
        ends.server.closed(ends.now, &ends.link);
        ends.now += away;
        ends.server.sweep(ends.now);
        ends.connect(2);
        assert_eq!(ends.serve(), [resumption], "{away:?}");
    }
}

#[test]
fn as_many_answers_are_remembered_as_there_is_room_for() {
    for limits in [Served { answers_max: 2, ..board() }, Served { answers_max_bytes: 30, ..board() }] {
        let mut ends = Ends::open(resuming(), limits);
        // One that is not answered keeps the client from saying that it has the others.
        ends.ask(Request::new(b"LED"));
        ends.serve();
        let unanswered = ends.tickets.pop().unwrap();
        for id in 2..4 {
            ends.ask(once(b"LED ON"));
            assert_eq!(ends.serve(), [format!("request {id} LED ON")]);
            ends.answer(b"OK ");
        }
        ends.ask(once(b"LED ON"));
        assert_eq!(ends.serve(), [""; 0]);
        assert_eq!(ends.hear()[2], "error 4 Busy: too many answers to remember");
        ends.tickets.push(unanswered);
        ends.answer(b"OK");
        ends.hear();
        ends.ask(once(b"LED ON"));
        assert_eq!(ends.serve(), ["request 5 LED ON"]);
    }
}

#[test]
fn a_handshake_has_its_time() {
    let server = Server::new(board(), ms(0), || 1);
    for (at, in_time) in [(ms(5_999), true), (ms(6_000), false)] {
        let mut link = soquete_proto::server::Link::new(1, ms(1_000));
        let mut out = Vec::new();
        assert_eq!(server.handle_timeout(at, &mut link, &mut out).is_ok(), in_time, "{at:?}");
        assert_eq!(out.is_empty(), in_time, "a REJECT says why");
    }
}

#[test]
fn silence_is_broken_by_a_ping_and_ends_the_link() {
    let mut ends = Ends::open(plain(), board());
    let said = |ends: &mut Ends, after: Duration| {
        let result = ends.server.handle_timeout(ends.now + after, &mut ends.link, &mut ends.to_client);
        (result.is_ok(), std::mem::take(&mut ends.to_client).get(4).copied())
    };
    assert_eq!(said(&mut ends, ms(14_999)), (true, None));
    assert_eq!(said(&mut ends, ms(15_000)), (true, Some(Kind::Ping as u8)));
    assert_eq!(said(&mut ends, ms(44_999)), (true, None), "one ping a silence");
    assert_eq!(said(&mut ends, ms(45_000)), (false, Some(Kind::Goodbye as u8)));
    assert!(!ends.link.is_open());
}

#[test]
fn a_client_that_awaits_nothing_keeps_silent_and_one_that_does_pings() {
    let mut ends = Ends::open(plain(), board());
    assert_eq!(ends.client.timeout(), None);
    ends.client.expect_events();
    assert_eq!(ends.client.timeout(), Some(ends.now + ms(15_000)));
    ends.client.handle_timeout(ends.now + ms(15_000), &mut ends.to_server).unwrap();
    assert_eq!(ends.to_server.get(4), Some(&(Kind::Ping as u8)));
    assert_eq!(ends.client.timeout(), Some(ends.now + ms(45_000)));
    assert!(ends.client.handle_timeout(ends.now + ms(44_999), &mut ends.to_server).is_ok());
    let fault = ends.client.handle_timeout(ends.now + ms(45_000), &mut ends.to_server).unwrap_err();
    assert_eq!(fault.to_string(), "nothing heard for 45s");
}

#[test]
fn a_line_of_text_may_be_1_024_octets_long() {
    let line = "x".repeat(LINE_MAX_BYTES);
    let taken = lines::take(&mut format!("{line}\r\n").as_bytes(), LINE_MAX_BYTES).map(|line| line.map(<[u8]>::len));
    assert_eq!(taken, Ok(Some(1024)));
    let taken = lines::take(&mut format!("{line}x").as_bytes(), LINE_MAX_BYTES).map(|line| line.map(<[u8]>::len));
    assert_eq!(taken, Err(TooLong { max_bytes: 1024 }));
}
