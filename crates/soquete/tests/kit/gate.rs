//! A server that stops reading where the test wants it.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use soquete::{Endpoint, Error, Exchange, Framing, Server, Stopper};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What arrived: its number, and whether it was urgent.
pub type Came = (u64, bool);

/// A server of frames that reads nothing behind the message `WAIT` until it is told to go on, and tells what it heard; a
/// request it answers.
pub struct Gate {
    pub endpoint: Endpoint,
    open: mpsc::Sender<()>,
    heard: mpsc::Receiver<Came>,
    stopper: Stopper,
    serving: JoinHandle<Result<(), Error>>,
}

impl Gate {
    pub fn at(endpoint: &str) -> Self {
        let server = Server::bind(&endpoint.parse().unwrap(), Framing::Frames).unwrap();
        let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
        let (open, opened) = mpsc::channel();
        let (tell, heard) = mpsc::channel();
        let serving = std::thread::spawn(move || {
            server.run(move |exchange: Exchange<'_>| match exchange.payload {
                _ if exchange.wants_answer() => exchange.reply(b"OK").unwrap(),
                b"WAIT" => opened.recv().unwrap(),
                payload => {
                    let number = u64::from_le_bytes(*payload.first_chunk().unwrap());
                    tell.send((number, exchange.is_urgent())).unwrap();
                }
            })
        });
        Gate { endpoint, open, heard, stopper, serving }
    }

    /// Lets go what waits.
    pub fn open(&self) {
        self.open.send(()).unwrap();
    }

    /// Returns the `count` that come, and stops.
    pub fn came(self, count: usize) -> Vec<Came> {
        let patience = Duration::from_secs(20);
        let came = (0..count).map(|_| self.heard.recv_timeout(patience).unwrap()).collect();
        self.stopper.stop();
        self.serving.join().unwrap().unwrap();
        came
    }
}

/// Returns a message of `len` octets that says its number.
pub fn message(number: u64, len: usize) -> Vec<u8> {
    let mut message = vec![0; len];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// Returns the numbers of those that are urgent, or of the others.
pub fn numbers(came: &[Came], is_urgent: bool) -> Vec<u64> {
    came.iter().filter(|(_, urgent)| *urgent == is_urgent).map(|(number, _)| *number).collect()
}

/// Counts what is ordinary and came before the first, and after the last that is urgent.
pub fn around(came: &[Came]) -> (usize, usize) {
    let before = came.iter().position(|(_, is_urgent)| *is_urgent).unwrap();
    (before, came.iter().rev().position(|(_, is_urgent)| *is_urgent).unwrap())
}
