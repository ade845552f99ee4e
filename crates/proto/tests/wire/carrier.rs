//! What carries a session in the world of tests: a stream, or datagrams under a channel.

use crate::ends::ms;
use crate::noise::Noise;
use crate::path::{Pair, Path};
use std::collections::VecDeque;
use std::time::Duration;

/// Octets on their way, in order.
#[derive(Default)]
pub(crate) struct Pipe(VecDeque<(Duration, Vec<u8>)>);

impl Pipe {
    /// Sends octets in pieces, each with a delay of its own.
    fn send(&mut self, now: Duration, octets: &mut Vec<u8>, noise: &mut Noise) {
        while !octets.is_empty() {
            let piece = octets.drain(..1 + noise.index(octets.len())).collect();
            let at = now + ms(noise.below(40));
            let at = self.0.back().map_or(at, |(before, _)| at.max(*before));
            self.0.push_back((at, piece));
        }
    }

    fn arrive(&mut self, now: Duration, into: &mut Vec<u8>) {
        while self.0.front().is_some_and(|(at, _)| *at <= now) {
            into.extend(self.0.pop_front().unwrap().1);
        }
    }
}

/// What the sessions of a world go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Streams,
    Datagrams,
}

/// One connection between a client and a server.
pub(crate) enum Carrier {
    Stream { to_server: Pipe, to_client: Pipe },
    Datagrams(Box<Pair>),
}

impl Carrier {
    pub(crate) fn new(over: Over, now: Duration, noise: &mut Noise) -> Self {
        match over {
            Over::Streams => Carrier::Stream { to_server: Pipe::default(), to_client: Pipe::default() },
            Over::Datagrams => {
                let paths = [Path::bad(noise), Path::bad(noise)];
                Carrier::Datagrams(Box::new(Pair::new(now, noise, paths)))
            }
        }
    }

    pub(crate) fn client_says(&mut self, now: Duration, octets: &mut Vec<u8>, noise: &mut Noise) {
        match self {
            Carrier::Stream { to_server, .. } => to_server.send(now, octets, noise),
            Carrier::Datagrams(pair) => pair.near_says(now, octets, noise),
        }
    }

    pub(crate) fn server_says(&mut self, now: Duration, octets: &mut Vec<u8>, noise: &mut Noise) {
        match self {
            Carrier::Stream { to_client, .. } => to_client.send(now, octets, noise),
            Carrier::Datagrams(pair) => pair.far_says(now, octets, noise),
        }
    }

    pub(crate) fn client_hears(&mut self, now: Duration, into: &mut Vec<u8>) {
        match self {
            Carrier::Stream { to_client, .. } => to_client.arrive(now, into),
            Carrier::Datagrams(pair) => pair.near_hears(now, into),
        }
    }

    pub(crate) fn server_hears(&mut self, now: Duration, into: &mut Vec<u8>) {
        match self {
            Carrier::Stream { to_server, .. } => to_server.arrive(now, into),
            Carrier::Datagrams(pair) => pair.far_hears(now, into),
        }
    }

    /// Nothing arrives for a while, where that can be.
    pub(crate) fn darken(&mut self, until: Duration) {
        if let Carrier::Datagrams(pair) = self {
            pair.to_far.dark_until = until;
            pair.to_near.dark_until = until;
        }
    }

    /// The client leaves.
    pub(crate) fn cut_client(&mut self) {
        match self {
            Carrier::Stream { to_client, .. } => *to_client = Pipe::default(),
            Carrier::Datagrams(pair) => {
                pair.near = None;
                pair.to_near.clear();
            }
        }
    }

    /// What is on its way to the server is lost.
    pub(crate) fn lose_to_server(&mut self) {
        match self {
            Carrier::Stream { to_server, .. } => *to_server = Pipe::default(),
            Carrier::Datagrams(pair) => pair.to_far.clear(),
        }
    }

    /// Whether the server knows of the connection.
    pub(crate) fn is_known(&self) -> bool {
        match self {
            Carrier::Stream { .. } => true,
            Carrier::Datagrams(pair) => pair.far.is_some(),
        }
    }

    /// Whether the client has what the server said, or cannot be reached.
    pub(crate) fn has_arrived(&self, now: Duration) -> bool {
        match self {
            Carrier::Stream { to_client, .. } => to_client.0.is_empty(),
            Carrier::Datagrams(pair) => pair.far.as_ref().is_some_and(|far| far.is_settled() || far.is_lost(now)),
        }
    }

    pub(crate) fn is_lost_to_client(&self, now: Duration) -> bool {
        matches!(self, Carrier::Datagrams(pair) if pair.near.as_ref().is_some_and(|near| near.is_lost(now)))
    }

    pub(crate) fn is_lost_to_server(&self, now: Duration) -> bool {
        matches!(self, Carrier::Datagrams(pair) if pair.far.as_ref().is_some_and(|far| far.is_lost(now)))
    }
}
