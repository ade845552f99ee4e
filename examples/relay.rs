//! A relay: a server that is a client of another. It says *done* after the far end did, and passes on what is unknown.
//!
//! Seed 004 (servers may be clients of others). System calls: epoll_wait, accept4, connect, sendto, recvfrom, ppoll.

use soquete::{Client, ClientOptions, Clock, Code, Exchange, Framing, Outcome, Server, Stopper};
use std::{error::Error, thread, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let any_port = "tcp://127.0.0.1:0".parse()?;
    let (near, far) = (Server::bind(&any_port, Framing::Frames)?, Server::bind(&any_port, Framing::Frames)?);
    let mut onward = Client::connect(far.endpoint(), ClientOptions::frames(""))?;
    let mut client = Client::connect(near.endpoint(), ClientOptions::frames(""))?;
    // It holds up who else asks the relay. `soquete::Outbound` would not, nor does a board's line of kind `remote`.
    let pass_on = move |exchange: Exchange<'_>| {
        let left = exchange.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_sub(Clock::now()));
        println!("relay: receive {}; send it on, with the time that is left", exchange.payload.escape_ascii());
        match onward.call(exchange.payload, left) {
            Ok(Outcome::Done(answer)) => exchange.reply(&answer).expect("it is short"),
            Ok(Outcome::NotDone(why)) => exchange.refuse(Code::Refused, &why),
            Ok(Outcome::Unknown(why)) => exchange.refuse(Code::Unknown, &why),
            Err(error) => exchange.refuse(Code::Refused, &error.to_string()),
        }
    };
    let act = |exchange: Exchange<'_>| match exchange.payload {
        b"LED ON" => exchange.reply(b"OK LED ON").expect("it is short"),
        b"LED DIM" => exchange.refuse(Code::Unknown, "the lamp does not say"),
        _ => exchange.refuse(Code::Refused, "no such command"),
    };
    let stoppers = [near.stopper(), far.stopper()];
    let (near, far) = (thread::spawn(move || near.run(pass_on)), thread::spawn(move || far.run(act)));
    for command in ["LED ON", "LED DIM", "LED BLUE"] {
        println!("client: {command}, within 10 s: {}", client.call(command.as_bytes(), Duration::from_secs(10))?);
    }
    stoppers.iter().for_each(Stopper::stop);
    far.join().expect("the far end does not panic")?;
    Ok(near.join().expect("the relay does not panic")?)
}
