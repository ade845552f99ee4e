//! One suite over every kind of datagram, and what goes wrong with each.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

mod conformance;
mod errors;
#[path = "../kit/folder.rs"]
mod folder;
#[path = "../kit/hub.rs"]
mod hub;
mod kinds;
mod many;
#[path = "../kit/network.rs"]
mod network;
mod place;
mod segments;
