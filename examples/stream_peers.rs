//! Peers over a stream: nobody is the server; both bind, both connect, and one connection comes of it.
//!
//! Seed 003 (P2P over a channel). System calls: socket, bind, listen, connect from the bound address, accept4, ppoll.

use soquete::{Endpoint, First, ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (left, right) = (free_port("tcp://127.0.0.1:0")?, free_port("tcp://127.0.0.2:0")?);
    let (own, other) = (left.clone(), right.clone());
    let peer = thread::spawn(move || meet("right", &other, &own));
    meet("left", &left, &right)?;
    peer.join().expect("it does not panic")
}

fn meet(name: &str, own: &Endpoint, other: &Endpoint) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut stream, first) = Stream::meet(own, other, Duration::from_secs(10))?;
    println!("{name}: bind {own}, connect {other}: met");
    let hello = format!("hello from {name}");
    if first == First::Own {
        stream.write_all(hello.as_bytes())?;
        println!("{name}: I have the lower address and speak first; send: {hello}");
    }
    let mut heard = [0; 64];
    let len = stream.read(&mut heard)?;
    println!("{name}: receive: {}", heard[..len].escape_ascii());
    if first == First::Other {
        stream.write_all(hello.as_bytes())?;
        println!("{name}: send: {hello}");
    }
    Ok(())
}

/// Peers must know each other's address beforehand; between programs it is written down, here the kernel is asked.
fn free_port(at: &str) -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    Ok(Listener::bind(&at.parse()?, &ListenOptions::default())?.local().clone())
}
