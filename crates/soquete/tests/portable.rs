//! What is there on Windows as well: CI compiles this file for it, and runs it on Linux alone.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

use soquete::{
    Bounds, Client, ClientOptions, Closed, Datagram, DatagramOptions, DatagramPeers, Endpoint, Exchange, Framing,
    ListenOptions, Listener, Peer, Server, Stopper, Stream,
};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long what is to happen may take on a slow machine.
const SOON: Duration = Duration::from_secs(30);

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// Serves one client after the other at a port of its own, with its own octets as answer.
fn echo(framing: Framing) -> (Endpoint, Stopper, JoinHandle<()>) {
    let server = Server::bind(&endpoint("tcp://127.0.0.1:0"), framing).unwrap();
    let (at, stopper) = (server.endpoint().clone(), server.stopper());
    let serving = std::thread::spawn(move || {
        let answer = |exchange: Exchange<'_>| {
            let octets = exchange.payload;
            exchange.reply(octets).unwrap();
        };
        server.run_in_turn(answer).unwrap();
    });
    (at, stopper, serving)
}

fn connected() -> (Stream, Stream) {
    let listener = Listener::bind(&endpoint("tcp://127.0.0.1:0"), &ListenOptions::default()).unwrap();
    let near = Stream::connect_timeout(listener.local(), SOON).unwrap();
    let (far, peer) = listener.accept().unwrap();
    assert!(matches!(peer, Peer::Tcp(_)) && peer.is_local());
    (near, far)
}

#[test]
fn streams_of_tcp_send_receive_peek_and_end_one_direction() {
    let (mut near, mut far) = connected();
    near.write_all(b"LED ON\n").unwrap();
    let mut octets = [0; 7];
    assert!(far.peek(&mut octets).unwrap() > 0);
    far.receive_exact(&mut octets).unwrap();
    assert_eq!(&octets, b"LED ON\n");
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(far.read(&mut octets).unwrap(), 0);
    far.write_all(b"OK").unwrap();
    assert_eq!(near.read(&mut octets).unwrap(), 2);
}

#[test]
fn streams_of_tcp_close_in_three_forms() {
    let (near, mut far) = connected();
    drop(near);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    let (near, mut far) = connected();
    assert_eq!(near.close_within(SOON).unwrap(), Closed::Sent);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    let (near, mut far) = connected();
    near.abort();
    assert_eq!(far.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_stream_is_connected_in_the_background_too() {
    let listener = Listener::bind(&endpoint("tcp://127.0.0.1:0"), &ListenOptions::default()).unwrap();
    let stream = Stream::connect_start(listener.local()).unwrap();
    let _served = listener.accept().unwrap();
    stream.set_nonblocking(false).unwrap();
    // What is accepted here is connected there.
    stream.finish_connect().unwrap();
}

#[test]
fn datagrams_of_udp_go_and_are_answered() {
    let options = DatagramOptions::default();
    let board = Datagram::bind(&endpoint("udp://127.0.0.1:0"), &options).unwrap();
    let button = Datagram::connect(board.local(), &options).unwrap();
    button.send(b"LED ON").unwrap();
    let mut octets = [0; 16];
    assert_eq!(board.peek_from(&mut octets).unwrap().len_bytes, 6);
    let arrival = board.receive_from(&mut octets).unwrap();
    board.send_to(b"OK", &arrival.from).unwrap();
    assert_eq!(button.receive(&mut octets).unwrap(), 2);
    assert_eq!(button.send_segments(b"twotoo", 3).unwrap(), 6);
    assert_eq!(board.receive_segments(&mut octets).unwrap().len_bytes, 3);
}

#[test]
fn peers_over_udp_are_told_apart() {
    let mut peers = DatagramPeers::bind(&endpoint("udp://127.0.0.1:0")).unwrap();
    let other = Datagram::connect(peers.local(), &DatagramOptions::default()).unwrap();
    other.send(b"hello").unwrap();
    assert_eq!(peers.receive(Some(SOON)).unwrap().unwrap().octets, b"hello");
}

#[test]
fn clients_are_served_one_after_the_other() {
    let bounds = Bounds { receive_max_bytes: 1024, send_max_bytes: 1024 };
    for (framing, options) in [
        (Framing::Raw(bounds), ClientOptions::raw(1024)),
        (Framing::Line(bounds), ClientOptions::line(1024)),
        (Framing::Frames, ClientOptions::frames("")),
    ] {
        let (at, stopper, serving) = echo(framing);
        for timeout in [None, Some(SOON)] {
            let mut client = Client::connect(&at, ClientOptions { timeout, ..options.clone() }).unwrap();
            assert_eq!(client.request(b"LED ON").unwrap(), b"LED ON");
        }
        stopper.stop();
        serving.join().unwrap();
    }
}

#[test]
fn a_client_over_udp_asks_and_is_answered() {
    let board = Datagram::bind(&endpoint("udp://127.0.0.1:0"), &DatagramOptions::default()).unwrap();
    let at = board.local().clone();
    let answering = std::thread::spawn(move || {
        let mut octets = [0; 2048];
        let arrival = board.receive_from(&mut octets).unwrap();
        board.send_to(b"OK LED ON\n", &arrival.from).unwrap();
        // A session begins with its first datagram.
        board.receive_from(&mut octets).unwrap();
        octets[0]
    });
    let mut client = Client::connect(&at, ClientOptions::line(64)).unwrap();
    assert_eq!(client.request(b"LED ON").unwrap(), b"OK LED ON");
    let mut client = Client::connect(&at, ClientOptions::frames("")).unwrap();
    // Nobody answers it, so how it ended is as it may be.
    let _ = client.call(b"LED ON", Duration::from_millis(100)).unwrap();
    assert_eq!(answering.join().unwrap(), 0xD3);
}
