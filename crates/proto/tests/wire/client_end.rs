//! How a client's requests end, whatever happens to its connections.

use crate::ends::{Ends, ms, once, plain, resuming, server, until};
use soquete_proto::client::{Options, Request, Unanswered, Verdict};
use soquete_proto::fault::Misuse;
use soquete_proto::frame::{self, Kind};
use soquete_proto::handshake::Code;
use soquete_proto::server::Options as Served;
use std::time::Duration;

fn board() -> Served {
    Served::new("board")
}

#[test]
fn what_may_take_effect_twice_is_not_sent_again() {
    let mut ends = Ends::open(resuming(), board());
    let id = ends.ask(until(ends.now + ms(900), b"LED TOGGLE"));
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE"]);
    ends.cut();
    assert_eq!(ends.verdicts(), [(id, Verdict::Unknown(Unanswered::ConnectionLost))]);
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0]);
}

#[test]
fn what_must_not_take_effect_twice_is_asked_for_again_and_answered_from_memory() {
    let mut ends = Ends::open(resuming(), board());
    let id = ends.ask(once(b"LED TOGGLE"));
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE"]);
    ends.answer(b"OK LED ON");
    ends.cut();
    ends.connect(2);
    assert_eq!(ends.serve(), ["open Resumed"]);
    assert_eq!(ends.hear(), ["welcome Resumed"]);
    assert_eq!(ends.serve(), [""; 0], "the effect is had once");
    assert_eq!(ends.hear(), [format!("reply {id} OK LED ON")]);
}

#[test]
fn once_of_a_client_that_resumes_waits_for_the_session() {
    let mut ends = Ends::apart(resuming(), board());
    ends.connect(1);
    ends.ask(once(b"LED TOGGLE"));
    assert_eq!(ends.serve(), ["open New"]);
    ends.cut();
    assert_eq!(ends.verdicts(), [], "it was not sent and can wait");
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE"]);
}

#[test]
fn a_restarted_server_makes_what_was_sent_unknown_and_gets_what_was_not() {
    let mut ends = Ends::open(resuming(), board());
    let sent = ends.ask(once(b"LED TOGGLE"));
    ends.serve();
    ends.cut();
    let waiting = ends.ask(once(b"LED ON"));
    ends.server = server(board(), ends.now + ms(1));
    ends.connect(1);
    assert_eq!(ends.serve(), ["open UnknownSession"]);
    ends.hear();
    assert_eq!(ends.verdicts(), [(sent, Verdict::Unknown(Unanswered::UnknownSession))]);
    assert_eq!(ends.serve(), [format!("request {waiting} LED ON")]);
}

#[test]
fn a_reject_says_that_nothing_of_its_flight_was_done() {
    let mut ends = Ends::apart(plain(), Served::new("control"));
    ends.connect(1);
    let id = ends.ask(Request::new(b"LED ON"));
    assert_eq!(ends.serve(), ["fault: unknown service \"board\", this end serves \"control\""]);
    assert!(ends.hear()[0].starts_with("rejected Service"));
    ends.cut();
    let verdicts = ends.verdicts();
    assert!(matches!(verdicts[..], [(ended, Verdict::NotDone(_))] if ended == id), "{verdicts:?}");
}

#[test]
fn a_goodbye_says_which_requests_were_not_done() {
    let mut ends = Ends::open(resuming(), board());
    let taken = ends.ask(Request::new(b"LED ON"));
    ends.serve();
    let late = ends.ask(Request::new(b"LED OFF"));
    let elsewhere = ends.ask(once(b"LED TOGGLE"));
    ends.server.refuse(&mut ends.link, Code::Closing, "", &mut ends.to_client);
    ends.serve();
    assert_eq!(ends.hear(), ["goodbye after 1: Closing"]);
    ends.cut();
    let verdicts = ends.verdicts();
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
    assert!(verdicts.contains(&(taken, Verdict::Unknown(Unanswered::ConnectionLost))));
    assert!(verdicts.iter().any(|(id, verdict)| *id == late && matches!(verdict, Verdict::NotDone(_))));
    ends.server = server(board(), ends.now + ms(1));
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [format!("request {elsewhere} LED TOGGLE")], "it was never taken up");
}

#[test]
fn a_goodbye_says_nothing_about_what_went_over_an_earlier_connection() {
    let mut ends = Ends::open(resuming(), board());
    let deadline = ends.now + ms(500);
    let id = ends.ask(Request { once: true, ..until(deadline, b"LED TOGGLE") });
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE"]);
    ends.cut();
    ends.connect(2);
    ends.serve();
    ends.hear();
    ends.server.refuse(&mut ends.link, Code::Closing, "", &mut ends.to_client);
    assert_eq!(ends.hear(), ["goodbye after 0: Closing"]);
    ends.cut();
    ends.now = deadline;
    assert_eq!(ends.verdicts(), [], "it was taken up over link 1");
    ends.now = deadline + ms(1000);
    assert_eq!(ends.verdicts(), [(id, Verdict::Unknown(Unanswered::NoServer))]);
}

#[test]
fn requests_go_in_the_order_in_which_they_were_made() {
    let mut ends = Ends::open(plain(), board());
    ends.ask(until(ends.now + ms(900), b"LED ON"));
    ends.ask(Request::new(b"LED OFF"));
    assert_eq!(ends.serve(), [""; 0]);
    ends.hear();
    ends.ask(Request::new(b"LED"));
    assert_eq!(ends.serve(), ["request 1 LED ON", "request 2 LED OFF", "request 3 LED"]);
}

#[test]
fn without_a_connection_nothing_is_said() {
    let mut ends = Ends::open(plain(), board());
    let id = ends.ask(Request::new(b"WATCH"));
    ends.cut();
    ends.client.message(0, b"lost", &mut ends.to_server).unwrap();
    ends.client.cancel(id, &mut ends.to_server);
    ends.client.goodbye(&mut ends.to_server);
    assert_eq!(ends.to_server, b"");
}

#[test]
fn what_is_taken_back_before_it_was_sent_is_never_sent() {
    let mut ends = Ends::apart(resuming(), board());
    let id = ends.ask(once(b"LED TOGGLE"));
    ends.client.cancel(id, &mut ends.to_server);
    assert_eq!(ends.verdicts(), [(id, Verdict::NotDone(Unanswered::Cancelled))]);
    ends.connect(1);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0]);
}

#[test]
fn what_was_taken_back_over_a_lost_connection_is_taken_back_again() {
    let mut ends = Ends::open(resuming(), board());
    let id = ends.ask(once(b"LED TOGGLE"));
    ends.client.cancel(id, &mut ends.to_server);
    ends.cut();
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 1 LED TOGGLE", "cancel 1"]);
}

#[test]
fn an_answer_after_the_verdict_is_ignored_and_one_to_nothing_is_a_fault() {
    let mut ends = Ends::open(resuming(), board());
    let deadline = ends.now + ms(100);
    let id = ends.ask(Request { once: true, ..until(deadline, b"LED TOGGLE") });
    ends.serve();
    ends.hear();
    ends.serve();
    ends.now = deadline + ms(1000);
    assert_eq!(ends.verdicts(), [(id, Verdict::Unknown(Unanswered::NotAnswering))]);
    ends.answer(b"OK LED ON");
    assert_eq!(ends.hear(), [""; 0]);
    for id in [2, u32::MAX, 0] {
        let mut ends = Ends::open(plain(), board());
        ends.ask(Request::new(b"LED"));
        frame::put(&mut ends.to_client, frame::header(Kind::Reply, id), &[b"OK"], 9).unwrap();
        assert_eq!(ends.hear(), [format!("fault: request id {id} is out of place")]);
        assert!(!ends.client.is_open());
    }
}

#[test]
fn an_event_of_no_request_is_a_fault() {
    let mut ends = Ends::open(plain(), board());
    frame::put(&mut ends.to_client, frame::header(Kind::Event, 1), &[&[0; 12]], 12).unwrap();
    assert_eq!(ends.hear(), ["fault: request id 1 is out of place"]);
}

#[test]
fn what_waited_and_is_too_long_for_the_server_is_not_done() {
    let mut ends = Ends::apart(resuming(), Served { payload_max_bytes: 4, ..board() });
    let too_long = ends.ask(once(b"LED ON"));
    ends.ask(once(b"LED"));
    ends.connect(1);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 2 LED"]);
    assert_eq!(ends.verdicts(), [(too_long, Verdict::NotDone(Unanswered::TooLong))]);
    let refused = ends.client.request(ends.now, once(b"LED ON"), &mut ends.to_server);
    assert_eq!(refused, Err(Misuse::Oversize { len_bytes: 6, max_bytes: 4 }));
}

#[test]
fn a_server_that_does_not_answer_the_hello_is_given_up() {
    let mut ends = Ends::apart(plain(), board());
    ends.connect(1);
    let limit = 3 * Options::new("").ping_after;
    assert_eq!(ends.client.timeout(), Some(ends.now + limit));
    assert!(ends.client.handle_timeout(ends.now + limit - ms(1), &mut ends.to_server).is_ok());
    let fault = ends.client.handle_timeout(ends.now + limit, &mut ends.to_server).unwrap_err();
    assert_eq!(fault.to_string(), "no handshake within 45s");
}

#[test]
fn times_without_end_are_no_overflow() {
    let mut ends = Ends::open(Options { ping_after: Duration::MAX, settle: Duration::MAX, ..resuming() }, board());
    ends.ask(Request { once: true, ..until(Duration::MAX, b"LED ON") });
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), ["request 1 LED ON"]);
    assert_eq!(ends.client.timeout(), Some(Duration::MAX));
    assert_eq!(ends.verdicts(), []);
}

#[test]
fn a_connection_in_place_of_another_means_that_the_other_is_lost() {
    let mut ends = Ends::open(plain(), board());
    let id = ends.ask(Request::new(b"LED ON"));
    ends.connect(2);
    assert_eq!(ends.verdicts(), [(id, Verdict::Unknown(Unanswered::ConnectionLost))]);
}

#[test]
fn a_welcome_that_grants_what_was_not_asked_for_is_a_fault() {
    let mut asking = Ends::apart(resuming(), board());
    asking.connect(1);
    asking.serve();
    let mut ends = Ends::apart(plain(), board());
    ends.connect(1);
    ends.to_client = asking.to_client;
    assert_eq!(ends.hear(), ["fault: Welcome frame with a payload that cannot be read"]);
}

#[test]
fn what_waited_goes_in_the_flight_of_the_hello_where_it_may() {
    let mut ends = Ends::apart(plain(), board());
    ends.ask(Request::new(b"LED ON"));
    ends.ask(until(ends.now + ms(100), b"LED OFF"));
    ends.ask(Request::new(b"LED"));
    ends.connect(1);
    assert_eq!(ends.serve(), ["open New", "request 1 LED ON"]);
    ends.hear();
    assert_eq!(ends.serve(), ["request 2 LED OFF", "request 3 LED"]);
}
