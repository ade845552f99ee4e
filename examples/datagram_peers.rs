//! Peers with datagrams: one socket each, no connection, and what arrives sorted by sender.
//!
//! Seed 003 (P2P with datagrams). System calls: socket, bind, sendto, recvfrom, ppoll.

use soquete::{Address, DatagramPeers};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let any_port = "udp://127.0.0.1:0".parse()?;
    let mut ann = DatagramPeers::bind(&any_port)?;
    let mut bob = DatagramPeers::bind(&any_port)?;
    let mut eve = DatagramPeers::bind(&any_port)?;
    let [at_ann, at_bob, at_eve] = [Address::of(ann.local())?, Address::of(bob.local())?, Address::of(eve.local())?];
    println!("ann, bob, eve: socket, bind: at {at_ann}, {at_bob}, {at_eve}");

    for (peer, name) in [(&bob, "bob"), (&eve, "eve"), (&bob, "bob again")] {
        peer.send_to(format!("hello from {name}").as_bytes(), &at_ann)?;
        println!("{name}: send to ann");
    }
    let soon = Some(Duration::from_secs(10));
    // What bob sent before is received meanwhile, and kept for later.
    let parcel = ann.receive_from(&at_eve, soon)?.ok_or("stopped")?;
    println!("ann: receive from eve: {}", parcel.octets.escape_ascii());
    for _ in 0..2 {
        let parcel = ann.receive(soon)?.ok_or("stopped")?;
        println!("ann: receive from anybody: {}", parcel.octets.escape_ascii());
        ann.send_to(b"hello bob, it is ann", &parcel.from)?;
    }
    let parcel = bob.receive_from(&at_ann, soon)?.ok_or("stopped")?;
    println!("bob: receive from ann: {}", parcel.octets.escape_ascii());
    match eve.receive(Some(Duration::ZERO)) {
        Err(error) if error.is_timeout() => println!("eve: receive: nobody answered"),
        other => println!("eve: receive: {other:?}"),
    }
    println!("ann: dropped for want of room: {}", ann.dropped().full);
    Ok(())
}
