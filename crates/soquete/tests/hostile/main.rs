//! What a hub does about clients that cannot or will not behave: a clear refusal in their language where they have one,
//! bounded memory, no time lost, and nobody else disturbed.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "../kit/hub.rs"]
mod kit;

mod crowd;
mod frames;
mod garbage;
mod http;
mod memory;
mod text;
