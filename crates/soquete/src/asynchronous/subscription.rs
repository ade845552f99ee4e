//! Events, from the driver to whoever subscribed.

use super::AsyncClient;
use soquete_proto::handshake::EventHead;
use tokio::sync::mpsc;

/// Events that wait for a slow listener; 1,024. Those that come then are dropped, and counted in the next one's
/// [`EventHead::missed`].
const EVENTS_MAX: usize = 1024;

/// Something that happened, of a [`Subscription`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, and how many were missed before it, by the server's count and for want of listening.
    pub head: EventHead,
    /// The application's octets.
    pub payload: Vec<u8>,
    /// Whether it overtook others at the server.
    pub is_urgent: bool,
}

/// A subscription; dropping it ends it.
pub struct Subscription {
    client: AsyncClient,
    token: u64,
    reply: Vec<u8>,
    events: mpsc::Receiver<Event>,
}

impl Subscription {
    pub(super) fn new(client: AsyncClient, token: u64, reply: Vec<u8>, events: mpsc::Receiver<Event>) -> Self {
        Subscription { client, token, reply, events }
    }

    /// Returns what the server answered when it granted the subscription.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// Returns the client it was made with.
    pub fn client(&self) -> &AsyncClient {
        &self.client
    }

    /// Waits for the next event; nothing once the connection is lost or the client was closed. Events that were there
    /// by then still come first; subscribe again to go on. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.take_back(self.token);
    }
}

/// The driver's end of a subscription.
pub(super) struct Feed {
    events: mpsc::Sender<Event>,
    /// Events dropped since the last one that went through.
    dropped: u32,
}

impl Feed {
    pub(super) fn put(&mut self, head: EventHead, payload: &[u8], is_urgent: bool) {
        let Ok(place) = self.events.try_reserve() else {
            self.dropped = self.dropped.saturating_add(1).saturating_add(head.missed);
            return;
        };
        let head = EventHead { missed: head.missed.saturating_add(self.dropped), ..head };
        self.dropped = 0;
        place.send(Event { head, payload: payload.to_vec(), is_urgent });
    }
}

/// Makes the two ends of a subscription.
pub(super) fn channel() -> (Feed, mpsc::Receiver<Event>) {
    let (events, listener) = mpsc::channel(EVENTS_MAX);
    (Feed { events, dropped: 0 }, listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_slow_listener_missed_is_counted_in_what_it_gets_next() {
        let (mut feed, mut events) = channel();
        let head = |seq| EventHead { seq, missed: 0, lag: None };
        for seq in 0..EVENTS_MAX as u64 + 2 {
            feed.put(head(seq), b"x", false);
        }
        feed.put(EventHead { seq: 2_000, missed: 5, lag: None }, b"x", false);
        for seq in 0..EVENTS_MAX as u64 {
            assert_eq!(events.try_recv().map(|event| event.head), Ok(head(seq)));
        }
        feed.put(head(2_001), b"x", true);
        assert_eq!(events.try_recv().map(|event| event.head), Ok(EventHead { seq: 2_001, missed: 8, lag: None }));
    }
}
