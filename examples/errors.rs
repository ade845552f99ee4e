//! What can go wrong, each as one line with the operation, the address and the cause.
//!
//! Seeds 002 (a negative value) and 003 (ECONNREFUSED, EMSGSIZE). System calls: bind, connect, sendto, recvfrom.

use soquete::{Client, ClientOptions, Datagram, DatagramOptions, Endpoint, Error, ListenOptions, Listener, Operation};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (listen, datagrams) = (ListenOptions::default(), DatagramOptions::default());
    println!("a mistake: {}", "127.0.0.1:5555".parse::<Endpoint>().expect_err("no scheme"));
    println!("not of this machine: {}", Listener::bind(&"tcp://192.0.2.1:0".parse()?, &listen).expect_err("far"));

    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &listen)?;
    println!("two at one port: {}", Listener::bind(listener.local(), &listen).expect_err("taken"));
    let mut options = ClientOptions::line(64);
    options.timeout = Some(Duration::from_millis(50));
    let mut client = Client::connect(listener.local(), options.clone())?;
    println!("nobody answers: {}", client.request(b"LED ON").expect_err("no answer"));
    listener.accept()?.0.abort();
    println!("reset by the peer: {}", client.receive().expect_err("a reset"));
    let at = listener.local().clone();
    drop(listener);
    println!("nobody listens: {}", Client::connect(&at, options.clone()).map(drop).expect_err("refused"));
    let nowhere = "unix:///no/such/led.sock".parse()?;
    println!("no such path: {}", Client::connect(&nowhere, options).map(drop).expect_err("no file"));

    let all = "udp://127.255.255.255:9".parse()?;
    println!("to everybody: {}", Datagram::connect(&all, &datagrams).expect_err("not allowed without broadcast=yes"));
    let gone = Datagram::bind(&"udp://127.0.0.1:0".parse()?, &datagrams)?.local().clone();
    let button = Datagram::connect(&gone, &datagrams)?;
    let told = |error| Error::of_send(&gone, 70_000, button.max_bytes(), error);
    println!("too long: {}", told(button.send(&[7; 70_000]).expect_err("65,507 at most")));
    button.send(b"LED ON")?;
    let heard = button.receive(&mut [0; 64]).expect_err("ICMP: port unreachable");
    println!("nobody receives: {}", Error::new(Operation::Receive, &gone, heard));
    Ok(())
}
