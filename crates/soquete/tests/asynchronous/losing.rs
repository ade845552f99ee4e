//! Connections that are lost, servers that are gone or do not answer.

use super::kit::*;
use super::proxy::{Cut, Proxy};
use super::serving::{client, echo, serve_echo};
use soquete::{AsyncClient, Cause, ClientFraming, ClientOptions, Clock, Limits, Outcome};
use soquete_proto::server::Options;
use std::time::Duration;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_call_goes_on_over_the_next_connection_and_has_its_effect_once() {
    let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"));
    // The welcome passes, the reply to the call does not.
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let client = client(&proxy.endpoint).await;
    let outcome = client.call(b"LED TOGGLE", SOON).await.unwrap();
    assert_eq!(outcome, Outcome::Done(b"OK LED TOGGLE".to_vec()));
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_call_that_was_refused_the_session_is_not_done_later() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::Reject]);
    let client = client(&proxy.endpoint).await;
    assert!(client.call(b"LED TOGGLE", SOON).await.unwrap_err().is_rejected());
    assert_eq!(client.call(b"LED ON", SOON).await.unwrap(), Outcome::Done(b"OK LED ON".to_vec()));
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[tokio::test]
async fn a_call_that_was_done_is_not_called_undone_by_a_later_refusal() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1), Cut::Reject]);
    let client = client(&proxy.endpoint).await;
    let outcome = client.call(b"LED TOGGLE", SOON).await.unwrap();
    assert_eq!(outcome, Outcome::Done(b"OK LED TOGGLE".to_vec()));
    assert_eq!(served.log.commands(), ["LED TOGGLE"]);
}

#[tokio::test]
async fn a_call_outlives_a_connection_that_falls_silent_or_talks_nonsense() {
    for cut in [Cut::Stall(0), Cut::Stall(1), Cut::Garble(0), Cut::Garble(1)] {
        let served = serve();
        let proxy = Proxy::start_first(&served.endpoint, &[cut]);
        let mut options = ClientOptions::frames("board");
        if let ClientFraming::Frames(core) = &mut options.framing {
            core.ping_after = Duration::from_millis(100);
        }
        let client = AsyncClient::connect(&proxy.endpoint, options).await.unwrap();
        let outcome = client.call(b"LED TOGGLE", SOON).await.unwrap();
        assert_eq!(outcome, Outcome::Done(b"OK LED TOGGLE".to_vec()), "{cut:?}");
        assert_eq!(served.log.commands(), ["LED TOGGLE"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_request_ends_with_its_connection_and_the_next_makes_a_new_one() {
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let client = client(&proxy.endpoint).await;
    let error = client.request(b"LED ON").await.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(client.request(b"LED").await.unwrap(), b"OK");
}

#[tokio::test]
async fn while_nobody_is_there_a_request_fails_at_once_and_a_call_at_its_deadline() {
    let served = serve_echo("mem:asynchronous-gone", Options::new("board"), echo);
    let client = client(&served.endpoint).await;
    client.request(b"x").await.unwrap();
    served.stop();
    let error = client.request(b"x").await.unwrap_err();
    assert!(error.is_closed() || error.is_refused(), "{error}");
    let error = client.request(b"x").await.unwrap_err();
    assert!(error.is_refused(), "{error}");
    let begin = Clock::now();
    let outcome = client.call(b"x", SHORT).await.unwrap();
    assert!(matches!(&outcome, Outcome::NotDone(why) if why.contains("no server")), "{outcome:?}");
    let took = Clock::now() - begin;
    assert!(took >= SHORT && took < SHORT + Duration::from_secs(1), "{took:?}");
    let served = serve_echo("mem:asynchronous-gone", Options::new("board"), echo);
    assert_eq!(client.request(b"back").await.unwrap(), b"back");
    drop(served);
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_a_call_unknown_and_a_stopped_one_not_done() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let outcome = client.call(b"LATER", SHORT).await.unwrap();
    assert!(matches!(outcome, Outcome::Unknown(_)), "it was sent: {outcome:?}");

    // Nobody accepts: the call is never sent.
    let listener = soquete::Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
    let client = super::serving::client(listener.local()).await;
    let outcome = client.call(b"LED ON", SHORT).await.unwrap();
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_takes_the_request_back() {
    let served = serve();
    let options = ClientOptions { timeout: Some(SHORT), ..ClientOptions::frames("board") };
    let client = AsyncClient::connect(&served.endpoint, options).await.unwrap();
    assert!(client.request(b"LATER").await.unwrap_err().is_timeout());
    served.log.wait(|seen| (seen.cancelled.len() == 1).then_some(()));
    served.log.wait(|seen| seen.responders.pop()).reply(b"too late");
    assert_eq!(client.request(b"LED").await.unwrap(), b"OK", "an answer that comes too late is nobody else's");
}

#[tokio::test]
async fn dropping_the_future_takes_the_request_back() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let client = client.clone();
        tasks.spawn(async move { client.request(b"LATER").await });
    }
    let wait = |count| {
        let log = served.log.clone();
        tokio::task::spawn_blocking(move || log.wait(|seen| (seen.responders.len() == count).then_some(())))
    };
    wait(10).await.unwrap();
    tasks.shutdown().await;
    assert_eq!(client.request(b"LED").await.unwrap(), b"OK");
    let mut cancelled = served.log.with(|seen| seen.cancelled.clone());
    cancelled.sort_unstable();
    assert_eq!(cancelled, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_call_does_not_wait_beyond_its_time_for_a_place() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let mut tasks = JoinSet::new();
    for _ in 0..2_000 {
        let client = client.clone();
        tasks.spawn(async move { client.request(b"LATER").await });
    }
    let log = served.log.clone();
    let is_full = move || log.wait(|seen| (seen.responders.len() == 1_024).then_some(()));
    tokio::task::spawn_blocking(is_full).await.unwrap();
    let begin = Clock::now();
    let outcome = client.call(b"LED ON", SHORT).await.unwrap();
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
    assert!(Clock::now() - begin < SHORT + Duration::from_secs(1));
    tasks.shutdown().await;
    assert!(served.log.commands().is_empty());
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_within_three_pings() {
    let listener = soquete::Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
    let mut options = ClientOptions::frames("board");
    if let ClientFraming::Frames(core) = &mut options.framing {
        core.ping_after = Duration::from_millis(100);
    }
    let client = AsyncClient::connect(listener.local(), options).await.unwrap();
    let error = client.request(b"x").await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Protocol(_)), "{error}");
    assert!(error.to_string().contains("no handshake within 300ms"), "{error}");
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_named_as_such() {
    let listener = soquete::Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
    let client = client(listener.local()).await;
    let talking = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"220 smtp.example.org ESMTP ready to serve\r\n").unwrap();
        stream
    });
    let error = client.request(b"x").await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Protocol(_)), "{error}");
    drop(talking.join().unwrap());
}
