//! The wire of soquete: frames, handshake, sessions and the text grammar, without IO, clock or randomness.
//!
//! Octets, time and entropy go in; octets and events come out. [`server::Server`] and [`client::Client`] are the two
//! ends of a session, which goes over a stream, or over datagrams by a [`channel`]; [`text`] and [`lines`] are what a
//! person at netcat speaks; [`opening`] tells the languages of a port apart by the first octet. `PROTOCOL.md` is the
//! specification these modules implement.
//!
//! Time is a [`Duration`](std::time::Duration) since any fixed start of the caller's clock, so a test can say what
//! time it is:
//!
//! ```
//! use soquete_proto::{client, server};
//! use std::time::Duration;
//!
//! let now = Duration::ZERO;
//! let mut entropy = 0u128;
//! let mut server = server::Server::new(server::Options::new("echo"), now, move || { entropy += 1; entropy });
//! let mut link = server::Link::new(1, now);
//! let mut client = client::Client::new(client::Options::new("echo"));
//!
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//! client.connected(now, &mut to_server);
//! let id = client.request(now, client::Request::new(b"hello"), &mut to_server).unwrap();
//!
//! let mut input = &to_server[..];
//! while let Some(event) = server.next(now, &mut link, &mut input, &mut to_client).unwrap() {
//!     if let server::Event::Request(request) = event {
//!         server.reply(request.ticket, request.payload, &mut link, &mut to_client).unwrap();
//!     }
//! }
//! let mut input = &to_client[..];
//! assert!(matches!(client.next(now, &mut input, &mut to_server), Ok(Some(client::Event::Welcome(_)))));
//! let Ok(Some(client::Event::Reply { id: answered, payload })) = client.next(now, &mut input, &mut to_server)
//! else { panic!() };
//! assert_eq!((answered, payload), (id, &b"hello"[..]));
//! ```
#![forbid(unsafe_code)]

pub mod channel;
pub mod client;
pub mod content;
pub mod fault;
pub mod field;
pub mod frame;
pub mod handshake;
pub mod lines;
pub mod opening;
pub mod server;
pub mod span;
pub mod text;

mod id;
