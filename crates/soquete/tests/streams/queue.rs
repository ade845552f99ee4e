//! What the backlog does, and what clients hear when it is full.

use std::thread;
use std::time::Duration;

use soquete::{Endpoint, Error, ListenOptions, Listener, Stream};

use crate::place::Place;

fn listen(place: &Place) -> Listener {
    Listener::bind(&place.endpoint, &ListenOptions { backlog: 1, ..ListenOptions::default() }).unwrap()
}

/// Connects until that is refused.
fn fill(connect: impl Fn() -> Result<Stream, Error>) -> (Vec<Stream>, Error) {
    let mut waiting = Vec::new();
    loop {
        match connect() {
            Ok(stream) => waiting.push(stream),
            Err(error) => break (waiting, error),
        }
    }
}

#[test]
fn a_full_queue_is_a_timeout_for_who_waits() {
    for place in [Place::tcp_v4(), Place::unix_path(), Place::seqpacket_path()] {
        let listener = listen(&place);
        let (waiting, error) = fill(|| Stream::connect_timeout(listener.local(), Duration::from_millis(20)));
        assert!((1..=4).contains(&waiting.len()));
        assert_eq!(error.to_string(), format!("connect {}: timed out", listener.local()));
        assert!(error.is_timeout());
        let act = match listener.local() {
            Endpoint::Tcp { .. } => "check that the machine is on and that no firewall drops the packets",
            _ => "the program that listens there does not accept: look whether it hangs",
        };
        assert_eq!(error.act(), Some(act));
    }
}

#[test]
fn a_full_queue_refuses_who_does_not_wait() {
    for place in [Place::unix_path(), Place::unix_abstract(), Place::seqpacket_path(), Place::mem()] {
        let listener = listen(&place);
        let (waiting, error) = fill(|| Stream::connect_start(listener.local()));
        // The kernel counts one more.
        assert!((1..=2).contains(&waiting.len()));
        assert_eq!(error.to_string(), format!("connect {}: the listener's queue is full", place.endpoint));
        assert!(error.is_refused());
    }
}

#[test]
fn who_waits_for_a_full_queue_gets_in_when_one_is_accepted() {
    for place in [Place::unix_path(), Place::seqpacket_abstract()] {
        let listener = listen(&place);
        let (waiting, _) = fill(|| Stream::connect_start(listener.local()));
        thread::scope(|scope| {
            let late = scope.spawn(|| Stream::connect(listener.local()).unwrap());
            for _ in 0..=waiting.len() {
                listener.accept().unwrap();
            }
            late.join().unwrap();
        });
    }
}
