//! Multicast: one button tells a group of boards, three times since a datagram may get lost, and each does it once.
//!
//! Seeds 002, 003 (datagrams). System calls: socket, setsockopt (IP_ADD_MEMBERSHIP, IP_MULTICAST_TTL), bind, sendto.

use soquete::{Announcement, Clock, Endpoint, Exchange, Framing, Hub, Languages, Limits, Server};
use std::{error::Error, sync::mpsc, thread, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let text_and_frames = Framing::Detect(Languages { text: true, frames: true, http: false });
    // The interface lo, and no router on the way: this machine alone. The second board joins at the port of the first.
    let mut group: Endpoint = "udp://239.255.0.1:0?interface=lo&ttl=0".parse()?;
    let (tell, told) = mpsc::channel();
    let mut boards = Vec::new();
    for (name, tell) in [("red board", tell.clone()), ("blue board", tell)] {
        let board = Server::bind(&group, text_and_frames)?;
        group = board.endpoint().clone();
        println!("{name}: socket, bind, join: at {group}");
        let act = move |exchange: Exchange<'_>| {
            println!("{name}: receive: {}", exchange.payload.escape_ascii());
            exchange.reply(b"OK LED ON").expect("it is short");
            tell.send(()).expect("main is there");
        };
        boards.push((board.stopper(), thread::spawn(move || board.run(act))));
    }
    let mut hub = Hub::new(Limits::default())?;
    let mut button = Announcement::new(group, "LED ON", Clock::now() + Duration::from_secs(10));
    let outcome = loop {
        hub.turn(Some(button.timeout().saturating_sub(Clock::now())), &mut |_: Exchange<'_>| {})?;
        if let Some(outcome) = button.drive(&mut hub, Clock::now()) {
            break outcome;
        }
    };
    println!("button: sent LED ON three times, and heard first: {outcome}");
    for (stopper, board) in boards {
        told.recv()?;
        stopper.stop();
        board.join().expect("the board does not panic")?;
    }
    Ok(())
}
