//! Full: a backlog that takes no more connections, a buffer that takes no more octets, and how both go on.
//!
//! Seed 003 (the queue of listen; a send that blocks). System calls: listen, connect, accept4, sendto, recvfrom.

use soquete::{Endpoint, ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::thread;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let endpoint: Endpoint = format!("unix:@soquete-example-{}", std::process::id()).parse()?;
    let listener = Listener::bind(&endpoint, &ListenOptions { backlog: 1, ..ListenOptions::default() })?;
    println!("server: listen: a backlog of 1, and Linux takes one more");
    let _waiting = [Stream::connect(&endpoint)?, Stream::connect(&endpoint)?];
    println!("clients: connect: two wait to be accepted");
    println!("third client: {}", Stream::connect_start(&endpoint).expect_err("it must not block"));
    let third = thread::spawn(move || Stream::connect(&endpoint));
    listener.accept()?;
    third.join().expect("it does not panic")?;
    println!("third client: connect: one that may block waits until the server has accepted another");

    let (mut sender, mut receiver) = Stream::pair()?;
    sender.set_nonblocking(true)?;
    let mut len = 0;
    let full = loop {
        match sender.write(&[7; 1000]) {
            Ok(more) => len += more,
            Err(error) => break error.kind(),
        }
    };
    println!("sender: send, not blocking: {len} octets, then {full:?}");
    sender.set_nonblocking(false)?;
    let sending = thread::spawn(move || sender.write_all(&[8; 1000]));
    let mut octets = vec![0; len + 1000];
    receiver.read_exact(&mut octets)?;
    sending.join().expect("it does not panic")?;
    println!("sender: send, blocking: goes on as soon as the receiver has made room");
    println!("receiver: receive: all of {} octets", octets.len());
    Ok(())
}
