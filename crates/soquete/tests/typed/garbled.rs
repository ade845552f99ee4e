//! Octets that are no value: an error, whatever they claim.

use crate::{Scene, Stranger, client, scene, turn_around, with_server};
use soquete::Framing;
use soquete::typed::{Message, decode, encode};
use std::collections::{BTreeMap, HashMap};

/// Numbers that are the same in each run (xorshift64).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn octets() -> Vec<u8> {
    encode(&(Scene::VERSION, scene())).unwrap()
}

#[test]
fn a_value_cut_anywhere_is_refused_and_the_connection_goes_on() {
    with_server("cut", Framing::Frames, turn_around, |endpoint| {
        let mut client = client(endpoint);
        let whole = octets();
        for len in 0..whole.len() {
            let error = client.request_on(Scene::TOPIC, &whole[..len]).unwrap_err();
            assert!(error.to_string().contains("octets that are no Scene"), "{len}: {error}");
        }
        client.request_on(Scene::TOPIC, &whole).unwrap();
    });
}

#[test]
fn whatever_is_changed_of_a_value_it_is_read_or_refused() {
    with_server("changed", Framing::Frames, turn_around, |endpoint| {
        let mut client = client(endpoint);
        let mut noise = Noise(0x5EED);
        let (mut read, whole) = (0, octets());
        for _ in 0..2_000 {
            let mut changed = whole.clone();
            for _ in 0..=noise.below(4) {
                let place = noise.below(changed.len());
                changed[place] = u8::try_from(noise.below(256)).unwrap();
            }
            changed.truncate(noise.below(changed.len() + 20).max(1));
            match client.request_on(Scene::TOPIC, &changed) {
                Ok(_) => read += 1,
                Err(error) => assert!(error.is_rejected(), "{error}"),
            }
        }
        assert!((1..2_000).contains(&read), "{read}");
        assert!(client.ask(&scene()).unwrap().is_ok());
    });
}

#[test]
fn noise_is_no_value_or_one_that_is_as_short_as_the_noise() {
    let mut noise = Noise(0xBAD);
    for _ in 0..20_000 {
        let octets: Vec<u8> = (0..noise.below(40)).map(|_| u8::try_from(noise.below(256)).unwrap()).collect();
        if let Ok(scene) = decode::<Scene>(&octets) {
            assert!(scene.name.len() + scene.steps.len() + scene.labels.len() <= octets.len());
        }
        if let Ok(words) = decode::<HashMap<String, Vec<u64>>>(&octets) {
            assert!(words.len() <= octets.len());
        }
    }
}

#[test]
fn a_length_that_lies_is_refused() {
    for claim in [&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]] {
        let octets = [claim, &[1, 2, 3]].concat();
        assert!(decode::<Vec<u64>>(&octets).is_err() && decode::<String>(&octets).is_err());
        assert!(decode::<&[u8]>(&octets).is_err() && decode::<Vec<[u8; 32]>>(&octets).is_err());
        assert!(decode::<HashMap<u64, u64>>(&octets).is_err() && decode::<BTreeMap<u64, u64>>(&octets).is_err());
    }
}

#[test]
fn what_is_nested_without_end_is_refused_before_the_stack_is_full() {
    // A name of no octets, one step, and that a nested scene: a mebibyte would be 350,000 levels.
    let bomb = [&[1][..], &[0, 1, 2].repeat(349_000)].concat();
    with_server("bomb", Framing::Frames, turn_around, |endpoint| {
        let mut client = client(endpoint);
        let error = client.request_on(Scene::TOPIC, &bomb).unwrap_err();
        assert!(error.to_string().contains("octets that are no Scene"), "{error}");
        assert!(client.ask(&Stranger(1)).unwrap_err().to_string().contains("topic 9"), "it lives");
    });
    let mut deep = scene();
    for _ in 0..20 {
        deep = Scene { steps: vec![crate::Step::Nested(Box::new(deep))], ..scene() };
    }
    assert_eq!(decode(&encode(&deep).unwrap()), Ok(deep), "what somebody nests is no bomb");
}
