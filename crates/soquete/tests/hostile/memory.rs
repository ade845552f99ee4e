//! What the worst client costs in memory, each measured in a process of its own.

use super::kit::*;
use soquete::{Code, Limits};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, Header, Kind};
use soquete_proto::handshake::{Goodbye, Reason, RequestHead};
use soquete_proto::server::Options;
use std::io::Write;
use std::time::Duration;

const MEBIBYTE: usize = 1 << 20;

/// Runs `attack` against a hub; asserts that it made the process grow by no more than `max_bytes`.
fn assert_growth(max_bytes: usize, attack: impl FnOnce(&Served)) {
    let served = serve();
    served.assert_serves();
    let before = peak_bytes();
    attack(&served);
    served.assert_serves();
    let grown = peak_bytes() - before;
    assert!(grown <= max_bytes, "grown by {} KiB, {} are allowed", grown >> 10, max_bytes >> 10);
}

/// Sends `chunk` up to `times`, until the server takes no more.
fn push(stream: &mut soquete::Stream, chunk: &[u8], times: usize) {
    stream.set_send_timeout(Some(Duration::from_millis(300))).unwrap();
    let _ = (0..times).all(|_| stream.write_all(chunk).is_ok());
}

#[test]
fn a_line_without_an_end_costs_less_than_a_mebibyte() {
    alone("memory::a_line_without_an_end_costs_less_than_a_mebibyte", || {
        let chunk = vec![b'A'; 65536];
        assert_growth(MEBIBYTE, |served| {
            for _ in 0..64 {
                push(&mut served.connect(), &chunk, 1024);
            }
        });
    });
}

#[test]
fn a_claim_of_four_gibibytes_costs_less_than_a_mebibyte() {
    alone("memory::a_claim_of_four_gibibytes_costs_less_than_a_mebibyte", || {
        let header = Header { length: u32::MAX, ..frame::header(Kind::Request, 1) }.encode();
        let chunk = vec![0; 65536];
        assert_growth(MEBIBYTE, |served| {
            for _ in 0..64 {
                let mut stream = served.connect();
                push(&mut stream, &[&greeting()[..], &header].concat(), 1);
                push(&mut stream, &chunk, 64);
            }
        });
    });
}

#[test]
fn a_frame_costs_what_has_come_of_it_not_what_it_claims() {
    alone("memory::a_frame_costs_what_has_come_of_it_not_what_it_claims", || {
        let header = Header { length: 1 << 20, ..frame::header(Kind::Request, 1) }.encode();
        assert_growth(4 * MEBIBYTE, |served| {
            let said = [&greeting()[..], &header, &[0; 100]].concat();
            let claims: Vec<_> = (0..500)
                .map(|_| {
                    let mut stream = served.connect();
                    stream.write_all(&said).unwrap();
                    assert!(Frames::default().show(&mut stream).contains("Welcome"));
                    stream
                })
                .collect();
            assert_eq!(claims.len(), 500);
        });
    });
}

#[test]
fn who_never_reads_costs_a_bounded_backlog() {
    alone("memory::who_never_reads_costs_a_bounded_backlog", || {
        let requests: Vec<u8> = (1..20_000).flat_map(|id| plain(id, b"BIG 10000")).collect();
        // A turn may gather 256 KiB, and one answer more.
        assert_growth(4 * MEBIBYTE, |served| {
            let mut text = served.connect();
            push(&mut text, &b"BIG 10000\n".repeat(1000), 1000);
            let mut stream = served.connect();
            stream.write_all(&greeting()).unwrap();
            push(&mut stream, &requests, 1);
        });
    });
}

#[test]
fn what_follows_a_goodbye_while_an_answer_is_out_is_thrown_away() {
    alone("memory::what_follows_a_goodbye_while_an_answer_is_out_is_thrown_away", || {
        let goodbye = Content::Goodbye(Goodbye { last_id: 0, reason: Reason { code: Code::Closing, text: "" } });
        let goodbye = put(goodbye, frame::header(Kind::Goodbye, 0));
        let chunk = vec![0; 65536];
        assert_growth(4 * MEBIBYTE, |served| {
            let mut stream = served.connect();
            stream.write_all(&[greeting(), plain(1, b"LATER"), goodbye].concat()).unwrap();
            let responder = served.log.wait(|seen| seen.responders.pop());
            push(&mut stream, &chunk, 1024);
            responder.reply(b"too late");
        });
    });
}

#[test]
fn pings_that_are_never_read_cost_a_bounded_backlog() {
    alone("memory::pings_that_are_never_read_cost_a_bounded_backlog", || {
        let pings = put(Content::Ping, frame::header(Kind::Ping, 1)).repeat(10_000);
        assert_growth(4 * MEBIBYTE, |served| {
            let mut stream = served.connect();
            stream.write_all(&greeting()).unwrap();
            push(&mut stream, &pings, 10_000);
        });
    });
}

#[test]
fn sessions_that_nobody_resumes_are_forgotten() {
    alone("memory::sessions_that_nobody_resumes_are_forgotten", || {
        let options = Options { sessions_max: 16, ..Options::new("board") };
        let served = serve_with("mem:forgotten", ALL, Limits::default(), options);
        let head = RequestHead { lowest: 1, ..RequestHead::default() };
        let begin = [
            hello(1, 1 << 20, Some(Default::default())),
            request(1, b"BIG 200000", soquete_proto::frame::Flags::ONCE, head),
        ];
        let begin = begin.concat();
        let round = || {
            let mut stream = served.connect();
            stream.write_all(&begin).unwrap();
            let mut frames = Frames::default();
            assert!(frames.show(&mut stream).contains("Welcome"));
            assert_eq!(frames.next(&mut stream, |header, _| header.kind), Some(Kind::Reply));
        };
        (0..32).for_each(|_| round());
        let before = peak_bytes();
        (0..500).for_each(|_| round());
        let grown = peak_bytes() - before;
        assert!(grown <= 4 * MEBIBYTE, "grown by {} KiB", grown >> 10);
    });
}
