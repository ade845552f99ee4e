//! Messages and events that overtake: who may send them, and what they overtake.

use crate::ends::{Ends, plain, resuming};
use soquete_proto::client::{Options, Request};
use soquete_proto::fault::Misuse;
use soquete_proto::frame::{self, Flags, Front, HEADER_LEN_BYTES, Header, Kind};
use soquete_proto::handshake::{EventHead, put_urgent_event};
use soquete_proto::server::Options as Served;

fn board() -> Served {
    Served::new("board")
}

fn urgent() -> Options {
    Options { urgent: true, ..plain() }
}

fn say_urgently(ends: &mut Ends, payload: &[u8]) {
    ends.client.urgent(4, payload, Front::default(), &mut ends.to_server).unwrap();
}

#[test]
fn both_ends_say_what_is_urgent_where_the_client_offers_it() {
    for options in [urgent(), Options { urgent: true, ..resuming() }] {
        let mut ends = Ends::open(options, board());
        assert!(ends.link.takes_urgent());
        let watch = ends.ask(Request::new(b"WATCH"));
        say_urgently(&mut ends, b"STOP");
        assert_eq!(ends.serve(), ["urgent message 4 STOP", "request 1 WATCH"]);
        ends.answer(b"OK WATCH");
        put_urgent_event(&mut ends.to_client, watch, EventHead { seq: 1, ..EventHead::default() }, b"LED OFF", 99)
            .unwrap();
        assert_eq!(ends.hear(), ["reply 1 OK WATCH", "urgent event 1 seq 1 missed 0 LED OFF"]);
    }
}

#[test]
fn requests_keep_the_order_of_their_ids_behind_those_that_overtake() {
    let mut ends = Ends::open(urgent(), board());
    for id in 1..4 {
        ends.ask(Request::new(b"LED"));
        say_urgently(&mut ends, &[b'0' + id]);
    }
    let requests = (1..4).map(|id| format!("request {id} LED"));
    let messages = (1..4).map(|id| format!("urgent message 4 {id}"));
    assert_eq!(ends.serve(), messages.chain(requests).collect::<Vec<_>>());
}

#[test]
fn what_is_urgent_before_the_welcome_goes_in_its_turn() {
    let mut ends = Ends::apart(urgent(), board());
    ends.connect(1);
    ends.ask(Request::new(b"LED"));
    say_urgently(&mut ends, b"STOP");
    assert_eq!(ends.serve(), ["open New", "request 1 LED", "message 4 STOP"]);
}

#[test]
fn a_client_that_did_not_offer_it_sends_what_is_urgent_in_its_turn() {
    let mut ends = Ends::open(plain(), board());
    assert!(!ends.link.takes_urgent());
    ends.ask(Request::new(b"LED"));
    say_urgently(&mut ends, b"STOP");
    assert_eq!(ends.serve(), ["request 1 LED", "message 4 STOP"]);
}

#[test]
fn the_flag_without_the_feature_is_refused_by_the_header_alone() {
    let flagged = |kind| Header { flags: Flags::URGENT, length: 20, ..frame::header(kind, 1) }.encode();
    let mut ends = Ends::open(resuming(), board());
    ends.to_server.extend(flagged(Kind::Message));
    assert_eq!(ends.serve(), ["fault: unknown flags 0x02"]);
    for kind in [Kind::Message, Kind::Event] {
        let mut ends = Ends::open(plain(), board());
        ends.ask(Request::new(b"WATCH"));
        ends.to_client.extend(flagged(kind));
        assert_eq!(ends.hear(), ["fault: unknown flags 0x02"]);
    }
}

#[test]
fn the_flag_on_what_has_an_order_is_refused_although_both_have_the_feature() {
    for kind in [Kind::Request, Kind::Cancel, Kind::Goodbye] {
        let mut ends = Ends::open(urgent(), board());
        ends.to_server.extend(Header { flags: Flags::URGENT, ..frame::header(kind, 1) }.encode());
        assert_eq!(ends.serve(), ["fault: unknown flags 0x02"]);
    }
    let mut ends = Ends::open(urgent(), board());
    ends.ask(Request::new(b"LED"));
    ends.to_client.extend(Header { flags: Flags::URGENT, ..frame::header(Kind::Reply, 1) }.encode());
    assert_eq!(ends.hear(), ["fault: unknown flags 0x02"]);
}

#[test]
fn the_next_connection_agrees_anew() {
    let mut ends = Ends::open(urgent(), board());
    ends.cut();
    ends.connect(2);
    say_urgently(&mut ends, b"STOP");
    assert_eq!(ends.serve(), ["open New", "message 4 STOP"]);
    ends.hear();
    say_urgently(&mut ends, b"STOP");
    assert_eq!(ends.serve(), ["urgent message 4 STOP"]);
}

#[test]
fn what_is_urgent_is_as_long_as_the_server_takes_and_cut_nowhere() {
    let mut ends = Ends::open(urgent(), Served { payload_max_bytes: 5, ..board() });
    say_urgently(&mut ends, b"12345");
    let long = ends.client.urgent(0, b"123456", Front::default(), &mut ends.to_server);
    assert_eq!(long, Err(Misuse::Oversize { len_bytes: 6, max_bytes: 5 }));
    let octets = std::mem::take(&mut ends.to_server);
    assert_eq!(octets.len(), HEADER_LEN_BYTES + 5);
    for (place, octet) in octets.iter().enumerate() {
        ends.to_server.push(*octet);
        let mut kept = ends.to_server.clone();
        let saw = ends.serve();
        assert_eq!(saw.len(), usize::from(place + 1 == octets.len()), "{saw:?}");
        ends.to_server.append(&mut kept);
    }
    assert_eq!(ends.serve(), ["urgent message 4 12345"], "the whole of it once more");
}
