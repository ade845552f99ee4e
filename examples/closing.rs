//! The three ways to close over TCP, and where seed 003 and Linux differ.
//!
//! System calls: sendto, shutdown, setsockopt (SO_LINGER), close, recvfrom.

use soquete::{ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "seed: without shutdown, close blocks while data is on its way; Linux: it comes back, and goes on sending"
    );
    show("close", 200_000, drop)?;
    println!("seed: after shutdown, close throws that data away; Linux: it goes on sending all the same");
    show("shutdown, close", 200_000, |stream| stream.shutdown(Shutdown::Both).expect("it is connected"))?;
    println!("Linux: close waits for the peer's kernel, not its program, with SO_LINGER");
    show("linger, close", 200, |stream| {
        println!("linger, close: {:?}", stream.close_within(Duration::from_secs(1)));
    })?;
    println!("Linux: close throws data away with SO_LINGER of 0 s");
    show("abort", 200_000, Stream::abort)
}

fn show(way: &str, len: usize, close: impl FnOnce(Stream)) -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &ListenOptions::default())?;
    let mut stream = Stream::connect(listener.local())?;
    let (mut peer, _) = listener.accept()?;
    stream.write_all(&vec![7; len])?;
    println!("{way}: {len} octets are sent, none is read yet");
    close(stream);
    println!("{way}: came back");
    let mut octets = Vec::new();
    let end = peer.read_to_end(&mut octets).map_or_else(|error| error.to_string(), |_| "the end".into());
    println!("{way}: the peer reads {} octets, then: {end}", octets.len());
    Ok(())
}
