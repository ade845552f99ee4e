//! Two ends of different versions: the one that hears says so, whichever is the newer.

use crate::{client, with_server};
use serde::{Deserialize, Serialize};
use soquete::typed::{Message, Mismatch, Question};
use soquete::{Cause, Exchange, Framing, Outcome};
use std::sync::mpsc;
use std::time::Duration;

/// What a program of last year says.
mod old {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Dim {
        pub(super) line: String,
        pub(super) percent: u8,
    }

    impl Message for Dim {
        const TOPIC: u16 = 30;
    }

    impl Question for Dim {
        type Answer = u8;
    }
}

/// What one of this year says.
mod new {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Dim {
        pub(super) line: String,
        pub(super) permille: u16,
    }

    impl Message for Dim {
        const TOPIC: u16 = 30;
        const VERSION: u16 = 2;
    }

    impl Question for Dim {
        type Answer = u16;
    }
}

fn old_dim() -> old::Dim {
    old::Dim { line: "LED".into(), percent: 50 }
}

fn new_dim() -> new::Dim {
    new::Dim { line: "LED".into(), permille: 50 }
}

#[test]
fn octets_alone_would_not_tell_the_two_apart() {
    let octets = soquete::typed::encode(&old_dim()).unwrap();
    assert_eq!(soquete::typed::decode(&octets), Ok(new_dim()), "a tenth of the light");
}

#[test]
fn a_newer_client_is_refused_with_both_versions() {
    let old = |exchange: Exchange<'_>| exchange.answer(|dim: old::Dim| dim.percent).unwrap_or_default();
    with_server("newer-client", Framing::Frames, old, |endpoint| {
        let mut client = client(endpoint);
        let error = client.ask(&new_dim()).unwrap_err();
        assert!(error.is_rejected() && error.to_string().contains("version 2 of Dim instead of 1"), "{error}");
        let outcome = client.ask_once(&new_dim(), Duration::from_secs(10)).unwrap();
        assert_eq!(outcome, Outcome::NotDone("version 2 of Dim instead of 1".to_owned()));
        assert_eq!(client.ask(&old_dim()).unwrap(), 50, "the connection is as good as before");
    });
}

#[test]
fn an_older_client_is_refused_with_both_versions() {
    let new = |exchange: Exchange<'_>| exchange.answer(|dim: new::Dim| dim.permille).unwrap_or_default();
    with_server("older-client", Framing::Frames, new, |endpoint| {
        let mut client = client(endpoint);
        let error = client.ask(&old_dim()).unwrap_err();
        assert!(error.is_rejected() && error.to_string().contains("version 1 of Dim instead of 2"), "{error}");
        assert_eq!(client.ask(&new_dim()).unwrap(), 50);
    });
}

#[test]
fn a_message_of_another_version_is_an_error_for_who_hears_it() {
    let (put, take) = mpsc::channel();
    let hear = move |exchange: Exchange<'_>| put.send(exchange.decode::<old::Dim>()).unwrap();
    with_server("told-version", Framing::Frames, hear, |endpoint| {
        let mut client = client(endpoint);
        client.tell(&new_dim()).unwrap();
        client.tell_urgent(&old_dim()).unwrap();
        let error = take.recv().unwrap().unwrap_err();
        let Cause::Protocol(fault) = error.cause() else { panic!("{error}") };
        let expected = Mismatch::Version { name: "Dim", expected: 1, version: 2 };
        assert_eq!(fault.downcast_ref(), Some(&expected));
        assert_eq!(take.recv().unwrap().unwrap(), old_dim());
    });
}

#[test]
fn a_server_that_may_serve_both_asks_for_the_version_it_has() {
    // The first octets say it: a server of two versions tries the one, then the other.
    let octets = |version: u16| soquete::typed::encode(&version).unwrap();
    assert_eq!((octets(1), octets(127), octets(128)), (vec![1], vec![127], vec![128, 1]));
    let both = |exchange: Exchange<'_>| match exchange.payload.first() {
        Some(2) => exchange.answer(|dim: new::Dim| dim.permille).unwrap_or_default(),
        _ => exchange.answer(|dim: old::Dim| dim.percent).unwrap_or_default(),
    };
    with_server("both-versions", Framing::Frames, both, |endpoint| {
        let mut client = client(endpoint);
        assert_eq!((client.ask(&old_dim()).unwrap(), client.ask(&new_dim()).unwrap()), (50, 50));
    });
}
