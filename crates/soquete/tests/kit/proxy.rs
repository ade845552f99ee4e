//! A proxy that cuts connections where the test wants it.
#![allow(dead_code)] // Each test file uses a part of it.

use soquete::{Endpoint, ListenOptions, Listener, Stream};
use soquete_proto::frame::{self, Kind};
use soquete_proto::opening::OPENING;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Where a connection is cut, both ways at once.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Never,
    /// After so many octets from the client were passed on.
    Requests(usize),
    /// After so many octets from the server were passed on.
    Answers(usize),
    /// After so many frames from the server, when the next has begun to come: what it answers was done.
    AnswerFrames(usize),
}

impl Cut {
    /// Lets so many frames of the server pass, and cuts when the next has come.
    pub fn after_answers(frames: usize) -> Self {
        Cut::AnswerFrames(frames)
    }
}

/// A proxy at work, in threads; it ends when it is dropped.
pub struct Proxy {
    pub endpoint: Endpoint,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Passes connections on to `server`; `cut` says where, by their number from 0.
    pub fn start(server: &Endpoint, cut: impl Fn(usize) -> Cut + Send + 'static) -> Self {
        let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
        let (endpoint, server) = (listener.local().clone(), server.clone());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let accepting = std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let mut first = [0];
                if client.peek(&mut first).unwrap_or(0) == 1 && first == [b'.'] {
                    // The test's way to say that it is over.
                    return;
                }
                let number = counted.fetch_add(1, Ordering::SeqCst);
                // A server that is gone shows as a connection that ends at once.
                if let Ok(far) = Stream::connect(&server) {
                    pass(client, far, cut(number));
                }
            }
        });
        Proxy { endpoint, connections, accepting: Some(accepting) }
    }

    /// Returns how many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut last = Stream::connect(&self.endpoint).unwrap();
        last.write_all(b".").unwrap();
        if self.accepting.take().is_some_and(|accepting| accepting.join().is_err()) && !std::thread::panicking() {
            panic!("the proxy panicked");
        }
    }
}

/// Passes octets both ways, in two threads that end with the connection.
fn pass(client: Stream, server: Stream, cut: Cut) {
    let (client, server) = (Arc::new(client), Arc::new(server));
    let (near, far) = (client.clone(), server.clone());
    let (requests, answers) = match cut {
        Cut::Never => (usize::MAX, Until::Octets(usize::MAX)),
        Cut::Requests(len) => (len, Until::Octets(usize::MAX)),
        Cut::Answers(len) => (usize::MAX, Until::Octets(len)),
        Cut::AnswerFrames(count) => (usize::MAX, Until::Frames(count)),
    };
    std::thread::spawn(move || carry(&near, &far, Until::Octets(requests)));
    std::thread::spawn(move || carry(&server, &client, answers));
}

enum Until {
    Octets(usize),
    Frames(usize),
}

impl Until {
    /// Returns how many octets of all that has come so far may pass; beyond that it is cut.
    fn allowed(&self, seen: &[u8]) -> usize {
        match self {
            Until::Octets(len) => *len,
            Until::Frames(count) => {
                let mut rest = seen;
                for _ in 0..*count {
                    if frame::take(&mut rest, u32::MAX).unwrap().is_none() {
                        return usize::MAX;
                    }
                }
                seen.len() - rest.len()
            }
        }
    }
}

/// Carries octets until an end, or until the connection is to be cut, which ends both directions.
fn carry(mut from: &Stream, mut to: &Stream, until: Until) {
    let (mut seen, mut passed) = (Vec::new(), 0);
    let mut chunk = [0; 65536];
    while passed < until.allowed(&seen) {
        let len = match from.read(&mut chunk) {
            Ok(0) | Err(_) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(len) => len,
        };
        seen.extend_from_slice(&chunk[..len]);
        let end = seen.len().min(until.allowed(&seen));
        if to.write_all(&seen[passed..end]).is_err() {
            break;
        }
        passed = end;
        if end < seen.len() {
            break;
        }
    }
    if let Until::Frames(_) = until {
        // The next frame proves that the request was done; where all came in one piece it has come already.
        if passed == seen.len() {
            let _ = from.read(&mut chunk);
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Returns how many octets a client says before its first request, to count from.
pub fn opening_len() -> usize {
    OPENING.len()
}

/// Returns the kind of the first frame of some octets.
pub fn kind_of(octets: &[u8]) -> Option<Kind> {
    frame::take(&mut &*octets, u32::MAX).unwrap().map(|frame| frame.header.kind)
}
