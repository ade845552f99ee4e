//! The client for tokio, against a hub in a thread of its own.

#[path = "../kit/hub.rs"]
mod kit;
#[path = "../kit/proxy.rs"]
mod proxy;

mod ending;
mod losing;
mod serving;
mod subscribing;
