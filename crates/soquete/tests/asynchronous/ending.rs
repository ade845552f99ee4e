//! How a client ends.

use super::kit::*;
use super::serving::client;
use soquete::Ending;
use std::time::{Duration, Instant};

#[tokio::test]
async fn closing_waits_for_the_answers_that_are_out() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let other = client.clone();
    let request = tokio::spawn(async move { other.request(b"LATER").await });
    let log = served.log.clone();
    let responder = tokio::task::spawn_blocking(move || log.wait(|seen| seen.responders.pop())).await.unwrap();
    let closing = tokio::spawn(client.clone().close());
    tokio::task::yield_now().await;
    assert!(client.request(b"LED ON").await.is_err(), "nothing more is taken");
    responder.reply(b"at last");
    assert_eq!(request.await.unwrap().unwrap(), b"at last");
    closing.await.unwrap();
    assert_eq!(served.log.endings(1), [Ending::Closed], "the server was told");
    assert!(served.log.commands().is_empty());
}

#[tokio::test]
async fn a_group_has_no_session() {
    let group = "udp://239.255.83.7:9?interface=lo&ttl=0".parse().unwrap();
    let Err(error) = soquete::AsyncClient::connect(&group, soquete::ClientOptions::frames("board")).await else {
        panic!()
    };
    assert!(error.to_string().ends_with(": a group has no session"), "{error}");
}

#[tokio::test]
async fn closing_sends_what_was_queued() {
    let served = serve();
    let client = client(&served.endpoint).await;
    for _ in 0..1_000 {
        client.message(b"LED TOGGLE").await.unwrap();
    }
    client.close().await;
    assert_eq!(served.log.commands().len(), 1_000);
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let other = client.clone();
    let request = tokio::spawn(async move { other.request(b"LATER").await });
    let log = served.log.clone();
    let responder = tokio::task::spawn_blocking(move || log.wait(|seen| seen.responders.pop())).await.unwrap();
    let begin = Instant::now();
    client.close().await;
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert!(request.await.unwrap().is_err());
    responder.reply(b"too late");
}

#[tokio::test]
async fn dropping_the_last_clone_ends_the_connection_in_order() {
    let served = serve();
    let first = client(&served.endpoint).await;
    let second = first.clone();
    second.message(b"LED ON").await.unwrap();
    drop(first);
    drop(second);
    let log = served.log.clone();
    let endings = tokio::task::spawn_blocking(move || log.endings(1)).await.unwrap();
    assert_eq!(endings, [Ending::Closed]);
    assert_eq!(served.log.commands(), ["LED ON"]);
}

#[test]
fn a_runtime_that_ends_takes_the_connection_along() {
    let served = serve();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(client(&served.endpoint));
    runtime.block_on(client.request(b"LED")).unwrap();
    drop(runtime);
    assert_eq!(served.log.endings(1), [Ending::Left]);
    let another = tokio::runtime::Runtime::new().unwrap();
    assert!(another.block_on(client.request(b"LED")).is_err());
}
