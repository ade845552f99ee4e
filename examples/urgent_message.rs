//! Urgent messages: one that overtakes those that are not sent yet. Requests never overtake: they keep their order.
//!
//! Seed 003 (urgent messages). System calls: connect, sendto, recvfrom; what is gathered goes with one sendto.

use soquete::{Client, ClientOptions, Exchange, Framing, Server};
use std::{error::Error, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&"tcp://127.0.0.1:0".parse()?, Framing::Frames)?;
    let (at, stopper) = (server.endpoint().clone(), server.stopper());
    let serving = thread::spawn(move || {
        server.run(|exchange: Exchange<'_>| {
            let urgent = if exchange.is_urgent() { "urgent: " } else { "" };
            println!("server: receive: {urgent}{}", exchange.payload.escape_ascii());
            // To a message that wants no answer none is sent.
            exchange.reply(b"OK").expect("it is short");
        })
    });
    let mut client = Client::connect(&at, ClientOptions::frames(""))?;
    // Whether the server knows such messages, its WELCOME tells.
    client.handshake()?;
    client.batch(|batch| {
        for step in ["step 1", "step 2", "step 3"] {
            println!("client: gather: {step}");
            batch.message(step.as_bytes())?;
        }
        println!("client: gather, urgent: stop");
        batch.urgent_on(0, b"stop")
    })?;
    println!("client: request, behind all of them: {}", client.request(b"are you done?")?.escape_ascii());
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}
