//! Frames that are none, come in pieces, or at the wrong time.

use super::kit::*;
use soquete::{Ending, Framing, Languages, Limits};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, Flags, Header, Kind};
use soquete_proto::handshake::{Code, Goodbye, Reason, RequestHead, VERSION};
use soquete_proto::opening::OPENING;
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// Sends `octets` and returns what the one frame says that comes back before the end.
fn refusal(served: &Served, octets: &[u8]) -> String {
    let mut stream = served.connect();
    stream.write_all(octets).unwrap();
    let mut frames = Frames::default();
    let said = frames.show(&mut stream);
    assert_eq!(frames.next(&mut stream, |_, content| format!("{content:?}")), None, "after {said}");
    said
}

#[test]
fn a_wrong_magic_is_rejected() {
    let served = serve();
    let said = refusal(&served, b"\xD3SIX");
    assert!(said.contains("Reject") && said.contains("octet 2 of the opening is 0x49"), "{said}");
}

#[test]
fn another_layout_or_version_is_rejected_as_such() {
    let served = serve();
    let mut opening = OPENING;
    opening[7] = 9;
    let said = refusal(&served, &opening);
    assert!(said.contains("code: Version, text: \"layout version 9, this end speaks 1\""), "{said}");
    let said = refusal(&served, &hello(0, 1 << 20, None));
    assert!(said.contains("code: Version, text: \"protocol version 0, this end speaks 1\""), "{said}");
}

#[test]
fn another_service_is_rejected_with_both_names() {
    let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("control"));
    let said = refusal(&served, &greeting());
    assert!(said.contains("Service") && said.contains("board") && said.contains("control"), "{said}");
}

#[test]
fn frames_are_rejected_in_frames_where_they_are_not_spoken() {
    let framing = Framing::Detect(Languages { text: true, frames: false, http: false });
    let served = serve_with("tcp://127.0.0.1:0", framing, Limits::default(), Options::new("board"));
    let said = refusal(&served, &greeting());
    assert!(said.contains("frames are not spoken here"), "{said}");
}

#[test]
fn a_frame_that_claims_four_gibibytes_is_refused_by_its_header() {
    let served = serve();
    let header = Header { length: u32::MAX, ..frame::header(Kind::Hello, 0) };
    let said = refusal(&served, &[&OPENING[..], &header.encode()].concat());
    assert!(said.contains("Reject") && said.contains("frame of 4294967295 octets"), "{said}");

    let mut stream = served.connect();
    let header = Header { length: u32::MAX, ..frame::header(Kind::Request, 1) };
    stream.write_all(&[&greeting()[..], &header.encode()].concat()).unwrap();
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    let said = frames.show(&mut stream);
    assert!(said.contains("Goodbye") && said.contains("Malformed") && said.contains("4294967295"), "{said}");
    assert_eq!(frames.show(&mut stream), "the end");
}

#[test]
fn three_octets_of_the_magic_and_silence_cost_nothing_and_are_rejected() {
    let options = Options { handshake_timeout: Duration::from_millis(500), ..Options::new("board") };
    let served = serve_with("tcp://127.0.0.1:0", ALL, impatient(), options);
    let mut stream = served.connect();
    let (cpu, begin) = (served.cpu(), Instant::now());
    stream.write_all(&OPENING[..3]).unwrap();
    let mut frames = Frames::default();
    let said = frames.show(&mut stream);
    assert!(said.contains("Reject") && said.contains("no handshake within 500ms"), "{said}");
    let (cpu, took) = (served.cpu() - cpu, begin.elapsed());
    assert!(took >= Duration::from_millis(490), "{took:?}");
    assert!(cpu < Duration::from_millis(50), "{cpu:?} of {took:?}");
    assert_eq!(frames.show(&mut stream), "the end");
}

#[test]
fn half_a_hello_is_rejected_when_its_time_is_over() {
    let options = Options { handshake_timeout: Duration::from_millis(100), ..Options::new("board") };
    let served = serve_with("tcp://127.0.0.1:0", ALL, impatient(), options);
    let greeting = greeting();
    let said = refusal(&served, &greeting[..greeting.len() - 1]);
    assert!(said.contains("no handshake within 100ms"), "{said}");
}

#[test]
fn half_a_frame_and_silence_is_pinged_then_given_up() {
    let options = Options { ping_after: Duration::from_millis(100), ..Options::new("board") };
    let served = serve_with("tcp://127.0.0.1:0", ALL, impatient(), options);
    let mut stream = served.connect();
    let request = plain(1, b"LED ON");
    stream.write_all(&[&greeting()[..], &request[..request.len() - 1]].concat()).unwrap();
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    assert_eq!(frames.show(&mut stream), "Ping");
    let said = frames.show(&mut stream);
    assert!(said.contains("Goodbye") && said.contains("nothing heard for 300ms"), "{said}");
    assert_eq!(frames.show(&mut stream), "the end");
    assert!(served.log.commands().is_empty());
}

#[test]
fn a_frame_octet_by_octet_is_one_frame() {
    let served = serve();
    let mut stream = served.connect();
    for octet in [greeting(), plain(1, b"LED ON")].concat() {
        stream.write_all(&[octet]).unwrap();
    }
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    assert_eq!(
        frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: b"OK LED ON" }),
        Some(true)
    );
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[test]
fn a_stream_that_ends_within_a_frame_does_nothing_of_it() {
    let served = serve();
    let whole = [greeting(), plain(1, b"LED ON")].concat();
    for cut in [4, 20, greeting().len() + 5, whole.len() - 1] {
        let mut stream = served.connect();
        stream.write_all(&whole[..cut]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        read_to_end(&mut stream);
    }
    let endings = served.log.endings(4);
    assert!(endings.iter().all(|ending| matches!(ending, Ending::Refused(_))), "{endings:?}");
    assert!(served.log.commands().is_empty());
}

#[test]
fn what_is_not_allowed_here_ends_the_session() {
    let served = serve();
    let put = |kind, id| put(Content::Ping, frame::header(kind, id));
    let flagged = Header { flags: Flags::ONCE, ..frame::header(Kind::Request, 1) }.encode();
    let mut unknown_kind = put(Kind::Ping, 1);
    unknown_kind[4] = 77;
    let cases: [(Vec<u8>, &str); 6] = [
        (greeting()[OPENING.len()..].to_vec(), "unexpected Hello"),
        ([plain(2, b"LED"), plain(1, b"LED ON")].concat(), "request id 1 is out of place"),
        (plain(0, b"LED ON"), "request id 0 is out of place"),
        (flagged.to_vec(), "Request frame with a payload that cannot be read"),
        (unknown_kind, "unknown kind of frame 77"),
        (super::kit::put(Content::Cancel, frame::header(Kind::Cancel, 0)), "request id 0 is out of place"),
    ];
    for (octets, why) in cases {
        let mut stream = served.connect();
        stream.write_all(&[&greeting()[..], &octets].concat()).unwrap();
        let mut frames = Frames::default();
        let mut said = String::new();
        while let Some(more) = frames.next(&mut stream, |_, content| format!("{content:?} ")) {
            said += &more;
        }
        assert!(said.contains("Goodbye") && said.contains(why), "{why}: {said}");
    }
    assert!(served.log.commands().is_empty());
}

#[test]
fn a_reply_longer_than_the_client_takes_is_an_error_and_the_session_goes_on() {
    let served = serve();
    let mut stream = served.connect();
    let requests = [hello(VERSION, 100, None), plain(1, b"BIG 101"), plain(2, b"BIG 100"), plain(3, b"LED ON")];
    stream.write_all(&requests.concat()).unwrap();
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    let said = frames.show(&mut stream);
    assert!(said.contains("ReplyTooLong") && said.contains("101 octets, at most 100"), "{said}");
    assert_eq!(
        frames.next(&mut stream, |_, content| content == Content::Reply { took: None, payload: &[b'.'; 100] }),
        Some(true)
    );
    assert_eq!(frames.next(&mut stream, |header, _| header.id), Some(3));
}

#[test]
fn a_deadline_that_has_passed_is_told_and_nothing_is_done() {
    let served = serve();
    let mut stream = served.connect();
    let late = RequestHead { deadline_us: 1, hops: 0, lowest: 1 };
    stream.write_all(&[greeting(), request(1, b"LED ON", Flags::NONE, late)].concat()).unwrap();
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    let said = frames.show(&mut stream);
    assert!(said.contains("Expired"), "{said}");
    assert!(served.log.commands().is_empty());
}

#[test]
fn what_comes_behind_a_goodbye_is_not_done() {
    let served = serve();
    let mut stream = served.connect();
    let goodbye = Goodbye { last_id: 0, reason: Reason { code: Code::Closing, text: "" } };
    let goodbye = put(Content::Goodbye(goodbye), frame::header(Kind::Goodbye, 0));
    stream.write_all(&[greeting(), plain(1, b"LED ON"), goodbye, plain(2, b"LED OFF")].concat()).unwrap();
    let mut frames = Frames::default();
    while frames.next(&mut stream, |_, _| ()).is_some() {}
    served.log.endings(1);
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[test]
fn frames_that_are_cut_at_any_octet_do_nothing_over_every_kind_of_stream() {
    let whole = [greeting(), plain(1, b"LED ON")].concat();
    let name = format!("soquete-{}-cut", std::process::id());
    let path = std::env::temp_dir().join(format!("{name}.sock"));
    let (path, packets) = (format!("unix://{}", path.display()), format!("seqpacket:@{name}"));
    for place in ["tcp://127.0.0.1:0", "tcp://[::1]:0", &path, &packets, "mem:cut"] {
        let served = serve_with(place, ALL, Limits::default(), Options::new("board"));
        for len in 1..whole.len() {
            let mut stream = served.connect();
            stream.write_all(&whole[..len]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // In one buffer for each read, since a packet comes whole or not at all.
            while stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0) {}
        }
        let endings = served.log.endings(whole.len() - 1);
        let is_refused = |ending: &&Ending| matches!(ending, Ending::Refused(_));
        // At the end of the greeting is the only place where a client may leave.
        assert_eq!(endings.iter().filter(is_refused).count(), whole.len() - 2, "{place}: {endings:?}");
        assert_eq!(served.log.commands(), [""; 0], "{place}");
        served.assert_serves();
    }
}
