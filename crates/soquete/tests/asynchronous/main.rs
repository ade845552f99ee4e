//! The client for tokio, against a hub in a thread of its own.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "../kit/gate.rs"]
mod gate;
#[path = "../kit/hub.rs"]
mod kit;
#[path = "../kit/proxy.rs"]
mod proxy;

mod bytes;
mod ending;
mod losing;
mod serving;
mod subscribing;
mod urgent;
