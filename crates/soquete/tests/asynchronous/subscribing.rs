//! Events.

use super::kit::*;
use serde::{Deserialize, Serialize};
use soquete::typed::{Message, Question, Subscribe, encode};
use soquete::{
    AsyncClient, ClientOptions, ConnectionId, EventHead, Exchange, Framing, Hub, Limits, ListenOptions, Pushed,
};
use soquete_proto::server::Options;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Grants every subscription, and pushes to the latest what the test sends; ends when the test hangs up.
fn serve_events(
    name: &str,
) -> (soquete::Endpoint, mpsc::Sender<Vec<u8>>, mpsc::Receiver<&'static str>, JoinHandle<()>) {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(Framing::Frames, Options::new("board"));
    let endpoint = format!("mem:events-{name}").parse().unwrap();
    let endpoint = hub.listen(service, &endpoint, &ListenOptions::default()).unwrap();
    let (send, events) = mpsc::channel::<Vec<u8>>();
    let (happen, happened) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let mut handler = Granting { latest: None, happen };
        let mut seq = 0;
        loop {
            hub.turn(Some(Duration::from_millis(1)), &mut handler).unwrap();
            loop {
                match events.try_recv() {
                    Ok(event) => {
                        let (to, id) = handler.latest.unwrap();
                        let head = EventHead { seq, missed: 0, lag: None };
                        while hub.push(to, id, head, &event, &mut handler) == Pushed::Full {
                            hub.turn(Some(Duration::from_millis(1)), &mut handler).unwrap();
                        }
                        seq += 1;
                        let _ = handler.happen.send("pushed");
                    }
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        }
    });
    (endpoint, send, happened, serving)
}

struct Granting {
    latest: Option<(ConnectionId, u32)>,
    happen: mpsc::Sender<&'static str>,
}

impl soquete::Handler for Granting {
    fn receive(&mut self, exchange: Exchange<'_>) {
        if exchange.payload == b"no" {
            return exchange.refuse(soquete::Code::Refused, "not for you");
        }
        if exchange.payload != b"latest" {
            self.latest = Some((exchange.connection(), exchange.id()));
        }
        let granted = exchange.payload.to_vec();
        exchange.reply(&granted).unwrap();
        let _ = self.happen.send("granted");
    }

    fn cancel(&mut self, _: ConnectionId, _: u32) {
        let _ = self.happen.send("cancelled");
    }

    fn close(&mut self, _: ConnectionId, _: &soquete::Peer, _: &soquete::Ending) {
        let _ = self.happen.send("closed");
    }
}

/// Waits until so many events were pushed.
fn pushed(happened: &mpsc::Receiver<&'static str>, count: usize) {
    for _ in 0..count {
        while happened.recv_timeout(PATIENCE).unwrap() != "pushed" {}
    }
}

async fn client(endpoint: &soquete::Endpoint) -> AsyncClient {
    AsyncClient::connect(endpoint, ClientOptions::frames("board")).await.unwrap()
}

#[tokio::test]
async fn events_come_in_order_with_their_numbers() {
    let (endpoint, send, _happened, serving) = serve_events("order");
    let mut subscription = client(&endpoint).await.subscribe(b"granted").await.unwrap();
    assert_eq!(subscription.reply(), b"granted");
    for seq in 0..1_000_u64 {
        send.send(seq.to_le_bytes().to_vec()).unwrap();
        let event = subscription.next().await.unwrap();
        assert_eq!((event.head.seq, event.head.missed), (seq, 0));
        assert_eq!(event.payload, seq.to_le_bytes());
    }
    drop(send);
    serving.join().unwrap();
    assert_eq!(subscription.next().await, None, "the server has gone");
}

#[tokio::test]
async fn dropping_a_subscription_ends_it_and_the_last_of_all_ends_the_connection() {
    let (endpoint, send, happened, serving) = serve_events("drop");
    let client = client(&endpoint).await;
    let subscription = client.subscribe(b"x").await.unwrap();
    drop(client);
    assert_eq!(happened.recv_timeout(PATIENCE), Ok("granted"));
    let client = subscription.client().clone();
    drop(subscription);
    assert_eq!(client.request(b"x").await.unwrap(), b"x", "the connection goes on");
    assert_eq!(happened.recv_timeout(PATIENCE), Ok("cancelled"));
    assert_eq!(happened.recv_timeout(PATIENCE), Ok("granted"));
    drop(client);
    let waiting = tokio::task::spawn_blocking(move || happened.recv_timeout(PATIENCE));
    assert_eq!(waiting.await.unwrap(), Ok("closed"));
    drop(send);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_subscription_that_is_refused_says_why() {
    let (endpoint, send, _happened, serving) = serve_events("refused");
    let error = client(&endpoint).await.subscribe(b"no").await.err().unwrap();
    assert!(error.is_rejected() && error.to_string().contains("not for you"), "{error}");
    drop(send);
    serving.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_listen_holds_up_nobody_and_learns_how_many_it_missed() {
    let (endpoint, send, happened, serving) = serve_events("deaf");
    let client = client(&endpoint).await;
    let mut subscription = client.subscribe(b"x").await.unwrap();
    for _ in 0..1_500 {
        send.send(b"event".to_vec()).unwrap();
    }
    // The reply comes behind the events: the driver has had them all.
    pushed(&happened, 1_500);
    client.request(b"latest").await.unwrap();
    for seq in 0..1_024 {
        let event = subscription.next().await.unwrap();
        assert_eq!((event.head.seq, event.head.missed), (seq, 0));
    }
    send.send(b"event".to_vec()).unwrap();
    let event = subscription.next().await.unwrap();
    assert_eq!((event.head.seq, event.head.missed), (1_500, 1_500 - 1_024));
    drop(send);
    serving.join().unwrap();
}

#[derive(Serialize, Deserialize)]
struct Watch;

impl Message for Watch {
    const TOPIC: u16 = 8;
}

impl Question for Watch {
    /// What was asked, which is its version and nothing else.
    type Answer = u16;
}

impl Subscribe for Watch {
    type Event = (String, bool);
}

#[tokio::test]
async fn typed_events_come_as_they_went_and_others_are_told() {
    let (endpoint, send, _happened, serving) = serve_events("typed");
    let mut watching = client(&endpoint).await.watch(&Watch).await.unwrap();
    assert_eq!(watching.answer(), &Watch::VERSION);
    send.send(encode(&("LED", true)).unwrap()).unwrap();
    let (head, event) = watching.next().await.unwrap().unwrap();
    assert_eq!((head.seq, event), (0, ("LED".to_owned(), true)));
    send.send(b"\xFF".to_vec()).unwrap();
    assert!(
        watching.next().await.unwrap().unwrap_err().to_string().contains("that are no (alloc::string::String, bool)")
    );
    drop(send);
    serving.join().unwrap();
    assert!(watching.next().await.is_none());
}
