//! An open file handed to whoever is at the other end: the socket carries the descriptor, not what is in the file.
//!
//! Seed 004 (a socket is a file). System calls: socketpair, sendmsg and recvmsg (SCM_RIGHTS), read, unlink.

use soquete::Stream;
use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;

fn main() -> Result<(), Box<dyn Error>> {
    let (owner, other) = Stream::pair()?;
    let path = std::env::temp_dir().join(format!("soquete-example-{}.txt", std::process::id()));
    fs::write(&path, "LED ON")?;
    let file = File::open(&path)?;
    fs::remove_file(&path)?;
    println!("owner: open, unlink: nobody else can open this file any more");
    owner.send_with_descriptors(b"read this", &[file.as_fd()])?;
    drop(file);
    println!("owner: sendmsg: 9 octets and a descriptor; close: the other end has one of its own");

    let mut octets = [0; 64];
    let mut handed = other.receive_with_descriptors(&mut octets)?;
    let word = octets[..handed.len_bytes].escape_ascii();
    println!("other: recvmsg: \"{word}\", and {} descriptor", handed.descriptors.len());
    let mut file = File::from(handed.descriptors.pop().ok_or("none came")?);
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("other: read: {text}");
    Ok(())
}
