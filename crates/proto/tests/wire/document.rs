//! `PROTOCOL.md` says what the code does: its tables, its limits and its worked example.

use crate::ends::{Ends, plain};
use crate::vectors::{file, octets};
use soquete_proto::channel;
use soquete_proto::client::{Options as Wants, Request};
use soquete_proto::frame::Kind;
use soquete_proto::handshake::{CONTROL_MAX_BYTES, Code, NAME_MAX_BYTES, TEXT_MAX_BYTES};
use soquete_proto::lines::LINE_MAX_BYTES;
use soquete_proto::opening::{OPENING, TLS_ALERT};
use soquete_proto::server::Options as Served;
use soquete_proto::text::{LINE_NAME_MAX_BYTES, WORDS};
use std::fmt::Write;

pub(crate) fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../PROTOCOL.md");
    std::fs::read_to_string(path).expect(path)
}

/// Returns the one block of code whose language is `language`.
pub(crate) fn block(language: &str) -> String {
    let document = document();
    let fence = format!("```{language}\n");
    let mut blocks = document.split(&fence).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no block of {language}"));
    assert_eq!(blocks.count(), 0, "more than one block of {language}");
    block.split("```").next().unwrap().to_owned()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(" ")
}

/// Octets as the worked example shows them: sixteen a line, with their offset and what of them is text.
fn dump(title: &str, octets: &[u8]) -> String {
    let mut dump = format!("{title}, {} octets\n", octets.len());
    for (line, octets) in octets.chunks(16).enumerate() {
        let text: String =
            octets.iter().map(|octet| if (b' '..=b'~').contains(octet) { char::from(*octet) } else { '.' }).collect();
        writeln!(dump, "{:04x}  {:47}  {text}", 16 * line, hex(octets)).unwrap();
    }
    dump
}

#[test]
fn the_worked_example_is_what_the_two_ends_say() {
    let served =
        Served { name: "led_process".to_owned(), payload_max_bytes: 4096, in_flight_max: 1024, ..Served::new("board") };
    let mut ends = Ends::apart(Wants { name: "python".to_owned(), ..plain() }, served);
    ends.connect(1);
    ends.ask(Request::new(b"LED TOGGLE"));
    let client = ends.to_server.clone();
    ends.serve();
    ends.answer(b"OK LED ON");
    let vectors = file();
    assert_eq!(client, octets(&vectors["conversation"]["client"]));
    assert_eq!(ends.to_client, octets(&vectors["conversation"]["server"]));
    let expected = dump("client", &client) + "\n" + &dump("server", &ends.to_client);
    assert_eq!(block("text"), expected, "the example should read:\n{expected}");
}

#[test]
fn every_kind_and_every_code_has_its_row() {
    let document = document();
    for kind in Kind::ALL {
        let row = format!("| {} | {} |", kind as u8, format!("{kind:?}").to_uppercase());
        assert!(document.contains(&row), "{row}");
    }
    for code in Code::ALL {
        let done = if code.is_not_done() { "nothing was done" } else { "do not repeat" };
        let row = format!("| {} | {code} | {done} |", code as u8);
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn every_limit_is_the_one_of_the_code() {
    let document = document();
    let (served, wants) = (Served::new(""), Wants::new(""));
    let thousands = |number: usize| {
        let digits = number.to_string();
        if digits.len() > 3 {
            format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..])
        } else {
            digits
        }
    };
    let kib = |number: usize| format!("{} KiB", number >> 10);
    let rows = [
        ("payload of a control frame", thousands(CONTROL_MAX_BYTES as usize)),
        ("name of a service or a peer", thousands(NAME_MAX_BYTES)),
        ("text of a reason", thousands(TEXT_MAX_BYTES)),
        ("application's payload", format!("{} MiB", served.payload_max_bytes >> 20)),
        ("requests in flight of a connection", thousands(served.in_flight_max.into())),
        ("sessions remembered", thousands(served.sessions_max)),
        ("answers remembered of a session", thousands(served.answers_max)),
        ("octets of answers of a session", kib(served.answers_max_bytes)),
        ("octets of answers of all sessions", format!("{} MiB", served.memory_max_bytes >> 20)),
        ("session without connection", format!("{:?}", served.session_kept)),
        ("handshake", format!("{:?}", served.handshake_timeout)),
        ("silence before a ping", format!("{:?}", served.ping_after)),
        ("silence before the end", format!("{:?}", 3 * served.ping_after)),
        ("settling of a request", format!("{:?}", wants.settle)),
        ("line of text", thousands(LINE_MAX_BYTES)),
        ("name of a line", thousands(LINE_NAME_MAX_BYTES)),
        ("datagram", thousands(channel::DATAGRAM_MAX_BYTES)),
        ("packets unacknowledged of a channel", thousands(channel::WINDOW_MAX)),
        ("octets unacknowledged of a channel", kib(channel::WINDOW_MAX_BYTES)),
        ("patience before a round trip was measured", format!("{:?}", channel::REPEAT_FIRST)),
        ("shortest patience", format!("{:?}", channel::REPEAT_MIN)),
        ("longest patience", format!("{:?}", channel::REPEAT_MAX)),
        ("silence before a channel is lost", format!("{:?}", channel::LOST_AFTER)),
        ("senders of announcements remembered", thousands(channel::SENDERS_MAX)),
        ("sender of announcements remembered", format!("{:?}", channel::SENDER_KEPT)),
        ("sendings of an announcement", channel::ANNOUNCED.to_string()),
    ];
    for (limit, default) in rows {
        let row = format!("| {limit} | {default} |");
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn the_octets_and_words_are_those_of_the_code() {
    let document = document();
    assert!(document.contains(&format!("`{}`", hex(&channel::MARK))));
    assert!(document.contains(&hex(&OPENING)) && document.contains(&hex(&TLS_ALERT)));
    for word in WORDS {
        assert!(document.contains(&format!("`{word}`")), "{word}");
    }
}
