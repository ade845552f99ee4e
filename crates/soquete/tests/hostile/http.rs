//! Nothing that arrives over HTTP is ever a command.

use super::kit::*;
use soquete::{Ending, Framing, Languages, Limits};
use soquete_proto::server::Options;
use std::io::Write;

const POST: &str =
    "POST /led HTTP/1.1\r\nHost: 127.0.0.1:5555\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n";

#[test]
fn get_is_answered_with_the_page() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let said = text_to_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains("\r\nContent-Length: 16\r\n"), "{said}");
    assert!(said.ends_with("\r\n\r\nThis is a test.\n"), "{said}");
    assert_eq!(served.log.endings(1), [Ending::Closed]);
}

#[test]
fn a_post_in_one_write_is_refused_and_its_body_is_no_command() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(format!("{POST}LED ON\n").as_bytes()).unwrap();
    let said = text_to_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"), "{said}");
    served.log.endings(1);
    assert_eq!(served.log.with(|seen| seen.messages), 0);
}

#[test]
fn a_post_in_two_writes_is_refused_and_its_body_is_no_command() {
    let served = serve();
    let mut stream = served.connect();
    stream.write_all(POST.as_bytes()).unwrap();
    assert_eq!(line(&mut stream), "HTTP/1.1 405 Method Not Allowed\r");
    // It may be closed by now.
    let _ = stream.write_all(b"LED ON\n");
    read_to_end(&mut stream);
    served.log.endings(1);
    assert_eq!(served.log.with(|seen| seen.messages), 0);
}

#[test]
fn a_post_cut_anywhere_is_no_command() {
    let served = serve_with("mem:post-cut-anywhere", ALL, Limits::default(), Options::new("board"));
    let request = format!("{POST}LED ON\n");
    for cut in 1..request.len() {
        let mut stream = served.connect();
        stream.write_all(&request.as_bytes()[..cut]).unwrap();
        let _ = stream.write_all(&request.as_bytes()[cut..]);
        assert!(text_to_end(&mut stream).starts_with("HTTP/1.1 405 "), "cut at {cut}");
    }
    served.log.endings(request.len() - 1);
    assert_eq!(served.log.with(|seen| seen.messages), 0);
}

#[test]
fn blank_lines_before_http_do_not_make_its_body_a_command() {
    // RFC 9112, 2.2: a server should ignore at least one.
    let served = serve();
    for request in [
        format!("\r\n{POST}LED ON\n"),
        "\r\nPOST / HTTP/1.0\r\n\r\nLED ON\n".to_owned(),
        "\n\nPUT / HTTP/1.0\n\nLED ON\n".to_owned(),
    ] {
        let mut stream = served.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(&mut stream);
    }
    served.log.endings(3);
    assert!(served.log.commands().is_empty());
}

#[test]
fn every_other_method_and_version_is_refused() {
    let served = serve();
    for first in ["HEAD / HTTP/1.1", "OPTIONS * HTTP/1.1", "LED HTTP/1.0", "CONNECT a:1 HTTP/1.1"] {
        let mut stream = served.connect();
        stream.write_all(format!("{first}\r\n\r\nLED ON\n").as_bytes()).unwrap();
        assert!(text_to_end(&mut stream).starts_with("HTTP/1.1 405 "), "{first}");
    }
    assert!(served.log.commands().is_empty());
}

#[test]
fn a_line_that_begins_with_host_ends_the_connection_at_once() {
    let served = serve();
    for said in ["Host: x\nLED ON\n", "LED\nhOST: x\nLED ON\n"] {
        let mut stream = served.connect();
        stream.write_all(said.as_bytes()).unwrap();
        assert!(text_to_end(&mut stream).ends_with("ERR this port takes no commands over HTTP\n"));
    }
    assert!(served.log.commands().is_empty());
    served.log.endings(2);
}

#[test]
fn a_port_without_http_says_so_in_http() {
    let framing = Framing::Detect(Languages { text: true, frames: true, http: false });
    let served = serve_with("tcp://127.0.0.1:0", framing, Limits::default(), Options::new("board"));
    let mut stream = served.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\nLED ON\n").unwrap();
    assert!(text_to_end(&mut stream).starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(served.log.commands().is_empty());
}
