//! Every mode of `soquete bench`, once and briefly, with the built program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const SECS: &str = "0.05";

/// A running `soquete bench`; dropping it kills it.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        Running::start_as("soquete", words)
    }

    /// Starts it over the library or over bare sockets.
    fn start_as(side: &str, words: &[&str]) -> Self {
        let mut command = program(words);
        command.env("SOQUETE_BENCH_SIDE", side);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child, output }
    }

    /// Starts a mode that serves; returns it, and where it listens.
    fn serve(words: &[&str]) -> (Self, String) {
        Running::serve_as("soquete", words)
    }

    fn serve_as(side: &str, words: &[&str]) -> (Self, String) {
        let mut server = Running::start_as(side, words);
        let line = server.line();
        let listens = line.strip_prefix("READY").unwrap().trim();
        let url = if listens.is_empty() { words[1] } else { listens }.to_owned();
        (server, url)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// Terminates it; returns what it still prints.
    fn terminate(self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.end()
    }

    /// Waits until it has ended in order; returns what it still prints.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soquete"));
    command.arg("bench").args(words).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    program(words).output().unwrap()
}

/// Endpoints that are free, of the kinds that have connections.
fn stream_urls(test: &str) -> [String; 3] {
    let unix = |scheme| format!("{scheme}:@soquete-bench-test-{test}-{}", std::process::id());
    ["tcp://127.0.0.1:0".to_owned(), unix("unix"), unix("seqpacket")]
}

/// Endpoints that are free, of the kinds that have none.
fn datagram_urls(test: &str) -> [String; 2] {
    ["udp://127.0.0.1:0".to_owned(), format!("unixgram:@soquete-bench-test-{test}-{}", std::process::id())]
}

/// Endpoints that are free, one of each kind.
fn urls(test: &str) -> impl Iterator<Item = String> {
    stream_urls(test).into_iter().chain(datagram_urls(test))
}

/// Returns the numbers of a result, which are these and no others, in this order.
fn numbers(line: &str, keys: &[&str]) -> Vec<f64> {
    let words: Vec<(&str, f64)> = line
        .strip_prefix("RESULT ")
        .unwrap_or_else(|| panic!("{line:?}"))
        .split_whitespace()
        .map(|word| word.split_once('=').map(|(key, number)| (key, number.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(words.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys, "{line:?}");
    words.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn ping_measures_round_trips_with_pong() {
    for url in urls("ping") {
        let (server, url) = Running::serve(&["pong", &url, "32", SECS]);
        let line = Running::start(&["ping", &url, "32", SECS]).end();
        let keys = ["n", "secs", "rate", "p50", "p90", "p99", "p999", "max"];
        let numbers = numbers(&line, &keys);
        assert!(numbers[0] >= 1.0 && numbers[1] >= 0.05, "{line}");
        assert!(numbers[3..].is_sorted() && numbers[3] > 0.0, "{line}");
        assert_eq!(server.terminate(), "");
    }
}

#[test]
fn pipe_keeps_requests_in_flight_with_pong() {
    for url in urls("pipe") {
        let (server, url) = Running::serve(&["pong", &url, "32", SECS]);
        let line = Running::start(&["pipe", &url, "32", SECS, "64"]).end();
        assert!(numbers(&line, &["n", "secs", "rate"])[0] >= 64.0, "{line}");
        assert_eq!(server.terminate(), "");
    }
}

#[test]
fn sink_counts_all_that_source_sends() {
    for url in urls("sink") {
        let (server, url) = Running::serve(&["sink", &url, "64", SECS]);
        assert_eq!(Running::start(&["source", &url, "64", SECS]).end(), "");
        let line = server.end();
        let numbers = numbers(&line, &["n", "bytes", "secs", "rate", "mbs"]);
        assert!(numbers[0] >= 1.0, "{line}");
        assert!((numbers[1] - 64.0 * numbers[0]).abs() < 0.5, "{line}");
    }
}

#[test]
fn sink_over_datagrams_ends_when_they_stay_away() {
    let (server, url) = Running::serve(&["sink", "udp://127.0.0.1:0", "64", SECS]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(url.strip_prefix("udp://").unwrap()).unwrap();
    // The mark of an earlier measurement ends nothing.
    for message in [&b"."[..], b"LED ON", b"LED OFF"] {
        socket.send(message).unwrap();
    }
    assert!(server.end().starts_with("RESULT n=2 bytes=13 "));
}

#[test]
fn every_end_over_bare_sockets_works_with_the_other() {
    for url in urls("bare") {
        let (_server, url) = Running::serve_as("bare", &["pong", &url, "32", SECS]);
        for words in [&["ping", &url, "32", SECS][..], &["pipe", &url, "32", SECS, "8"]] {
            let line = Running::start_as("bare", words).end();
            assert!(line.starts_with("RESULT n="), "{line}");
        }
    }
    for url in urls("bare-sink") {
        let (server, url) = Running::serve_as("bare", &["sink", &url, "64", SECS]);
        assert_eq!(Running::start_as("bare", &["source", &url, "64", SECS]).end(), "");
        let line = server.end();
        assert!(numbers(&line, &["n", "bytes", "secs", "rate", "mbs"])[0] >= 1.0, "{line}");
    }
}

#[test]
fn source_sends_each_datagram_with_a_call_where_it_is_to() {
    for url in datagram_urls("single") {
        let (server, url) = Running::serve_as("bare", &["sink", &url, "64", SECS]);
        assert_eq!(Running::start_as("single", &["source", &url, "64", SECS]).end(), "");
        assert!(server.end().starts_with("RESULT n="));
    }
}

#[test]
fn messages_longer_than_the_default_limit_pass() {
    for url in stream_urls("long") {
        let (server, url) = Running::serve(&["pong", &url, "3000000", SECS]);
        let line = Running::start(&["ping", &url, "3000000", SECS]).end();
        assert!(line.starts_with("RESULT n="), "{line}");
        assert_eq!(server.terminate(), "");
    }
}

#[test]
fn conns_holds_its_connections_until_standard_input_ends() {
    for url in urls("conns") {
        let (server, url) = Running::serve(&["pong", &url, "32", SECS]);
        let mut client = Running::start(&["conns", &url, "32", SECS, "100"]);
        assert_eq!(client.line(), "HELD 100\n");
        assert!(client.child.try_wait().unwrap().is_none(), "it holds them");
        drop(client.child.stdin.take());
        assert_eq!(client.end(), "");
        assert_eq!(server.terminate(), "");
    }
}

#[test]
fn accept_takes_one_command_of_each_connection_and_closes_it() {
    let [_, url, _] = stream_urls("accept");
    let (server, url) = Running::serve(&["accept", &url, "0", "60", "1"]);
    let address = SocketAddr::from_abstract_name(url.strip_prefix("unix:@").unwrap()).unwrap();
    for command in [&b"LED ON\0"[..], b"LED OFF\0", b"LED ON\nLED OFF\n"] {
        let mut client = UnixStream::connect_addr(&address).unwrap();
        client.write_all(command).unwrap();
        assert_eq!(client.read(&mut [0; 16]).unwrap(), 0, "closed without an answer");
    }
    let line = server.terminate();
    assert_eq!(numbers(&line, &["n", "secs", "rate"])[0].to_string(), "3", "{line}");
}

#[test]
fn accept_ends_when_its_time_is_over() {
    let [_, url, _] = stream_urls("accept-time");
    let (server, _) = Running::serve(&["accept", &url, "0", SECS, "1"]);
    assert_eq!(server.end(), "RESULT n=0 secs=0.000000 rate=0.0\n");
}

#[test]
fn a_client_without_a_server_is_not_done() {
    let [_, url, _] = stream_urls("nobody");
    let output = run(&["ping", &url, "32", SECS]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with(&format!("soquete: connect {url}: ")), "{error}");
}

#[test]
fn a_wrong_mode_or_number_is_wrong_usage() {
    for words in [
        &["pang", "unix:@x", "32", SECS][..],
        &["ping", "unix:@x", "-1", SECS],
        &["ping", "unix:@x", "32", "never"],
        &["ping", "nowhere", "32", SECS],
        &["pipe", "unix:@x", "32", SECS, "0"],
        &["ping", "unix:@x", "999999999999", SECS],
        &["pong", "mem:x", "32", SECS],
        &["accept", "udp://127.0.0.1:0", "0", SECS, "1"],
        &["source", "unixgram:@x", "1", SECS],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn the_table_has_a_row_for_each_work_over_each_transport() {
    let output = run(&["--secs", "0.01", "--json"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let table: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = table["rows"].as_array().unwrap();
    let streams = ["round trip", "64 in flight", "one way", "one command a connection", "idle connection"];
    let seqpacket = ["round trip, 32 B, p50", "round trip, 32 B, p50, beside our unix"];
    let udp = ["round trip", "one way, 64 B, a call a datagram", "one way, 64 B, offload"];
    let works: [(&str, &[&str]); 5] = [
        ("tcp", &streams),
        ("unix", &streams),
        ("seqpacket", &seqpacket),
        ("udp", &udp),
        ("unixgram", &["round trip"]),
    ];
    for (transport, works) in works {
        for work in works {
            let is_it = |row: &&serde_json::Value| {
                row["transport"] == transport && row["work"].as_str().is_some_and(|name| name.starts_with(work))
            };
            let row = rows.iter().find(is_it).unwrap_or_else(|| panic!("{work} over {transport} in {table}"));
            assert!(row["soquete"].as_f64().is_some_and(|measured| measured > 0.0), "{row}");
        }
    }
}
