//! Datagrams that are damaged, repeated, forged, or too many.

use super::ending::Bare;
use super::kit::{ALL, greeting, impatient, plain, serve_with};
use super::lossy::{Path, Weather};
use super::{Near, SOON, aimed, client, done, next, received, serve};
use soquete::{Datagram, Ending, Framing, Limits};
use soquete_proto::channel::Channel;
use soquete_proto::server::Options;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// Newcomers that a port remembers, and senders of single datagrams.
const NEWCOMERS_MAX: usize = 256;
const SENDERS_MAX: usize = 1_024;

/// Returns the datagram that opens a session by the number `number`.
fn opening(number: u64) -> Vec<u8> {
    let mut channel = Channel::connect(Duration::ZERO, number);
    channel.put(&mut greeting());
    let mut datagram = Vec::new();
    assert!(channel.transmit(Duration::ZERO, &mut datagram));
    datagram
}

/// Makes a socket at one of the many addresses of this machine, and sends from there.
fn send_from(number: u32, near: &Near, datagram: &[u8]) -> UdpSocket {
    let [_, _, high, low] = number.to_be_bytes();
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 7, high, low), 0)).unwrap();
    socket.send_to(datagram, near.endpoint.socket_addr().unwrap()).unwrap();
    socket
}

#[test]
fn a_whole_session_that_is_sent_again_does_nothing_twice() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let path = Path::start(&served.endpoint, 1, Weather::default());
    let mut client = client(&path.endpoint);
    for _ in 0..5 {
        assert_eq!(client.call(b"LED TOGGLE", SOON).unwrap(), done("OK LED TOGGLE"));
    }
    // While it goes on: from the same address, and from another.
    path.repeat_all();
    let other = aimed(&served.endpoint);
    let recorded = path.passed();
    let requests = || recorded.iter().filter(|passed| passed.is_request);
    requests().for_each(|passed| other.send(&passed.octets).unwrap());
    assert_eq!(client.call(b"LED ON", SOON).unwrap(), done("OK LED ON"));
    assert_eq!(served.log.commands().len(), 6);
    client.finish().unwrap();
    served.log.endings(1);
    // And when it is over.
    path.repeat_all();
    requests().for_each(|passed| other.send(&passed.octets).unwrap());
    let mut honest = super::client(&path.endpoint);
    assert_eq!(honest.call(b"LED OFF", SOON).unwrap(), done("OK LED OFF"));
    assert_eq!(served.log.commands().len(), 7);
}

#[test]
fn a_packet_that_is_cut_at_any_octet_does_nothing() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut bare = Bare::open(&served.endpoint);
    bare.put(&plain(1, b"LED ON"));
    let datagrams = bare.transmit();
    let [packet] = &datagrams[..] else { panic!("{datagrams:?}") };
    for len in 1..packet.len() {
        bare.socket.send(&packet[..len]).unwrap();
    }
    bare.socket.send(b"LED\n").unwrap();
    // Its head alone acknowledges, as it may.
    assert_eq!(next(&bare.socket), b"OK\n");
    assert_eq!(served.log.commands(), [""; 0]);
    bare.socket.send(packet).unwrap();
    served.log.wait(|seen| (seen.commands == ["LED ON"]).then_some(()));

    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let (sender, opening) = (aimed(&near.endpoint), opening(7));
    (1..opening.len()).for_each(|len| sender.send(&opening[..len]).unwrap());
    near.serve();
    assert_eq!((near.dropped(), near.hub.counts().connections), (opening.len() as u64 - 1, 0));
    assert!(received(&sender).is_empty());
}

#[test]
fn what_is_of_another_protocol_is_dropped_without_an_answer() {
    let mut near = Near::new("udp://127.0.0.1:0", Framing::Frames);
    let sender = aimed(&near.endpoint);
    let mut noise: Vec<Vec<u8>> =
        vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), b"\x16\x03\x01\x02\x00".to_vec(), Vec::new()];
    let mut chance = 0x5EED_u64;
    for number in 0..500_usize {
        let octets = (0..number).map(|_| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 56) as u8
        });
        let octets: Vec<u8> = octets.collect();
        // Half of them begin as ours do, and go to nobody's session or to none.
        noise.push(if number % 2 == 0 { [&opening(7)[..4], &octets].concat() } else { octets });
    }
    let sent: usize = noise.iter().map(Vec::len).sum();
    for datagram in &noise {
        sender.send(datagram).unwrap();
        near.serve();
    }
    assert_eq!((near.dropped(), near.hub.counts().connections), (noise.len() as u64, 0));
    let answers = received(&sender);
    let answered: usize = answers.iter().map(Vec::len).sum();
    assert!(answers.len() <= 250 && answers.iter().all(|answer| answer.len() == 36), "resets alone");
    assert!(answered < sent, "{answered} octets for {sent}");
}

#[test]
fn a_forged_number_is_reset_and_changes_nothing() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut bare = Bare::open(&served.endpoint);
    bare.put(&plain(1, b"LED ON"));
    let packet = bare.transmit().remove(0);
    // The right number from the wrong address, and the wrong one from the right address.
    let other = aimed(&served.endpoint);
    other.send(&packet).unwrap();
    assert_eq!((next(&other).len(), served.log.commands().len()), (36, 0));
    let mut wrong = packet.clone();
    wrong[4] ^= 1;
    bare.socket.send(&wrong).unwrap();
    assert_eq!((next(&bare.socket).len(), served.log.commands().len()), (36, 0));
    bare.socket.send(&packet).unwrap();
    served.log.wait(|seen| (seen.commands == ["LED ON"]).then_some(()));
}

#[test]
fn clients_that_never_prove_their_address_are_bounded_and_hinder_nobody() {
    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let honest = aimed(&near.endpoint);
    let mut session = Channel::connect(Duration::ZERO, 1);
    session.put(&mut greeting());
    let mut proved = 0;
    for number in 0..3_000_u32 {
        let opening = opening(2 + u64::from(number));
        let forged = send_from(number, &near, &opening);
        near.serve();
        // They are sent one answer, that is not much longer than what they said.
        let mut buffer = [0; 2_000];
        forged.set_nonblocking(true).unwrap();
        let answered: usize = std::iter::from_fn(|| forged.recv(&mut buffer).ok()).sum();
        assert!(answered <= opening.len() + 36, "{answered} octets for {}", opening.len());
        assert!(near.hub.counts().connections <= NEWCOMERS_MAX + 1);
        if number % 100 == 50 {
            proved += usize::from(ask(&mut near, &honest, &mut session, number));
        }
    }
    assert_eq!(proved, 29, "each request but the first, which only opens, was done");
    assert!(near.hub.counts().turned_away >= 3_000 - NEWCOMERS_MAX as u64);
}

/// Goes on with a session; says whether a request could be sent, and it was done.
fn ask(near: &mut Near, socket: &Datagram, session: &mut Channel, id: u32) -> bool {
    let now = Duration::ZERO;
    let before = near.log.commands().len();
    let is_open = session.peer() != 0;
    if is_open {
        session.put(&mut plain(id, b"LED ON"));
    }
    let mut datagram = Vec::new();
    while session.transmit(now, &mut datagram) {
        socket.send(&datagram).unwrap();
        datagram.clear();
    }
    near.serve();
    for datagram in received(socket) {
        if let Ok(soquete_proto::channel::Datagram::Of(packet)) = soquete_proto::channel::Datagram::read(&datagram) {
            let _ = session.receive(now, &packet);
        }
        while session.next().is_some() {}
    }
    while session.transmit(now, &mut datagram) {
        socket.send(&datagram).unwrap();
        datagram.clear();
    }
    near.serve();
    is_open && near.log.commands().len() == before + 1
}

#[test]
fn a_flood_of_text_from_many_addresses_is_bounded_and_hinders_nobody() {
    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let honest = aimed(&near.endpoint);
    honest.send(b"LATER").unwrap();
    near.serve();
    for number in 0..3_000 {
        send_from(number, &near, b"LED\n");
        near.serve();
        assert!(near.hub.counts().connections <= SENDERS_MAX);
    }
    near.log.with(|seen| seen.responders.pop()).unwrap().reply(b"at last");
    near.serve();
    assert_eq!(received(&honest), [b"at last\n"], "who is owed an answer does not have to go");
    let mut session = Channel::connect(Duration::ZERO, 1);
    session.put(&mut greeting());
    assert!(
        !ask(&mut near, &honest, &mut session, 1) && ask(&mut near, &honest, &mut session, 1),
        "and room for frames"
    );
}

#[test]
fn what_is_held_behind_a_gap_counts_and_the_heaviest_goes() {
    let limits = Limits { waiting_max_bytes: 300 << 10, ..Limits::default() };
    let served = serve_with("udp://127.0.0.1:0", ALL, limits, Options::new("board"));
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut bare = Bare::open(&served.endpoint);
        bare.put(&plain(1, b"LED ON"));
        bare.put(&plain(2, &[b' '; 60_000]));
        bare.put(&plain(3, &[b' '; 60_000]));
        // The first is kept back: the others cannot be used.
        bare.transmit()[1..].iter().for_each(|datagram| bare.socket.send(datagram).unwrap());
        all.push(bare);
    }
    let endings = served.log.endings(2);
    let is_heavy = |ending: &Ending| matches!(ending, Ending::Refused(why) if why.contains("hold too much"));
    assert!(endings.iter().all(is_heavy), "{endings:?}");
}

#[test]
fn a_sender_of_text_that_quits_may_come_again() {
    let served = serve_with("udp://127.0.0.1:0", ALL, impatient(), Options::new("board"));
    let sender = aimed(&served.endpoint);
    sender.send(b"QUIT").unwrap();
    assert_eq!((next(&sender), served.log.endings(1)), (b"OK\n".to_vec(), vec![Ending::Closed]));
    sender.send(b"LATER").unwrap();
    served.log.wait(|seen| seen.responders.pop()).reply(b"at last");
    assert_eq!(next(&sender), b"at last\n");
}
