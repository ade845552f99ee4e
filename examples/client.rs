//! A client that blocks: one request, many at once, and one that must not be done twice nor late.
//!
//! Seeds 000 and 001 (the button). System calls: connect, sendto, recvfrom; three requests at once go with one sendto.

use soquete::{Client, ClientOptions, Exchange, Framing, Received, Server};
use std::error::Error;
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&"tcp://127.0.0.1:0".parse()?, Framing::Frames)?;
    let (at, stopper) = (server.endpoint().clone(), server.stopper());
    let serving = thread::spawn(move || server.run(answer));

    let mut client = Client::connect(&at, ClientOptions::frames(""))?;
    println!("client: connect: to {at}");
    println!("client: request LED ON: {}", client.request(b"LED ON")?.escape_ascii());

    // These go together, with one system call, when the first answer is asked for.
    for command in ["LED OFF", "LED ON", "LED TOGGLE"] {
        println!("client: submit {command}: request {}", client.submit(command.as_bytes())?);
    }
    for _ in 0..3 {
        if let Received::Reply { id, payload } = client.receive()? {
            println!("client: receive: request {id}: {}", payload.escape_ascii());
        }
    }
    println!("client: call, within 10 s: {}", client.call(b"LED TOGGLE", Duration::from_secs(10))?);
    println!("client: call, within 0 s: {}", client.call(b"LED TOGGLE", Duration::ZERO)?);
    client.finish()?;
    println!("client: goodbye, shutdown, close");
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}

fn answer(exchange: Exchange<'_>) {
    let answer = [b"OK ", exchange.payload].concat();
    exchange.reply(&answer).expect("it is short");
}
