//! Raw octets, lines and text by datagrams, each of them a message.

use super::kit::ALL;
use super::{Near, aimed, client, line_client, next, places, received, serve};
use soquete::{
    Bounds, Cause, Client, ClientOptions, Datagram, DatagramOptions, Exchange, Framing, Handler, Hub, Limits,
    ListenOptions, Peer,
};
use soquete_proto::server::Options;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const BOUNDS: Bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 1 << 20 };

#[test]
fn each_datagram_is_one_message_and_answered_to_its_sender() {
    for framing in [Framing::Raw(BOUNDS), Framing::Line(BOUNDS), ALL] {
        for place in places() {
            let served = serve(&place, framing);
            // Fewer than the datagrams that wait in a queue of Unix: ten.
            let senders: Vec<Datagram> = (0..9).map(|_| aimed(&served.endpoint)).collect();
            for round in 0..5 {
                for (number, sender) in senders.iter().enumerate() {
                    sender.send(format!("LINE{number}X{round} ON").as_bytes()).unwrap();
                }
                let end = if matches!(framing, Framing::Raw(_)) { "" } else { "\n" };
                for (number, sender) in senders.iter().enumerate() {
                    let answer = format!("OK LINE{number}X{round} ON{end}");
                    assert_eq!(String::from_utf8_lossy(&next(sender)), answer, "{place}, {framing:?}");
                }
            }
            assert_eq!(served.log.commands().len(), 45);
        }
    }
}

#[test]
fn the_blocking_client_speaks_lines_and_raw_octets_by_datagrams() {
    for place in places() {
        let served = serve(&place, ALL);
        let mut client = line_client(&served.endpoint);
        assert_eq!(client.request(b"LED ON").unwrap(), b"OK LED ON");
        assert_eq!(client.request(b"LED OFF\nLED ON").unwrap(), b"OK LED OFF", "several lines");
        assert!(matches!(client.receive().unwrap(), soquete::Received::Message { payload: b"OK LED ON" }));
    }
    let served = serve("udp://localhost:0", Framing::Raw(BOUNDS));
    let port = served.endpoint.socket_addr().unwrap().port();
    let named = format!("udp://localhost:{port}").parse().unwrap();
    let mut client = Client::connect(&named, ClientOptions::raw(64)).unwrap();
    assert_eq!(client.request(b"LED ON").unwrap(), b"OK LED ON");
    let mut client = Client::connect(&served.endpoint, ClientOptions::raw(64)).unwrap();
    assert_eq!(client.request(b"LED ON").unwrap(), b"OK LED ON");
}

#[test]
fn a_server_that_takes_nothing_holds_up_no_client_for_longer_than_its_timeout() {
    for place in &places()[2..] {
        let stuck = Datagram::bind(&place.parse().unwrap(), &DatagramOptions::default()).unwrap();
        let options = ClientOptions { timeout: Some(Duration::from_millis(50)), ..ClientOptions::line(64) };
        let mut client = Client::connect(stuck.local(), options).unwrap();
        let full = (0..1_000).find_map(|_| client.submit(b"LED ON").err()).unwrap();
        assert!(matches!(full.cause(), Cause::Timeout), "{full}");
        (0..5).for_each(|_| drop(next(&stuck)));
        client.submit(b"LED OFF").unwrap();
    }
}

#[test]
fn several_lines_in_a_datagram_are_answered_by_one() {
    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let sender = aimed(&near.endpoint);
    sender.send(b"LED ON\r\nLED\n\nLED OFF").unwrap();
    near.serve();
    assert_eq!(received(&sender), [b"OK LED ON\nOK\nOK LED OFF\n"]);
}

#[test]
fn a_datagram_without_an_octet_is_a_raw_message_an_empty_line_and_no_text() {
    for (framing, messages, dropped) in [(Framing::Raw(BOUNDS), 2, 0), (Framing::Line(BOUNDS), 2, 0), (ALL, 1, 1)] {
        let mut near = Near::new("udp://127.0.0.1:0", framing);
        let sender = aimed(&near.endpoint);
        sender.send(b"").unwrap();
        sender.send(b"LED").unwrap();
        near.serve();
        assert_eq!((near.messages(), near.dropped()), (messages, dropped), "{framing:?}");
    }
}

#[test]
fn a_datagram_with_more_than_the_bound_is_dropped_and_counted() {
    let full = "LED".to_owned() + &" ".repeat(61);
    for (framing, taken) in [(Framing::Raw(BOUNDS), 1), (Framing::Line(BOUNDS), 4)] {
        let mut near = Near::new("udp://127.0.0.1:0", framing);
        let sender = aimed(&near.endpoint);
        let datagrams =
            [full.clone(), format!("{full}\n"), format!("{full}\r\n"), format!("{full}\0"), format!("{full} ")];
        datagrams.iter().for_each(|datagram| sender.send(datagram.as_bytes()).unwrap());
        near.serve();
        assert_eq!((near.messages(), near.dropped()), (taken, 5 - taken as u64), "{framing:?}");
        sender.send(b"LED").unwrap();
        near.serve();
        assert_eq!(near.messages(), taken + 1);
    }
}

#[test]
fn an_answer_that_does_not_fit_a_datagram_is_not_cut() {
    for (framing, longest) in [(Framing::Raw(BOUNDS), 65_507), (Framing::Line(BOUNDS), 65_506)] {
        let mut near = Near::new("udp://127.0.0.1:0", framing);
        let sender = aimed(&near.endpoint);
        sender.send(format!("BIG {longest}").as_bytes()).unwrap();
        sender.send(format!("BIG {}", longest + 1).as_bytes()).unwrap();
        sender.send(b"LED").unwrap();
        near.serve();
        let lens: Vec<usize> = received(&sender).iter().map(Vec::len).collect();
        assert!(lens[0] == 65_507 && lens.len() <= 3 && lens[1..].iter().all(|len| *len < 100), "{lens:?}");
    }
}

#[test]
fn an_answer_goes_by_the_address_that_was_asked() {
    let cases = [("udp://0.0.0.0:0", "127.0.0.2"), ("udp://0.0.0.0:0", "127.0.0.1"), ("udp://[::]:0", "[::1]")];
    for (anywhere, here) in cases {
        let served = serve(anywhere, ALL);
        let port = served.endpoint.socket_addr().unwrap().port();
        let endpoint = format!("udp://{here}:{port}").parse().unwrap();
        assert_eq!(line_client(&endpoint).request(b"LED ON").unwrap(), b"OK LED ON");
        assert_eq!(client(&endpoint).request(b"LED OFF").unwrap(), b"OK LED OFF");
    }
}

#[test]
fn who_is_owed_an_answer_waits_with_so_much_and_no_more() {
    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let sender = aimed(&near.endpoint);
    sender.send(b"LATER").unwrap();
    let lines = "LED ON\n".repeat(1_000);
    for _ in 0..30 {
        sender.send(lines.as_bytes()).unwrap();
        near.serve();
    }
    assert_eq!((near.messages(), near.dropped()), (1, 12), "128 KiB wait");
    near.log.with(|seen| seen.responders.pop()).unwrap().reply(b"at last");
    near.serve();
    assert_eq!(received(&sender)[0], b"at last\n");
    assert_eq!(near.log.commands().len(), 18_000);
}

#[test]
fn a_unix_sender_without_a_name_is_heard_and_harms_nobody() {
    for place in &places()[2..] {
        let mut near = Near::new(place, ALL);
        let nameless = UnixDatagram::unbound().unwrap();
        let soquete::UnixName::Path(path) = near.endpoint.unix_name().cloned().unwrap() else { continue };
        nameless.send_to(b"LATER", &path).unwrap();
        near.serve();
        nameless.send_to(b"LED ON", &path).unwrap();
        near.serve();
        near.log.with(|seen| seen.responders.pop()).unwrap().reply(b"to nobody");
        near.serve();
        assert_eq!(near.log.commands(), ["LED ON"]);
        let sender = aimed(&near.endpoint);
        sender.send(b"LED OFF").unwrap();
        near.serve();
        assert_eq!(received(&sender), [b"OK LED OFF\n"]);
    }
}

struct Closed;

impl Handler for Closed {
    fn receive(&mut self, exchange: Exchange<'_>) {
        panic!("{:?} came in", exchange.payload);
    }

    fn admit(&mut self, _: usize, _: &Peer) -> Result<(), String> {
        Err("not today".into())
    }
}

#[test]
fn who_is_not_admitted_is_not_heard_in_any_language() {
    // Who has a forged address is sent nothing; one of Unix is known.
    for (place, told) in [("udp://127.0.0.1:0", 0), (&*places()[3], 1)] {
        let cases = [(Framing::Raw(BOUNDS), 0), (Framing::Line(BOUNDS), told), (ALL, told), (Framing::Frames, 0)];
        for (framing, answers) in cases {
            let mut hub = Hub::new(Limits::default()).unwrap();
            let service = hub.add_service(framing, Options::new("board"));
            let endpoint = hub.listen(service, &place.parse().unwrap(), &ListenOptions::default()).unwrap();
            let sender = aimed(&endpoint);
            sender.send(b"LED ON").unwrap();
            for _ in 0..3 {
                hub.turn(Some(Duration::ZERO), &mut Closed).unwrap();
            }
            assert_eq!(received(&sender).len(), answers, "{place}, {framing:?}");
            assert_eq!(hub.counts().connections, 0);
        }
    }
}
