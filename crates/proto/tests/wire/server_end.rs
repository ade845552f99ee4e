//! What a server does with requests that come again, over other links, or too many.

use crate::ends::{Ends, ms, once, plain, resuming};
use soquete_proto::client::{Options, Request, Unanswered, Verdict};
use soquete_proto::frame::{self, Flags, Header, Kind};
use soquete_proto::handshake::{Code, Reason, RequestHead};
use soquete_proto::server::{Answer, Link, Options as Served};

fn board() -> Served {
    Served::new("board")
}

fn raw_request(id: u32, out: &mut Vec<u8>) {
    let header = Header { flags: Flags::ONCE, ..frame::header(Kind::Request, id) };
    let head = RequestHead { lowest: 1, ..RequestHead::default() };
    frame::put(out, header, &[&head.encode(), b"LED"], 99).unwrap();
}

#[test]
fn a_request_in_the_flight_of_the_hello_is_answered_in_the_flight_of_the_welcome() {
    let mut ends = Ends::apart(plain(), board());
    ends.connect(1);
    let id = ends.ask(Request::new(b"LED ON"));
    assert_eq!(ends.serve(), ["open New".to_owned(), format!("request {id} LED ON")]);
    ends.answer(b"OK LED ON");
    assert_eq!(ends.hear(), ["welcome New".to_owned(), format!("reply {id} OK LED ON")]);
}

#[test]
fn a_pending_request_that_comes_again_is_answered_once_over_the_link_of_the_day() {
    let mut ends = Ends::open(resuming(), board());
    let id = ends.ask(once(b"LED TOGGLE"));
    ends.serve();
    let ticket = ends.tickets[0];
    assert_eq!(ends.server.route(ticket), Some(1));
    ends.cut();
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0], "pending: it is not acted on again");
    assert_eq!(ends.server.route(ticket), Some(2));
    ends.answer(b"OK LED ON");
    assert_eq!(ends.hear(), [format!("reply {id} OK LED ON")]);
}

#[test]
fn answers_that_go_over_another_link_make_none_busy_for_ever() {
    let mut ends = Ends::open(resuming(), Served { in_flight_max: 1, ..board() });
    for key in 2..5 {
        let id = ends.ask(once(b"LED TOGGLE"));
        ends.serve();
        ends.cut();
        let before = ends.connect(key);
        ends.server.closed(ends.now, &before);
        ends.serve();
        ends.hear();
        ends.serve();
        ends.answer(b"OK");
        assert_eq!(ends.hear(), [format!("reply {id} OK")]);
        for _ in 0..2 {
            let id = ends.ask(Request::new(b"LED"));
            assert_eq!(ends.serve(), [format!("request {id} LED")], "over link {key}");
            ends.answer(b"OK");
            assert_eq!(ends.hear(), [format!("reply {id} OK")]);
        }
    }
}

#[test]
fn the_same_id_twice_over_one_link_is_a_fault() {
    let mut ends = Ends::open(resuming(), board());
    raw_request(5, &mut ends.to_server);
    ends.serve();
    ends.answer(&[b'x'; 4000]);
    ends.to_client.clear();
    for _ in 0..100 {
        raw_request(5, &mut ends.to_server);
    }
    assert_eq!(ends.serve(), ["fault: request id 5 is out of place"]);
    assert!(ends.to_client.len() < 200, "a memory is no amplifier: {} octets", ends.to_client.len());
}

#[test]
fn ids_go_up_on_a_link_and_around() {
    let mut ends = Ends::open(plain(), board());
    for id in [0xFFFF_FFF0, u32::MAX, 1, 9] {
        raw_request(id, &mut ends.to_server);
        assert_eq!(ends.serve(), [format!("request {id} LED")]);
    }
    raw_request(8, &mut ends.to_server);
    assert_eq!(ends.serve(), ["fault: request id 8 is out of place"]);
    let mut ends = Ends::open(plain(), board());
    raw_request(0, &mut ends.to_server);
    assert_eq!(ends.serve(), ["fault: request id 0 is out of place"]);
}

#[test]
fn what_is_left_in_a_link_that_was_superseded_is_not_done() {
    let mut ends = Ends::open(resuming(), board());
    ends.ask(Request::new(b"LED ON"));
    let late = std::mem::take(&mut ends.to_server);
    ends.cut();
    let mut old = ends.connect(2);
    ends.serve();
    ends.hear();
    let mut input = &late[..];
    let event = ends.server.next(ends.now, &mut old, &mut input, &mut ends.to_client);
    assert_eq!(event, Ok(Some(soquete_proto::server::Event::Goodbye)));
    assert!(!old.is_open() && input.is_empty());
    ends.server.closed(ends.now, &old);
    ends.ask(once(b"LED OFF"));
    assert_eq!(ends.serve(), ["request 2 LED OFF"], "the session goes on over link 2");
    assert_eq!(ends.server.route(ends.tickets[0]), Some(2));
}

#[test]
fn an_answer_never_reaches_another_client_that_was_given_the_same_key() {
    let mut ends = Ends::open(plain(), board());
    ends.ask(Request::new(b"LED"));
    ends.serve();
    let before = ends.connect(1);
    ends.server.closed(ends.now, &before);
    ends.serve();
    ends.hear();
    ends.answer(b"OK LED ON");
    assert_eq!(ends.to_client, b"");
}

#[test]
fn an_answer_remembered_while_the_client_was_away_keeps_to_its_limit() {
    let mut ends = Ends::open(Options { payload_max_bytes: 10, ..resuming() }, board());
    let id = ends.ask(once(b"LINES"));
    ends.serve();
    ends.cut();
    let ticket = ends.tickets.remove(0);
    ends.server.closed(ends.now, &ends.link);
    assert_eq!(ends.server.route(ticket), None);
    ends.server.answer(ticket, Answer::Reply(&[b'x'; 2000]), None, &mut ends.to_client).unwrap();
    assert_eq!(ends.to_client, b"");
    ends.connect(2);
    ends.serve();
    ends.hear();
    ends.serve();
    assert_eq!(ends.hear(), [format!("error {id} ReplyTooLong: 2000 octets")]);
}

#[test]
fn without_room_for_the_session_nothing_is_done_that_must_be_remembered() {
    let mut ends = Ends::open(resuming(), Served { sessions_max: 0, ..board() });
    let id = ends.ask(once(b"LED TOGGLE"));
    assert_eq!(ends.serve(), [""; 0]);
    assert_eq!(ends.hear(), [format!("error {id} Busy: too many sessions to remember one more")]);
    ends.ask(Request::new(b"LED"));
    assert_eq!(ends.serve(), ["request 2 LED"]);
}

#[test]
fn a_server_that_keeps_no_sessions_says_so_and_does_what_it_is_asked() {
    let mut ends = Ends::open(resuming(), Served { resume: false, ..board() });
    ends.ask(once(b"LED TOGGLE"));
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE"]);
    ends.cut();
    assert_eq!(ends.verdicts().len(), 1, "it is not asked for again: unknown");
    ends.connect(2);
    assert_eq!(ends.serve(), ["open New"]);
}

#[test]
fn a_client_that_says_goodbye_is_forgotten_and_hears_no_more() {
    let mut ends = Ends::open(resuming(), board());
    ends.ask(once(b"LED TOGGLE"));
    ends.client.goodbye(&mut ends.to_server);
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE", "goodbye"]);
    assert_eq!(ends.server.sessions(), 0);
    ends.answer(b"OK LED ON");
    assert_eq!(ends.to_client, b"");
    ends.cut();
    assert_eq!(ends.verdicts().len(), 1, "what was not answered is unknown");
    ends.connect(2);
    assert_eq!(ends.serve(), ["open New"]);
}

#[test]
fn after_its_goodbye_a_server_answers_what_it_took_up_and_hears_nothing() {
    let mut ends = Ends::open(plain(), board());
    ends.ask(Request::new(b"LED TOGGLE"));
    ends.serve();
    let late = ends.ask(Request::new(b"LED ON"));
    ends.server.refuse(&mut ends.link, Code::Closing, "restart", &mut ends.to_client);
    assert_eq!(ends.serve(), [""; 0]);
    ends.answer(b"OK LED ON");
    assert_eq!(ends.hear(), ["goodbye after 1: Closing", "reply 1 OK LED ON"]);
    assert_eq!(ends.verdicts(), [(late, Verdict::NotDone(Unanswered::NotTakenUp))]);
    ends.ask(once(b"LED OFF"));
    assert_eq!(ends.to_server, b"", "the next request waits for another connection");
}

#[test]
fn nothing_follows_the_goodbye_to_a_fault() {
    let mut ends = Ends::open(plain(), board());
    ends.ask(Request::new(b"LED"));
    ends.to_server.extend([0xFF; 12]);
    assert_eq!(ends.serve(), ["request 1 LED", "fault: unknown kind of frame 255"]);
    let len_bytes = ends.to_client.len();
    ends.answer(b"OK");
    assert_eq!(ends.to_client.len(), len_bytes);
}

#[test]
fn a_reply_too_long_to_remember_is_told_as_done() {
    let mut ends = Ends::open(resuming(), Served { answers_max_bytes: 100, ..board() });
    let id = ends.ask(once(b"LINES"));
    ends.serve();
    ends.answer(&[b'x'; 200]);
    ends.cut();
    ends.connect(2);
    ends.serve();
    ends.hear();
    ends.serve();
    assert_eq!(ends.hear(), [format!("error {id} ReplyTooLong: too long to remember")]);
}

#[test]
fn an_answer_given_twice_does_not_free_a_place_twice() {
    let mut ends = Ends::open(plain(), board());
    ends.ask(Request::new(b"LED"));
    ends.serve();
    let ticket = ends.tickets[0];
    ends.answer(b"OK");
    let reason = Reason { code: Code::Refused, text: "" };
    ends.server.answer(ticket, Answer::Error(reason), Some(&mut ends.link), &mut ends.to_client).unwrap();
    ends.ask(Request::new(b"LED"));
    assert_eq!(ends.serve(), ["request 2 LED"], "and the count does not go below nothing");
}

#[test]
fn a_link_that_never_greeted_closes_no_session() {
    let mut ends = Ends::open(resuming(), board());
    ends.server.closed(ends.now, &Link::new(1, ends.now));
    ends.ask(once(b"LED TOGGLE"));
    ends.serve();
    assert_eq!(ends.server.route(ends.tickets[0]), Some(1));
    ends.now += ms(1);
}
