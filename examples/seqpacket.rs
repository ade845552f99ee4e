//! Seqpacket: connected as a stream is, but each send arrives as one packet, which no receive cuts in silence.
//!
//! Seeds 002 and 003 (the other types of sockets). System calls: socket, bind, listen, connect, accept4, sendto, recvfrom.

use soquete::{ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    for kind in ["unix", "seqpacket"] {
        let endpoint = format!("{kind}:@soquete-example-{}", std::process::id()).parse()?;
        let listener = Listener::bind(&endpoint, &ListenOptions::default())?;
        println!("{kind}: socket, bind, listen, connect, accept");
        let mut client = Stream::connect(&endpoint)?;
        let (mut server, _) = listener.accept()?;
        for command in ["LED ON", "LED OFF", "A packet that is longer than the receiver has room for"] {
            client.write_all(command.as_bytes())?;
            println!("{kind}: send: {command}");
        }
        drop(client);
        println!("{kind}: close");
        let mut octets = [0; 16];
        loop {
            match server.read(&mut octets) {
                Ok(0) => break,
                Ok(len) => println!("{kind}: receive: \"{}\"", octets[..len].escape_ascii()),
                // The packet is lost, the connection goes on.
                Err(error) => println!("{kind}: receive: {error}"),
            }
        }
        println!("{kind}: receive: the end");
    }
    Ok(())
}
