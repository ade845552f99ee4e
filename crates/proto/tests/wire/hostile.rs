//! Octets of no goodwill: nothing panics, and what goes out is bounded by what came in.

use crate::ends::{Ends, once, plain, resuming};
use crate::noise::Noise;
use soquete_proto::client::Request;
use soquete_proto::server::Options as Served;

/// More than this is never said to so many octets: a PONG of 20 for a PING of 12, an ERROR of 60 for a REQUEST of 25.
fn bound(input: usize) -> usize {
    3 * input + 1024
}

fn served() -> Served {
    Served { payload_max_bytes: 4096, in_flight_max: 8, answers_max: 8, ..Served::new("board") }
}

/// Feeds `octets` to a server that answers, over a link that has greeted or not.
fn attack_server(octets: Vec<u8>, has_greeted: bool) {
    let mut ends = if has_greeted { Ends::open(plain(), served()) } else { Ends::apart(resuming(), served()) };
    let len_bytes = octets.len();
    ends.to_server = octets;
    let saw = ends.serve();
    ends.answer(b"OK");
    let said = ends.to_client.len();
    assert!(said <= bound(len_bytes), "{said} octets to {len_bytes}");
    if saw.last().is_some_and(|last| last.starts_with("fault")) {
        assert!(!ends.link.is_open());
        ends.to_server = vec![0xD3; 100];
        assert_eq!((ends.serve(), ends.to_client.len()), (vec![], said), "nothing is said after a fault");
    }
}

fn attack_client(octets: Vec<u8>, has_greeted: bool) {
    let mut ends = Ends::open(resuming(), served());
    if !has_greeted {
        ends.cut();
        ends.connect(2);
    }
    ends.ask(once(b"LED TOGGLE"));
    ends.ask(Request::new(b"LED"));
    let (len_bytes, before) = (octets.len(), ends.to_server.len());
    ends.to_client = octets;
    ends.hear();
    let said = ends.to_server.len() - before;
    assert!(said <= bound(len_bytes), "{said} octets to {len_bytes}");
    ends.cut();
    assert!(ends.verdicts().len() + ends.client.unanswered() <= 2);
}

fn random(noise: &mut Noise) -> Vec<u8> {
    let len = noise.index(300);
    (0..len).map(|_| noise.octet()).collect()
}

/// Random octets with a header in front that can be read, so that the payload is looked at.
fn random_frame(noise: &mut Noise) -> Vec<u8> {
    let payload = random(noise);
    let mut octets = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    octets.extend([1 + noise.octet() % 12, 0, 0, 0, noise.octet() % 4, 0, 0, 0]);
    octets.extend(payload);
    octets
}

fn mutated(octets: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..1 + noise.below(4) {
        let (at, to) = (noise.index(octets.len()), noise.index(octets.len()));
        match noise.below(5) {
            0 => octets.truncate(at + 1),
            1 => octets.insert(at, noise.octet()),
            2 => drop(octets.drain(at.min(to)..at.max(to))),
            3 => octets.extend_from_within(at.min(to)..at.max(to)),
            _ => octets[at] = noise.octet(),
        }
        if octets.is_empty() {
            octets.push(noise.octet());
        }
    }
    octets
}

/// The octets of a conversation: to the server from the opening on, to the client from the WELCOME on.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let mut ends = Ends::apart(plain(), served());
    ends.connect(1);
    ends.client.message(1, b"hello", &mut ends.to_server).unwrap();
    for payload in [&b"LED"[..], b"LED ON", b"WATCH"] {
        ends.ask(once(payload));
    }
    ends.client.cancel(3, &mut ends.to_server);
    let to_server = ends.to_server.clone();
    ends.serve();
    ends.answer(b"OK LED ON");
    (to_server, ends.to_client)
}

#[test]
fn random_octets_harm_neither_end() {
    let mut noise = Noise::new(1);
    for round in 0..20_000 {
        let octets = if round % 2 == 0 { random(&mut noise) } else { random_frame(&mut noise) };
        attack_server(octets.clone(), round % 4 < 2);
        attack_client(octets, round % 4 < 2);
    }
}

#[test]
fn mutated_conversations_harm_neither_end() {
    let mut noise = Noise::new(2);
    let (to_server, to_client) = conversation();
    for _ in 0..20_000 {
        attack_server(mutated(&to_server, &mut noise), false);
        attack_client(mutated(&to_client, &mut noise), false);
    }
}
