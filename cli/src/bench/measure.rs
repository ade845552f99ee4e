//! One row of the table: both sides in turn, several times, and the medians.

use super::child::{Child, Cores};
use super::seed;
use super::side::Side;
use super::socket::address;
use super::{descriptors_max, failed, rate};
use crate::output::Failure;
use std::fmt;
use std::time::Duration;

/// How often each side is measured for a row.
const ROUNDS: u32 = 5;

/// Connections whose memory is not counted: what they make the server touch is there once for all.
const HELD_BEFORE: usize = 64;

/// Connections whose memory is counted, where so many are allowed: half a kibibyte each is a mebibyte, hundreds of
/// pages.
const HELD_MAX: usize = 2000;

/// Descriptors of a process that are no connections it holds.
const OTHERS_MAX: usize = 64;

/// What the two ends talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Unix,
    Seqpacket,
    Udp,
    Unixgram,
}

impl Transport {
    /// All of them. `mem:` joins threads of one process; the ends that are measured are processes.
    pub(super) const ALL: [Transport; 5] =
        [Transport::Tcp, Transport::Unix, Transport::Seqpacket, Transport::Udp, Transport::Unixgram];

    /// Returns an endpoint that is free.
    fn url(self) -> String {
        match self {
            Transport::Tcp | Transport::Udp => format!("{self}://127.0.0.1:0"),
            // Measurements of one process follow each other, so one name will do.
            Transport::Unix | Transport::Seqpacket | Transport::Unixgram => {
                format!("{self}:@soquete-bench-{}", std::process::id())
            }
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Unix => "unix",
            Transport::Seqpacket => "seqpacket",
            Transport::Udp => "udp",
            Transport::Unixgram => "unixgram",
        })
    }
}

/// What the two ends do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// One message of this many octets there and back, both ends on one core: median and 99th percentile, in ns.
    RoundTrip(usize),
    /// The same, where the library over a Unix stream stands for the bare side: median, in ns.
    BesideUnix(usize),
    /// The same with a core for each end, where the library's tries before it blocks: median, in ns.
    Spinning(usize),
    /// 64 requests of this many octets in flight, a core for each end: rate.
    InFlight(usize),
    /// The same with both ends on one core, where waiting for another core hides nothing: rate.
    InFlightNear(usize),
    /// Messages of this many octets one way, a core for each end: rate, and processor time a message, in ns, of the
    /// end that receives and of the one that sends.
    OneWay(usize),
    /// The same, where the library sends each datagram with a call of its own.
    OneWaySingle(usize),
    /// The seeds' clients, this many at once, on one core: rate, and clients lost.
    Commands(usize),
    /// Connections that have said something and are silent: user memory of the server for each, in octets.
    Idle,
}

/// What one row has come to, figure by figure.
pub(super) struct Measured {
    pub(super) bare: Vec<f64>,
    pub(super) soquete: Vec<f64>,
    /// The median of the ratios of neighbours in time; not the ratio of the medians.
    pub(super) ratio: Vec<f64>,
}

/// Where and how long is measured.
pub(super) struct Bench {
    pub(super) cores: Cores,
    /// How long each side of a row is measured in all.
    pub(super) secs: Duration,
}

impl Bench {
    /// Measures one row.
    pub(super) fn measure(&self, transport: Transport, work: Work) -> Result<Measured, Failure> {
        let (bare, own) = match work {
            Work::Spinning(_) => (Side::Bare, Side::Spinning),
            Work::Idle => (Side::Holding, Side::Soquete),
            Work::OneWaySingle(_) => (Side::Bare, Side::Single),
            Work::BesideUnix(_) => (Side::Soquete, Side::Soquete),
            _ => (Side::Bare, Side::Soquete),
        };
        let beside = if let Work::BesideUnix(_) = work { Transport::Unix } else { transport };
        // What does not vary with the load of the machine is measured once.
        let rounds = if work == Work::Idle { 1 } else { ROUNDS };
        let mut pairs = Vec::new();
        for round in 0..rounds {
            // The order changes, so that what drifts favours neither.
            pairs.push(if round % 2 == 0 {
                let bare = self.once(bare, beside, work)?;
                Pair { bare, soquete: self.once(own, transport, work)? }
            } else {
                let soquete = self.once(own, transport, work)?;
                Pair { bare: self.once(bare, beside, work)?, soquete }
            });
        }
        Ok(summary(&pairs))
    }

    /// Measures one side once.
    fn once(&self, side: Side, transport: Transport, work: Work) -> Result<Vec<f64>, Failure> {
        let end = End { bench: self, side, url: transport.url(), secs: (self.secs / ROUNDS).as_secs_f64().to_string() };
        match work {
            Work::RoundTrip(size) | Work::BesideUnix(size) => end.round_trip(size, self.cores.near),
            Work::Spinning(size) => end.round_trip(size, self.cores.far),
            Work::InFlight(size) => end.in_flight(size, self.cores.far),
            Work::InFlightNear(size) => end.in_flight(size, self.cores.near),
            Work::OneWay(size) | Work::OneWaySingle(size) => end.one_way(size),
            Work::Commands(at_once) => end.commands(at_once),
            Work::Idle => end.idle(),
        }
    }
}

/// One side of one measurement.
struct End<'a> {
    bench: &'a Bench,
    side: Side,
    url: String,
    secs: String,
}

impl End<'_> {
    /// Starts a mode that serves; returns it, and where it listens.
    fn serve(&self, mode: &str, size: usize, more: &[&str]) -> Result<(Child, String), Failure> {
        let mut server = self.start(mode, &self.url, size, more, self.bench.cores.near)?;
        let url = server.listens_at(&self.url)?;
        Ok((server, url))
    }

    fn start(&self, mode: &str, url: &str, size: usize, more: &[&str], core: usize) -> Result<Child, Failure> {
        let size = size.to_string();
        let words = [&[mode, url, &size, &self.secs], more].concat();
        Child::start(self.side, &words, &self.bench.cores, core)
    }

    fn round_trip(&self, size: usize, core: usize) -> Result<Vec<f64>, Failure> {
        let (_server, url) = self.serve("pong", size, &[])?;
        let figures = self.start("ping", &url, size, &[], core)?.result()?;
        Ok(vec![figures.number("p50")?, figures.number("p99")?])
    }

    fn in_flight(&self, size: usize, core: usize) -> Result<Vec<f64>, Failure> {
        let (_server, url) = self.serve("pong", size, &[])?;
        let figures = self.start("pipe", &url, size, &["64"], core)?.result()?;
        Ok(vec![figures.number("rate")?])
    }

    fn one_way(&self, size: usize) -> Result<Vec<f64>, Failure> {
        let (mut server, url) = self.serve("sink", size, &[])?;
        let mut client = self.start("source", &url, size, &[], self.bench.cores.far)?;
        let figures = server.result()?;
        let (n, rate) = (figures.number("n")?, figures.number("rate")?);
        let cost_ns = |cpu: Option<Duration>| cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e9 / n);
        Ok(vec![rate, cost_ns(server.cpu_at_end()?), cost_ns(client.cpu_at_end()?)])
    }

    fn commands(&self, at_once: usize) -> Result<Vec<f64>, Failure> {
        // A server that ended by itself would lose clients: it is given time enough, and stopped.
        let end = End { secs: "3600".to_owned(), url: self.url.clone(), ..*self };
        let (_server, url) = end.serve("accept", 0, &["1"])?;
        let endpoint = url.parse().map_err(failed)?;
        let address = address(&endpoint).map_err(failed)?;
        let Bench { cores, secs } = self.bench;
        let clients = cores.on(cores.near, || seed::send_for(&address, at_once, *secs / ROUNDS)).map_err(failed)?;
        Ok(vec![rate(clients.served, clients.took), clients.lost as f64])
    }

    fn idle(&self) -> Result<Vec<f64>, Failure> {
        let (server, url) = self.serve("pong", 32, &[])?;
        let memory = || server.memory_bytes().ok_or_else(|| failed("the kernel does not tell a process's memory"));
        let hold = |n: usize| -> Result<Child, Failure> {
            let mut client = self.start("conns", &url, 32, &[&n.to_string()], self.bench.cores.far)?;
            client.wait_until_held()?;
            Ok(client)
        };
        let held = HELD_MAX.min(descriptors_max().saturating_sub(HELD_BEFORE + OTHERS_MAX)).max(1);
        let _few = hold(HELD_BEFORE)?;
        let before = memory()?;
        let _many = hold(held)?;
        let grown = memory()?.saturating_sub(before);
        Ok(vec![grown as f64 / held as f64])
    }
}

/// The figures of both sides, measured one after the other.
struct Pair {
    bare: Vec<f64>,
    soquete: Vec<f64>,
}

fn summary(pairs: &[Pair]) -> Measured {
    let figures = pairs.first().map_or(0, |pair| pair.bare.len());
    let medians = |of: &dyn Fn(&Pair, usize) -> f64| {
        (0..figures).map(|figure| median(pairs.iter().map(|pair| of(pair, figure)).collect())).collect()
    };
    Measured {
        bare: medians(&|pair, figure| pair.bare[figure]),
        soquete: medians(&|pair, figure| pair.soquete[figure]),
        ratio: medians(&|pair, figure| pair.soquete[figure] / pair.bare[figure]),
    }
}

/// Returns the middle of the numbers, of two middles their mean.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let (low, high) = ((numbers.len().max(1) - 1) / 2, numbers.len() / 2);
    match (numbers.get(low), numbers.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_string(), "2");
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]).to_string(), "2.5");
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_taken_of_neighbours() {
        let pairs = [(1.0, 2.0), (10.0, 20.0), (5.0, 5.0)]
            .map(|(bare, soquete)| Pair { bare: vec![bare], soquete: vec![soquete] });
        let Measured { bare, soquete, ratio } = summary(&pairs);
        assert_eq!((bare, soquete, ratio), (vec![5.0], vec![5.0], vec![2.0]));
    }
}
