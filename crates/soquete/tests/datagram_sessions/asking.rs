//! Requests, calls and messages of the blocking client.

use super::kit::{ALL, Served};
use super::lossy::{Path, Weather};
use super::{SOON, client, client_with, commands, done, places, serve};
use soquete::{Cause, Client, ClientOptions, Endpoint, Framing, Outcome, Received, Server};
use std::collections::BTreeSet;
use std::time::Duration;

/// Submits as many requests as may be in flight, over and over; asserts that each is answered once and done once.
fn ask(client: &mut Client, served: &Served, count: usize) {
    let mut open = BTreeSet::new();
    let mut submitted = 0;
    while submitted < count || !open.is_empty() {
        while submitted < count && open.len() < 40 {
            assert!(open.insert(client.submit(b"LED TOGGLE").unwrap()));
            submitted += 1;
        }
        match client.receive().unwrap() {
            Received::Reply { id, payload } => {
                assert_eq!(payload, b"OK LED TOGGLE");
                assert!(open.remove(&id), "{id} was answered twice");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(served.log.commands().len(), count);
}

#[test]
fn each_request_is_answered_once_and_done_once_over_every_kind_of_datagram() {
    for place in places() {
        for framing in [ALL, Framing::Frames] {
            let served = serve(&place, framing);
            let mut client = client(&served.endpoint);
            ask(&mut client, &served, 300);
            assert_eq!(client.call(b"LED ON", SOON).unwrap(), done("OK LED ON"), "{place}");
        }
    }
}

#[test]
fn each_request_is_answered_once_and_done_once_over_bad_paths() {
    let threads = (1..=4).map(|seed| {
        std::thread::spawn(move || {
            let served = serve(&super::places()[seed % 2], Framing::Frames);
            let path = Path::start(&served.endpoint, seed as u64, Weather::BAD);
            ask(&mut client(&path.endpoint), &served, 150);
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn calls_over_bad_paths_are_done_once_or_not_at_all() {
    let threads = (1..=4).map(|seed| {
        std::thread::spawn(move || {
            let served = serve("udp://127.0.0.1:0", ALL);
            let path = Path::start(&served.endpoint, seed, Weather { lost: 40, ..Weather::BAD });
            let mut client = client(&path.endpoint);
            let (mut done, mut unknown) = (0, 0);
            for count in 0..12 {
                // Some have less time than a repetition takes.
                let timeout = if count % 4 == 0 { Duration::from_millis(10) } else { Duration::from_secs(5) };
                match client.call(b"LED TOGGLE", timeout).unwrap() {
                    Outcome::Done(_) => done += 1,
                    Outcome::NotDone(_) => {}
                    Outcome::Unknown(_) => unknown += 1,
                }
            }
            path.set(Weather::default());
            assert_eq!(client.call(b"LED OFF", SOON).unwrap(), super::done("OK LED OFF"));
            let commands = served.log.commands().len() - 1;
            assert!((done..=done + unknown).contains(&commands), "{done} done, {unknown} unknown, {commands} commands");
            assert!(done >= 5, "{done}");
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn messages_over_a_bad_path_arrive_once_and_in_order() {
    let served = serve("udp://127.0.0.1:0", Framing::Frames);
    let path = Path::start(&served.endpoint, 7, Weather::BAD);
    let mut client = client(&path.endpoint);
    let words = ["LED ON", "LED OFF", "LED TOGGLE"];
    let sent: Vec<&str> = (0..300).map(|number| words[(number * number / 7) % 3]).collect();
    client.batch(|batch| sent.iter().try_for_each(|word| batch.message(word.as_bytes()))).unwrap();
    client.finish().unwrap();
    assert_eq!(commands(&served, sent.len()), sent);
}

#[test]
fn a_path_that_goes_dark_and_comes_back_loses_nothing() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let path = Path::start(&served.endpoint, 1, Weather::default());
    let mut client = client(&path.endpoint);
    client.request(b"LED ON").unwrap();
    path.set(Weather { is_dark: true, ..Weather::default() });
    let id = client.submit(b"LED TOGGLE").unwrap();
    let before = path.passed().len();
    client.message(b"LED OFF").unwrap();
    let path = std::sync::Arc::new(path);
    let dark = path.clone();
    let clearing = std::thread::spawn(move || {
        while dark.passed().len() < before + 4 {
            std::thread::yield_now();
        }
        dark.set(Weather::default());
    });
    assert_eq!(client.receive().unwrap(), Received::Reply { id, payload: b"OK LED TOGGLE" });
    clearing.join().unwrap();
    client.finish().unwrap();
    assert_eq!(commands(&served, 3), ["LED ON", "LED TOGGLE", "LED OFF"]);
}

#[test]
fn a_client_whose_address_changes_goes_on_with_its_session() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let path = Path::start(&served.endpoint, 1, Weather::default());
    let mut client = client(&path.endpoint);
    for round in 1..4 {
        assert_eq!(client.call(b"LED TOGGLE", SOON).unwrap(), done("OK LED TOGGLE"));
        assert_eq!(served.log.commands().len(), round);
        path.rebind();
    }
    assert!(path.clients() > 1);
}

#[test]
fn an_answer_that_comes_after_the_address_changed_finds_its_way() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let path = std::sync::Arc::new(Path::start(&served.endpoint, 1, Weather::default()));
    let (log, near) = (served.log.clone(), path.clone());
    let answering = std::thread::spawn(move || {
        let responder = log.wait(|seen| seen.responders.pop());
        near.rebind();
        responder.reply(b"at last");
    });
    let mut client = client_with(&path.endpoint, |options| options.ping_after = Duration::from_millis(100));
    assert_eq!(client.call(b"LATER", SOON).unwrap(), done("at last"));
    answering.join().unwrap();
    assert_eq!(served.log.with(|seen| seen.messages), 1);
}

#[test]
fn what_a_restarted_server_was_sent_is_unknown_and_the_rest_is_done() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let endpoint = served.endpoint.clone();
    // It has nothing to send, so a ping finds out.
    let mut client = client_with(&endpoint, |options| options.ping_after = Duration::from_millis(100));
    let log = served.log.clone();
    let restarting = std::thread::spawn(move || {
        log.wait(|seen| (!seen.responders.is_empty()).then_some(()));
        served.stop();
        let again = serve(&endpoint.to_string(), ALL);
        log.with(|seen| seen.responders.clear());
        again
    });
    let outcome = client.call(b"LATER", SOON).unwrap();
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    let again = restarting.join().unwrap();
    assert_eq!(client.call(b"LED ON", SOON).unwrap(), done("OK LED ON"));
    assert_eq!(again.log.commands(), ["LED ON"]);
}

#[test]
fn a_plain_request_to_a_restarted_server_fails_at_once() {
    let served = serve("udp://127.0.0.1:0", ALL);
    let mut client = client(&served.endpoint);
    client.request(b"LED ON").unwrap();
    let endpoint = served.endpoint.to_string();
    served.stop();
    let _again = serve(&endpoint, ALL);
    let error = client.request(b"LED ON").unwrap_err();
    assert_eq!(error.to_string(), format!("receive {endpoint}: connection reset by peer"));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    for place in &places()[..2] {
        let served = serve(place, ALL);
        let endpoint = served.endpoint.clone();
        served.stop();
        let error = client(&endpoint).request(b"LED ON").unwrap_err();
        assert!(error.is_refused(), "{error}");
        assert!(error.to_string().contains(&endpoint.to_string()), "{error}");
        let outcome = client(&endpoint).call(b"LED ON", Duration::from_millis(50)).unwrap();
        assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
    }
    for place in &places()[2..] {
        let endpoint: Endpoint = place.parse().unwrap();
        let error = Client::connect(&endpoint, ClientOptions::frames("board")).err().unwrap();
        assert!(error.to_string().contains(&endpoint.to_string()), "{error}");
    }
}

#[test]
fn what_does_not_fit_a_datagram_is_refused_before_anything_is_sent() {
    for place in places() {
        let served = serve(&place, ALL);
        let mut client = client(&served.endpoint);
        let Cause::Oversize { max_bytes, .. } = *client.request(&vec![b'x'; 65_507]).unwrap_err().cause() else {
            panic!("too long");
        };
        assert_eq!(max_bytes, 65_454, "as documented");
        assert_eq!(served.log.with(|seen| seen.messages), 0);
        client.handshake().unwrap();
        let longest = format!("LED{}", " ".repeat(max_bytes - 3));
        assert_eq!(client.request(longest.as_bytes()).unwrap(), b"OK", "{place}");
        let error = client.request(format!("{longest} ").as_bytes()).unwrap_err();
        let Cause::Oversize { len_bytes, max_bytes: told } = *error.cause() else { panic!("{error}") };
        assert_eq!((len_bytes, told), (max_bytes + 1, max_bytes));
        assert_eq!(client.request(format!("BIG {}", max_bytes - 12).as_bytes()).unwrap().len(), max_bytes - 12);
        let error = client.request(b"BIG 65507").unwrap_err();
        assert!(error.to_string().contains("65507 octets, at most"), "{error}");
        assert_eq!(client.request(b"LED").unwrap(), b"OK");
    }
}

#[test]
fn a_server_that_is_stopped_gives_the_answers_it_owes_and_says_goodbye() {
    let threads = (1..4).map(|seed| {
        std::thread::spawn(move || {
            let server = Server::bind(&"udp://127.0.0.1:0".parse().unwrap(), Framing::Frames).unwrap();
            let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
            let (tell, told) = std::sync::mpsc::channel();
            let serving = std::thread::spawn(move || {
                server.run(move |exchange: soquete::Exchange<'_>| tell.send(exchange.later()).unwrap())
            });
            let path = Path::start(&endpoint, seed, Weather { lost: 25, ..Weather::default() });
            let mut client = client_with(&path.endpoint, |options| options.service.clear());
            let ids: Vec<u32> = (0..20).map(|_| client.submit(b"LED ON").unwrap()).collect();
            let answering = std::thread::spawn(move || {
                let responders: Vec<_> = (0..20).map(|_| told.recv().unwrap()).collect();
                stopper.stop();
                responders.into_iter().for_each(|responder| responder.reply(b"OK"));
            });
            for id in ids {
                assert_eq!(client.receive().unwrap(), Received::Reply { id, payload: b"OK" });
            }
            answering.join().unwrap();
            serving.join().unwrap().unwrap();
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}
