//! Sessions, text, raw octets and announcements over real sockets of datagrams, on good paths and bad ones.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "../kit/hub.rs"]
mod kit;
#[path = "../kit/lossy.rs"]
mod lossy;

mod announcing;
mod asking;
mod ending;
mod forged;
mod outbound;
mod plain;
mod pushing;

use kit::{Counting, Log, Served, serve_with};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use soquete::{Client, ClientFraming, ClientOptions, Datagram, DatagramOptions, Endpoint, Framing, Limits, Outcome};
use soquete::{Hub, ListenOptions};
use soquete_proto::server::Options;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Paths of sockets are taken away by the server that made them.
fn places() -> [String; 4] {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("soquete-{}-gram-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("{name}.sock"));
    let (path, hidden) = (format!("unixgram://{}", path.display()), format!("unixgram:@{name}"));
    ["udp://127.0.0.1:0".into(), "udp://[::1]:0".into(), path, hidden]
}

fn serve(endpoint: &str, framing: Framing) -> Served {
    serve_with(endpoint, framing, Limits::default(), Options::new("board"))
}

fn client(endpoint: &Endpoint) -> Client {
    client_with(endpoint, |_| {})
}

fn client_with(endpoint: &Endpoint, change: impl FnOnce(&mut soquete_proto::client::Options)) -> Client {
    let mut options = ClientOptions { timeout: Some(SOON), ..ClientOptions::frames("board") };
    if let ClientFraming::Frames(core) = &mut options.framing {
        change(core);
    }
    Client::connect(endpoint, options).unwrap()
}

fn line_client(endpoint: &Endpoint) -> Client {
    let options = ClientOptions { timeout: Some(SOON), ..ClientOptions::line(1 << 16) };
    Client::connect(endpoint, options).unwrap()
}

/// A socket that is aimed at `endpoint`.
fn aimed(endpoint: &Endpoint) -> Datagram {
    let socket = Datagram::connect(endpoint, &DatagramOptions::default()).unwrap();
    socket.set_receive_timeout(Some(SOON)).unwrap();
    socket
}

/// Waits for a datagram.
fn next(socket: &Datagram) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let len = socket.receive(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

fn done(answer: &str) -> Outcome {
    Outcome::Done(answer.as_bytes().to_vec())
}

/// Waits for so many commands: what has arrived may not be done yet.
fn commands(served: &Served, count: usize) -> Vec<String> {
    served.log.wait(|seen| (seen.commands.len() >= count).then(|| seen.commands.clone()))
}

/// A hub in the test's own thread: what was sent to it over loopback is there, and served when the test says so.
struct Near {
    hub: Hub,
    endpoint: Endpoint,
    log: Arc<Log>,
    handler: Counting,
}

impl Near {
    fn new(endpoint: &str, framing: Framing) -> Self {
        let mut hub = Hub::new(Limits::default()).unwrap();
        let service = hub.add_service(framing, Options::new("board"));
        let endpoint = hub.listen(service, &endpoint.parse().unwrap(), &ListenOptions::default()).unwrap();
        let log = Arc::new(Log::default());
        Near { hub, endpoint, handler: Counting(log.clone()), log }
    }

    /// Serves all that has come.
    fn serve(&mut self) {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        while poll(&mut [PollFd::new(&self.hub, PollFlags::IN)], Some(&now)).unwrap() > 0 {
            self.hub.turn(Some(Duration::ZERO), &mut self.handler).unwrap();
        }
    }

    fn dropped(&self) -> u64 {
        self.hub.counts().dropped
    }

    fn messages(&self) -> usize {
        self.log.with(|seen| seen.messages)
    }
}

/// Returns all datagrams that have come to a socket, without waiting.
fn received(socket: &Datagram) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 65_536];
    let received = std::iter::from_fn(|| socket.receive(&mut buffer).ok().map(|len| buffer[..len].to_vec())).collect();
    socket.set_nonblocking(false).unwrap();
    received
}
