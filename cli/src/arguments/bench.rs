//! The arguments of `soquete bench`.

use std::time::Duration;

use clap::{Args, Subcommand};
use soquete::Endpoint;

/// Measures round trips and throughput on this machine, beside bare sockets
///
/// Without a mode it runs them all and prints a table. A mode is one end of a measurement, for other harnesses, over every
/// kind of endpoint but mem:, which joins threads of one process. Over datagrams pong, ping, pipe and conns speak frames in
/// sessions, as over the others; sink and source send bare messages, each a datagram.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    /// One end of a measurement.
    #[command(subcommand)]
    pub(crate) mode: Option<BenchMode>,
    /// Measures each side of each row of the table for this long, in seconds
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = seconds)]
    pub(crate) secs: Duration,
    /// Prints the table as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// One end of a measurement.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchMode {
    /// Serves: prints READY, then answers each message with its content until SIGTERM, whatever SECS says
    Pong(Load),
    /// Connects, keeps one message in flight, and prints the round trips in ns
    Ping(Load),
    /// Serves: prints READY, counts one-way messages to the end of the stream, and prints their rate
    ///
    /// SECS is not used; SIZE is the longest message taken where it is above 1 MiB. Over datagrams, which have no end, the first
    /// message of one octet is it, or 2 s without any.
    Sink(Load),
    /// Sends one-way messages and ends the stream
    ///
    /// Over datagrams messages of one octet mark the end, repeated until the sink is gone, 100 at most; SIZE is at least 2.
    Source(Load),
    /// Connects, keeps N requests in flight, and prints their rate
    Pipe(Loads),
    /// Opens N connections with one message on each, prints HELD N, and ends with standard input, whatever SECS says
    Conns(Loads),
    /// Serves the text of the seeds: one message a connection, then closes; until SECS are over or SIGTERM
    ///
    /// SIZE and N are not used. Datagrams have no connections: there it is refused.
    Accept(Loads),
}

/// What one end of a measurement sends or expects.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// Where
    pub(crate) url: Endpoint,
    /// Octets of a message, at most 64 MiB; over datagrams 65,507, a little less in frames
    pub(crate) size: usize,
    /// For how many seconds
    #[arg(value_parser = seconds)]
    pub(crate) secs: Duration,
}

/// The same, with a number of requests or connections.
#[derive(Args, Debug)]
pub(crate) struct Loads {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Requests in flight, or connections: 1 to 65,535
    pub(crate) n: usize,
}

/// Reads a number of seconds, which may have a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or_else(|| "expected seconds, such as 2 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn parse(line: &str) -> Result<Bench, clap::Error> {
        match Arguments::try_parse_from(line.split_whitespace())?.command {
            Some(Command::Bench(bench)) => Ok(bench),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mode_of_the_benchmark_has_its_numbers() {
        let mode = |line| parse(line).unwrap().mode;
        assert!(mode("soquete bench").is_none());
        let Some(BenchMode::Ping(load)) = mode("soquete bench ping tcp://127.0.0.1:5555 64 0.5") else { panic!() };
        assert_eq!((load.size, load.secs), (64, Duration::from_millis(500)));
        let Some(BenchMode::Pipe(loads)) = mode("soquete bench pipe unix:@b 64 2 16") else { panic!() };
        assert_eq!(loads.n, 16);
        for wrong in ["ping tcp://a:1 64", "pipe tcp://a:1 64 1", "ping tcp://a:1 64 0", "ping tcp://a:1 64 nan"] {
            assert!(parse(&format!("soquete bench {wrong}")).is_err(), "{wrong}");
        }
    }
}
