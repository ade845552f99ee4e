//! The server and the client, over every kind of endpoint.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

use soquete::{Bounds, Client, ClientOptions, Endpoint, Exchange, Framing, Received, Server};
use std::sync::atomic::{AtomicU32, Ordering};

const BOUNDS: Bounds = Bounds { receive_max_bytes: 1 << 20, send_max_bytes: 1 << 20 };

fn endpoints() -> Vec<Endpoint> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    [
        "tcp://127.0.0.1:0".to_owned(),
        "tcp://[::1]:0".to_owned(),
        format!("unix:@soquete-serving-{unique}"),
        format!("unix://{}/soquete-serving-{unique}", std::env::temp_dir().display()),
        format!("mem:serving-{unique}"),
        format!("seqpacket:@soquete-serving-{unique}"),
        format!("seqpacket://{}/soquete-serving-{unique}.seq", std::env::temp_dir().display()),
        "udp://127.0.0.1:0".to_owned(),
        "udp://[::1]:0".to_owned(),
        format!("unixgram:@soquete-serving-{unique}.gram"),
        format!("unixgram://{}/soquete-serving-{unique}.gram", std::env::temp_dir().display()),
    ]
    .iter()
    .map(|url| url.parse().unwrap())
    .collect()
}

/// Runs `talk` against an echo server of `framing` at every kind of endpoint.
fn with_echo(framing: Framing, talk: impl Fn(&Endpoint)) {
    for endpoint in endpoints() {
        let server = Server::bind(&endpoint, framing).unwrap();
        let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
        let serving = std::thread::spawn(move || {
            server.run(|exchange: Exchange<'_>| {
                let payload = exchange.payload;
                exchange.reply(payload).unwrap();
            })
        });
        talk(&endpoint);
        stopper.stop();
        serving.join().unwrap().unwrap();
    }
}

#[test]
fn a_request_gets_its_reply() {
    with_echo(Framing::Frames, |endpoint| {
        let mut client = Client::connect(endpoint, ClientOptions::frames("")).unwrap();
        for _ in 0..100 {
            assert_eq!(client.request(b"hello").unwrap(), b"hello", "{endpoint}");
        }
    });
}

#[test]
fn sixty_four_requests_in_flight_are_all_answered_whatever_their_length() {
    for len in [0, 32, 60_000, 300 << 10, 1 << 20] {
        with_echo(Framing::Frames, |endpoint| {
            let mut client = Client::connect(endpoint, ClientOptions::frames("")).unwrap();
            let payload = vec![7; len];
            if endpoint.is_datagram() && len > 65_000 {
                let refused = client.submit(&payload).unwrap_err();
                let max_bytes = soquete::DATAGRAM_MAX_BYTES - 28 - 12 - 13;
                let why = format!("send {endpoint}: message of {len} octets, at most {max_bytes} allowed");
                assert_eq!(refused.to_string(), why, "before anything is sent");
                return;
            }
            let ids: Vec<u32> = (0..64).map(|_| client.submit(&payload).unwrap()).collect();
            for id in ids {
                assert_eq!(client.receive().unwrap(), Received::Reply { id, payload: &payload }, "{endpoint} {len}");
            }
        });
    }
}

#[test]
fn lines_and_raw_octets_come_back() {
    with_echo(Framing::Line(BOUNDS), |endpoint| {
        let mut client = Client::connect(endpoint, ClientOptions::line(1024)).unwrap();
        assert_eq!(client.request(b"one").unwrap(), b"one");
        assert_eq!(client.request(b"two").unwrap(), b"two");
    });
    with_echo(Framing::Raw(BOUNDS), |endpoint| {
        let mut client = Client::connect(endpoint, ClientOptions::raw(1024)).unwrap();
        assert_eq!(client.request(&[0, 1, 2]).unwrap(), &[0, 1, 2]);
    });
}
