//! How newcomers come in.

use super::connection::{Connection, Wire};
use super::poller::Interest;
use super::port::Port;
use super::service::Service;
use super::{ConnectionId, Ending, Framing, Handler, Hub, PAUSE, Slot};
use crate::system::is_full;
use crate::{Datagram, DatagramOptions, Endpoint, Error, ListenOptions, Listener, Operation, Peer, Stream};
use rustix::fd::{AsFd, OwnedFd};
use std::io;
use std::time::Duration;

/// Connections accepted in one turn at the most: unbounded accepting starves those that are there.
const ACCEPT_MAX: u32 = 32;

/// Turns that found as many newcomers as they looked for, before the next looks for twice as many.
const STEP: u32 = 8;

impl Hub {
    /// Adds a service; its endpoints come by [`listen`](Hub::listen). Returns its number, counted from 0.
    pub fn add_service(&mut self, framing: Framing, options: soquete_proto::server::Options) -> usize {
        self.shared.services.push(Service::new(framing, options));
        self.shared.services.len() - 1
    }

    /// Listens at `endpoint` for a service, of datagrams as well; returns where it really listens.
    ///
    /// # Errors
    /// As [`Listener::bind`], or [`Datagram::bind`].
    pub fn listen(&mut self, service: usize, endpoint: &Endpoint, options: &ListenOptions) -> Result<Endpoint, Error> {
        if endpoint.is_datagram() {
            let options = DatagramOptions { mode: options.mode, nonblocking: true, ..DatagramOptions::default() };
            return self.take_datagram(service, Datagram::bind(endpoint, &options)?);
        }
        let options = ListenOptions { nonblocking: true, ..*options };
        self.take_listener(service, Listener::bind(endpoint, &options)?)
    }

    /// Takes over a listener that is bound already; as [`listen`](Hub::listen).
    ///
    /// # Errors
    /// ENOMEM or ENOSPC where the kernel watches no more descriptors.
    pub fn take_listener(&mut self, service: usize, mut listener: Listener) -> Result<Endpoint, Error> {
        let local = listener.local().clone();
        let failed = |error: io::Error| Error::new(Operation::Listen, &local, error);
        listener.set_nonblocking(true).map_err(failed)?;
        let entry = self.slots.vacant_entry();
        self.poller.add(listener.as_fd(), entry.key(), Interest::Read).map_err(failed)?;
        entry.insert(Slot::Listener { listener: Box::new(listener), service, streak: 0 });
        Ok(local)
    }

    /// Takes over a socket of datagrams that is bound already; as [`listen`](Hub::listen).
    ///
    /// # Errors
    /// ENOMEM or ENOSPC where the kernel watches no more descriptors.
    pub fn take_datagram(&mut self, service: usize, mut socket: Datagram) -> Result<Endpoint, Error> {
        let local = socket.local().clone();
        let failed = |error: io::Error| Error::new(Operation::Listen, &local, error);
        socket.set_nonblocking(true).map_err(failed)?;
        socket.tell_via().map_err(failed)?;
        // A stream of raw datagrams may be long; sessions and text come one by one, and would only pay for it.
        let is_raw = matches!(self.shared.services[service].framing, Framing::Raw(_));
        socket.set_joining(is_raw && matches!(local, Endpoint::Udp { .. }));
        if !is_raw {
            socket.tell_lateness().map_err(failed)?;
        }
        let entry = self.slots.vacant_entry();
        self.poller.add(socket.as_fd(), entry.key(), Interest::Read).map_err(failed)?;
        entry.insert(Slot::Port(Box::new(Port::new(socket, service))));
        Ok(local)
    }

    pub(super) fn accept<H: Handler>(&mut self, key: usize, now: Duration, handler: &mut H) {
        let Some(Slot::Listener { streak, .. }) = self.slots.get(key) else { return };
        let burst = burst(*streak);
        let mut accepted = 0;
        while accepted < burst {
            let Some(Slot::Listener { listener, service, .. }) = self.slots.get(key) else { return };
            let service = *service;
            match listener.accept() {
                Ok((stream, peer)) => {
                    if burst == 1 && peer.ip().is_some() {
                        // Who connects means to send, and may have no core but ours: with it, the first message is there
                        // when it is looked for. A queue need not be waited for, nor a Unix client, who is faster.
                        rustix::thread::sched_yield();
                    }
                    self.admit(service, stream, peer, now, handler);
                }
                // As where places run out: the oldest that never said anything goes.
                Err(error) if is_full(&error) && self.close_oldest_silent(now, handler) => {}
                Err(error) if is_full(&error) => {
                    self.turn_away(key);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It belongs to a connection that is gone again.
                Err(_) => {}
            }
            accepted += 1;
        }
        if let Some(Slot::Listener { streak, .. }) = self.slots.get_mut(key) {
            *streak = if accepted < burst { streak.saturating_sub(STEP) } else { (*streak + 1).min(5 * STEP) };
        }
    }

    /// No descriptor is left: takes one newcomer off the queue with the reserved one and closes it, so that the
    /// listener does not stay readable for ever.
    fn turn_away(&mut self, key: usize) {
        self.counts.turned_away += 1;
        if self.reserve.take().is_none() {
            // Not even one is left. A pause of the whole loop is better than a loop without one.
            std::thread::sleep(PAUSE);
        }
        if let Some(Slot::Listener { listener, .. }) = self.slots.get(key)
            && let Ok((stream, _)) = listener.accept()
        {
            stream.abort();
        }
        self.reserve = reserve();
    }

    fn admit<H: Handler>(&mut self, service: usize, stream: Stream, peer: Peer, now: Duration, handler: &mut H) {
        let Some(key) = self.insert(service, Wire::Stream(stream), peer, now, handler) else { return };
        // Often the first message is there already, and often it is the last: then the connection never needs epoll.
        let wanted = self.lend(key, now, handler, |connection, lent, handler, _| connection.read_turn(lent, handler));
        let Some(wanted) = wanted else { return };
        let Some(Slot::Connection { connection, interest }) = self.slots.get_mut(key) else { return };
        *interest = wanted;
        let is_watched =
            connection.wire.stream().is_some_and(|stream| self.poller.add(stream.as_fd(), key, wanted).is_ok());
        if !is_watched {
            self.remove(key, now, &Ending::Refused("the kernel watches no more connections".into()), handler);
        }
    }

    /// Gives a newcomer its place; nothing where there is none.
    pub(super) fn insert<H: Handler>(
        &mut self,
        service: usize,
        wire: Wire,
        peer: Peer,
        now: Duration,
        handler: &mut H,
    ) -> Option<usize> {
        self.counts.accepted += 1;
        if self.counts.connections >= self.limits.connections_max && !self.close_oldest_silent(now, handler) {
            self.counts.turned_away += 1;
            if let Wire::Stream(stream) = wire {
                stream.abort();
            }
            return None;
        }
        let admitted = handler.admit(service, &peer);
        self.generation = self.generation.wrapping_add(1);
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        let id = ConnectionId((u64::from(self.generation) << 32) | key as u64);
        let lent = self.shared.lend(now);
        let connection = Box::new(Connection::new(id, wire, peer, service, admitted, &lent));
        // An opening is in its channel already.
        self.waiting_bytes += connection.held_bytes();
        entry.insert(Slot::Connection { connection, interest: Interest::Read });
        self.counts.connections += 1;
        self.set_ticking(true);
        Some(key)
    }

    fn close_oldest_silent<H: Handler>(&mut self, now: Duration, handler: &mut H) -> bool {
        let silent = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Connection { connection, .. } if connection.is_silent() => Some((connection.heard_at(), key)),
            _ => None,
        });
        let Some((_, key)) = silent.min() else { return false };
        self.counts.turned_away += 1;
        self.remove(key, now, &Ending::Refused("silent, and its place was needed".into()), handler);
        true
    }
}

/// Returns how many newcomers a turn takes after `streak` turns in which it found as many as it looked for.
///
/// Clients that come one by one are taken one a turn, since each look for another would be a call in vain. Only a queue
/// makes a long streak, and it is taken ever faster; a look in vain takes half of the haste away.
fn burst(streak: u32) -> u32 {
    (1 << (streak / STEP).min(5)).min(ACCEPT_MAX)
}

/// Opens the descriptor that is given up for a moment when there is no other.
pub(super) fn reserve() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_connection_is_small() {
        // Many connections that say nothing cost little else.
        assert!(size_of::<Slot>() <= 24, "{}", size_of::<Slot>());
        assert!(size_of::<Connection>() <= 224, "{}", size_of::<Connection>());
    }
}
