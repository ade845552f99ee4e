//! One suite over every kind of endpoint, and what goes wrong with each.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

mod bytes;
mod conformance;
mod descriptors;
mod errors;
#[path = "../kit/folder.rs"]
mod folder;
#[path = "../kit/network.rs"]
mod network;
mod paths;
mod place;
mod queue;
mod unreachable;
mod urgent;
