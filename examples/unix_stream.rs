//! A Unix stream: its address is a file, whose mode says who may connect, and the kernel knows who did.
//!
//! Seeds 002 and 003. System calls: socket, bind, fchmod, listen, connect, accept4, getsockopt (SO_PEERCRED), unlink.

use soquete::{ListenOptions, Listener, Stream, UnixName};
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("soquete-example-{}.sock", std::process::id()));
    let endpoint = soquete::Endpoint::Unix(UnixName::Path(path.clone()));
    let listener = Listener::bind(&endpoint, &ListenOptions { mode: Some(0o600), ..ListenOptions::default() })?;
    println!("server: socket, bind, listen: at {endpoint}, mode 0600: {}", state(&path));

    // Nobody has to accept yet: the connection waits in the backlog, and what is sent in its buffer.
    let mut client = Stream::connect(&endpoint)?;
    println!("client: socket, connect");
    client.write_all(b"LED ON")?;
    println!("client: send: LED ON");

    let (mut stream, peer) = listener.accept()?;
    println!("server: accept: from {peer}; the kernel vouches for it");
    let mut command = [0; 64];
    let len = stream.read(&mut command)?;
    println!("server: receive: {}", command[..len].escape_ascii());
    drop((stream, listener));
    println!("server: close, unlink: {}", state(&path));

    let len = client.read(&mut command)?;
    println!("client: receive: {len} octets, which is the end");
    let refused = Stream::connect(&endpoint).expect_err("nobody is there");
    println!("client: {refused}");
    Ok(())
}

fn state(path: &Path) -> &'static str {
    if path.exists() { "the file is there" } else { "the file is gone" }
}
