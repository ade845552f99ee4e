//! Clients as the seeds have them: connect, send one command, shut down, close.

use super::socket::{Address, Connected, connect};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// The command of the seeds, NUL included.
const COMMAND: &[u8] = b"LED ON\0";

/// How long a client waits for the server to close before it counts as lost.
const SERVED_TIMEOUT: Duration = Duration::from_secs(2);

/// What became of the clients.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clients {
    pub(super) served: u64,
    pub(super) lost: u64,
    pub(super) took: Duration,
}

/// Sends commands for this long, always `at_once` connections together, from one thread.
///
/// The program of the seeds closes without waiting for anything. Here each client waits, after its shutdown, until the
/// server has closed too: that it was served is thereby known, the server cannot fall behind, and both servers that
/// are compared close by themselves after the command, so neither pays for the waiting.
pub(super) fn send_for(address: &Address, at_once: usize, secs: Duration) -> Clients {
    let mut clients = Clients::default();
    let begun = Instant::now();
    let mut open = Vec::with_capacity(at_once);
    while begun.elapsed() < secs {
        for _ in 0..at_once {
            match send(address) {
                Ok(stream) => open.push(stream),
                Err(_) => clients.lost += 1,
            }
        }
        for mut stream in open.drain(..) {
            match stream.read(&mut [0; 64]) {
                Ok(0) => clients.served += 1,
                Ok(_) | Err(_) => clients.lost += 1,
            }
        }
    }
    clients.took = begun.elapsed();
    clients
}

fn send(address: &Address) -> io::Result<Connected> {
    let mut stream = connect(address, Some(SERVED_TIMEOUT))?;
    stream.write_all(COMMAND)?;
    // A server that has read the command may have closed already, which is no loss.
    let _ = stream.shut_down();
    Ok(stream)
}
