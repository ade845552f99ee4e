//! Rust types as messages: what one end says is what the other hears, and nothing else is taken for it.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

mod events;
mod garbled;
mod versions;

use serde::{Deserialize, Serialize};
use soquete::typed::{Message, Mismatch, Question, Responder, Subscribe};
use soquete::{
    Bounds, Cause, Client, ClientOptions, Code, Endpoint, Exchange, Framing, Handler, Outcome, Server, Stopper,
};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scene {
    name: String,
    steps: Vec<Step>,
    labels: BTreeMap<String, Option<(u8, char)>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    Set { line: String, duty: u16 },
    Wait(Duration),
    Nested(Box<Scene>),
    End,
}

impl Message for Scene {
    const TOPIC: u16 = 7;
}

impl Question for Scene {
    type Answer = Result<Scene, String>;
}

#[derive(Serialize, Deserialize)]
struct Watch;

impl Message for Watch {
    const TOPIC: u16 = 8;
}

impl Question for Watch {
    type Answer = ();
}

impl Subscribe for Watch {
    type Event = Step;
}

#[derive(Serialize, Deserialize)]
struct Stranger(u64);

impl Message for Stranger {
    const TOPIC: u16 = 9;
}

impl Question for Stranger {
    type Answer = String;
}

/// Has the topic of a scene and is none.
#[derive(Serialize, Deserialize)]
struct Impostor(u8);

impl Message for Impostor {
    const TOPIC: u16 = 7;
}

impl Question for Impostor {
    type Answer = u8;
}

fn scene() -> Scene {
    let inner = Scene { name: "inner".into(), steps: vec![Step::End], labels: BTreeMap::new() };
    Scene {
        name: "dawn – não".into(),
        steps: vec![
            Step::Set { line: "LED".into(), duty: 1_000 },
            Step::Wait(Duration::from_millis(1_500)),
            Step::Nested(Box::new(inner)),
        ],
        labels: BTreeMap::from([("a".into(), Some((255, 'ß'))), ("b".into(), None)]),
    }
}

/// Serves with `handler` in a thread of its own while `talk` talks.
fn with_server<H: Handler + Send + 'static>(name: &str, framing: Framing, handler: H, talk: impl FnOnce(&Endpoint)) {
    let endpoint: Endpoint = format!("mem:typed-{name}").parse().unwrap();
    let server = Server::bind(&endpoint, framing).unwrap();
    let stopper: Stopper = server.stopper();
    let serving = std::thread::spawn(move || server.run(handler));
    talk(&endpoint);
    stopper.stop();
    serving.join().unwrap().unwrap();
}

fn turn_around(exchange: Exchange<'_>) {
    let answer = |mut scene: Scene| {
        scene.steps.reverse();
        if scene.steps.is_empty() { Err("no steps".to_owned()) } else { Ok(scene) }
    };
    // The peer was told what is wrong.
    exchange.answer(answer).unwrap_or_default();
}

fn client(endpoint: &Endpoint) -> Client {
    Client::connect(endpoint, ClientOptions::frames("")).unwrap()
}

#[test]
fn nested_data_comes_back_as_it_went() {
    with_server("nested", Framing::Frames, turn_around, |endpoint| {
        let mut expected = scene();
        expected.steps.reverse();
        assert_eq!(client(endpoint).ask(&scene()).unwrap(), Ok(expected));
        let empty = Scene { steps: Vec::new(), ..scene() };
        assert_eq!(client(endpoint).ask(&empty).unwrap(), Err("no steps".to_owned()));
    });
}

#[test]
fn a_question_to_be_done_once_tells_how_it_ended() {
    with_server("once", Framing::Frames, turn_around, |endpoint| {
        let outcome = client(endpoint).ask_once(&scene(), Duration::from_secs(10)).unwrap();
        assert!(matches!(outcome, Outcome::Done(Ok(answer)) if answer.steps.len() == 3));
        let outcome = client(endpoint).ask_once(&Stranger(1), Duration::from_secs(10)).unwrap();
        assert_eq!(outcome, Outcome::NotDone("topic 9 instead of 7, that of Scene".to_owned()));
    });
}

#[test]
fn another_topic_is_refused_with_both_topics_and_the_type() {
    with_server("topic", Framing::Frames, turn_around, |endpoint| {
        let mut client = client(endpoint);
        let error = client.ask(&Stranger(1)).unwrap_err();
        assert!(error.is_rejected());
        assert!(error.to_string().contains("topic 9 instead of 7, that of Scene"), "{error}");
        assert!(client.ask(&scene()).unwrap().is_ok(), "the connection is as good as before");
    });
}

#[test]
fn octets_that_are_no_value_of_the_type_are_refused() {
    with_server("octets", Framing::Frames, turn_around, |endpoint| {
        let error = client(endpoint).ask(&Impostor(200)).unwrap_err();
        assert!(error.to_string().contains("1 octets that are no Scene"), "{error}");
        let mut whole = soquete::typed::encode(&(Scene::VERSION, scene())).unwrap();
        whole.push(0);
        let error = client(endpoint).request_on(Scene::TOPIC, &whole).unwrap_err();
        assert!(error.to_string().contains("octets that are no Scene"), "{error}");
    });
}

#[test]
fn an_answer_of_another_type_names_the_type() {
    let garbled = |exchange: Exchange<'_>| exchange.reply(&[9, 9, 9]).unwrap();
    with_server("garbled", Framing::Frames, garbled, |endpoint| {
        let error = client(endpoint).ask(&scene()).unwrap_err();
        let Cause::Protocol(fault) = error.cause() else { panic!("{error}") };
        assert!(matches!(fault.downcast_ref(), Some(Mismatch::Payload { len_bytes: 3, .. })), "{error}");
        assert!(error.to_string().contains("Scene"), "{error}");
        let outcome = client(endpoint).ask_once(&scene(), Duration::from_secs(10));
        assert!(outcome.is_err(), "done, and nobody can read the answer");
    });
}

#[test]
fn text_is_never_taken_for_a_typed_message() {
    let bounds = Bounds { receive_max_bytes: 1024, send_max_bytes: 1024 };
    with_server("text", Framing::Line(bounds), turn_around, |endpoint| {
        let mut client = Client::connect(endpoint, ClientOptions::line(1024)).unwrap();
        assert_eq!(client.request(b"LED ON").unwrap(), b"ERR Scene is spoken in frames only");
    });
}

#[test]
fn a_typed_answer_may_come_later_from_another_thread() {
    let (put, take) = mpsc::channel::<(Scene, Responder<Scene>)>();
    let worker = std::thread::spawn(move || {
        for (scene, responder) in take {
            match scene.steps.first() {
                Some(_) => responder.reply(&Ok(scene)).unwrap(),
                None => responder.refuse(Code::Refused, "nothing to do"),
            }
        }
    });
    let defer = move |exchange: Exchange<'_>| {
        if let Ok((scene, answering)) = exchange.question::<Scene>() {
            put.send((scene, answering.later())).unwrap();
        }
    };
    with_server("later", Framing::Frames, defer, |endpoint| {
        assert_eq!(client(endpoint).ask(&scene()).unwrap(), Ok(scene()));
        let empty = Scene { steps: Vec::new(), ..scene() };
        assert!(client(endpoint).ask(&empty).unwrap_err().to_string().contains("nothing to do"));
    });
    worker.join().unwrap();
}

#[test]
fn a_message_is_told_and_decoded() {
    let (put, take) = mpsc::channel();
    let hear = move |exchange: Exchange<'_>| put.send(exchange.decode::<Scene>().map_err(|e| e.to_string())).unwrap();
    with_server("told", Framing::Frames, hear, |endpoint| {
        let mut client = client(endpoint);
        client.tell(&scene()).unwrap();
        client.tell(&Stranger(1)).unwrap();
        assert_eq!(take.recv().unwrap(), Ok(scene()));
        assert_eq!(take.recv().unwrap(), Err("receive mem: topic 9 instead of 7, that of Scene".to_owned()));
    });
}
