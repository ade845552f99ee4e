//! Urgent data of TCP: the receiver is told before it has read what came earlier. And peek: to look without taking.
//!
//! Seed 003 (MSG_OOB, MSG_PEEK). System calls: sendto, recvfrom with these flags, ppoll (POLLPRI), ioctl (FIONREAD).

use soquete::{ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::net::Shutdown;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &ListenOptions::default())?;
    let mut client = Stream::connect(listener.local())?;
    let (mut server, _) = listener.accept()?;
    client.write_all(b"step 1, step 2, ")?;
    println!("client: send: \"step 1, step 2, \"");
    client.send_urgent(b'!')?;
    println!("client: send, MSG_OOB: !");
    client.write_all(b"step 3")?;
    client.shutdown(Shutdown::Write)?;
    println!("client: send: step 3, and shutdown");

    println!("server: poll: is there urgent data? {}", server.await_urgent(None)?);
    let mut octets = [0; 64];
    let len = server.peek(&mut octets)?;
    println!("server: receive, MSG_PEEK: \"{}\"; the next receive gives it again", octets[..len].escape_ascii());
    // No read goes beyond the mark, the place at which the urgent octet was sent.
    while !server.is_at_mark()? {
        let len = server.read(&mut octets)?;
        println!("server: receive, up to the mark, and throw away: \"{}\"", octets[..len].escape_ascii());
    }
    let urgent = server.receive_urgent()?.ok_or("there is none")?;
    println!("server: receive, MSG_OOB: {}", urgent.escape_ascii());
    let mut rest = String::new();
    server.read_to_string(&mut rest)?;
    println!("server: receive, until the end: {rest}");
    Ok(())
}
