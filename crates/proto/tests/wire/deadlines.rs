//! A request with a deadline is never done late, and may be refused early.

use crate::ends::{Ends, ms, once, plain, resuming, text, until};
use soquete_proto::client::{Request, Unanswered, Verdict};
use soquete_proto::server::{Event, Options as Served};
use std::time::Duration;

fn board() -> Served {
    Served::new("board")
}

/// Lets the server read at `at`, on a clock that has nothing to do with the client's; returns the deadline it sees.
fn deadline_seen(ends: &mut Ends, at: Duration) -> Option<Duration> {
    let octets = std::mem::take(&mut ends.to_server);
    let mut input = &octets[..];
    while let Some(event) = ends.server.next(at, &mut ends.link, &mut input, &mut ends.to_client).unwrap() {
        if let Event::Request(request) = event {
            return request.deadline;
        }
    }
    None
}

#[test]
fn the_welcome_brings_the_clock_and_its_way_makes_the_deadline_early() {
    let mut ends = Ends::apart(plain(), board());
    let there = ends.now + ms(7_000);
    ends.connect(1);
    let id = ends.ask(until(ends.now + ms(500), b"LED ON"));
    assert_eq!(deadline_seen(&mut ends, there), None, "it waits for the clock");
    ends.now += ms(100);
    ends.hear();
    assert_eq!(deadline_seen(&mut ends, there + ms(200)), Some(there + ms(400)), "100 ms early, {id}");
}

#[test]
fn a_pong_brings_the_clock_where_the_connection_is_older() {
    let mut ends = Ends::open(plain(), board());
    ends.now += ms(3_600_000);
    let there = ends.now + ms(2_000);
    ends.ask(until(ends.now + ms(500), b"LED ON"));
    assert_eq!(deadline_seen(&mut ends, there), None);
    ends.hear();
    assert_eq!(deadline_seen(&mut ends, there), Some(there + ms(500)), "however far the clocks have drifted apart");
}

#[test]
fn a_server_that_does_not_show_that_it_lives_is_sent_nothing() {
    let mut ends = Ends::open(plain(), board());
    let deadline = ends.now + ms(500);
    let id = ends.ask(until(deadline, b"LED ON"));
    ends.now = deadline - ms(1);
    assert_eq!(ends.verdicts(), []);
    ends.now = deadline;
    assert_eq!(ends.verdicts(), [(id, Verdict::NotDone(Unanswered::NotAnswering))]);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0], "the PONG comes too late");
}

#[test]
fn what_a_stopped_server_finds_in_its_buffer_is_not_done() {
    for (late, done) in [(ms(499), true), (ms(500), false), (ms(9_000), false)] {
        let mut ends = Ends::open(plain(), board());
        let id = ends.ask(until(ends.now + ms(500), b"LED ON"));
        ends.serve();
        ends.hear();
        ends.now += late;
        assert_eq!(!ends.serve().is_empty(), done, "{late:?}");
        if !done {
            assert_eq!(ends.hear(), [format!("error {id} Expired: the deadline had passed")]);
        }
    }
}

#[test]
fn what_is_asked_for_again_after_its_deadline_is_not_begun_then() {
    let mut ends = Ends::open(resuming(), board());
    let id = ends.ask(Request { once: true, ..until(ends.now + ms(500), b"LED TOGGLE") });
    ends.serve();
    ends.hear();
    ends.cut();
    ends.now += ms(700);
    ends.connect(2);
    ends.serve();
    ends.hear();
    assert_eq!(ends.serve(), [""; 0]);
    assert_eq!(ends.hear(), [format!("error {id} Expired: the deadline had passed")]);
}

#[test]
fn a_deadline_that_has_passed_already_costs_no_octet() {
    let mut ends = Ends::open(plain(), board());
    let id = ends.ask(until(ends.now, b"LED ON"));
    assert_eq!(
        (ends.verdicts(), text(&ends.to_server)),
        (vec![(id, Verdict::NotDone(Unanswered::NotAnswering))], String::new())
    );
}

#[test]
fn one_without_deadline_waits_for_ever_for_a_server() {
    let mut ends = Ends::apart(resuming(), board());
    ends.ask(once(b"LED ON"));
    ends.now += Duration::from_secs(86_400);
    assert_eq!(ends.verdicts(), []);
    assert_eq!(ends.client.timeout(), None);
}
