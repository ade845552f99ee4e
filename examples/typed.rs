//! Typed messages: a nested Rust value goes over as it is; one of another version of its type is refused by name.
//!
//! Seed 004 (serialization). System calls: socketpair, sendto, recvfrom.

use serde::{Deserialize, Serialize};
use soquete::typed::{self, Message, Question};
use soquete::{Client, ClientOptions, Exchange, Framing, Server};
use std::{error::Error, thread};

#[derive(Debug, Serialize, Deserialize)]
enum Scene {
    Set { line: String, on: bool },
    Steps(Vec<Scene>),
}
impl Message for Scene {
    const TOPIC: u16 = 1;
}
impl Question for Scene {
    type Answer = Result<usize, String>;
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&"mem:scenes".parse()?, Framing::Frames)?;
    let (at, stopper) = (server.endpoint().clone(), server.stopper());
    let play = |scene: Scene| {
        println!("server: receive: {scene:?}");
        if let Scene::Steps(steps) = scene { Ok(steps.len()) } else { Err("a scene has steps".to_owned()) }
    };
    let serving = thread::spawn(move || {
        server.run(|exchange: Exchange<'_>| exchange.answer(play).unwrap_or_else(|error| println!("server: {error}")))
    });
    let mut client = Client::connect(&at, ClientOptions::frames(""))?;
    let scene = Scene::Steps(vec![Scene::Set { line: "LED".into(), on: true }, Scene::Steps(vec![])]);
    println!("client: ask: {:?}", client.ask(&scene)?);
    // A message begins with its version; this is what a program of next year says.
    let of_next_year = typed::encode(&(2u16, scene))?;
    println!("client: {}", client.request_on(Scene::TOPIC, &of_next_year).expect_err("version 2"));
    stopper.stop();
    Ok(serving.join().expect("the server does not panic")?)
}
