//! A handshake that refuses: another service, other first octets, another version; each is told why.
//!
//! Seed 004 (turn away clients that do not keep to the protocol). System calls: connect, sendto, recvfrom.

use soquete::{Client, ClientOptions, Exchange, Framing, ListenOptions, Server, ServerOptions, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    let (any_port, options) = ("tcp://127.0.0.1:0".parse()?, ServerOptions::new("board"));
    let server = Server::bind_with(&any_port, Framing::Frames, options, &ListenOptions::default())?;
    println!("server: bind, listen: serves \"board\"");
    let (at, stopper) = (server.endpoint().clone(), server.stopper());
    let serving = thread::spawn(move || server.run(|exchange: Exchange<'_>| exchange.reply(b"OK").expect("short")));

    for service in ["board", "toaster"] {
        let mut client = Client::connect(&at, ClientOptions::frames(service))?;
        println!("client: connect, HELLO: I look for \"{service}\"");
        match client.handshake() {
            Ok(()) => println!("client: WELCOME; LED ON: {}", client.request(b"LED ON")?.escape_ascii()),
            Err(error) => println!("client: {error}"),
        }
    }
    // The last of the eight opening octets is the version of all that follows.
    for first_octets in [&b"We are bros, bro"[..], b"\xd3SOQ\r\n\x1a\x02"] {
        let mut stranger = Stream::connect(&at)?;
        stranger.write_all(first_octets)?;
        println!("stranger: connect, send: {}", first_octets.escape_ascii());
        let mut answer = Vec::new();
        stranger.read_to_end(&mut answer)?;
        let words = answer.split(u8::is_ascii_control).max_by_key(|words| words.len()).unwrap_or_default();
        println!("stranger: receive, until the end: {}", words.escape_ascii());
    }
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}
