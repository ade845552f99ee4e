//! Channels over paths that lose, double and reorder, in virtual time: each frame once, and in order.

use crate::ends::ms;
use crate::noise::Noise;
use crate::path::{Pair, Path};
use soquete_proto::channel::Dropped;
use soquete_proto::frame::{self, Kind};
use soquete_proto::opening::OPENING;
use std::time::Duration;

const SEEDS: u64 = 4_000;

/// Appends frame `number`, of a length that depends on it.
fn put_frame(out: &mut Vec<u8>, number: u32) {
    let len_bytes = number as usize * 37 % 90;
    frame::put(out, frame::header(Kind::Message, number), &[&vec![0xA5; len_bytes]], 100).unwrap();
}

/// Frames that are to go one way, and those that have come.
struct Flow {
    to_say: u32,
    said: u32,
    heard: u32,
    read: Vec<u8>,
}

impl Flow {
    fn new(to_say: u32) -> Self {
        Flow { to_say, said: 0, heard: 0, read: Vec::new() }
    }

    /// Says some of what is left, in bursts.
    fn say(&mut self, noise: &mut Noise) -> Vec<u8> {
        let mut out = Vec::new();
        let burst = if noise.one_in(3) { noise.below(8) } else { 0 };
        for _ in 0..burst.min(u64::from(self.to_say - self.said)) {
            self.said += 1;
            put_frame(&mut out, self.said);
        }
        out
    }

    fn check(&mut self) {
        let mut input = &self.read[..];
        while let Some(frame) = frame::take(&mut input, 100).unwrap() {
            self.heard += 1;
            assert_eq!(frame.header.id, self.heard, "each once and in order");
            assert_eq!(frame.payload.len(), self.heard as usize * 37 % 90, "and whole");
        }
        assert_eq!(input.len(), 0, "whole frames");
        self.read.clear();
    }

    fn is_done(&self) -> bool {
        self.heard == self.to_say
    }
}

/// Lets both ends say everything they have; returns the pair, and when it was done.
fn converse(seed: u64) -> (Pair, Duration) {
    let noise = &mut Noise::new(seed);
    let mut now = ms(noise.below(100_000));
    let began = now;
    let paths = [Path::bad(noise), Path::bad(noise)];
    let mut pair = Pair::new(now, noise, paths);
    let mut there = Flow::new(1 + u32::try_from(noise.below(40)).unwrap());
    let mut back = Flow::new(1 + u32::try_from(noise.below(40)).unwrap());
    let mut greeting = OPENING.to_vec();
    put_frame(&mut greeting, 1);
    there.said = 1;
    pair.near_says(now, &mut greeting, noise);
    let mut was_opened = false;
    while !(there.is_done() && back.is_done() && pair.is_settled()) {
        let speaks_at = now + ms(5 + noise.below(30));
        now = pair.next_at().map_or(speaks_at, |at| at.clamp(now, speaks_at));
        if noise.one_in(60) && now < began + ms(2_000) {
            pair.to_far.dark_until = now + ms(noise.below(1_500));
            pair.to_near.dark_until = if noise.one_in(2) { pair.to_far.dark_until } else { now };
        }
        pair.far_hears(now, &mut there.read);
        if !was_opened && !there.read.is_empty() {
            assert_eq!(there.read.drain(..OPENING.len()).as_slice(), OPENING);
            was_opened = true;
        }
        there.check();
        pair.near_hears(now, &mut back.read);
        back.check();
        pair.near_says(now, &mut there.say(noise), noise);
        let mut answer = if was_opened { back.say(noise) } else { Vec::new() };
        pair.far_says(now, &mut answer, noise);
        assert!(now < began + ms(60_000), "seed {seed}: frames that never arrive");
        assert!(
            [&pair.near, &pair.far].into_iter().flatten().all(|end| !end.is_lost(now)),
            "seed {seed} {:?} {:?}",
            pair.near,
            pair.far
        );
    }
    (pair, now - began)
}

#[test]
fn every_frame_arrives_once_and_in_order_whatever_the_path_does() {
    let mut counts = [0usize; Dropped::ALL.len()];
    for seed in 1..=SEEDS {
        let (pair, took) = converse(seed);
        for dropped in pair.dropped {
            counts[dropped as usize] += 1;
        }
        // Whatever was lost, nobody may shout: 80 frames, each with its acknowledgement, and half of it again.
        let sent = pair.to_far.sent + pair.to_near.sent;
        assert!(sent < 800, "seed {seed}: {sent} datagrams, {took:?}");
    }
    assert!(counts[Dropped::Duplicate as usize] > 10_000, "the courses are worth something: {counts:?}");
    let others: Vec<Dropped> = Dropped::ALL.into_iter().filter(|dropped| counts[*dropped as usize] > 0).collect();
    assert!(others.iter().all(|dropped| matches!(dropped, Dropped::Duplicate | Dropped::Unknown)), "{others:?}");
}
