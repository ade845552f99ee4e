//! TCP: a server and a client, with the calls that the seeds 000, 001 and 002 go through one by one.
//!
//! System calls: socket, setsockopt, bind, listen, accept4, connect, sendto, recvfrom, shutdown, close.

use soquete::{Endpoint, ListenOptions, Listener, Stream};
use std::error::Error;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Port 0: the kernel chooses one that is free.
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &ListenOptions::default())?;
    println!("server: socket, bind, listen: at {}", listener.local());
    let at = listener.local().clone();
    let client = thread::spawn(move || client(&at));
    let (mut stream, peer) = listener.accept()?;
    println!("server: accept: a connection from {peer}");
    let mut command = String::new();
    stream.read_to_string(&mut command)?;
    println!("server: receive, until the end: {command}");
    stream.write_all(format!("OK {command}").as_bytes())?;
    drop(stream);
    println!("server: send: OK {command}, and close");
    client.join().expect("the client does not panic")
}

fn client(server: &Endpoint) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut stream = Stream::connect(server)?;
    println!("client: socket, connect: to {server}");
    stream.write_all(b"LED ON")?;
    println!("client: send: LED ON");
    stream.shutdown(Shutdown::Write)?;
    println!("client: shutdown: nothing more will be sent, the answer can still come");
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("client: receive, until the end: {answer}; and close");
    Ok(())
}
