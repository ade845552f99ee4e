//! `soquete bench`: what the library costs on this machine.
//!
//! A mode is one end of a measurement and a process of its own; the table runs both ends, over the library and over
//! bare sockets in turn, so that both meet the same weather.
//!
//! | module | does |
//! |---|---|
//! | `serve` | the modes that serve: pong, sink, accept |
//! | `drive` | the modes that connect: ping, source, pipe, conns |
//! | `samples` | how long round trips took, and their percentiles |
//! | `side` | what a mode runs over: the library or bare sockets |
//! | `bare` | the same modes over bare blocking sockets |
//! | `socket` | bare blocking sockets at an endpoint |
//! | `mark` | what marks the end of one-way messages over datagrams |
//! | `seed` | clients as in the seeds: one command a connection |
//! | `child` | one end as a child: where it runs, what it prints, what it costs |
//! | `measure` | one row of the table: both sides in turn, medians |
//! | `table` | the rows and how they are printed |

mod bare;
mod child;
mod drive;
mod mark;
mod measure;
mod samples;
mod seed;
mod serve;
mod side;
mod socket;
mod table;

use crate::arguments::{Bench, BenchMode, Load};
use crate::output::{Exit, Failure, print};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use side::Side;
use soquete::{DATAGRAM_MAX_BYTES, Endpoint};
use std::fmt::Display;
use std::time::Duration;

/// The service that both ends ask for and offer.
const SERVICE: &str = "bench";

/// The longest message, in octets. 64 MiB: more than any message a library over sockets should be used for.
const SIZE_MAX_BYTES: usize = 64 << 20;

/// The longest message that both ends take without being told, in octets; as the library's default.
const PAYLOAD_MAX_BYTES: u32 = 1 << 20;

/// The most requests in flight or connections: what a number of requests in flight on the wire can be.
const N_MAX: usize = 65_535;

/// Runs one mode, or all of them for the table.
///
/// # Errors
/// The numbers are wrong, the other end is not there or does not answer, or standard output takes no more.
pub(crate) fn run(bench: &Bench) -> Result<(), Failure> {
    let Some(mode) = &bench.mode else { return table::run(bench.secs, bench.json) };
    check(mode)?;
    child::end_with_parent();
    let side = Side::of_this_process();
    match (side, mode) {
        (Some(Side::Bare | Side::Holding), _) => bare::run(mode, side == Some(Side::Holding)),
        (_, BenchMode::Pong(load)) => serve::pong(load, Side::spin(side)),
        (_, BenchMode::Sink(load)) => serve::sink(load),
        (_, BenchMode::Accept(loads)) => serve::accept(&loads.load),
        (_, BenchMode::Ping(load)) => drive::ping(load, Side::spin(side)),
        (side, BenchMode::Source(load)) if load.url.is_datagram() => {
            drive::source_of_datagrams(load, side == Some(Side::Single))
        }
        (_, BenchMode::Source(load)) => drive::source(load),
        (_, BenchMode::Pipe(loads)) => drive::pipe(loads),
        (_, BenchMode::Conns(loads)) => drive::conns(loads),
    }
}

/// Refuses what cannot be measured: numbers out of range, and modes that mean nothing over an endpoint.
fn check(mode: &BenchMode) -> Result<(), Failure> {
    let load = load_of(mode);
    let is_datagram = load.url.is_datagram();
    let n = match mode {
        BenchMode::Pipe(loads) | BenchMode::Conns(loads) => loads.n,
        // What is taken for N there means nothing.
        _ => 1,
    };
    let size_min = match mode {
        BenchMode::Sink(_) | BenchMode::Source(_) if is_datagram => mark::SIZE_MIN_BYTES,
        _ => 0,
    };
    let size_max = if is_datagram { DATAGRAM_MAX_BYTES } else { SIZE_MAX_BYTES };
    let wrong = match mode {
        _ if matches!(load.url, Endpoint::Mem(_)) => {
            format!("{}: mem: joins threads of one process, and a mode is a process of its own", load.url)
        }
        BenchMode::Accept(_) if is_datagram => {
            format!("{}: accept needs connections, and datagrams have none", load.url)
        }
        _ if load.size < size_min => {
            format!("SIZE: {} octets; at least {size_min}, for over datagrams one octet marks the end", load.size)
        }
        _ if load.size > size_max => format!("SIZE: {} octets; at most {size_max}", load.size),
        _ if n == 0 || n > N_MAX => format!("N: {n}; from 1 to {N_MAX}"),
        _ => return Ok(()),
    };
    Err(Failure::usage(wrong))
}

fn load_of(mode: &BenchMode) -> &Load {
    match mode {
        BenchMode::Pong(load) | BenchMode::Ping(load) | BenchMode::Sink(load) | BenchMode::Source(load) => load,
        BenchMode::Pipe(loads) | BenchMode::Conns(loads) | BenchMode::Accept(loads) => &loads.load,
    }
}

/// Returns the longest payload that both ends take where messages of this load are to pass.
fn payload_max_bytes(load: &Load) -> u32 {
    u32::try_from(load.size).unwrap_or(u32::MAX).max(PAYLOAD_MAX_BYTES)
}

/// Makes the failure of something that was begun and did not come off.
fn failed(why: impl Display) -> Failure {
    Failure::new(Exit::NotDone, why)
}

/// Lets this process have as many descriptors as the system allows it.
fn raise_descriptors_max() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, a process with fewer descriptors says so when it meets its limit.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Returns how many descriptors this process may have.
fn descriptors_max() -> usize {
    let max = getrlimit(Resource::Nofile).maximum;
    max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX)
}

/// Says that a server listens: `READY`, and where, if the port was left open.
fn print_ready(asked: &Endpoint, listens: &Endpoint) -> Result<(), Failure> {
    match asked {
        Endpoint::Tcp { port: 0, .. } | Endpoint::Udp { port: 0, .. } => print(format!("READY {listens}\n")),
        _ => print("READY\n"),
    }
}

/// Prints how many there were, and their rate.
fn print_rate(n: u64, took: Duration) -> Result<(), Failure> {
    let secs = took.as_secs_f64();
    print(format!("RESULT n={n} secs={secs:.6} rate={:.1}\n", rate(n, took)))
}

/// Prints how many one-way messages there were, their octets and their rates.
fn print_throughput(n: u64, bytes: u64, took: Duration) -> Result<(), Failure> {
    let (secs, rate, mbs) = (took.as_secs_f64(), rate(n, took), rate(bytes, took) / 1e6);
    print(format!("RESULT n={n} bytes={bytes} secs={secs:.6} rate={rate:.1} mbs={mbs:.3}\n"))
}

/// Returns how many a second that is; what took no time took a nanosecond.
fn rate(n: u64, took: Duration) -> f64 {
    n as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Loads;

    fn loads(size: usize, n: usize) -> Loads {
        Loads { load: load("unix:@bench", size), n }
    }

    fn load(url: &str, size: usize) -> Load {
        Load { url: url.parse().unwrap(), size, secs: Duration::from_secs(1) }
    }

    #[test]
    fn numbers_out_of_range_are_wrong_usage() {
        assert_eq!(check(&BenchMode::Pipe(loads(64, 64))), Ok(()));
        for (size, n) in [(64, 0), (64, N_MAX + 1), (SIZE_MAX_BYTES + 1, 1)] {
            let Err(Failure::Wrong { exit, .. }) = check(&BenchMode::Conns(loads(size, n))) else { panic!() };
            assert_eq!(exit, Exit::WrongUsage, "{size} {n}");
        }
    }

    #[test]
    fn a_mode_that_means_nothing_over_an_endpoint_is_wrong_usage() {
        let accept = |url| BenchMode::Accept(Loads { load: load(url, 64), n: 1 });
        assert_eq!(check(&accept("seqpacket:@bench")), Ok(()));
        assert_eq!(check(&BenchMode::Sink(load("udp://127.0.0.1:0", 2))), Ok(()));
        let wrong = [
            (accept("udp://127.0.0.1:0"), "accept needs connections, and datagrams have none"),
            (BenchMode::Pong(load("mem:bench", 64)), "a mode is a process of its own"),
            (BenchMode::Source(load("unixgram:@bench", 1)), "at least 2, for over datagrams one octet marks the end"),
            (BenchMode::Ping(load("udp://127.0.0.1:1", DATAGRAM_MAX_BYTES + 1)), "at most 65507"),
        ];
        for (mode, why) in wrong {
            let Err(Failure::Wrong { exit: Exit::WrongUsage, wrong, .. }) = check(&mode) else { panic!("{mode:?}") };
            assert!(wrong[0].ends_with(why), "{wrong:?}");
        }
    }

    #[test]
    fn what_took_no_time_has_a_finite_rate() {
        assert!(rate(1, Duration::ZERO).is_finite());
        assert!((rate(100, Duration::from_secs(2)) - 50.0).abs() < f64::EPSILON);
    }
}
