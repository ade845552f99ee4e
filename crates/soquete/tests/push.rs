//! Events to subscribers that take them, and to some that do not.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/pushing.rs"]
mod pushing;

use pushing::{PATIENCE, Pushing};
use soquete::{
    Client, ClientOptions, Clock, Endpoint, Exchange, Hub, News, Outbound, Outcome, Pushed, Received, Stream,
};
use soquete_proto::client::Request;
use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Subscribes by frames in a thread, and takes `count` events.
fn listen(endpoint: &Endpoint, count: usize) -> JoinHandle<Vec<(u64, Vec<u8>)>> {
    let endpoint = endpoint.clone();
    std::thread::spawn(move || {
        let mut client = Client::connect(&endpoint, ClientOptions::frames("board")).unwrap();
        let id = client.submit(b"WATCH").unwrap();
        assert_eq!(client.receive().unwrap(), Received::Reply { id, payload: b"OK WATCH" });
        let take = |_| match client.receive().unwrap() {
            Received::Event { id: of, head, payload, .. } if of == id => (head.seq, payload.to_vec()),
            received => panic!("{received:?}"),
        };
        (0..count).map(take).collect()
    })
}

/// Subscribes by text and reads nothing more.
fn subscribe_text(endpoint: &Endpoint) -> Stream {
    let mut stream = Stream::connect(endpoint).unwrap();
    stream.write_all(b"WATCH\n").unwrap();
    stream
}

#[test]
fn a_subscriber_gets_every_event_in_order() {
    let mut pushing = Pushing::new("order");
    let listening = listen(&pushing.endpoint, 1_000);
    let to = pushing.subscriber(0);
    for seq in 0..1_000 {
        pushing.turn_until(|pushing| (pushing.push(to, seq, &seq.to_le_bytes()) == Pushed::Queued).then_some(()));
    }
    let expected: Vec<_> = (0..1_000_u64).map(|seq| (seq, seq.to_le_bytes().to_vec())).collect();
    assert_eq!(pushing.join(listening), expected);
}

#[test]
fn a_text_subscriber_gets_lines() {
    let mut pushing = Pushing::new("lines");
    let mut stream = subscribe_text(&pushing.endpoint);
    let to = pushing.subscriber(0);
    assert_eq!(pushing.push(to, 1, b"EVENT LED ON"), Pushed::Queued);
    let expected = b"OK WATCH\nEVENT LED ON\n";
    let mut read = vec![0; expected.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn who_takes_nothing_is_full_and_drained_once_it_has_taken_all() {
    let mut pushing = Pushing::new("full");
    let mut stream = subscribe_text(&pushing.endpoint);
    let to = pushing.subscriber(0);
    let event = [b'.'; 1_000];
    let mut queued = 0_u64;
    while pushing.push(to, queued, &event) == Pushed::Queued {
        queued += 1;
        assert!(queued < 100_000, "it is never full");
    }
    for _ in 0..10 {
        pushing.turn();
        assert_eq!(pushing.hub.next_drained(), None, "nothing was taken yet");
        assert_eq!(pushing.push(to, queued, &event), Pushed::Full);
    }
    // It reads all that was queued, and only then there is room to tell of.
    let (tell, told) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut read = vec![0; "OK WATCH\n".len() + usize::try_from(queued).unwrap() * 1_001];
        stream.read_exact(&mut read).unwrap();
        tell.send(()).unwrap();
        stream
    });
    let drained = pushing.turn_until(|pushing| pushing.hub.next_drained());
    assert_eq!(drained, to.0);
    assert_eq!(pushing.hub.next_drained(), None, "it is told once");
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(pushing.push(to, queued, b"EVENT LED OFF"), Pushed::Queued);
    let mut read = [0; 14];
    reading.join().unwrap().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"EVENT LED OFF\n");
}

#[test]
fn a_slow_subscriber_does_not_hold_up_a_fast_one() {
    let mut pushing = Pushing::new("slow");
    let _slow = subscribe_text(&pushing.endpoint);
    let slow = pushing.subscriber(0);
    let listening = listen(&pushing.endpoint, 2_000);
    let fast = pushing.subscriber(1);
    let begin = Instant::now();
    let mut full = 0;
    for seq in 0..2_000 {
        full += u32::from(pushing.push(slow, seq, &[b'.'; 1_000]) == Pushed::Full);
        pushing.turn_until(|pushing| (pushing.push(fast, seq, b"x") == Pushed::Queued).then_some(()));
    }
    assert_eq!(pushing.join(listening).len(), 2_000);
    assert!(full > 1_000, "{full}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn who_left_is_gone() {
    let mut pushing = Pushing::new("gone");
    let stream = subscribe_text(&pushing.endpoint);
    let to = pushing.subscriber(0);
    drop(stream);
    pushing.turn_until(|pushing| (pushing.hub.counts().connections == 0).then_some(()));
    assert_eq!(pushing.push(to, 1, b"x"), Pushed::Gone);
    let _another = subscribe_text(&pushing.endpoint);
    let another = pushing.subscriber(1);
    assert_ne!(another.0, to.0);
    assert_eq!(pushing.push(to, 2, b"x"), Pushed::Gone, "although its place was given to another");
}

#[test]
fn who_lagged_and_left_is_never_called_drained() {
    let mut pushing = Pushing::new("lagged");
    let stream = subscribe_text(&pushing.endpoint);
    let to = pushing.subscriber(0);
    while pushing.push(to, 0, &[b'.'; 1_000]) == Pushed::Queued {}
    drop(stream);
    pushing.turn_until(|pushing| (pushing.hub.counts().connections == 0).then_some(()));
    assert_eq!(pushing.hub.next_drained(), None);
}

#[test]
fn an_event_longer_than_the_subscriber_takes_is_not_sent_and_those_after_it_are() {
    let mut pushing = Pushing::new("long");
    let endpoint = pushing.endpoint.clone();
    let listening = std::thread::spawn(move || {
        let mut options = ClientOptions::frames("board");
        if let soquete::ClientFraming::Frames(core) = &mut options.framing {
            core.payload_max_bytes = 100;
        }
        let mut client = Client::connect(&endpoint, options).unwrap();
        client.request(b"WATCH").unwrap();
        let Received::Event { head, payload, .. } = client.receive().unwrap() else { panic!() };
        (head.seq, payload.to_vec())
    });
    let to = pushing.subscriber(0);
    assert_ne!(pushing.push(to, 1, &[b'.'; 101]), Pushed::Queued);
    assert_eq!(pushing.push(to, 2, &[b'.'; 100]), Pushed::Queued);
    assert_eq!(pushing.join(listening), (2, vec![b'.'; 100]));
}

#[test]
fn another_loop_can_drive_the_hub_by_its_descriptor() {
    let mut pushing = Pushing::new("driven");
    let _stream = subscribe_text(&pushing.endpoint);
    let is_ready = |hub: &Hub| {
        let mut fds = [rustix::event::PollFd::new(hub, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&timeout)).unwrap() == 1
    };
    while pushing.subscribers.borrow().is_empty() {
        assert!(is_ready(&pushing.hub), "it is readable while a turn has something to do");
        pushing.turn();
    }
}

#[test]
fn a_client_that_is_kept_open_comes_back_and_hears_of_all_that_in_its_order() {
    let mut pushing = Pushing::new("kept");
    let options = soquete_proto::client::Options { resume: true, ..soquete_proto::client::Options::new("board") };
    let mut client = Outbound::new(pushing.endpoint.clone(), options);
    client.keep_open();
    let next = |pushing: &mut Pushing, client: &mut Outbound| {
        pushing.turn_until(|pushing| {
            client.drive(&mut pushing.hub, Clock::now());
            client.next_news()
        })
    };
    for nth in 0..3 {
        assert_eq!(next(&mut pushing, &mut client), News::Opened);
        let id = client.request(Clock::now(), Request::new(b"WATCH")).unwrap();
        let outcome = Outcome::Done(b"OK WATCH".to_vec());
        assert_eq!(next(&mut pushing, &mut client), News::Ended { id, outcome, timing: None });
        let to = pushing.subscriber(nth);
        for payload in [b"one", b"two"] {
            assert_eq!(pushing.push(to, 1, payload), Pushed::Queued);
        }
        for payload in [b"one", b"two"] {
            assert_eq!(next(&mut pushing, &mut client), News::Event { id, payload: payload.to_vec(), lag: None });
        }
        pushing.hub.goodbye("come back", &mut |_: Exchange<'_>| {});
        assert!(matches!(next(&mut pushing, &mut client), News::Lost(_)));
    }
    client.close(&mut pushing.hub);
}
