//! Events and messages that overtake those which a slow receiver has not taken.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/gate.rs"]
mod gate;
#[path = "kit/pushing.rs"]
mod pushing;

use gate::{Came, Gate, around, message, numbers};
use pushing::{PATIENCE, Pushing};
use soquete::{Client, ClientFraming, ClientOptions, ConnectionId, Error, ListenOptions, Listener};
use soquete::{Pushed, Received, Stream};
use std::io::Write;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Makes a test of each function for each kind of endpoint.
macro_rules! over_every_kind {
    ($($test:ident),+ $(,)?) => {
        mod tcp { $( #[test] fn $test() { super::$test("tcp://127.0.0.1:0"); } )+ }
        mod unix { $( #[test] fn $test() {
            super::$test(&format!("unix:@soquete-urgent-{}-{}", stringify!($test), std::process::id()));
        } )+ }
        mod mem { $( #[test] fn $test() { super::$test(concat!("mem:", stringify!($test))); } )+ }
    };
}

over_every_kind!(
    a_slow_subscriber_gets_urgent_events_before_those_that_wait,
    who_takes_no_urgent_event_either_is_full,
    no_event_is_torn_and_none_lost_whenever_one_is_urgent,
    a_client_sends_what_is_urgent_before_what_it_has_gathered,
    a_client_that_waits_for_a_slow_server_sends_what_is_urgent_first,
);

/// Subscribes, and reads nothing more until it is asked to.
fn subscribe(pushing: &mut Pushing, options: ClientOptions) -> (Client, (ConnectionId, u32)) {
    let endpoint = pushing.endpoint.clone();
    let subscribing = std::thread::spawn(move || {
        let mut client = Client::connect(&endpoint, options).unwrap();
        client.request(b"WATCH").unwrap();
        client
    });
    let to = pushing.subscriber(0);
    (pushing.join(subscribing), to)
}

fn read(mut client: Client, count: usize) -> JoinHandle<Vec<Came>> {
    std::thread::spawn(move || {
        let take = |_| match client.receive().unwrap() {
            Received::Event { head, payload, is_urgent, .. } => {
                assert!(payload.iter().all(|octet| u64::from(*octet) == head.seq % 251), "torn");
                (head.seq, is_urgent)
            }
            received => panic!("{received:?}"),
        };
        (0..count).map(take).collect()
    })
}

fn event(seq: u64, len: usize) -> Vec<u8> {
    vec![u8::try_from(seq % 251).unwrap(); len]
}

fn frames() -> ClientOptions {
    ClientOptions::frames("board")
}

/// Pushes events of 1,000 octets until no more wait; returns how many there are.
fn fill(pushing: &mut Pushing, to: (ConnectionId, u32)) -> u64 {
    let mut count = 0;
    while pushing.push(to, count, &event(count, 1_000)) == Pushed::Queued {
        count += 1;
        assert!(count < 100_000, "it is never full");
    }
    count
}

/// Whole frames of 1,024 octets that wait where an event of 1,000 does not fit into 64 KiB any more, one of them begun.
const WAITING_MIN: usize = (65_536 - 1_000 + 1 - 1_023) / 1_024;

fn a_slow_subscriber_gets_urgent_events_before_those_that_wait(endpoint: &str) {
    let mut pushing = Pushing::at(endpoint, &ListenOptions::default());
    let (client, to) = subscribe(&mut pushing, frames());
    let count = fill(&mut pushing, to);
    let urgent = count..count + 3;
    for seq in urgent.clone() {
        assert_eq!(pushing.push_urgent(to, seq, &event(seq, 10)), Pushed::Queued);
    }
    let came = pushing.join(read(client, usize::try_from(count).unwrap() + 3));
    assert_eq!(numbers(&came, true), urgent.collect::<Vec<_>>());
    assert_eq!(numbers(&came, false), (0..count).collect::<Vec<_>>());
    // Between them others may come, where the kernel took more.
    let (before, _) = around(&came);
    let max = usize::try_from(count).unwrap() - WAITING_MIN;
    assert!(before <= max, "{before} came before the first, of {count}; at most {max} should");
}

fn who_takes_no_urgent_event_either_is_full(endpoint: &str) {
    let mut pushing = Pushing::at(endpoint, &ListenOptions::default());
    let (client, to) = subscribe(&mut pushing, frames());
    let count = fill(&mut pushing, to);
    let mut all = count;
    while pushing.push_urgent(to, all, &event(all, 1_000)) == Pushed::Queued {
        all += 1;
        assert!(all < 100_000, "it is never full");
    }
    assert!(all - count >= 64_000 / 1_024, "{}", all - count);
    let reading = read(client, usize::try_from(all).unwrap());
    assert_eq!(pushing.turn_until(|pushing| pushing.hub.next_drained()), to.0);
    assert_eq!(pushing.join(reading).len(), usize::try_from(all).unwrap());
}

fn no_event_is_torn_and_none_lost_whenever_one_is_urgent(endpoint: &str) {
    let listen = ListenOptions { unsent_max_bytes: Some(4 << 10), ..ListenOptions::default() };
    let mut pushing = Pushing::at(endpoint, &listen);
    let (client, to) = subscribe(&mut pushing, frames());
    let (count, mut seed) = (3_000, 0x9E37_79B9_u32);
    let reading = read(client, count);
    let mut urgent = Vec::new();
    for seq in 0..count as u64 {
        // Numerical Recipes' generator; its high bits are good enough.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let is_urgent = (seed >> 24).is_multiple_of(8);
        let payload = event(seq, (seed >> 10) as usize % 5_000);
        if is_urgent {
            urgent.push(seq);
        }
        pushing.turn_until(|pushing| {
            let pushed = match is_urgent {
                true => pushing.push_urgent(to, seq, &payload),
                false => pushing.push(to, seq, &payload),
            };
            (pushed == Pushed::Queued).then_some(())
        });
    }
    let came = pushing.join(reading);
    assert_eq!(numbers(&came, true), urgent, "the urgent in their order");
    let others: Vec<u64> = (0..count as u64).filter(|seq| !urgent.contains(seq)).collect();
    assert_eq!(numbers(&came, false), others, "and the others in theirs");
}

/// Frames of 1 KiB that the kernel holds with a bound of 16 KiB: what the other end's takes, 128 KiB at first, twice; the
/// bound; and one piece.
const KERNEL_MAX: usize = 2 * 128 + 16 + 64;

#[test]
fn what_the_kernel_holds_of_tcp_is_bounded_by_an_option() {
    let listen = ListenOptions { unsent_max_bytes: Some(16 << 10), ..ListenOptions::default() };
    let before = |listen| {
        let mut pushing = Pushing::at("tcp://127.0.0.1:0", &listen);
        let (client, to) = subscribe(&mut pushing, frames());
        let count = fill(&mut pushing, to);
        assert_eq!(pushing.push_urgent(to, count, &event(count, 1_000)), Pushed::Queued);
        around(&pushing.join(read(client, usize::try_from(count).unwrap() + 1))).0
    };
    let (bounded, unbounded) = (before(listen), before(ListenOptions::default()));
    assert!(bounded <= KERNEL_MAX, "{bounded} events of 1 KiB came first, at most {KERNEL_MAX} should");
    assert!(bounded <= unbounded, "{bounded} came first with the bound, {unbounded} without");
}

#[test]
fn a_client_that_does_not_know_urgent_events_gets_them_in_their_turn() {
    let mut pushing = Pushing::new("unaware");
    let mut options = frames();
    if let ClientFraming::Frames(core) = &mut options.framing {
        core.urgent = false;
    }
    let (client, to) = subscribe(&mut pushing, options);
    let count = fill(&mut pushing, to);
    assert_eq!(pushing.push_urgent(to, count, &event(count, 1_000)), Pushed::Full, "as any other");
    let reading = read(client, usize::try_from(count).unwrap() + 1);
    pushing.turn_until(|pushing| pushing.hub.next_drained());
    assert_eq!(pushing.push_urgent(to, count, &event(count, 1_000)), Pushed::Queued);
    assert_eq!(pushing.join(reading), (0..=count).map(|seq| (seq, false)).collect::<Vec<_>>());
}

/// Connects a client that waits for no more than a moment, and has it wait before the gate.
fn client_of(gate: &Gate) -> Client {
    bounded_client_of(gate, None)
}

fn bounded_client_of(gate: &Gate, unsent_max_bytes: Option<u32>) -> Client {
    let timeout = Some(Duration::from_millis(50));
    let options = ClientOptions { timeout, unsent_max_bytes, ..ClientOptions::frames("") };
    let mut client = Client::connect(&gate.endpoint, options).unwrap();
    patiently(|| client.handshake());
    client.message(b"WAIT").unwrap();
    client
}

/// Lets go what waits; returns the `count` that come then.
fn pass(gate: Gate, mut client: Client, count: usize) -> Vec<Came> {
    gate.open();
    patiently(|| client.batch(|_| Ok(())));
    gate.came(count)
}

/// Does it until it is done.
fn patiently(mut act: impl FnMut() -> Result<(), Error>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = act() {
        assert!(error.is_timeout() && Instant::now() < deadline, "{error}");
    }
}

fn a_client_sends_what_is_urgent_before_what_it_has_gathered(endpoint: &str) {
    let gate = Gate::at(endpoint);
    let mut client = client_of(&gate);
    let gathered = client.batch(|batch| {
        for number in 0..50 {
            batch.message(&message(number, 1_000))?;
        }
        batch.urgent_on(0, &message(100, 1_000))?;
        batch.message(&message(50, 1_000))?;
        batch.urgent_on(0, &message(101, 1_000))
    });
    gathered.unwrap();
    client.urgent(&message(102, 1_000)).unwrap();
    let expected = [100, 101].map(|number| (number, true)).into_iter();
    let expected = expected.chain((0..51).map(|number| (number, false))).chain([(102, true)]);
    assert_eq!(pass(gate, client, 54), expected.collect::<Vec<_>>());
}

fn a_client_that_waits_for_a_slow_server_sends_what_is_urgent_first(endpoint: &str) {
    let gate = Gate::at(endpoint);
    let client = client_of(&gate);
    overtake(gate, client);
}

#[test]
fn what_the_kernel_of_a_client_holds_is_bounded_by_an_option() {
    let before = |unsent_max_bytes| {
        let gate = Gate::at("tcp://127.0.0.1:0");
        let client = bounded_client_of(&gate, unsent_max_bytes);
        overtake(gate, client)
    };
    let (bounded, unbounded) = (before(Some(16 << 10)), before(None));
    // As for events, and what the server had read when it stopped.
    let max = KERNEL_MAX + 256;
    assert!(bounded <= max, "{bounded} messages of 1 KiB came first, at most {max} should");
    assert!(bounded <= unbounded, "{bounded} came first with the bound, {unbounded} without");
}

/// Sends until nothing goes any more, then something urgent; returns how many messages came before that.
fn overtake(gate: Gate, mut client: Client) -> usize {
    let mut count = 0;
    let full = client.batch(|batch| {
        loop {
            count += 1;
            batch.message(&message(count - 1, 1_000))?;
        }
    });
    assert!(full.unwrap_err().is_timeout());
    // Whether there was room or not, it waits where it belongs.
    let _ = client.batch(|batch| {
        for _ in 0..50 {
            count += 1;
            let _ = batch.message(&message(count - 1, 1_000));
        }
        let _ = batch.urgent_on(0, &message(1 << 40, 1_000));
        batch.urgent_on(0, &message((1 << 40) + 1, 1_000))
    });
    let came = pass(gate, client, usize::try_from(count).unwrap() + 2);
    assert_eq!(numbers(&came, true), [1 << 40, (1 << 40) + 1]);
    assert_eq!(numbers(&came, false), (0..count).collect::<Vec<_>>());
    let (before, _) = around(&came);
    assert!(before < usize::try_from(count).unwrap(), "all {before} came before it");
    before
}

#[test]
fn a_text_subscriber_gets_what_is_urgent_in_its_turn() {
    let mut pushing = Pushing::new("text");
    let mut stream = Stream::connect(&pushing.endpoint).unwrap();
    stream.write_all(b"WATCH\n").unwrap();
    let to = pushing.subscriber(0);
    let count = fill(&mut pushing, to);
    assert_eq!(pushing.push_urgent(to, count, &event(count, 1_000)), Pushed::Full, "as any other");
    drop(stream);
    pushing.turn_until(|pushing| (pushing.hub.counts().connections == 0).then_some(()));
    assert_eq!(pushing.push_urgent(to, count, b"x"), Pushed::Gone);
}

#[test]
fn an_urgent_event_longer_than_the_subscriber_takes_is_not_sent_and_tears_nothing() {
    let mut pushing = Pushing::new("too-long");
    let mut options = frames();
    if let ClientFraming::Frames(core) = &mut options.framing {
        core.payload_max_bytes = 1_000;
    }
    let (client, to) = subscribe(&mut pushing, options);
    let count = fill(&mut pushing, to);
    assert_eq!(pushing.push_urgent(to, count, &event(count, 1_001)), Pushed::TooLong);
    assert_eq!(pushing.push_urgent(to, count, &event(count, 1_000)), Pushed::Queued);
    assert_eq!(pushing.join(read(client, usize::try_from(count).unwrap() + 1)).len() as u64, count + 1);
}

#[test]
fn what_is_urgent_needs_frames() {
    let listener = Listener::bind(&"mem:urgent-raw".parse().unwrap(), &ListenOptions::default()).unwrap();
    let mut client = Client::connect(listener.local(), ClientOptions::raw(10)).unwrap();
    let error = client.urgent(b"STOP").unwrap_err();
    assert!(error.to_string().ends_with("an urgent message needs frames"), "{error}");
}

#[test]
fn a_stream_of_tcp_has_the_bound_and_no_other_can_have_it() {
    let listen = ListenOptions { unsent_max_bytes: Some(16 << 10), ..ListenOptions::default() };
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &listen).unwrap();
    let client = Stream::connect(listener.local()).unwrap();
    let bound = |stream: &Stream| socket2::SockRef::from(stream).tcp_notsent_lowat().unwrap();
    let accepted = listener.accept().unwrap().0;
    assert_eq!(bound(&accepted), 16 << 10, "what is accepted inherits it");
    client.set_unsent_max(8 << 10).unwrap();
    assert_eq!(bound(&client), 8 << 10);
    assert!(Stream::pair().unwrap().0.set_unsent_max(1).is_err());
}
