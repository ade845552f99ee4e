//! A hub that a test turns itself, so that it decides when anybody is served.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use soquete::{ConnectionId, Endpoint, EventHead, Exchange, Framing, Hub, Languages, Limits, ListenOptions, Pushed};
use soquete_proto::server::Options;
use std::cell::RefCell;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const ALL: Framing = Framing::Detect(Languages { text: true, frames: true, http: true });
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A hub that the test turns itself, and who subscribed, in order.
pub struct Pushing {
    pub hub: Hub,
    pub endpoint: Endpoint,
    pub subscribers: RefCell<Vec<(ConnectionId, u32)>>,
}

impl Pushing {
    /// Serves the languages at a `mem:` endpoint of this name.
    pub fn new(name: &str) -> Self {
        Pushing::at(&format!("mem:push-{name}"), &ListenOptions::default())
    }

    /// Serves the languages at an endpoint.
    pub fn at(endpoint: &str, listen: &ListenOptions) -> Self {
        let mut hub = Hub::new(Limits::default()).unwrap();
        let service = hub.add_service(ALL, Options::new("board"));
        let endpoint = hub.listen(service, &endpoint.parse().unwrap(), listen).unwrap();
        Pushing { hub, endpoint, subscribers: RefCell::default() }
    }

    pub fn turn(&mut self) {
        let subscribers = &self.subscribers;
        let mut handler = |mut exchange: Exchange<'_>| {
            exchange.keep_open();
            subscribers.borrow_mut().push((exchange.connection(), exchange.id()));
            exchange.reply(b"OK WATCH").unwrap();
        };
        self.hub.turn(Some(Duration::from_millis(5)), &mut handler).unwrap();
    }

    /// Turns until the next has subscribed.
    pub fn subscriber(&mut self, count: usize) -> (ConnectionId, u32) {
        self.turn_until(|pushing| pushing.subscribers.borrow().get(count).copied())
    }

    pub fn turn_until<T>(&mut self, mut want: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(wanted) = want(self) {
                return wanted;
            }
            assert!(Instant::now() < deadline, "turned in vain");
            self.turn();
        }
    }

    /// Turns until a thread has ended; returns what it returned.
    pub fn join<T>(&mut self, thread: JoinHandle<T>) -> T {
        self.turn_until(|_| thread.is_finished().then_some(()));
        thread.join().unwrap()
    }

    pub fn push(&mut self, (to, id): (ConnectionId, u32), seq: u64, payload: &[u8]) -> Pushed {
        self.hub.push(to, id, EventHead { seq, missed: 0, lag: None }, payload, &mut |_: Exchange<'_>| {})
    }

    pub fn push_urgent(&mut self, (to, id): (ConnectionId, u32), seq: u64, payload: &[u8]) -> Pushed {
        self.hub.push_urgent(to, id, EventHead { seq, missed: 0, lag: None }, payload, &mut |_: Exchange<'_>| {})
    }
}
