//! The protocol from outside: octets and time in, octets and events out.
#![expect(clippy::unwrap_used, reason = "what a test calls may panic as the test itself may")]

mod bounds;
mod carrier;
mod channels;
mod chunking;
mod client_end;
mod datagrams;
mod deadlines;
mod dialogue;
mod document;
mod ends;
mod hostile;
mod noise;
mod path;
mod python;
mod server_end;
mod timed;
mod transcript;
mod urgent;
mod vectors;
mod virtual_time;
mod world;
