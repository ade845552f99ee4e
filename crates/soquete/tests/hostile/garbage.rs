//! Noise: whatever octets come, the server neither panics nor hangs, and serves the next.

use super::kit::*;
use soquete::Limits;
use soquete_proto::opening::OPENING;
use soquete_proto::server::Options;
use std::io::Write;
use std::net::Shutdown;

/// A generator whose numbers are the same in each run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.next() >> 56).unwrap()).collect()
    }
}

/// Sends `octets`, ends the stream and waits for the server's end.
fn send_and_end(served: &Served, octets: &[u8]) {
    let mut stream = served.connect();
    // The server may have closed by then.
    let _ = stream.write_all(octets);
    let _ = stream.shutdown(Shutdown::Write);
    read_to_end(&mut stream);
}

fn serve_noise(name: &str) -> Served {
    serve_with(&format!("mem:noise-{name}"), ALL, Limits::default(), Options::new("board"))
}

#[test]
fn random_octets_harm_nobody() {
    let served = serve_noise("octets");
    let mut noise = Noise(1);
    for _ in 0..1_000 {
        let len = 1 + noise.below(4096);
        let octets = noise.octets(len);
        send_and_end(&served, &octets);
    }
    served.assert_serves();
}

#[test]
fn random_octets_behind_a_good_beginning_harm_nobody() {
    let served = serve_noise("behind");
    let mut noise = Noise(2);
    let beginnings = [OPENING.to_vec(), greeting(), [greeting(), plain(1, b"LED")].concat(), b"LED\n".to_vec()];
    for round in 0..1_000 {
        let len = noise.below(2048);
        let octets = [&beginnings[round % beginnings.len()][..], &noise.octets(len)].concat();
        send_and_end(&served, &octets);
    }
    served.assert_serves();
}

#[test]
fn a_conversation_with_one_wrong_bit_harms_nobody() {
    let served = serve_noise("bit");
    let good = [greeting(), plain(1, b"LED"), plain(2, b"BIG 10"), plain(3, b"LED")].concat();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        send_and_end(&served, &bad);
    }
    served.assert_serves();
}

#[test]
fn every_first_octet_is_dealt_with() {
    let served = serve_noise("first");
    for octet in 0..=255 {
        send_and_end(&served, &[octet, b'?', b'\n', b'?']);
    }
    assert_eq!(served.log.endings(256).len(), 256);
    served.assert_serves();
}
