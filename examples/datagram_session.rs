//! A session over datagrams: although some get lost on the way, each request is done once, and its answer comes.
//!
//! Seeds 002, 003 (datagrams may get lost and change places). System calls: sendto, recvfrom, ppoll, epoll_wait.

use soquete::{Address, Client, ClientOptions, Datagram, DatagramOptions, Exchange, Framing, Server};
use std::{error::Error, net::Shutdown, sync::Arc, thread, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let any_port = "udp://127.0.0.1:0".parse()?;
    let server = Server::bind(&any_port, Framing::Frames)?;
    let (board, stopper, mut presses) = (Address::of(server.endpoint())?, server.stopper(), 0);
    let count = move |exchange: Exchange<'_>| {
        presses += 1;
        exchange.reply(format!("press {presses}").as_bytes()).expect("it is short");
    };
    let serving = thread::spawn(move || server.run(count));
    let forwarder = Arc::new(Datagram::bind(&any_port, &DatagramOptions::default())?);
    let way = forwarder.clone();
    let forwarding = thread::spawn(move || forward(&way, &board));
    let mut button = Client::connect(forwarder.local(), ClientOptions::frames(""))?;
    for _ in 0..5 {
        println!("button: PRESS, within 20 s: {}", button.call(b"PRESS", Duration::from_secs(20))?);
    }
    forwarder.shutdown(Shutdown::Both)?;
    println!("forwarder: {} datagrams were lost", forwarding.join().expect("it does not panic"));
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}

/// Forwards between one button and the board, and loses every third datagram; says how many.
fn forward(way: &Datagram, board: &Address) -> usize {
    let (mut octets, mut button, mut count) = ([0; 65_507], board.clone(), 0);
    while let Ok(arrival) = way.receive_from(&mut octets) {
        let to = if arrival.from == *board { button.clone() } else { board.clone() };
        button = if arrival.from == *board { button } else { arrival.from };
        count += 1;
        let _ = if count % 3 == 0 { Ok(()) } else { way.send_to(&octets[..arrival.len_bytes], &to) };
    }
    count / 3
}
