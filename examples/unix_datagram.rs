//! Unix datagrams: a client has to be bound, or it could not be answered; its file goes with it.
//!
//! Seed 003. System calls: socket, bind, connect, sendto, recvmsg (SCM_CREDENTIALS), recvfrom, close, unlink.

use soquete::{Datagram, DatagramOptions, Endpoint, Error, Operation, UnixName};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("soquete-example-{}.gram", std::process::id()));
    let options = DatagramOptions::default();
    let board = Datagram::bind(&Endpoint::Unixgram(UnixName::Path(path)), &options)?;
    println!("board: socket, bind: at {}", board.local());

    let button = Datagram::connect(board.local(), &options)?;
    println!("button: socket, bind, connect: at {}, a path made up for it", button.local());
    button.send(b"LED ON")?;
    println!("button: send: LED ON");

    let mut octets = [0; 64];
    let arrival = board.receive_from(&mut octets)?;
    println!("board: receive: {}", octets[..arrival.len_bytes].escape_ascii());
    println!("board: its sender is {}, of {}", arrival.from, arrival.peer);
    board.send_to(b"OK LED ON", &arrival.from)?;
    println!("board: send there: OK LED ON");

    let len = button.receive(&mut octets)?;
    println!("button: receive: {}", octets[..len].escape_ascii());
    let Some(UnixName::Path(own)) = button.local().unix_name().cloned() else { return Err("no path".into()) };
    drop(button);
    println!("button: close, unlink: its file is {}", if own.exists() { "there" } else { "gone" });

    let error = board.send_to(b"LED IS ON", &arrival.from).expect_err("nobody is there");
    println!("board: {}", Error::new(Operation::Send, &arrival.from, error));
    Ok(())
}
