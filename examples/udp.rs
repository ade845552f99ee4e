//! UDP: each datagram has its sender, and is answered there; a socket may also be connected to one peer.
//!
//! Seeds 000, 002 and 003. System calls: socket, bind, sendto, recvfrom, connect, close.

use soquete::{Address, Datagram, DatagramOptions};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, any_port) = (DatagramOptions::default(), "udp://127.0.0.1:0".parse()?);
    let board = Datagram::bind(&any_port, &options)?;
    println!("board: socket, bind: at {}", board.local());

    let free = Datagram::bind(&any_port, &options)?;
    println!("free button: socket, bind: at {}; it may send to anybody", free.local());
    free.send_to(b"LED ON", &Address::of(board.local())?)?;
    println!("free button: send to the board: LED ON");
    answer(&board)?;
    let mut octets = [0; 64];
    let arrival = free.receive_from(&mut octets)?;
    println!("free button: receive: {}, from {}", octets[..arrival.len_bytes].escape_ascii(), arrival.from);

    let aimed = Datagram::connect(board.local(), &options)?;
    println!("aimed button: socket, connect: nothing is sent by it; the kernel keeps where to");
    aimed.send(b"LED OFF")?;
    println!("aimed button: send: LED OFF");
    answer(&board)?;
    let len = aimed.receive(&mut octets)?;
    println!("aimed button: receive: {}; nobody else is heard", octets[..len].escape_ascii());
    Ok(())
}

fn answer(board: &Datagram) -> Result<(), Box<dyn Error>> {
    let mut octets = [0; 64];
    let arrival = board.receive_from(&mut octets)?;
    let command = octets[..arrival.len_bytes].escape_ascii();
    println!("board: receive: {command}, from {}", arrival.peer);
    board.send_to(format!("OK {command}").as_bytes(), &arrival.from)?;
    Ok(())
}
