//! `cargo xtask count`: the instructions that a request costs, counted by callgrind.
//!
//! A wall clock says something else each time on a shared machine; a count of instructions does not. Each end of
//! `soquete bench` is counted twice, for a short and a long time, and the difference divided by the difference in
//! requests, so that what starting costs falls out.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::command::{Failure, no_arguments};
use crate::release;

/// The most instructions that a request and its reply may cost each end, 64 in flight and 32 octets each: what was
/// counted when this was last looked at, and a fifth more for other compilers.
const LIMITS: [(End, u64); 2] = [(End::Client, 640), (End::Server, 490)];

/// Seconds of the short and of the long run, under callgrind, which is some fifty times slower.
const SECONDS: [&str; 2] = ["1", "4"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// Counts, prints, and fails above a limit.
///
/// # Errors
/// [`Failure::Failed`] where valgrind is missing, the build or a run fails, or a limit is passed.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    let program = release::build()?;
    let mut over = Vec::new();
    for (end, limit) in LIMITS {
        let short = count(&program, end, SECONDS[0])?;
        let long = count(&program, end, SECONDS[1])?;
        let each =
            per_request(short, long).ok_or_else(|| failed("the long run had no more requests than the short"))?;
        println!("{end:?}: {each} instructions a request, at most {limit}");
        if each > limit {
            over.push(format!("{end:?}: {each} instructions a request, at most {limit} are allowed"));
        }
    }
    if over.is_empty() { Ok(()) } else { Err(Failure::Failed(over.join("\n"))) }
}

fn per_request(short: (u64, u64), long: (u64, u64)) -> Option<u64> {
    let requests = long.1.checked_sub(short.1).filter(|requests| *requests > 0)?;
    Some(long.0.checked_sub(short.0)? / requests)
}

/// Runs both ends, one of them under callgrind; returns its instructions and the requests.
fn count(program: &Path, end: End, seconds: &str) -> Result<(u64, u64), Failure> {
    let url = format!("unix:@soquete-count-{}-{end:?}-{seconds}", std::process::id());
    let mut server = start(program, end == End::Server, &["bench", "pong", &url, "32", seconds])?;
    let mut ready = String::new();
    let mut stdout = BufReader::new(server.stdout.take().ok_or_else(|| failed("no output of the server"))?);
    stdout.read_line(&mut ready).map_err(failed)?;
    let client = start(program, end == End::Client, &["bench", "pipe", &url, "32", seconds, "64"])?;
    let client = client.wait_with_output().map_err(failed)?;
    // SIGTERM, by a command: `Child::kill` would not let it print its count.
    Command::new("kill").arg(server.id().to_string()).status().map_err(failed)?;
    let mut told = String::new();
    let mut stderr = server.stderr.take().ok_or_else(|| failed("no errors of the server"))?;
    stderr.read_to_string(&mut told).map_err(failed)?;
    server.wait().map_err(failed)?;
    let result = String::from_utf8_lossy(&client.stdout).into_owned();
    let counted = if end == End::Client { String::from_utf8_lossy(&client.stderr).into_owned() } else { told };
    let requests = number_behind(&result, "n=").ok_or_else(|| failed(format!("no result: {result}{counted}")))?;
    let instructions = number_behind(&counted, "Collected : ").ok_or_else(|| failed(format!("no count: {counted}")))?;
    Ok((instructions, requests))
}

fn start(program: &Path, is_counted: bool, arguments: &[&str]) -> Result<Child, Failure> {
    let mut command = if is_counted {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
        valgrind
    } else {
        Command::new(program)
    };
    let started = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    started.map_err(|error| failed(format!("start {}: {error}", command.get_program().display())))
}

/// Reads the first number behind `mark`.
fn number_behind(text: &str, mark: &str) -> Option<u64> {
    let (_, behind) = text.split_once(mark)?;
    let end = behind.find(|character: char| !character.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::Failed(what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starting_costs_falls_out() {
        assert_eq!(per_request((1_500_000, 1_000), (3_500_000, 5_000)), Some(500));
        assert_eq!(per_request((1, 5), (2, 5)), None);
    }

    #[test]
    fn the_number_behind_a_mark_is_read() {
        assert_eq!(number_behind("==7== Collected : 4711\n", "Collected : "), Some(4711));
        assert_eq!(number_behind("RESULT n=12 secs=1", "n="), Some(12));
        assert_eq!(number_behind("RESULT", "n="), None);
    }
}
