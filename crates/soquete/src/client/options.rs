//! What a client speaks, and its bounds.

use crate::Endpoint;
use soquete_proto::channel::FRAME_MAX_BYTES;
use std::time::Duration;

/// Octets received ahead while the server takes no more: 128 MiB, twice 64 answers of 1 MiB. Beyond it submitting is an
/// error, since the server takes nothing more until the client has received.
pub(super) const READ_AHEAD_MAX_BYTES: usize = 128 << 20;

/// Events and answers kept while the answer to something else is awaited: 16,384, some minutes of a busy board.
pub(super) const KEPT_MAX: usize = 16_384;

/// What cuts a stream into messages.
#[derive(Clone, Debug)]
pub enum ClientFraming {
    /// Nothing: a message is what one receive brings.
    Raw,
    /// The ends of lines.
    Line,
    /// The frames of `PROTOCOL.md`.
    Frames(soquete_proto::client::Options),
}

/// What a client speaks, and its bounds.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What cuts the stream into messages.
    pub framing: ClientFraming,
    /// The longest message taken in raw and line framing, in octets.
    pub receive_max_bytes: usize,
    /// How long connecting may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a request or a receive waits. Default: for ever.
    pub timeout: Option<Duration>,
    /// How long to try before blocking. Default 0: it holds a core, and hurts where both ends share one.
    pub spin: Duration,
    /// Octets that the kernel may take over a TCP connection before it sends them (TCP_NOTSENT_LOWAT); it may pass them by
    /// one piece of 64 KiB. Default: as many as the send buffer holds, up to some MiB. What it holds no urgent message can
    /// overtake; a small bound, such as 16 KiB, costs a fast receiver some system calls. 0 counts as none. Over Unix
    /// sockets and `mem:` it has no effect: there the kernel holds what the send buffer does, some 200 KiB.
    pub unsent_max_bytes: Option<u32>,
}

impl ClientOptions {
    /// Takes what one receive brings, at most `receive_max_bytes` octets.
    pub fn raw(receive_max_bytes: usize) -> Self {
        ClientOptions::new(ClientFraming::Raw, receive_max_bytes)
    }

    /// Speaks lines of at most `receive_max_bytes` octets.
    pub fn line(receive_max_bytes: usize) -> Self {
        ClientOptions::new(ClientFraming::Line, receive_max_bytes)
    }

    /// Speaks frames with `service`, in a session that survives its connection and takes urgent messages.
    pub fn frames(service: &str) -> Self {
        let mut options = soquete_proto::client::Options::new(service);
        (options.resume, options.urgent) = (true, true);
        ClientOptions::new(ClientFraming::Frames(options), 1 << 20)
    }

    /// Speaks `framing`, with the defaults.
    pub fn new(framing: ClientFraming, receive_max_bytes: usize) -> Self {
        let connect_timeout = Duration::from_secs(5);
        ClientOptions {
            framing,
            receive_max_bytes,
            connect_timeout,
            timeout: None,
            spin: Duration::ZERO,
            unsent_max_bytes: None,
        }
    }
}

/// Gives the options of a session, which must know how long a frame the endpoint carries.
pub(crate) fn carried(options: &soquete_proto::client::Options, endpoint: &Endpoint) -> soquete_proto::client::Options {
    let most = if endpoint.is_datagram() { FRAME_MAX_BYTES } else { u32::MAX };
    soquete_proto::client::Options { frame_max_bytes: options.frame_max_bytes.min(most), ..options.clone() }
}
