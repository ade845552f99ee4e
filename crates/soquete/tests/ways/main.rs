//! One handler served in three ways: all at once, one after the other, and with a process for each connection.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "../kit/hub.rs"]
mod kit;
#[path = "../kit/proxy.rs"]
mod proxy;

mod conformance;
mod serving;
mod turns;
mod workers;
