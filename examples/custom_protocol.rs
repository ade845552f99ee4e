//! A protocol of one's own over the bytes level: a greeting, then messages of a header and a payload.
//!
//! Seed 004. System calls: sendto, recvfrom with MSG_WAITALL, which comes back when all octets asked for are there.

use soquete::{ListenOptions, Listener, Stream};
use std::{error::Error, io::Write};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &ListenOptions::default())?;
    for greeting in ["We are bros, bro", "GET / HTTP/1.1\r\n"] {
        let mut client = Stream::connect(listener.local())?;
        client.write_all(greeting.as_bytes())?;
        println!("client: connect, send: {greeting:?}");
        for (kind, payload) in [('S', "LED ON"), ('?', ""), ('S', "LED OFF")] {
            let [high, low] = u16::try_from(payload.len())?.to_be_bytes();
            client.write_all(&[&[u8::try_from(kind)?, high, low], payload.as_bytes()].concat())?;
            println!("client: send: header: type {kind}, length {}; payload: {payload:?}", payload.len());
        }
        drop(client);
        serve(&listener.accept()?.0)?;
    }
    Ok(())
}

fn serve(client: &Stream) -> Result<(), Box<dyn Error>> {
    let (mut greeting, mut header) = ([0; 16], [0; 3]);
    client.receive_exact(&mut greeting)?;
    println!("server: accept, receive 16 octets: {}", greeting.escape_ascii());
    let is_bro = greeting == *b"We are bros, bro";
    while is_bro && client.receive_exact(&mut header).is_ok() {
        let [kind, high, low] = header;
        // Two octets of length: whatever they say, it is no more than 65,535.
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        client.receive_exact(&mut payload)?;
        println!("server: receive 3 octets: type {}, length {}", char::from(kind), payload.len());
        println!("server: receive {} octets: {}", payload.len(), payload.escape_ascii());
    }
    println!("server: {}", if is_bro { "receive: the end; close" } else { "that is no bro; close" });
    Ok(())
}
