//! The modes that connect, with the library's blocking client.

use super::mark;
use super::samples::Samples;
use super::{SERVICE, failed, payload_max_bytes, print_rate, raise_descriptors_max, rate};
use crate::arguments::{Load, Loads};
use crate::output::{Failure, print};
use soquete::{Client, ClientFraming, ClientOptions, Received};
use std::io;
use std::time::{Duration, Instant};

/// Octets of messages between two looks at the clock.
const STRIDE_BYTES: usize = 64 << 10;

/// Keeps one message in flight, and prints how long the round trips took.
pub(super) fn ping(load: &Load, spin: Duration) -> Result<(), Failure> {
    let mut client = connect(load, spin)?;
    let payload = payload(load);
    let mut samples = Samples::new();
    let begun = Instant::now();
    let mut before = begun;
    // One look at the clock a round trip: where one ends, the next begins.
    let took = loop {
        let reply = client.request(&payload).map_err(failed)?;
        if reply.len() != payload.len() {
            return Err(failed(format!("{}: the reply is not what was sent", load.url)));
        }
        let now = Instant::now();
        samples.add(now - before);
        before = now;
        if now - begun >= load.secs {
            break now - begun;
        }
    };
    client.finish().map_err(failed)?;
    print_round_trips(&mut samples, took)
}

/// Prints the percentiles of round trips.
pub(super) fn print_round_trips(samples: &mut Samples, took: Duration) -> Result<(), Failure> {
    let (n, secs, rate) = (samples.n(), took.as_secs_f64(), rate(samples.n(), took));
    let [p50, p90, p99, p999, max] = samples.percentiles_ns([500, 900, 990, 999, 1000]);
    let percentiles = format!("p50={p50} p90={p90} p99={p99} p999={p999} max={max}");
    print(format!("RESULT n={n} secs={secs:.6} rate={rate:.1} {percentiles}\n"))
}

/// Sends one-way messages, and ends the stream.
pub(super) fn source(load: &Load) -> Result<(), Failure> {
    let mut client = connect(load, Duration::ZERO)?;
    let payload = payload(load);
    let stride = (STRIDE_BYTES / payload.len().max(1)).clamp(1, STRIDE_BYTES);
    let begun = Instant::now();
    let sent = client.batch(|batch| {
        while begun.elapsed() < load.secs {
            for _ in 0..stride {
                batch.message(&payload)?;
            }
        }
        Ok(())
    });
    sent.and_then(|()| client.finish()).map_err(failed)?;
    // Until the server has taken everything: to close with something unread would cut off what is under way.
    while client.receive().is_ok() {}
    Ok(())
}

/// Sends one-way messages, each a datagram, and marks the end; each with a system call of its own, or many with one.
pub(super) fn source_of_datagrams(load: &Load, is_single: bool) -> Result<(), Failure> {
    let mut client = Client::connect(&load.url, ClientOptions::raw(1)).map_err(failed)?;
    let payload = payload(load);
    let stride = (STRIDE_BYTES / payload.len()).max(1);
    let begun = Instant::now();
    while begun.elapsed() < load.secs {
        let sent = if is_single {
            (0..stride).try_for_each(|_| client.message(&payload))
        } else {
            client.batch(|batch| (0..stride).try_for_each(|_| batch.message(&payload)))
        };
        sent.map_err(failed)?;
    }
    mark::end(|message| client.message(message));
    Ok(())
}

/// Keeps N requests in flight, and prints their rate.
pub(super) fn pipe(loads: &Loads) -> Result<(), Failure> {
    let mut client = connect(&loads.load, Duration::ZERO)?;
    let payload = payload(&loads.load);
    let begun = Instant::now();
    for _ in 0..loads.n {
        client.submit(&payload).map_err(failed)?;
    }
    let mut answered = 0u64;
    let mut until_look = loads.n.min(64);
    let took = loop {
        receive_reply(&mut client)?;
        answered += 1;
        until_look -= 1;
        if until_look == 0 {
            until_look = loads.n.min(64);
            let took = begun.elapsed();
            if took >= loads.load.secs {
                break took;
            }
        }
        client.submit(&payload).map_err(failed)?;
    };
    // The last was not followed by another.
    for _ in 1..loads.n {
        receive_reply(&mut client)?;
    }
    client.finish().map_err(failed)?;
    print_rate(answered, took)
}

fn receive_reply(client: &mut Client) -> Result<(), Failure> {
    match client.receive().map_err(failed)? {
        Received::Reply { .. } => Ok(()),
        other => Err(failed(format!("not a reply: {other:?}"))),
    }
}

/// Opens N connections with one message on each, and holds them until standard input ends.
pub(super) fn conns(loads: &Loads) -> Result<(), Failure> {
    raise_descriptors_max();
    let payload = payload(&loads.load);
    let mut clients = Vec::with_capacity(loads.n);
    for _ in 0..loads.n {
        let mut client = connect(&loads.load, Duration::ZERO)?;
        client.request(&payload).map_err(failed)?;
        clients.push(client);
    }
    hold(loads.n)
}

/// Says how many are held, and waits until standard input ends.
pub(super) fn hold(n: usize) -> Result<(), Failure> {
    print(format!("HELD {n}\n"))?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())
        .map(drop)
        .map_err(|error| failed(format!("read standard input: {error}")))
}

/// Connects and completes the handshake.
fn connect(load: &Load, spin: Duration) -> Result<Client, Failure> {
    let core = soquete_proto::client::Options {
        resume: true,
        payload_max_bytes: payload_max_bytes(load),
        ..soquete_proto::client::Options::new(SERVICE)
    };
    let options = ClientOptions { spin, ..ClientOptions::new(ClientFraming::Frames(core), 0) };
    let mut client = Client::connect(&load.url, options).map_err(failed)?;
    client.handshake().map_err(failed)?;
    Ok(client)
}

/// Makes a message of the load.
pub(super) fn payload(load: &Load) -> Vec<u8> {
    vec![b'x'; load.size]
}
