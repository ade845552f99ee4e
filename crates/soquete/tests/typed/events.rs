//! Events of a subscription: nested, borrowed, urgent.

use crate::{Scene, Step, Watch, client, scene};
use serde::{Deserialize, Serialize};
use soquete::typed::{Message, Question, Subscribe, decode, encode};
use soquete::{Endpoint, EventHead, Exchange, Framing, Hub, Limits, Pushed, Received};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Structs in enums in vectors in options, and maps of all that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Change {
    Scenes(Option<Vec<Scene>>),
    Lines { by_name: BTreeMap<String, Vec<Option<Step>>>, unit: () },
    Pair(Box<Change>, Result<i64, f32>),
}

#[derive(Serialize, Deserialize)]
struct WatchChanges(BTreeMap<String, Vec<Option<Change>>>);

impl Message for WatchChanges {
    const TOPIC: u16 = 20;
}

impl Question for WatchChanges {
    type Answer = Option<Change>;
}

impl Subscribe for WatchChanges {
    type Event = Vec<Change>;
}

fn change() -> Change {
    let steps = vec![Some(Step::Nested(Box::new(scene()))), None, Some(Step::End)];
    let by_name = BTreeMap::from([("LED".to_owned(), steps), (String::new(), Vec::new())]);
    Change::Pair(Box::new(Change::Lines { by_name, unit: () }), Err(-0.5))
}

/// Subscribes with `question`, and hears `count` events, of which `read` makes something.
fn subscribe<S: Subscribe + Send + 'static, T: Send + 'static>(
    name: &str,
    question: S,
    answer: S::Answer,
    push: impl FnOnce(&mut Hub, (soquete::ConnectionId, u32)),
    (count, read): (usize, fn(&[u8]) -> T),
) -> Vec<(EventHead, T, bool)> {
    let endpoint: Endpoint = format!("mem:typed-events-{name}").parse().unwrap();
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(Framing::Frames, soquete_proto::server::Options::new(""));
    hub.listen(service, &endpoint, &Default::default()).unwrap();
    let hearing = std::thread::spawn(move || {
        let mut client = client(&endpoint);
        client.ask(&question).unwrap();
        let next = |_| match client.receive().unwrap() {
            Received::Event { head, payload, is_urgent, .. } => (head, read(payload), is_urgent),
            received => panic!("{received:?}"),
        };
        (0..count).map(next).collect()
    });
    let subscriber = Cell::new(None);
    let mut handler = |exchange: Exchange<'_>| {
        let (_, answering) = exchange.question::<S>().unwrap();
        subscriber.set(Some(answering.subscription()));
        answering.reply(&answer).unwrap();
    };
    let to = loop {
        hub.turn(None, &mut handler).unwrap();
        if let Some(to) = subscriber.get() {
            break to;
        }
    };
    push(&mut hub, to);
    hearing.join().unwrap()
}

const HEAD: EventHead = EventHead { seq: 5, missed: 0, lag: None };

fn nothing(_: Exchange<'_>) {}

#[test]
fn events_of_a_subscription_are_typed() {
    let step = Step::Set { line: "LED".into(), duty: 500 };
    let pushed = step.clone();
    let push = move |hub: &mut Hub, to| {
        let queued = hub.push_typed::<Watch, _>(to, HEAD, &pushed, &mut nothing).unwrap();
        assert_eq!(queued, Pushed::Queued);
    };
    let heard = subscribe("typed", Watch, (), push, (1, |payload| decode::<Step>(payload).unwrap()));
    assert_eq!(heard, [(HEAD, step, false)]);
}

#[test]
fn nested_questions_answers_and_events_come_back_as_they_went() {
    let events = vec![change(), Change::Scenes(Some(vec![scene(), scene()])), Change::Scenes(None)];
    let question = WatchChanges(BTreeMap::from([("a".to_owned(), vec![None, Some(change())])]));
    let pushed = events.clone();
    let push = move |hub: &mut Hub, to| {
        hub.push_typed::<WatchChanges, _>(to, HEAD, &pushed, &mut nothing).unwrap();
        hub.push_urgent_typed::<WatchChanges, _>(to, HEAD, &Vec::new(), &mut nothing).unwrap();
    };
    let read: fn(&[u8]) -> Vec<Change> = |payload| decode(payload).unwrap();
    let heard = subscribe("nested", question, Some(change()), push, (2, read));
    assert_eq!(heard, [(HEAD, events, false), (HEAD, Vec::new(), true)]);
}

#[test]
fn what_borrows_is_written_and_read_without_a_copy() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line<'a> {
        name: &'a str,
        octets: &'a [u8],
        others: Vec<Option<&'a str>>,
    }
    let line = Line { name: "LED", octets: &[0, 255], others: vec![None, Some("LAMP")] };
    let octets = encode(&line).unwrap();
    let read: Line<'_> = decode(&octets).unwrap();
    assert_eq!(read, line);
    assert!(octets.as_ptr_range().contains(&read.name.as_ptr()), "it lies in the payload");
}
