//! Requests and their replies.

use super::kit::*;
use serde::{Deserialize, Serialize};
use soquete::typed::{Message, Question};
use soquete::{AsyncClient, Cause, ClientOptions, Endpoint, Exchange, Framing, Handler, Limits, Outcome};
use soquete_proto::server::Options;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(20);

pub(crate) fn echo(exchange: Exchange<'_>) {
    let payload = exchange.payload;
    exchange.reply(payload).unwrap_or_default();
}

pub(crate) fn serve_echo<H: Handler + Send + 'static>(endpoint: &str, options: Options, handler: H) -> Served {
    let log = Arc::new(Log::default());
    serve_by(endpoint, Framing::Frames, Limits::default(), options, (log, handler))
}

pub(crate) async fn client(endpoint: &Endpoint) -> AsyncClient {
    AsyncClient::connect(endpoint, ClientOptions::frames("board")).await.unwrap()
}

#[tokio::test]
async fn a_request_gets_its_reply_over_every_kind_of_endpoint() {
    let path = format!("unix://{}/soquete-asynchronous-{}", std::env::temp_dir().display(), std::process::id());
    for endpoint in ["tcp://127.0.0.1:0", "tcp://[::1]:0", "unix:@soquete-asynchronous", &path, "mem:asynchronous"] {
        let served = serve_echo(endpoint, Options::new("board"), echo);
        let client = client(&served.endpoint).await;
        for _ in 0..100 {
            assert_eq!(client.request(b"hello").await.unwrap(), b"hello", "{endpoint}");
        }
        assert_eq!(client.call(b"once", SOON).await.unwrap(), Outcome::Done(b"once".to_vec()), "{endpoint}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let served = serve_echo("tcp://localhost:0", Options::new("board"), echo);
    let Some(address) = served.endpoint.socket_addr() else { panic!("{}", served.endpoint) };
    let endpoint: Endpoint = format!("tcp://localhost:{}", address.port()).parse().unwrap();
    assert_eq!(client(&endpoint).await.request(b"hello").await.unwrap(), b"hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_share_one_connection() {
    let served = serve_echo("tcp://127.0.0.1:0", Options::new("board"), echo);
    let client = client(&served.endpoint).await;
    let mut tasks = JoinSet::new();
    for task in 0..3_000_u32 {
        let client = client.clone();
        tasks.spawn(async move {
            for round in 0..10_u32 {
                let payload = [task.to_le_bytes(), round.to_le_bytes()].concat();
                assert_eq!(client.request(&payload).await.unwrap(), payload);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test]
async fn long_requests_in_flight_at_once_are_all_answered() {
    let served = serve_echo("unix:@soquete-asynchronous-long", Options::new("board"), echo);
    let client = client(&served.endpoint).await;
    for len in [0, 32, 300 << 10, 1 << 20] {
        let mut tasks = JoinSet::new();
        for mark in 0..64_u8 {
            let client = client.clone();
            tasks.spawn(async move {
                let payload = vec![mark; len];
                assert!(client.request(&payload).await.unwrap() == payload, "{len}");
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    }
}

#[tokio::test]
async fn more_than_the_server_takes_at_once_waits_its_turn() {
    let options = Options { in_flight_max: 2, ..Options::new("board") };
    let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), options);
    let client = client(&served.endpoint).await;
    let log = served.log.clone();
    // Answers come late and one by one, so that as many are in flight as may be.
    let answering = std::thread::spawn(move || {
        for _ in 0..50 {
            log.wait(|seen| seen.responders.pop()).reply(b"at last");
        }
    });
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let client = client.clone();
        tasks.spawn(async move { client.request(b"LATER").await.unwrap() });
    }
    while let Some(answer) = tasks.join_next().await {
        assert_eq!(answer.unwrap(), b"at last");
    }
    answering.join().unwrap();
}

#[tokio::test]
async fn messages_arrive_in_order_and_before_the_request_behind_them() {
    let served = serve();
    let client = client(&served.endpoint).await;
    for round in 0..5_000 {
        client.message(if round % 2 == 0 { b"LED ON" } else { b"LED OFF" }).await.unwrap();
    }
    client.request(b"LED").await.unwrap();
    let commands = served.log.commands();
    assert_eq!(commands.len(), 5_000);
    assert!(commands.chunks(2).all(|pair| pair == ["LED ON", "LED OFF"]));
}

#[tokio::test]
async fn a_refusal_says_why() {
    let served = serve();
    let client = client(&served.endpoint).await;
    let error = client.request(b"LED BLINK?").await.unwrap_err();
    assert!(error.is_rejected() && error.to_string().contains("unknown command"), "{error}");
    let outcome = client.call(b"LED BLINK?", SOON).await.unwrap();
    assert!(matches!(&outcome, Outcome::NotDone(why) if why.contains("unknown command")), "{outcome:?}");
}

#[tokio::test]
async fn another_service_is_an_error_of_everything_that_waits() {
    let served = serve_echo("tcp://127.0.0.1:0", Options::new("control"), echo);
    let client = client(&served.endpoint).await;
    let (request, call) = tokio::join!(client.request(b"x"), client.call(b"x", SOON));
    let (request, call) = (request.unwrap_err(), call.unwrap_err());
    assert!(request.is_rejected() && request.to_string().contains("unknown service \"board\""), "{request}");
    assert!(call.is_rejected(), "{call}");
    assert!(client.subscribe(b"x").await.err().unwrap().is_rejected(), "and of what comes later");
}

#[tokio::test]
async fn what_is_longer_than_the_server_takes_is_not_sent() {
    let options = Options { payload_max_bytes: 100, ..Options::new("board") };
    let served = serve_echo("tcp://127.0.0.1:0", options, echo);
    let client = client(&served.endpoint).await;
    client.request(&[0; 100]).await.unwrap();
    let error = client.request(&[0; 101]).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Oversize { len_bytes: 101, max_bytes: 100 }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_refused_at_once_and_another_framing_is_misuse() {
    let endpoint = serve().endpoint.clone();
    let error = AsyncClient::connect(&endpoint, ClientOptions::frames("board")).await.err().unwrap();
    assert!(error.is_refused(), "{error}");
    assert_eq!(error.address(), Some(endpoint.to_string().as_str()));
    let error = AsyncClient::connect(&endpoint, ClientOptions::line(64)).await.err().unwrap();
    assert!(matches!(error.cause(), Cause::Misuse(_)), "{error}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Double(u64);

impl Message for Double {
    const TOPIC: u16 = 3;
}

impl Question for Double {
    type Answer = Double;
}

#[tokio::test]
async fn typed_questions_are_answered_and_strangers_refused() {
    let double = |exchange: Exchange<'_>| exchange.answer(|Double(x)| Double(2 * x)).unwrap_or_default();
    let served = serve_echo("tcp://127.0.0.1:0", Options::new("board"), double);
    let client = client(&served.endpoint).await;
    assert_eq!(client.ask(&Double(21)).await.unwrap(), Double(42));
    assert_eq!(client.ask_once(&Double(4), SOON).await.unwrap(), Outcome::Done(Double(8)));
    client.tell(&Double(1)).await.unwrap();
    let error = client.request_on(4, b"x").await.unwrap_err();
    assert!(error.to_string().contains("topic 4 instead of 3, that of Double"), "{error}");
}
