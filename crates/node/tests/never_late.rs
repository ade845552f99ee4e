//! Nothing is asked for late, however long a process was stopped between two of its steps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

use soquete::{Clock, Endpoint, Exchange, Hub, Limits, Outbound};
use soquete_proto::client::{Options, Request};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client on a loop, and the other end of its connection, played by the test.
struct Scene {
    hub: Hub,
    client: Outbound,
    server: TcpStream,
}

impl Scene {
    /// Makes a client with one request until `deadline`, which has greeted and not been welcomed yet.
    fn greeted(deadline: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let mut client = Outbound::new(endpoint, Options { resume: true, ..Options::new("board") });
        let request = Request { once: true, deadline: Some(deadline), ..Request::new(b"LED TOGGLE") };
        client.request(Clock::now(), request).unwrap();
        let mut hub = Hub::new(Limits::default()).unwrap();
        client.drive(&mut hub, Clock::now());
        let (server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        // It was accepted, so it is connected, whether the client has seen that before or sees it now.
        client.drive(&mut hub, Clock::now());
        let mut scene = Scene { hub, client, server };
        let hello = scene.server.read(&mut [0; 1024]).unwrap();
        assert!(hello > 8, "the opening octets and HELLO");
        scene
    }

    /// Waits until the client has something to receive.
    fn wait(&mut self) {
        self.hub.turn(Some(PATIENCE), &mut |_: Exchange<'_>| {}).unwrap();
        assert!(self.hub.next_ready().is_some_and(|source| self.client.owns(source)));
    }

    /// Welcomes the client; the session clock is that of this machine.
    fn welcome(&mut self) {
        let clock_us = u64::try_from(Clock::now().as_micros()).unwrap();
        let mut payload = vec![1];
        payload.extend_from_slice(&1_u64.to_le_bytes());
        payload.extend_from_slice(&4096_u32.to_le_bytes());
        payload.extend_from_slice(&64_u16.to_le_bytes());
        payload.extend_from_slice(&clock_us.to_le_bytes());
        payload.push(0);
        payload.extend_from_slice(&7_u64.to_le_bytes());
        payload.extend_from_slice(&[7; 16]);
        payload.extend_from_slice(&[0; 2]);
        let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        frame.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(&payload);
        self.server.write_all(&frame).unwrap();
        self.wait();
    }

    /// Receives the request; returns its deadline on the session clock.
    fn request_deadline(&mut self) -> Duration {
        let mut octets = [0; 12 + 8];
        self.server.read_exact(&mut octets).unwrap();
        assert_eq!(octets[4], 5, "a REQUEST");
        Duration::from_micros(u64::from_le_bytes(octets[12..].try_into().unwrap()))
    }
}

#[test]
fn a_deadline_is_never_later_on_the_clock_of_the_server() {
    let deadline = Clock::now() + Duration::from_secs(5);
    let mut scene = Scene::greeted(deadline);
    scene.welcome();
    scene.client.drive(&mut scene.hub, Clock::now());
    let asked = scene.request_deadline();
    assert!(asked <= deadline, "later by {:?}", asked - deadline);
}

#[test]
fn a_client_that_was_stopped_after_it_looked_at_the_clock_asks_for_nothing_late() {
    let deadline = Clock::now() + Duration::from_secs(5);
    let mut scene = Scene::greeted(deadline);
    // It has looked at the clock, and is stopped until the server has answered: a moment, or SIGSTOP, or a debugger.
    let looked_at = Clock::now().saturating_sub(Duration::from_secs(1));
    scene.welcome();
    scene.client.drive(&mut scene.hub, looked_at);
    let asked = scene.request_deadline();
    assert!(asked <= deadline, "later by {:?}", asked - deadline);
}
