//! The client of `PROTOCOL.md` in Python: its octets, and the whole of it against a server over a socket.

use crate::document::block;
use crate::ends::server;
use crate::vectors::{file, octets};
use soquete_proto::client::{Client, Options, Request};
use soquete_proto::server::{Event, Link, Options as Served};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn python(arguments: &[&str]) -> Output {
    let python = Command::new("python3").args(arguments).stdin(Stdio::null()).output();
    python.expect("python3, which the client of PROTOCOL.md is written for")
}

/// Serves one connection, whose every request it answers with `OK LED ON`.
fn serve(mut stream: TcpStream) -> Vec<String> {
    let now = Duration::ZERO;
    let served = Served { name: "led_process".to_owned(), payload_max_bytes: 4096, ..Served::new("board") };
    let (mut server, mut link) = (server(served, now), Link::new(1, now));
    let (mut kept, mut saw) = (Vec::new(), Vec::new());
    let mut chunk = [0; 256];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        if read == 0 {
            return saw;
        }
        kept.extend_from_slice(&chunk[..read]);
        let (mut input, mut out) = (&kept[..], Vec::new());
        while let Some(event) = server.next(now, &mut link, &mut input, &mut out).unwrap() {
            if let Event::Request(request) = event {
                saw.push(String::from_utf8(request.payload.to_vec()).unwrap());
                server.reply(request.ticket, b"OK LED ON", &mut link, &mut out).unwrap();
            }
        }
        kept = input.to_vec();
        stream.write_all(&out).unwrap();
    }
}

#[test]
fn its_first_flight_is_that_of_the_vectors_and_of_our_client() {
    let vectors = file();
    let expected = octets(&vectors["conversation"]["client"]);
    let mut ours = Client::new(Options { name: "python".to_owned(), ..Options::new("board") });
    let mut out = Vec::new();
    ours.connected(Duration::ZERO, &mut out);
    ours.request(Duration::ZERO, Request::new(b"LED TOGGLE"), &mut out).unwrap();
    assert_eq!(out, expected);
    let script = format!("{}\nprint((OPENING + hello() + request(1, b'LED TOGGLE')).hex())", block("python"));
    let printed = python(&["-c", &script.replace("__main__", "")]);
    assert_eq!(String::from_utf8_lossy(&printed.stderr), "");
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), vectors["conversation"]["client"].as_str().unwrap());
}

#[test]
fn it_toggles_the_led_of_a_server() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let serving = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    let printed = python(&["-c", &block("python"), "127.0.0.1", &port, "LED TOGGLE"]);
    assert_eq!(String::from_utf8_lossy(&printed.stderr), "");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "OK LED ON\n");
    assert_eq!(serving.join().unwrap(), ["LED TOGGLE"]);
}
