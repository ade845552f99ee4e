//! A path that loses, doubles and reorders datagrams, and one channel over two of them.

use crate::ends::ms;
use crate::noise::Noise;
use soquete_proto::channel::{Channel, DATAGRAM_MAX_BYTES, Datagram, Dropped, WAITING_MAX_BYTES, WINDOW_MAX_BYTES};
use std::time::Duration;

/// Datagrams on their way, in no order.
#[derive(Default)]
pub(crate) struct Path {
    /// How many of a hundred are lost, and doubled.
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Until when all are lost.
    pub(crate) dark_until: Duration,
    on_way: Vec<(Duration, Vec<u8>)>,
    /// Everything that was sent.
    pub(crate) sent: usize,
}

impl Path {
    pub(crate) fn bad(noise: &mut Noise) -> Self {
        Path { lost: noise.below(25), doubled: noise.below(25), ..Path::default() }
    }

    pub(crate) fn send(&mut self, now: Duration, datagram: &[u8], noise: &mut Noise) {
        assert!(datagram.len() <= DATAGRAM_MAX_BYTES);
        self.sent += 1;
        if now < self.dark_until || noise.below(100) < self.lost {
            return;
        }
        for _ in 0..1 + u8::from(noise.below(100) < self.doubled) {
            let delay = ms(noise.below(20)) + ms(if noise.one_in(20) { noise.below(300) } else { 0 });
            self.on_way.push((now + delay, datagram.to_vec()));
        }
    }

    /// When the next datagram arrives.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.on_way.iter().map(|(at, _)| *at).min()
    }

    pub(crate) fn arrive(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut arrived: Vec<_> = self.on_way.extract_if(.., |(at, _)| *at <= now).collect();
        arrived.sort();
        arrived.into_iter().map(|(_, datagram)| datagram).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.on_way.clear();
    }
}

/// Both ends of one channel, as two shells keep them.
pub(crate) struct Pair {
    /// The client's end, until it has left.
    pub(crate) near: Option<Channel>,
    /// The server's end, from the opening on.
    pub(crate) far: Option<Channel>,
    pub(crate) to_far: Path,
    pub(crate) to_near: Path,
    pub(crate) dropped: Vec<Dropped>,
    far_number: u64,
    was_opened: bool,
}

impl Pair {
    pub(crate) fn new(now: Duration, noise: &mut Noise, paths: [Path; 2]) -> Self {
        let [to_far, to_near] = paths;
        let near = Some(Channel::connect(now, noise.next() | 1));
        let far_number = noise.next() | 1;
        Pair { near, far: None, to_far, to_near, dropped: Vec::new(), far_number, was_opened: false }
    }

    /// Sends what the client says, and what its end has to say of its own accord.
    pub(crate) fn near_says(&mut self, now: Duration, octets: &mut Vec<u8>, noise: &mut Noise) {
        say(self.near.as_mut(), now, octets, &mut self.to_far, noise);
    }

    pub(crate) fn far_says(&mut self, now: Duration, octets: &mut Vec<u8>, noise: &mut Noise) {
        say(self.far.as_mut(), now, octets, &mut self.to_near, noise);
    }

    pub(crate) fn near_hears(&mut self, now: Duration, into: &mut Vec<u8>) {
        for datagram in self.to_near.arrive(now) {
            if let (Some(near), Ok(Datagram::Of(packet))) = (&mut self.near, Datagram::read(&datagram)) {
                self.dropped.extend(near.receive(now, &packet).err());
            }
        }
        hear(self.near.as_mut(), into);
    }

    pub(crate) fn far_hears(&mut self, now: Duration, into: &mut Vec<u8>) {
        for datagram in self.to_far.arrive(now) {
            match (Datagram::read(&datagram), &mut self.far) {
                (Ok(Datagram::Opening(opening)), None) if !self.was_opened => {
                    self.was_opened = true;
                    self.far = Some(Channel::accept(now, self.far_number, &opening));
                }
                (Ok(Datagram::Opening(packet) | Datagram::Of(packet)), Some(far)) => {
                    self.dropped.extend(far.receive(now, &packet).err());
                }
                (read, _) => assert!(read.is_ok(), "a path that damages nothing"),
            }
        }
        hear(self.far.as_mut(), into);
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let ends = [&self.near, &self.far].map(|end| end.as_ref().and_then(Channel::timeout));
        ends.into_iter().chain([self.to_far.next_at(), self.to_near.next_at()]).flatten().min()
    }

    pub(crate) fn is_settled(&self) -> bool {
        [&self.near, &self.far].into_iter().flatten().all(Channel::is_settled)
    }
}

fn say(end: Option<&mut Channel>, now: Duration, octets: &mut Vec<u8>, path: &mut Path, noise: &mut Noise) {
    let Some(channel) = end else { return octets.clear() };
    channel.put(octets);
    assert_eq!(octets.len(), 0, "whole frames");
    let mut datagram = Vec::new();
    while channel.transmit(now, &mut datagram) {
        path.send(now, &datagram, noise);
        datagram.clear();
    }
    assert!(channel.waiting_bytes() < WAITING_MAX_BYTES);
    assert!(
        channel.is_lost(now) || channel.timeout().is_none_or(|at| at > now),
        "what is due was sent: {now:?} {channel:?}"
    );
}

fn hear(mut end: Option<&mut Channel>, into: &mut Vec<u8>) {
    let before = into.len();
    while let Some(octets) = end.as_mut().and_then(|channel| channel.next()) {
        into.extend(octets);
    }
    assert!(into.len() - before <= WINDOW_MAX_BYTES + DATAGRAM_MAX_BYTES);
}
