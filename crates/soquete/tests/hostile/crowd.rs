//! Many at once, and those who take nothing: the others are served all the same.

use super::kit::*;
use soquete::{Code, Ending, Framing, Limits};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, Flags, Kind};
use soquete_proto::handshake::{Goodbye, Reason, Resumption, SessionKey};
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::net::Shutdown;

fn limited(connections_max: usize) -> Limits {
    Limits { connections_max, ..Limits::default() }
}

#[test]
fn five_hundred_silent_connections_disturb_nobody() {
    let served = serve();
    let silent: Vec<_> = (0..500).map(|_| served.connect()).collect();
    for _ in 0..20 {
        served.assert_serves();
    }
    drop(silent);
    served.log.endings(520);
}

#[test]
fn where_places_run_out_the_oldest_silent_one_goes() {
    let served = serve_with("tcp://127.0.0.1:0", ALL, limited(3), Options::new("board"));
    let mut first = served.connect();
    first.write_all(b"LED\n").unwrap();
    assert_eq!(line(&mut first), "OK");
    let mut second = served.connect();
    let _third = served.connect();
    let mut fourth = served.connect();
    fourth.write_all(b"LED\n").unwrap();
    assert_eq!(line(&mut fourth), "OK");
    assert_eq!(read_to_end(&mut second), b"", "the oldest that said nothing");
    first.write_all(b"LED\n").unwrap();
    assert_eq!(line(&mut first), "OK", "older, but it has spoken");
    assert_eq!(served.log.endings(1), [Ending::Refused("silent, and its place was needed".into())]);
}

#[test]
fn where_places_run_out_a_silent_one_goes_whatever_the_framing() {
    let bounds = soquete::Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
    let served = serve_with("tcp://127.0.0.1:0", Framing::Line(bounds), limited(2), Options::new("board"));
    let mut silent = served.connect();
    let _other = served.connect();
    let mut newcomer = served.connect();
    // It may be turned away already.
    let _ = newcomer.write_all(b"LED\n");
    assert_eq!(line_or_end(&mut newcomer), "OK");
    assert_eq!(read_to_end(&mut silent), b"");
}

fn line_or_end(stream: &mut soquete::Stream) -> String {
    let mut read = [0; 64];
    let len = stream.read(&mut read).unwrap_or(0);
    String::from_utf8_lossy(&read[..len]).trim_end().to_owned()
}

#[test]
fn where_all_have_spoken_the_newcomer_is_turned_away() {
    let served = serve_with("tcp://127.0.0.1:0", ALL, limited(2), Options::new("board"));
    let mut there: Vec<_> = (0..2).map(|_| served.connect()).collect();
    for stream in &mut there {
        stream.write_all(b"LED\n").unwrap();
        assert_eq!(line(stream), "OK");
    }
    let mut newcomer = served.connect();
    assert_eq!(read_to_end(&mut newcomer), b"");
    for stream in &mut there {
        stream.write_all(b"LED\n").unwrap();
        assert_eq!(line(stream), "OK");
    }
    drop(there.pop());
    served.log.endings(1);
    served.assert_serves();
}

/// Sends `flood` again and again until the server takes no more for a while, reading nothing.
fn flood(stream: &mut soquete::Stream, flood: &[u8]) {
    stream.set_send_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    for _ in 0..100_000 {
        if stream.write_all(flood).is_err() {
            return;
        }
    }
    panic!("the server never stopped taking what it cannot answer");
}

#[test]
fn who_floods_and_never_reads_is_held_up_alone() {
    for endpoint in ["tcp://127.0.0.1:0", "unix:@soquete-hostile-flood"] {
        let served = serve_with(endpoint, ALL, Limits::default(), Options::new("board"));
        let mut text = served.connect();
        flood(&mut text, &b"BIG 1000\n".repeat(100));
        let mut frames = served.connect();
        frames.write_all(&greeting()).unwrap();
        // Ids only matter in their order, and the frames may be cut anywhere.
        let requests: Vec<u8> = (1..20_000).flat_map(|id| plain(id, b"BIG 100000")).collect();
        flood(&mut frames, &requests);
        for _ in 0..5 {
            served.assert_serves();
        }
        drop((text, frames));
        served.log.endings(7);
    }
}

#[test]
fn a_half_close_waits_for_answers_that_come_late() {
    let served = serve();
    let mut text = served.connect();
    text.write_all(b"LATER\nLED ON\nLED").unwrap();
    text.shutdown(Shutdown::Write).unwrap();
    let mut frames = served.connect();
    frames.write_all(&[greeting(), plain(1, b"LATER"), plain(2, b"LED OFF")].concat()).unwrap();
    frames.shutdown(Shutdown::Write).unwrap();
    let mut read = Frames::default();
    assert!(read.show(&mut frames).contains("Welcome"));
    assert_eq!(read.next(&mut frames, |header, _| header.id), Some(2), "it does not wait for the first");

    let responders = served.log.wait(|seen| (seen.responders.len() == 2).then(|| std::mem::take(&mut seen.responders)));
    std::thread::spawn(move || responders.into_iter().for_each(|responder| responder.reply(b"at last")))
        .join()
        .unwrap();
    assert_eq!(text_to_end(&mut text), "at last\nOK LED ON\nOK\n");
    assert_eq!(
        read.next(&mut frames, |_, content| content == Content::Reply { took: None, payload: b"at last" }),
        Some(true)
    );
    assert_eq!(read.show(&mut frames), "the end");
    assert_eq!(served.log.commands(), ["LED OFF", "LED ON"]);
}

#[test]
fn a_reset_while_an_answer_is_awaited_is_no_error() {
    let served = serve();
    let mut streams: Vec<_> = (0..2).map(|_| served.connect()).collect();
    streams[0].write_all(b"LATER\nLED ON\n").unwrap();
    streams[1].write_all(&[greeting(), plain(1, b"LATER")].concat()).unwrap();
    let responders = served.log.wait(|seen| (seen.responders.len() == 2).then(|| std::mem::take(&mut seen.responders)));
    streams.into_iter().for_each(soquete::Stream::abort);
    assert_eq!(served.log.endings(2), [Ending::Left, Ending::Left]);
    responders.into_iter().for_each(|responder| responder.reply(b"too late"));
    served.assert_serves();
    assert!(served.log.commands().is_empty(), "the line behind the one that was awaited was never reached");
}

#[test]
fn a_reset_while_the_server_is_blocked_is_no_error() {
    let served = serve();
    let mut stream = served.connect();
    flood(&mut stream, &b"BIG 1000\n".repeat(100));
    stream.abort();
    assert_eq!(served.log.endings(1), [Ending::Left]);
    served.assert_serves();
}

#[test]
fn a_late_answer_is_bounded_as_an_early_one() {
    let bounds = soquete::Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
    let served = serve_with("tcp://127.0.0.1:0", Framing::Line(bounds), Limits::default(), Options::new("board"));
    let mut stream = served.connect();
    stream.write_all(b"LATER\nLED\n").unwrap();
    served.log.wait(|seen| seen.responders.pop()).reply(&[b'.'; 65]);
    let said = line(&mut stream);
    assert!(!said.starts_with(".."), "{} octets where 64 are allowed", said.len());
}

#[test]
fn a_connection_whose_session_went_elsewhere_ends_when_its_last_answer_is_given() {
    let served = serve();
    let mut old = served.connect();
    old.write_all(&hello(1, 1 << 20, Some(SessionKey::default()))).unwrap();
    let mut frames = Frames::default();
    let key = frames.next(&mut old, |_, content| {
        let Content::Welcome(welcome) = content else { panic!("{content:?}") };
        welcome.session
    });
    let key = key.unwrap();
    old.write_all(&request(1, b"LATER", Flags::ONCE, Default::default())).unwrap();
    let responder = served.log.wait(|seen| seen.responders.pop());

    let mut new = served.connect();
    new.write_all(&hello(1, 1 << 20, Some(key))).unwrap();
    let mut new_frames = Frames::default();
    let resumption = new_frames.next(&mut new, |_, content| match content {
        Content::Welcome(welcome) => welcome.resumption,
        content => panic!("{content:?}"),
    });
    assert_eq!(resumption, Some(Resumption::Resumed));
    old.write_all(&put(Content::Ping, frame::header(Kind::Ping, 1))).unwrap();
    assert!(frames.show(&mut old).contains("the session goes on over another connection"));

    responder.reply(b"at last");
    assert_eq!(
        new_frames.next(&mut new, |_, content| content == Content::Reply { took: None, payload: b"at last" }),
        Some(true)
    );
    assert_eq!(frames.show(&mut old), "the end", "nothing more is to be said over it");
}

#[test]
fn a_goodbye_while_an_answer_is_out_ends_when_it_is_given() {
    let served = serve();
    let mut stream = served.connect();
    let goodbye = Content::Goodbye(Goodbye { last_id: 0, reason: Reason { code: Code::Closing, text: "" } });
    let goodbye = put(goodbye, frame::header(Kind::Goodbye, 0));
    stream.write_all(&[greeting(), plain(1, b"LATER"), goodbye].concat()).unwrap();
    served.log.wait(|seen| seen.responders.pop()).reply(b"too late");
    let mut frames = Frames::default();
    assert!(frames.show(&mut stream).contains("Welcome"));
    assert_eq!(frames.show(&mut stream), "the end");
    assert_eq!(served.log.endings(1), [Ending::Closed]);
}
