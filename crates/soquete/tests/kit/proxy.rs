//! A proxy that cuts connections, and worse, where the test wants it.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use soquete::{Code, Endpoint, ListenOptions, Listener, Stream};
use soquete_proto::frame;
use soquete_proto::handshake::Reason;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// What becomes of a connection. A cut ends both directions.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Never,
    /// After so many octets from the client were passed on.
    Requests(usize),
    /// After so many octets from the server were passed on.
    Answers(usize),
    /// After so many frames from the server, once the next has come: what it answers was done.
    AnswerFrames(usize),
    /// After so many frames from the server nothing passes any more, and nothing is closed.
    Stall(usize),
    /// After so many frames from the server something follows that is none.
    Garble(usize),
    /// It does not reach the server, but is rejected as if by it.
    Reject,
}

/// A proxy at work, in threads; it ends when it is dropped.
pub struct Proxy {
    pub endpoint: Endpoint,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Treats the first connections to `server` as `cuts` say, and passes on those after them.
    pub fn start_first(server: &Endpoint, cuts: &[Cut]) -> Self {
        let cuts = cuts.to_vec();
        Proxy::start(server, move |number| cuts.get(number).copied().unwrap_or(Cut::Never))
    }

    /// Passes connections on to `server`; `cut` says where, by their number from 0.
    pub fn start(server: &Endpoint, cut: impl Fn(usize) -> Cut + Send + 'static) -> Self {
        let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
        let (endpoint, server) = (listener.local().clone(), server.clone());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while let Ok((client, _)) = listener.accept() {
                let mut first = [0];
                if client.peek(&mut first).unwrap_or(0) == 1 && first == [b'.'] {
                    // The test's way to say that it is over.
                    break;
                }
                let number = counted.fetch_add(1, Ordering::SeqCst);
                threads.extend(treat(client, &server, cut(number)));
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

/// Carries octets both ways in two threads that end with the connection.
fn treat(mut client: Stream, server: &Endpoint, cut: Cut) -> Vec<JoinHandle<()>> {
    if let Cut::Reject = cut {
        let mut rejection = Vec::new();
        Reason { code: Code::Busy, text: "come back later" }.put_reject(&mut rejection);
        // What the client said is read, so that closing is no reset.
        let _ = client.read(&mut [0; 65536]);
        let _ = client.write_all(&rejection);
        return Vec::new();
    }
    // A server that is gone shows as a connection that ends at once.
    let Ok(server) = Stream::connect(server) else { return Vec::new() };
    let (client, server) = (Arc::new(client), Arc::new(server));
    let (near, far) = (client.clone(), server.clone());
    let requests = if let Cut::Requests(_) = cut { cut } else { Cut::Never };
    let answers = if let Cut::Requests(_) = cut { Cut::Never } else { cut };
    vec![
        std::thread::spawn(move || carry(&near, &far, requests)),
        std::thread::spawn(move || carry(&server, &client, answers)),
    ]
}

/// Returns how many octets of all that has come so far may pass.
fn allowed(cut: Cut, seen: &[u8]) -> usize {
    match cut {
        Cut::Never | Cut::Reject => usize::MAX,
        Cut::Requests(len) | Cut::Answers(len) => len,
        Cut::AnswerFrames(count) | Cut::Stall(count) | Cut::Garble(count) => {
            let mut rest = seen;
            let is_whole = (0..count).all(|_| frame::take(&mut rest, u32::MAX).unwrap().is_some());
            if is_whole { seen.len() - rest.len() } else { usize::MAX }
        }
    }
}

/// Carries octets until an end, or until what `cut` says.
fn carry(mut from: &Stream, mut to: &Stream, cut: Cut) {
    let (mut seen, mut passed) = (Vec::new(), 0);
    let mut chunk = [0; 65536];
    loop {
        let is_at_once = matches!(cut, Cut::Requests(_) | Cut::Answers(_) | Cut::Stall(_) | Cut::Garble(_));
        if is_at_once && passed >= allowed(cut, &seen) || seen.len() > passed {
            break;
        }
        let len = match from.read(&mut chunk) {
            Ok(0) | Err(_) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(len) => len,
        };
        seen.extend_from_slice(&chunk[..len]);
        let end = seen.len().min(allowed(cut, &seen));
        if to.write_all(&seen[passed..end]).is_err() {
            break;
        }
        passed = end;
    }
    match cut {
        // Holds the connection until one of the ends gives it up.
        Cut::Stall(_) => while from.read(&mut chunk).is_ok_and(|len| len > 0) {},
        Cut::Garble(_) => drop(to.write_all(&[b'?'; 64])),
        _ => {}
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
