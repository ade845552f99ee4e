//! Datagrams that the kernel has joined: many of one sender with one receive, one look-up and one turn.

use super::{DATAGRAMS_MAX, Parcel};
use crate::datagram::Via;
use crate::hub::connection::Turn;
use crate::hub::{Framing, Handler, Hub, Slot};
use crate::{Address, Arrival, Clock, Datagram, Peer, Segments};
use soquete_proto::channel::Dropped;
use std::io;
use std::time::Duration;

/// Datagrams of one sender that have come to a port together, beside their octets.
struct Joined {
    port: usize,
    segments: Segments,
    via: Option<Via>,
    now: Duration,
}

impl Hub {
    /// Receives what has come to a port whose kernel joins datagrams: in a turn about as much as a stream may bring.
    pub(super) fn receive_joined<H: Handler>(
        &mut self,
        port: usize,
        socket: &Datagram,
        scratch: &mut [u8],
        handler: &mut H,
    ) {
        let (now, mut received_bytes, mut latest) = (Clock::now(), 0, None);
        for _ in 0..DATAGRAMS_MAX {
            match socket.receive_segments_via(scratch) {
                Ok((segments, via)) => {
                    received_bytes += segments.len_bytes;
                    let joined = Joined { port, segments, via, now };
                    latest = self.arrive_joined(&joined, latest, scratch, handler);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It is about a datagram that was sent, to somebody who has gone.
                Err(_) => {}
            }
            if received_bytes >= scratch.len() {
                return;
            }
        }
    }

    /// Takes datagrams that came together; returns the visit of their sender, who may well be the next as well.
    fn arrive_joined<H: Handler>(
        &mut self,
        joined: &Joined,
        latest: Option<usize>,
        scratch: &[u8],
        handler: &mut H,
    ) -> Option<usize> {
        let Joined { port, segments, via, now } = joined;
        let (port, now) = (*port, *now);
        let Some(Slot::Port(place)) = self.slots.get(port) else { return None };
        let Framing::Raw(bounds) = self.shared.services[place.service].framing else { return None };
        let is_short = |datagram: &&[u8]| datagram.len() <= bounds.receive_max_bytes;
        if segments.segment_len_bytes > bounds.receive_max_bytes {
            self.counts.dropped += segments.each(scratch).filter(|datagram| !is_short(datagram)).count() as u64;
        }
        let mut rest = segments.each(scratch).filter(is_short).peekable();
        let mut sender = latest.filter(|key| self.is_sender(*key, port, &segments.from));
        self.seen_at = now;
        // Where the handler ends a visit, the next datagram begins another.
        while rest.peek().is_some() {
            let Ok(key) = sender.take().map_or_else(|| self.sender_of(joined, handler), Ok) else {
                self.counts.dropped += rest.count() as u64;
                return None;
            };
            let mut has_ended = false;
            self.with(key, now, handler, |connection, lent, handler, interest| {
                connection.wire.go_by(*via);
                let mut turn = interest.turn();
                for datagram in rest.by_ref() {
                    turn = connection.message_turn(datagram, lent, handler);
                    has_ended = matches!(turn, Turn::Closed(_));
                    if has_ended {
                        break;
                    }
                }
                turn
            });
            sender = (!has_ended).then_some(key);
        }
        sender
    }

    /// Says whether a visit is that of a sender of single datagrams, without a search.
    fn is_sender(&self, key: usize, port: usize, from: &Address) -> bool {
        let Some(Slot::Connection { connection, .. }) = self.slots.get(key) else { return false };
        connection.wire.visit().is_some_and(|v| v.port == port && v.channel.is_none() && v.from == *from)
    }

    fn sender_of<H: Handler>(&mut self, joined: &Joined, handler: &mut H) -> Result<usize, Dropped> {
        let Joined { port, segments: Segments { len_bytes, from, .. }, via, now } = joined;
        let peer = from.socket_addr().map_or(Peer::Outside, Peer::Udp);
        let arrival = Arrival { len_bytes: *len_bytes, from: from.clone(), peer };
        self.sender(&Parcel { port: *port, arrival, via: *via, now: *now }, handler)
    }
}
