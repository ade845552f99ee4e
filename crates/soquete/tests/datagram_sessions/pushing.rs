//! What a server says without being asked, by datagrams.

use super::kit::{ALL, PATIENCE};
use super::lossy::{Path, Weather};
use super::{aimed, client, next, places};
use soquete::{
    Client, ConnectionId, Endpoint, EventHead, Exchange, Hub, Limits, ListenOptions, Pushed, Received, Stopper,
};
use soquete_proto::server::Options;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce(&mut Hub) + Send>;

/// A hub in a thread, that does what it is told between two turns.
struct Feed {
    endpoint: Endpoint,
    stopper: Stopper,
    jobs: Sender<Job>,
    subscribers: Receiver<(ConnectionId, u32)>,
    serving: Option<JoinHandle<()>>,
}

impl Feed {
    fn start(endpoint: &str) -> Self {
        let mut hub = Hub::new(Limits::default()).unwrap();
        let service = hub.add_service(ALL, Options::new("board"));
        let endpoint = hub.listen(service, &endpoint.parse().unwrap(), &ListenOptions::default()).unwrap();
        let stopper = hub.stopper();
        let (jobs, to_do) = channel::<Job>();
        let (tell, subscribers) = channel();
        let mut handler = move |mut exchange: Exchange<'_>| {
            exchange.keep_open();
            tell.send((exchange.connection(), exchange.id())).unwrap();
            exchange.reply(b"OK WATCH").unwrap();
        };
        let serving = std::thread::spawn(move || {
            while !hub.is_stopped() {
                hub.turn(None, &mut handler).unwrap();
                to_do.try_iter().for_each(|job| job(&mut hub));
            }
        });
        Feed { endpoint, stopper, jobs, subscribers, serving: Some(serving) }
    }

    fn subscriber(&self) -> (ConnectionId, u32) {
        self.subscribers.recv_timeout(PATIENCE).unwrap()
    }

    /// Has the hub do something; returns what came of it.
    fn have<T: Send + 'static>(&self, job: impl FnOnce(&mut Hub) -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        self.jobs.send(Box::new(move |hub| tell.send(job(hub)).unwrap())).unwrap();
        self.stopper.wake();
        told.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stopper.stop();
        let ended = self.serving.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()), "the hub panicked");
    }
}

fn push(hub: &mut Hub, (to, id): (ConnectionId, u32), seq: u64, payload: &[u8]) -> Pushed {
    hub.push(to, id, EventHead { seq, missed: 0, lag: None }, payload, &mut |_: Exchange<'_>| {})
}

fn subscribe(endpoint: &Endpoint, feed: &Feed) -> (Client, (ConnectionId, u32)) {
    let mut client = client(endpoint);
    let id = client.submit(b"WATCH").unwrap();
    assert_eq!(client.receive().unwrap(), Received::Reply { id, payload: b"OK WATCH" });
    (client, feed.subscriber())
}

fn event(client: &mut Client) -> (u64, bool) {
    match client.receive().unwrap() {
        Received::Event { head, is_urgent, .. } => (head.seq, is_urgent),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_over_bad_paths_arrive_once_and_in_order_and_who_is_slow_is_told_of_room() {
    for seed in 1..3 {
        let feed = Feed::start("udp://127.0.0.1:0");
        let path = Path::start(&feed.endpoint, seed, Weather::BAD);
        let (mut client, to) = subscribe(&path.endpoint, &feed);
        let reading = std::thread::spawn(move || (0..300).map(|_| event(&mut client).0).collect::<Vec<_>>());
        let mut times_full = 0;
        let mut seq = 0;
        while seq < 300 {
            match feed.have(move |hub| push(hub, to, seq, &[b'x'; 1_000])) {
                Pushed::Queued => seq += 1,
                Pushed::Full => {
                    times_full += 1;
                    let wait = || feed.have(Hub::next_drained);
                    while wait().is_none() {
                        std::thread::yield_now();
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(reading.join().unwrap(), (0..300).collect::<Vec<_>>());
        assert!(times_full > 0, "300 events of 1,000 octets are more than 64 KiB");
    }
}

#[test]
fn urgent_events_overtake_what_was_not_sent_and_are_bounded() {
    let feed = Feed::start("udp://127.0.0.1:0");
    let path = Path::start(&feed.endpoint, 1, Weather::default());
    let (mut client, to) = subscribe(&path.endpoint, &feed);
    path.set(Weather { is_dark: true, ..Weather::default() });
    let queued = feed.have(move |hub| (0..100).filter(|seq| push(hub, to, *seq, b"event") == Pushed::Queued).count());
    assert_eq!(queued, 100);
    let urgent = feed.have(move |hub| {
        let mut urgent = 0;
        let mut put = |seq| {
            let head = EventHead { seq, missed: 0, lag: None };
            hub.push_urgent(to.0, to.1, head, &[b'!'; 1_000], &mut |_: Exchange<'_>| {}) == Pushed::Queued
        };
        while urgent < 1_000 && put(1_000 + urgent) {
            urgent += 1;
        }
        urgent
    });
    assert!((60..=130).contains(&urgent), "{urgent} urgent events of 1,000 octets waited");
    path.set(Weather::default());
    let events: Vec<(u64, bool)> = (0..100 + urgent).map(|_| event(&mut client)).collect();
    let first = events.iter().position(|(_, is_urgent)| *is_urgent).unwrap();
    assert!(first <= 64, "behind the window alone, not {first}");
    let is_in_order = |wanted: bool| {
        let seqs = events.iter().filter(|(_, is_urgent)| *is_urgent == wanted).map(|(seq, _)| *seq);
        seqs.collect::<Vec<_>>().is_sorted()
    };
    assert!(is_in_order(true) && is_in_order(false));
}

#[test]
fn a_subscriber_by_text_gets_each_event_in_a_datagram() {
    for place in places() {
        let feed = Feed::start(&place);
        let socket = aimed(&feed.endpoint);
        socket.send(b"WATCH").unwrap();
        assert_eq!(next(&socket), b"OK WATCH\n");
        let to = feed.subscriber();
        for seq in 0..3 {
            let pushed = feed.have(move |hub| push(hub, to, seq, b"EVENT LED ON"));
            assert_eq!((pushed, &next(&socket)[..]), (Pushed::Queued, &b"EVENT LED ON\n"[..]));
        }
    }
}

#[test]
fn a_subscriber_that_is_gone_is_noticed() {
    let feed = Feed::start(&places()[2]);
    let socket = aimed(&feed.endpoint);
    socket.send(b"WATCH").unwrap();
    let to = feed.subscriber();
    assert_eq!(next(&socket), b"OK WATCH\n");
    drop(socket);
    feed.have(move |hub| push(hub, to, 1, b"EVENT LED ON"));
    assert_eq!(feed.have(move |hub| push(hub, to, 2, b"EVENT LED ON")), Pushed::Gone);
}
