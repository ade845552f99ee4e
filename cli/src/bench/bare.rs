//! The same modes over bare blocking sockets: what the machine itself allows.
//!
//! Each end is as plain as a program of its kind can be: one thread, one connection at a time, no sessions, no
//! deadlines. It is what the library is compared with, and no part of what it does.

use super::drive::{hold, payload, print_round_trips};
use super::mark;
use super::samples::Samples;
use super::socket::{Connected, Listening, address, connect};
use super::{failed, load_of, print_rate, print_ready, print_throughput, raise_descriptors_max};
use crate::arguments::{BenchMode, Load, Loads};
use crate::output::Failure;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// Octets written together where many messages are under way.
const BATCH_BYTES: usize = 64 << 10;

/// Octets that one read may bring: as many as the library's.
const READ_MAX_BYTES: usize = 256 << 10;

/// Datagrams between two looks at the clock.
const STRIDE: u64 = 64;

/// Octets of the length before each message.
const PREFIX_LEN_BYTES: usize = 4;

/// Runs one mode; `holds` where `pong` answers one message of each connection and keeps it.
pub(super) fn run(mode: &BenchMode, holds: bool) -> Result<(), Failure> {
    let load = load_of(mode);
    let told = |error: io::Error| failed(format!("{}: {error}", load.url));
    if load.url.is_datagram() && (holds || matches!(mode, BenchMode::Conns(_))) {
        return Err(Failure::usage(format!("{}: bare datagrams have no connections to hold", load.url)));
    }
    match mode {
        BenchMode::Pong(_) if holds => keep(&listen(load)?, payload(load)).map_err(told),
        BenchMode::Pong(_) => echo(&listen(load)?).map_err(told),
        BenchMode::Accept(_) => accept(&listen(load)?).map_err(told),
        BenchMode::Source(_) => source(load).map_err(told),
        BenchMode::Ping(_) => {
            let (mut samples, took) = ping(load).map_err(told)?;
            print_round_trips(&mut samples, took)
        }
        BenchMode::Pipe(loads) => {
            let (n, took) = pipe(loads).map_err(told)?;
            print_rate(n, took)
        }
        BenchMode::Sink(_) => {
            let sunk = sink(&listen(load)?).map_err(told)?;
            print_throughput(sunk.n, sunk.bytes, sunk.took)
        }
        BenchMode::Conns(loads) => {
            let kept = conns(loads).map_err(told)?;
            hold(kept.len())
        }
    }
}

fn listen(load: &Load) -> Result<Listening, Failure> {
    let bound = Listening::bind(&load.url).and_then(|listening| Ok((listening.endpoint(&load.url)?, listening)));
    let (listens, listening) = bound.map_err(|error| failed(format!("{}: {error}", load.url)))?;
    print_ready(&load.url, &listens)?;
    Ok(listening)
}

/// Echoes what comes, as it is.
fn echo(listening: &Listening) -> io::Result<()> {
    let mut octets = vec![0; READ_MAX_BYTES];
    while listening.is_of_datagrams() {
        let (len, from) = listening.receive_from(&mut octets)?;
        // A client that is gone is answered in vain.
        let _ = from.map(|from| listening.send_to(&octets[..len], &from));
    }
    loop {
        let mut stream = listening.accept()?;
        // A client that goes with something on its way ends its connection only.
        while let Ok(len @ 1..) = stream.read(&mut octets) {
            if stream.write_all(&octets[..len]).is_err() {
                break;
            }
        }
    }
}

/// Echoes one message of each connection, and keeps all of them.
fn keep(listening: &Listening, mut message: Vec<u8>) -> io::Result<()> {
    raise_descriptors_max();
    let mut kept = Vec::new();
    loop {
        let mut stream = listening.accept()?;
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
        kept.push(stream);
    }
}

/// Takes what one receive brings of each connection and closes it, as the server of the seeds does.
fn accept(listening: &Listening) -> io::Result<()> {
    let mut octets = [0; 1024];
    loop {
        let mut stream = listening.accept()?;
        // Whoever was cut off before is served no worse than others.
        let _ = stream.read(&mut octets);
    }
}

fn ping(load: &Load) -> io::Result<(Samples, Duration)> {
    let mut stream = open(load)?;
    let payload = payload(load);
    let mut reply = payload.clone();
    let mut samples = Samples::new();
    let begun = Instant::now();
    let mut before = begun;
    loop {
        stream.write_all(&payload)?;
        stream.read_exact(&mut reply)?;
        let now = Instant::now();
        samples.add(now - before);
        before = now;
        if now - begun >= load.secs {
            return Ok((samples, now - begun));
        }
    }
}

/// Keeps N messages in flight, all of them written at once and then read at once.
fn pipe(loads: &Loads) -> io::Result<(u64, Duration)> {
    let mut stream = open(&loads.load)?;
    let batch = payload(&loads.load).repeat(loads.n);
    let mut replies = batch.clone();
    let together = if stream.keeps_messages() { loads.load.size.max(1) } else { batch.len().max(1) };
    let begun = Instant::now();
    let mut n = 0;
    loop {
        batch.chunks(together).try_for_each(|octets| stream.write_all(octets))?;
        stream.read_exact(&mut replies)?;
        n += loads.n as u64;
        let took = begun.elapsed();
        if took >= loads.load.secs {
            return Ok((n, took));
        }
    }
}

/// Sends messages with their length before them, many with a write; over datagrams each with a call.
fn source(load: &Load) -> io::Result<()> {
    let mut stream = open(load)?;
    let payload = payload(load);
    if stream.is_of_datagrams() {
        return source_of_datagrams(&mut stream, &payload, load.secs);
    }
    let mut batch = Vec::with_capacity(BATCH_BYTES + PREFIX_LEN_BYTES + payload.len());
    let prefix = u32::try_from(payload.len()).map_err(io::Error::other)?.to_le_bytes();
    let begun = Instant::now();
    while begun.elapsed() < load.secs {
        while batch.len() < BATCH_BYTES {
            batch.extend_from_slice(&prefix);
            batch.extend_from_slice(&payload);
        }
        stream.write_all(&batch)?;
        batch.clear();
    }
    Ok(())
}

/// Sends datagrams one by one, and marks the end.
fn source_of_datagrams(socket: &mut Connected, payload: &[u8], secs: Duration) -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < secs {
        (0..STRIDE).try_for_each(|_| socket.write_all(payload))?;
    }
    mark::end(|message| socket.write_all(message));
    Ok(())
}

/// What one-way messages came to.
#[derive(Default)]
struct Sunk {
    n: u64,
    bytes: u64,
    took: Duration,
}

impl Sunk {
    fn add(&mut self, message: &[u8]) {
        self.n += 1;
        self.bytes += message.len() as u64;
    }
}

/// Counts datagrams until one marks the end or no more come.
fn sink_of_datagrams(listening: &Listening) -> io::Result<Sunk> {
    let mut octets = vec![0; READ_MAX_BYTES];
    let mut sunk = Sunk::default();
    while sunk.n == 0 {
        let len = listening.receive(&mut octets)?;
        // The mark of a measurement before this one, say, ends nothing.
        if !mark::is_end(&octets[..len]) {
            sunk.add(&octets[..len]);
        }
    }
    listening.set_timeout(mark::SILENCE)?;
    let begun = Instant::now();
    loop {
        match listening.receive(&mut octets) {
            Ok(len) if !mark::is_end(&octets[..len]) => sunk.add(&octets[..len]),
            Ok(_) => {
                sunk.took = begun.elapsed();
                return Ok(sunk);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(sunk),
            Err(error) => return Err(error),
        }
        if sunk.n % STRIDE == 0 {
            sunk.took = begun.elapsed();
        }
    }
}

/// Counts the messages of the first connection to its end.
fn sink(listening: &Listening) -> io::Result<Sunk> {
    if listening.is_of_datagrams() {
        return sink_of_datagrams(listening);
    }
    let mut stream = listening.accept()?;
    let mut octets = vec![0; READ_MAX_BYTES];
    let (mut sunk, mut kept, mut begun) = (Sunk::default(), 0, None);
    loop {
        if kept == octets.len() {
            octets.resize(2 * kept, 0);
        }
        let len = stream.read(&mut octets[kept..])?;
        if len == 0 {
            return Ok(sunk);
        }
        let begun = *begun.get_or_insert_with(Instant::now);
        let end = kept + len;
        let used = count(&octets[..end], &mut sunk);
        sunk.took = begun.elapsed();
        octets.copy_within(used..end, 0);
        kept = end - used;
    }
}

/// Counts the whole messages at the front of `octets`; returns how many octets they are.
fn count(octets: &[u8], sunk: &mut Sunk) -> usize {
    let mut rest = octets;
    while let Some((prefix, more)) = rest.split_first_chunk::<PREFIX_LEN_BYTES>() {
        let Some((message, more)) = more.split_at_checked(u32::from_le_bytes(*prefix) as usize) else { break };
        sunk.add(message);
        rest = more;
    }
    octets.len() - rest.len()
}

/// Opens N connections, each of which has had one answer.
fn conns(loads: &Loads) -> io::Result<Vec<Connected>> {
    raise_descriptors_max();
    let payload = payload(&loads.load);
    let mut reply = payload.clone();
    let mut kept = Vec::with_capacity(loads.n);
    for _ in 0..loads.n {
        let mut stream = open(&loads.load)?;
        stream.write_all(&payload)?;
        stream.read_exact(&mut reply)?;
        kept.push(stream);
    }
    Ok(kept)
}

fn open(load: &Load) -> io::Result<Connected> {
    connect(&address(&load.url)?, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_message_waits_for_its_rest() {
        let octets = [&2u32.to_le_bytes()[..], b"ab", &3u32.to_le_bytes(), b"c"].concat();
        let mut sunk = Sunk::default();
        assert_eq!(count(&octets, &mut sunk), 6);
        assert_eq!((sunk.n, sunk.bytes), (1, 2));
    }
}
