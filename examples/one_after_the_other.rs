//! One after the other, or all at once: the same handler, and who waits for whom.
//!
//! Seeds 002 (back to waiting when a client has gone), 003 (one client keeps the server busy), 004 (many at a time).
//! System calls: listen, accept4, and ppoll for one connection or epoll_wait for all.

use soquete::{Bounds, Client, ClientOptions, Exchange, Framing, Server};
use std::{error::Error, thread};

fn main() -> Result<(), Box<dyn Error>> {
    for in_turn in [true, false] {
        let bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
        let server = Server::bind(&"tcp://127.0.0.1:0".parse()?, Framing::Line(bounds))?;
        println!("server: bind, listen: to serve {}", if in_turn { "one after the other" } else { "all at once" });
        let (at, stopper) = (server.endpoint().clone(), server.stopper());
        let serving = thread::spawn(move || if in_turn { server.run_in_turn(serve) } else { server.run(serve) });

        let mut first = Client::connect(&at, ClientOptions::line(64))?;
        first.request(b"the first client is here")?;
        let second = thread::spawn(move || {
            Client::connect(&at, ClientOptions::line(64))?.request(b"the second client is here").map(drop)
        });
        // All at once, the first can wait for the second. In turn, both would wait: the second until the first has gone.
        let waiting = if in_turn { Some(second) } else { second.join().expect("it does not panic").map(|()| None)? };
        first.request(b"the first client goes")?;
        drop(first);
        waiting.map_or(Ok(()), |second| second.join().expect("it does not panic"))?;
        stopper.stop();
        serving.join().expect("the server does not panic")?;
    }
    Ok(())
}

fn serve(exchange: Exchange<'_>) {
    let line = exchange.payload;
    println!("server: receive: {}", line.escape_ascii());
    exchange.reply(line).expect("it is as short");
}
