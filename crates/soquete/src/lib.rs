//! Sockets behind one grammar.
//!
//! An [`Endpoint`] says where, as a URL: `tcp://127.0.0.1:5555`, `unix:///run/led.sock`, `unix:@led`, `mem:led`.
//! A [`Listener`] waits there for connections; a [`Stream`] is one, whatever it runs over, and knows its [`Peer`].
//! Each is one descriptor, so everything fits into one epoll set. Every failure is an [`Error`]: it names
//! operation, address and cause in one line and knows what a person can do about it.
//!
//! One [`Handler`] is served in three ways: to all clients at once or to one after the other by a [`Server`], and with a
//! process for each connection by [`Workers`]. Equals need no server: [`Stream::meet`] connects two of them, and
//! [`DatagramPeers`] sorts what many send.
//!
//! [`Clock`] reads the time, [`Backoff`] says how long to wait before trying again, and [`resolve_then`] looks up
//! names without holding anybody up. [`typed`] sends Rust types instead of octets; the feature `tokio` adds a client,
//! streams and sockets of datagrams for programs that live in that runtime.
//!
//! The folder `examples` of the repository shows each kind of socket and each way to serve, in 40 lines or fewer.
//!
//! # Windows
//!
//! The library is made for Linux. A part of it compiles for Windows too (`x86_64-pc-windows-gnu`, looked after by
//! `cargo xtask ci`), and **was never run there**:
//!
//! | compiled for Windows | Linux alone |
//! |---|---|
//! | endpoints: every kind parses; errors | connecting or binding a Unix or `mem:` endpoint is [`Cause::Misuse`] there |
//! | [`Stream`] and [`Listener`] over TCP | urgent data, `pair`, `meet`, descriptors passed on or inherited, the end of a listener from another thread |
//! | [`Datagram`] over UDP, [`DatagramPeers`] | errors of datagrams that did not arrive, inherited sockets; the kernel cuts and joins nothing there |
//! | [`Server::run_in_turn`], over TCP | `Server::run`, `Hub`, servers over datagrams, `Workers` |
//! | [`Client`] over TCP and UDP, [`typed`] | `Outbound`, `Announcement`, what the feature `tokio` adds |
//!
//! Where it differs: [`Clock`] may stand still in sleep; random octets come from the crate `getrandom`; a network
//! interface is named by its number; TCP_NOTSENT_LOWAT is EOPNOTSUPP; `reuse_address` has no effect, since SO_REUSEADDR means
//! something else there; the time that is over is ETIMEDOUT; an unreachable receiver of a datagram is ECONNRESET, for
//! sockets that are not connected too; and [`Error::act`], which knows Linux's tools, mostly has nothing to say.

#![deny(unsafe_code)]

#[cfg(all(unix, feature = "tokio"))]
mod asynchronous;
mod backoff;
mod client;
mod clock;
mod datagram;
mod endpoint;
mod entropy;
mod error;
mod hub;
mod listener;
#[cfg(unix)]
mod meeting;
#[cfg(unix)]
mod mem;
#[cfg(unix)]
mod outbound;
mod peers;
mod ready;
mod resolve;
mod server;
mod stream;
mod system;
pub mod typed;
#[cfg(unix)]
mod workers;

#[cfg(all(unix, feature = "tokio"))]
pub use asynchronous::{AsyncClient, AsyncDatagram, AsyncStream, Event, Subscription, Watching};
pub use backoff::Backoff;
pub use client::{Batch, Client, ClientFraming, ClientOptions, Outcome, Received};
pub use clock::Clock;
pub use datagram::{Address, Arrival, DATAGRAM_MAX_BYTES, Datagram, DatagramOptions, Segments};
pub use endpoint::{
    Endpoint, EndpointError, HOST_LEN_MAX, Host, INTERFACE_LEN_MAX, MEM_NAME_LEN_MAX, UNIX_NAME_LEN_MAX, UdpOptions,
    UnixName,
};
pub use error::{Cause, Error, Operation};
pub use hub::{
    Bounds, ConnectionId, Ending, Exchange, Framing, Handler, Languages, Limits, Responder, Stopper, Tongue,
};
#[cfg(unix)]
pub use hub::{Counts, Hub, Pushed, SourceId};
#[cfg(unix)]
pub use listener::path::remove_paths;
pub use listener::{ListenOptions, Listener};
#[cfg(unix)]
pub use meeting::First;
#[cfg(unix)]
pub use outbound::{Announcement, News, Outbound, Shot};
pub use peers::{DatagramPeers, Dropped, Parcel, PeersOptions};
pub use resolve::{ADDRESSES_MAX, LOOKUPS_MAX, resolve, resolve_then};
pub use server::Server;
pub use soquete_proto::client::Options as SessionOptions;
pub use soquete_proto::handshake::{Code, EventHead};
pub use soquete_proto::server::Options as ServerOptions;
pub use stream::{Closed, Peer, Stream};
#[cfg(unix)]
pub use stream::{DESCRIPTORS_MAX, Handed};
#[cfg(unix)]
pub use workers::{Worker, WorkerEvent, Workers, WorkersOptions};
