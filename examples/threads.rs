//! Threads of one process that talk as processes do, over `mem:`; no two of them touch the same data.
//!
//! Seeds 001 (communication between threads) and 002. System calls: socketpair, sendto, recvfrom, epoll_wait.

use soquete::{Bounds, Client, ClientOptions, Endpoint, Exchange, Framing, Server};
use std::error::Error;
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint: Endpoint = "mem:counter".parse()?;
    let server = Server::bind(&endpoint, Framing::Line(Bounds { receive_max_bytes: 64, send_max_bytes: 64 }))?;
    println!("server: listen: at {endpoint}, a name that only this process knows");
    let stopper = server.stopper();
    let serving = thread::spawn(move || {
        // Only this thread has the number, so it needs no lock.
        let mut presses = 0;
        server.run(move |exchange: Exchange<'_>| {
            presses += 1;
            exchange.reply(presses.to_string().as_bytes()).expect("it is short");
        })
    });
    let buttons = [1, 2, 3].map(|_| {
        let endpoint = endpoint.clone();
        thread::spawn(move || -> Result<(), soquete::Error> {
            let mut client = Client::connect(&endpoint, ClientOptions::line(64))?;
            (0..100).try_for_each(|_| client.request(b"PRESS").map(drop))
        })
    });
    for button in buttons {
        button.join().expect("the button does not panic")?;
        println!("buttons: one of the three has pressed 100 times");
    }
    let mut client = Client::connect(&endpoint, ClientOptions::line(64))?;
    println!("client: the server counts this as press {}", client.request(b"PRESS")?.escape_ascii());
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}
