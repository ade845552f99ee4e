//! Lines that are no commands, commands that come in pieces, clients that say nothing.

use super::kit::*;
use soquete::{Bounds, Ending, Framing, Limits};
use soquete_proto::server::Options;
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

#[test]
fn a_line_of_a_mebibyte_without_an_end_is_refused() {
    let served = serve();
    let mut stream = served.connect();
    // The server closes long before all of it is sent.
    let _ = stream.write_all(&vec![b'A'; 1 << 20]);
    assert_eq!(text_to_end(&mut stream), "ERR line longer than 1024 octets\n");
    assert_eq!(served.log.endings(1), [Ending::Refused("line longer than 1024 octets".into())]);
    served.assert_serves();
}

#[test]
fn the_third_malformed_line_ends_the_connection() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"LED BLINK?\n\x07\nLED ON RELAY1\nLED ON\n").unwrap();
    let said = text_to_end(&mut stream);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.lines().all(|line| line.starts_with("ERR ")), "{said}");
    assert!(served.log.commands().is_empty());
    assert_eq!(served.log.endings(1), [Ending::Refused("3 lines that are no command".into())]);
}

#[test]
fn two_malformed_lines_are_forgiven() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"?\n?\nLED ON\nQUIT\n").unwrap();
    assert!(text_to_end(&mut stream).ends_with("OK LED ON\nOK\n"));
}

#[test]
fn a_command_in_two_pieces_is_one_command() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"LED ON\nLE").unwrap();
    assert_eq!(line(&mut stream), "OK LED ON", "so the first piece has arrived");
    stream.write_all(b"D OFF\n").unwrap();
    assert_eq!(line(&mut stream), "OK LED OFF");
    assert_eq!(served.log.commands(), ["LED ON", "LED OFF"]);
}

#[test]
fn half_a_command_and_a_reset_does_nothing() {
    for endpoint in ["tcp://127.0.0.1:0", "mem:half-a-command"] {
        let served = serve_with(endpoint, ALL, Limits::default(), Options::new("board"));
        let mut stream = served.connect();
        stream.write_all(b"LED\nLED ON").unwrap();
        // The answer is there and not read, so that closing is a reset over Unix as well.
        stream.peek(&mut [0]).unwrap();
        stream.abort();
        assert_eq!(served.log.endings(1), [Ending::Left], "{endpoint}");
        assert!(served.log.commands().is_empty(), "{endpoint}");
    }
}

#[test]
fn half_a_command_and_an_orderly_end_is_a_command() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"LED ON").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(text_to_end(&mut stream), "OK LED ON\n");
}

#[test]
fn a_client_that_never_reads_and_closes_is_served_and_no_error() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"LED ON\0").unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    assert_eq!(served.log.endings(1), [Ending::Left]);
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[test]
fn an_empty_connection_changes_nothing() {
    let served = serve();
    drop(served.connect());
    assert_eq!(served.log.endings(1), [Ending::Left]);
    served.connect().abort();
    assert_eq!(served.log.endings(2)[1], Ending::Left);
    assert_eq!(served.log.with(|seen| seen.messages), 0);
}

#[test]
fn an_octet_that_begins_no_language_is_refused_without_a_word() {
    let served = serve();
    for octet in [0x01, 0x80, 0xFF] {
        let mut stream = served.connect();
        stream.write_all(&[octet, b'L', b'E', b'D']).unwrap();
        assert_eq!(read_to_end(&mut stream), b"");
    }
    let refused = Ending::Refused("no language begins with octet 0x01".into());
    assert_eq!(served.log.endings(3)[0], refused);
}

#[test]
fn a_tls_client_gets_an_alert_it_understands() {
    let served = serve();
    let mut stream = served.connect();
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03];
    stream.write_all(&hello).unwrap();
    assert_eq!(read_to_end(&mut stream), [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]);
    assert_eq!(served.log.endings(1), [Ending::Refused("TLS is not spoken here".into())]);
}

#[test]
fn who_says_nothing_goes_after_its_time() {
    let limits = Limits { silence: Duration::from_millis(200), ..Limits::default() };
    let served = serve_with("tcp://127.0.0.1:0", ALL, limits, Options::new("board"));
    let mut stream = served.connect();
    assert_eq!(read_to_end(&mut stream), b"");
    assert_eq!(served.log.endings(1), [Ending::Refused("silent for 200ms".into())]);
}

#[test]
fn who_says_nothing_goes_whatever_the_framing() {
    let bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
    let limits = Limits { silence: Duration::from_millis(200), ..Limits::default() };
    for framing in [Framing::Frames, Framing::Line(bounds), Framing::Raw(bounds)] {
        let served = serve_with("tcp://127.0.0.1:0", framing, limits, Options::new("board"));
        let stream = served.connect();
        let endings = served.log.endings(1);
        assert_eq!(endings, [Ending::Refused("silent for 200ms".into())], "{framing:?}");
        drop(stream);
    }
}

#[test]
fn half_a_line_and_silence_ends_after_its_time() {
    let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
    let served = serve_with("tcp://127.0.0.1:0", ALL, limits, Options::new("board"));
    let mut stream = served.connect();
    stream.write_all(b"LED O").unwrap();
    assert_eq!(text_to_end(&mut stream), "ERR idle for 200ms\n");
    assert!(served.log.commands().is_empty());
}

#[test]
fn a_refused_client_that_drips_on_is_cut_off_all_the_same() {
    let served = serve_with("tcp://127.0.0.1:0", ALL, impatient(), Options::new("board"));
    let mut stream = served.connect();
    stream.write_all(b"Host: x\n").unwrap();
    stream.set_receive_timeout(Some(Duration::from_millis(200))).unwrap();
    let is_cut = (0..40).any(|_| {
        // Reading paces the drip: it ends at once after the end of the stream, and otherwise after 200 ms.
        let _ = std::io::Read::read(&mut &stream, &mut [0; 64]);
        let served_on = served.log.with(|seen| seen.endings.is_empty());
        let _ = stream.write_all(b".");
        if served_on {
            // sleep is the thing under test: an octet now and then must not keep a refused connection.
            std::thread::sleep(Duration::from_millis(200));
        }
        !served_on
    });
    assert!(is_cut, "8 s after it was refused it is still there");
}
