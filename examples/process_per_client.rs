//! A process for each client: this program executes itself anew for each, with the connection as its standard input.
//!
//! Seed 003 (a child for each connection). System calls: accept4, clone3, execve, pidfd_open, ppoll, wait4.

use soquete::{Bounds, Client, ClientOptions, Exchange, Framing, ServerOptions};
use soquete::{Worker, WorkerEvent, Workers, WorkersOptions};
use std::{error::Error, process, thread};

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|word| word == "worker") {
        let bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
        return Ok(Worker::inherited()?.serve(Framing::Line(bounds), ServerOptions::new(""), serve).map(drop)?);
    }
    let mut command = process::Command::new(std::env::current_exe()?);
    command.arg("worker");
    let workers = Workers::bind(&"tcp://127.0.0.1:0".parse()?, command, &WorkersOptions::default())?;
    let (at, stopper) = (workers.endpoint().clone(), workers.stopper());
    let serving = thread::spawn(move || workers.run(tell));
    let connect = || Client::connect(&at, ClientOptions::line(64));
    let (mut one, mut other) = (connect()?, connect()?);
    println!("one: WHO: {}", one.request(b"WHO")?.escape_ascii());
    println!("one: CRASH: {}", one.request(b"CRASH").expect_err("it crashed"));
    println!("other, after that: WHO: {}", other.request(b"WHO")?.escape_ascii());
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}

fn serve(exchange: Exchange<'_>) {
    let answer = if exchange.payload == b"CRASH" { process::exit(3) } else { format!("process {}", process::id()) };
    exchange.reply(answer.as_bytes()).expect("it is short");
}

fn tell(event: WorkerEvent) {
    let speaker = if event.is_crash() { "server, of a crash" } else { "server" };
    match event {
        WorkerEvent::Started { pid, peer } => println!("server: accept, execute: process {pid} for {peer}"),
        WorkerEvent::Ended { pid, status: Ok(status), .. } => println!("{speaker}: wait: process {pid}: {status}"),
        other => println!("server: {other:?}"),
    }
}
