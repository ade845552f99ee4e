//! How sessions over datagrams end.

use super::kit::{ALL, greeting, plain, put};
use super::lossy::{Path, Weather};
use super::{SOON, aimed, client, commands, done, line_client, next, places, serve};
use soquete::{Cause, Client, ClientOptions, Datagram, Endpoint, Framing};
use soquete_proto::channel::{Channel, Datagram as Kind, put_reset};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, header};
use soquete_proto::handshake::{Goodbye, Reason};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

/// A client's end of a session, octet by octet.
pub(super) struct Bare {
    pub(super) socket: Datagram,
    pub(super) channel: Channel,
}

impl Bare {
    /// Opens a session and takes its WELCOME.
    pub(super) fn open(endpoint: &Endpoint) -> Self {
        let mut bare = Bare { socket: aimed(endpoint), channel: Channel::connect(NOW, 0x5EED) };
        bare.put(&greeting());
        for datagram in bare.transmit() {
            bare.socket.send(&datagram).unwrap();
        }
        bare.take();
        assert!(bare.channel.next().is_some(), "a WELCOME");
        bare
    }

    pub(super) fn put(&mut self, frame: &[u8]) {
        self.channel.put(&mut frame.to_vec());
    }

    /// Returns the datagrams that are due, without sending them.
    pub(super) fn transmit(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        std::iter::from_fn(|| self.channel.transmit(NOW, &mut out).then(|| std::mem::take(&mut out))).collect()
    }

    /// Takes one datagram.
    pub(super) fn take(&mut self) {
        let datagram = next(&self.socket);
        let Ok(Kind::Of(packet)) = Kind::read(&datagram) else { panic!("{datagram:?}") };
        self.channel.receive(NOW, &packet).unwrap();
    }
}

/// A GOODBYE of a client.
fn goodbye() -> Vec<u8> {
    put(
        Content::Goodbye(Goodbye { last_id: 0, reason: Reason { code: soquete::Code::Closing, text: "" } }),
        header(frame::Kind::Goodbye, 0),
    )
}

#[test]
fn a_goodbye_whose_acknowledgement_was_lost_is_acknowledged_again() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut bare = Bare::open(&served.endpoint);
    bare.put(&goodbye());
    let datagrams = bare.transmit();
    datagrams.iter().for_each(|datagram| bare.socket.send(datagram).unwrap());
    let first = next(&bare.socket);
    served.log.endings(1);
    bare.socket.send(datagrams.last().unwrap()).unwrap();
    assert_eq!(next(&bare.socket), first, "and no reset");
}

#[test]
fn an_opening_that_comes_when_all_is_over_opens_nothing() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut bare = Bare { socket: aimed(&served.endpoint), channel: Channel::connect(NOW, 7) };
    bare.put(&greeting());
    let opening = bare.transmit().remove(0);
    bare.socket.send(&opening).unwrap();
    bare.take();
    assert!(bare.channel.next().is_some());
    bare.put(&goodbye());
    bare.transmit().iter().for_each(|datagram| bare.socket.send(datagram).unwrap());
    next(&bare.socket);
    served.log.endings(1);
    bare.socket.send(&opening).unwrap();
    bare.socket.send(b"LED\n").unwrap();
    assert_eq!(next(&bare.socket), b"OK\n", "nothing was said to the opening");
}

#[test]
fn to_finish_waits_until_all_has_arrived_whatever_is_lost() {
    let threads = (1..=4).map(|seed| {
        std::thread::spawn(move || {
            let served = serve("udp://127.0.0.1:0", Framing::Frames);
            let path = Path::start(&served.endpoint, seed, Weather { lost: 30, ..Weather::default() });
            let mut client = client(&path.endpoint);
            client.message(b"LED ON").unwrap();
            client.message(b"LED OFF").unwrap();
            client.finish().unwrap();
            assert_eq!(commands(&served, 2), ["LED ON", "LED OFF"]);
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn who_has_finished_can_ask_no_more_and_is_told_so_at_once() {
    for place in places() {
        let served = serve(&place, ALL);
        let mut framed = client(&served.endpoint);
        framed.request(b"LED ON").unwrap();
        framed.finish().unwrap();
        for error in [framed.request(b"LED OFF").unwrap_err(), framed.receive().unwrap_err()] {
            assert!(matches!(error.cause(), Cause::Closed), "{error}");
        }
        // A call makes a session of its own, as it does where the server has ended one.
        assert_eq!(framed.call(b"LED OFF", SOON).unwrap(), done("OK LED OFF"));
        let mut lines = line_client(&served.endpoint);
        lines.request(b"LED ON").unwrap();
        lines.finish().unwrap();
        assert!(!lines.request(b"LED OFF").unwrap_err().is_timeout());
        assert_eq!(served.log.commands(), ["LED ON", "LED OFF", "LED ON"]);
    }
}

#[test]
fn a_session_that_is_not_known_is_reset_for_packets_alone_and_100_times_a_second() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut bare = Bare::open(&served.endpoint);
    bare.put(&plain(1, b"LED ON"));
    let mut packet = bare.transmit().pop().unwrap();
    packet[4..12].copy_from_slice(&7u64.to_le_bytes());
    let stranger = aimed(&served.endpoint);
    // An acknowledgement is answered by nothing.
    stranger.send(&packet[..28]).unwrap();
    let mut alone = packet[..28].to_vec();
    alone[12..20].fill(0);
    stranger.send(&alone).unwrap();
    let mut reset = Vec::new();
    put_reset(&mut reset, 7);
    assert!(reset.len() <= packet.len());
    for _ in 0..150 {
        stranger.send(&packet).unwrap();
        // Answered in turn, so that no buffer is too small for them.
        stranger.send(b"LED\n").unwrap();
    }
    let (mut resets, mut answers) = (0, 0);
    while answers < 150 {
        let datagram = next(&stranger);
        if datagram == b"OK\n" {
            answers += 1;
        } else {
            assert_eq!(datagram, reset);
            resets += 1;
        }
    }
    // On a slow machine it took more than a second.
    assert!((100..=150).contains(&resets), "{resets}");
    assert_eq!(served.log.commands(), [""; 0]);
}

#[test]
fn a_client_whose_server_is_gone_for_good_is_told_by_a_timeout() {
    let path = {
        let served = serve("udp://127.0.0.1:0", ALL);
        Path::start(&served.endpoint, 1, Weather::default())
    };
    let options = ClientOptions { timeout: Some(Duration::from_millis(50)), ..ClientOptions::frames("board") };
    let mut client = Client::connect(&path.endpoint, options).unwrap();
    let error = client.request(b"LED ON").unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains(&path.endpoint.to_string()), "{error}");
}
