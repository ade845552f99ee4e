//! What a hub does about clients that cannot or will not behave: a clear refusal in their language where they have one,
//! bounded memory, no time lost, and nobody else disturbed.

#[path = "../kit/hub.rs"]
mod kit;

mod crowd;
mod frames;
mod garbage;
mod http;
mod memory;
mod text;
