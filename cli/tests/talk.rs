//! `soquete send` and `soquete listen`, with each other and with other people's programs.
//!
//! | module | tests |
//! |---|---|
//! | `kit` | nothing: a listener that is ready, endpoints of every kind |
//! | `selves` | the two with each other, over every kind of endpoint |
//! | `netcat` | with both netcats, in both directions |
//! | `socat` | with socat, in both directions |
//! | `flow` | much at once, one direction beside the other, bounded memory |
//! | `ends` | every way to an end, and its exit code |
//! | `crowd` | `--keep` |
//! | `frames` | `--frames` |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

#[path = "talk/crowd.rs"]
mod crowd;
#[path = "talk/ends.rs"]
mod ends;
#[path = "talk/flow.rs"]
mod flow;
#[path = "talk/frames.rs"]
mod frames;
#[path = "talk/kit.rs"]
mod kit;
#[path = "talk/netcat.rs"]
mod netcat;
#[path = "talk/selves.rs"]
mod selves;
#[path = "talk/socat.rs"]
mod socat;
