//! The client that lives on a loop.

use super::kit::{ALL, PATIENCE, Served};
use super::lossy::{Path, Weather};
use super::{places, serve};
use soquete::{Clock, Endpoint, Exchange, Framing, Hub, Limits, Outbound, Outcome};
use soquete_proto::client::{Options, Request};
use std::collections::BTreeMap;
use std::time::Duration;

struct Loop {
    hub: Hub,
    outbound: Outbound,
    outcomes: BTreeMap<u32, Outcome>,
}

impl Loop {
    fn new(endpoint: &Endpoint) -> Self {
        let mut options = Options::new("board");
        options.resume = true;
        let (hub, outbound) = (Hub::new(Limits::default()).unwrap(), Outbound::new(endpoint.clone(), options));
        Loop { hub, outbound, outcomes: BTreeMap::new() }
    }

    fn request(&mut self, payload: &[u8], timeout: Duration) -> u32 {
        let now = Clock::now();
        let deadline = Some(now + timeout);
        let id = self.outbound.request(now, Request { once: true, deadline, ..Request::new(payload) });
        id.unwrap()
    }

    /// Goes on as a process does: driven when a descriptor is ready, or at its time, and at no other.
    fn until(&mut self, count: usize) {
        let begin = Clock::now();
        self.outbound.drive(&mut self.hub, begin);
        while self.outcomes.len() < count {
            let now = Clock::now();
            assert!(now < begin + PATIENCE, "waited in vain for {count}: {:?}", self.outcomes);
            let due = self.outbound.timeout();
            let left = due.map_or(PATIENCE, |due| due.saturating_sub(now));
            self.hub.turn(Some(left), &mut |_: Exchange<'_>| {}).unwrap();
            let mut is_ready = false;
            while let Some(ready) = self.hub.next_ready() {
                is_ready |= self.outbound.owns(ready);
            }
            if is_ready || due.is_some_and(|due| due <= Clock::now()) {
                self.outbound.drive(&mut self.hub, Clock::now());
            }
            while let Some((id, outcome)) = self.outbound.next_outcome() {
                assert!(self.outcomes.insert(id, outcome).is_none(), "{id} ended twice");
            }
        }
    }
}

#[test]
fn to_a_group_nothing_is_done_since_it_has_no_session() {
    let mut driven = Loop::new(&"udp://239.255.83.6:9?interface=lo&ttl=0".parse().unwrap());
    let id = driven.request(b"LED ON", Duration::from_millis(200));
    driven.until(1);
    let Outcome::NotDone(why) = &driven.outcomes[&id] else { panic!("{:?}", driven.outcomes) };
    assert!(why.contains("a group has no session"), "{why}");
}

/// Makes so many requests at once; asserts that each is done once.
fn ask(endpoint: &Endpoint, served: &Served, count: usize) {
    let mut driven = Loop::new(endpoint);
    for _ in 0..count {
        driven.request(b"LED TOGGLE", PATIENCE);
    }
    driven.until(count);
    let done = Outcome::Done(b"OK LED TOGGLE".to_vec());
    assert!(driven.outcomes.values().all(|outcome| *outcome == done), "{:?}", driven.outcomes);
    assert_eq!(served.log.commands().len(), count);
}

#[test]
fn more_requests_than_the_window_has_are_each_done_once() {
    for place in places() {
        let served = serve(&place, ALL);
        ask(&served.endpoint, &served, 500);
    }
}

#[test]
fn requests_over_bad_paths_are_each_done_once() {
    let threads = (1..=4).map(|seed| {
        std::thread::spawn(move || {
            let served = serve("udp://127.0.0.1:0", Framing::Frames);
            let path = Path::start(&served.endpoint, seed, Weather::BAD);
            ask(&path.endpoint, &served, 200);
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_server_that_is_not_there_is_tried_again_until_the_deadline() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let endpoint = served.endpoint.clone();
    served.stop();
    let mut driven = Loop::new(&endpoint);
    let id = driven.request(b"LED ON", Duration::from_millis(300));
    driven.until(1);
    let Outcome::NotDone(why) = &driven.outcomes[&id] else { panic!("{:?}", driven.outcomes) };
    assert!(why.contains(&endpoint.to_string()) && why.contains("refused"), "{why}");
}

#[test]
fn a_server_that_comes_in_time_does_it_once() {
    for place in places() {
        let served = serve(&place, ALL);
        let endpoint = served.endpoint.clone();
        served.stop();
        let mut driven = Loop::new(&endpoint);
        let id = driven.request(b"LED ON", PATIENCE);
        for _ in 0..3 {
            driven.outbound.drive(&mut driven.hub, Clock::now());
        }
        let served = serve(&endpoint.to_string(), ALL);
        driven.until(1);
        assert_eq!(driven.outcomes[&id], Outcome::Done(b"OK LED ON".to_vec()), "{endpoint}");
        assert_eq!(served.log.commands(), ["LED ON"]);
    }
}

#[test]
fn what_a_restarted_server_was_sent_is_unknown_and_the_rest_is_done() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let endpoint = served.endpoint.clone();
    let mut driven = Loop::new(&endpoint);
    let later = driven.request(b"LATER", PATIENCE);
    driven.outbound.drive(&mut driven.hub, Clock::now());
    while served.log.with(|seen| seen.responders.is_empty()) {
        driven.hub.turn(Some(Duration::from_millis(1)), &mut |_: Exchange<'_>| {}).unwrap();
        driven.outbound.drive(&mut driven.hub, Clock::now());
    }
    served.stop();
    let served = serve(&endpoint.to_string(), ALL);
    let next = driven.request(b"LED ON", PATIENCE);
    driven.until(2);
    assert!(matches!(driven.outcomes[&later], Outcome::Unknown(_)), "{:?}", driven.outcomes);
    assert_eq!(driven.outcomes[&next], Outcome::Done(b"OK LED ON".to_vec()));
    assert_eq!(served.log.commands(), ["LED ON"]);
}
