//! What a hub makes of packets: of frames, of lines, of raw octets.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/hub.rs"]
mod kit;

use kit::*;
use soquete::{Bounds, Client, ClientOptions, Ending, Framing, Limits};
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

const BOUNDS: Bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };

fn serve_packets(framing: Framing) -> Served {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("seqpacket:@soquete-packets-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    serve_with(&name, framing, Limits::default(), Options::new("board"))
}

fn refusal(served: &Served) -> String {
    match served.log.endings(1).remove(0) {
        Ending::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_frame_and_those_behind_it_come_in_packets_that_know_nothing_of_frames() {
    let served = serve_packets(ALL);
    let mut client = Client::connect(&served.endpoint, ClientOptions::frames("board")).unwrap();
    client.request(b"LED").unwrap();
    for len in [150_000, 200_000, 262_000, 700_000] {
        let long = format!("LED{}", " ".repeat(len));
        client.submit(long.as_bytes()).unwrap();
        for _ in 0..200 {
            client.message(&long.as_bytes()[..5_000]).unwrap();
        }
        assert_eq!(client.request(b"LED ON").unwrap(), b"OK LED ON", "behind {len} octets");
    }
}

#[test]
fn a_packet_is_a_raw_message_and_one_that_is_too_long_ends_the_connection() {
    let served = serve_packets(Framing::Raw(BOUNDS));
    let mut stream = served.connect();
    let mut buffer = [0; 100];
    for command in ["LED ON", "LED OFF"] {
        stream.write_all(command.as_bytes()).unwrap();
    }
    for answer in ["OK LED ON", "OK LED OFF"] {
        let len = stream.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], answer.as_bytes());
    }
    stream.write_all(&[b' '; 65]).unwrap();
    assert_eq!(refusal(&served), "a packet of 65 octets, at most 64 are taken");
    assert_eq!(served.log.with(|seen| seen.messages), 2, "and it is not cut in two");
}

#[test]
fn the_end_of_a_packet_ends_a_line_and_an_empty_packet_is_the_end() {
    for framing in [Framing::Line(BOUNDS), ALL] {
        let served = serve_packets(framing);
        let mut stream = served.connect();
        stream.write_all(b"LED ON").unwrap();
        stream.write_all(b"LED OFF\nLED").unwrap();
        let (mut answers, mut buffer) = (Vec::new(), [0; 100]);
        while answers.len() < 24 {
            let len = stream.read(&mut buffer).unwrap();
            answers.extend_from_slice(&buffer[..len]);
        }
        assert_eq!(String::from_utf8(answers).unwrap(), "OK LED ON\nOK LED OFF\nOK\n", "{framing:?}");
        rustix::net::send(&stream, b"", rustix::net::SendFlags::empty()).unwrap();
        assert_eq!(read_to_end(&mut stream), b"");
    }
}

#[test]
fn a_packet_that_there_is_no_room_for_is_told_from_an_end() {
    let served = serve_packets(Framing::Frames);
    let mut stream = served.connect();
    let long = [&greeting()[..], &plain(1, &[b' '; 330_000])].concat();
    // A sender is to cut at 64 KiB.
    stream.write_all(&long[..120_000]).unwrap();
    stream.write_all(&long[120_000..320_000]).unwrap();
    assert_eq!(refusal(&served), "a packet that is longer than there is room for");
}
