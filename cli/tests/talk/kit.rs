//! A listener that is ready, and endpoints of every kind.

use super::common::{Place, Program, Run, tool};
use rustix::process::Signal;
use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};

/// Every kind of stream that has an end.
pub(super) const STREAMS: [&str; 5] = ["tcp", "unix", "unix@", "seqpacket", "seqpacket@"];

/// Every kind of datagrams.
pub(super) const DATAGRAMS: [&str; 3] = ["udp", "unixgram", "unixgram@"];

/// Returns an endpoint of a kind that is free in this place.
pub(super) fn endpoint(place: &Place, kind: &str) -> String {
    match kind.strip_suffix('@') {
        Some(kind) => format!("{kind}:@{}", place.dir.display()),
        None if matches!(kind, "tcp" | "udp") => format!("{kind}://{}:0", place.host),
        None => format!("{kind}://{}", place.dir.join(kind).display()),
    }
}

/// Makes a command of `soquete`, with these words as its arguments.
pub(super) fn soquete(place: &Place, words: &[&str]) -> Command {
    let mut command = place.soquete("");
    command.args(words).env("TMPDIR", &place.dir);
    command
}

/// Runs `soquete` to its end.
pub(super) fn run(place: &Place, words: &[&str]) -> Run {
    Run::of(soquete(place, words))
}

/// Makes a command that sends, with enough time for an answer on the slowest machine. Over datagrams it ends soon behind
/// the first, so there must be no second.
pub(super) fn sending(place: &Place, to: &str, words: &[&str]) -> Command {
    let is_datagram = DATAGRAMS.iter().any(|kind| to.starts_with(kind.trim_end_matches('@')));
    let wait = if is_datagram { &["--wait", "10ms"][..] } else { &[] };
    soquete(place, &[&["send", to, "--timeout", "20s"], wait, words].concat())
}

/// Runs that command to its end.
pub(super) fn send(place: &Place, to: &str, words: &[&str]) -> Run {
    Run::of(sending(place, to, words))
}

/// `soquete listen`, ready.
pub(super) struct Listener {
    pub(super) program: Program,
    /// Where it listens.
    pub(super) at: String,
}

impl Listener {
    /// Listens at an endpoint.
    #[track_caller]
    pub(super) fn new(place: &Place, at: &str, words: &[&str]) -> Self {
        Self::of(soquete(place, &[&["listen", at], words].concat()))
    }

    /// Listens with a file of these octets as standard input.
    #[track_caller]
    pub(super) fn saying(place: &Place, at: &str, input: &[u8], words: &[&str]) -> Self {
        let mut command = soquete(place, &[&["listen", at], words].concat());
        command.stdin(file(place, input));
        Self::of(command)
    }

    /// Begins a command that listens, and waits until it does.
    #[track_caller]
    pub(super) fn of(command: Command) -> Self {
        let program = Program::begin(command);
        let line = program.next("listening at ");
        let at = line.strip_prefix("listening at ").unwrap().split(": try ").next().unwrap().to_owned();
        Self { program, at }
    }

    /// Returns its port.
    pub(super) fn port(&self) -> &str {
        self.at.rsplit(':').next().unwrap()
    }

    /// Ends it as Ctrl-C does; that is an end in order.
    #[track_caller]
    pub(super) fn interrupt(&mut self) {
        self.program.signal(Signal::INT);
        assert_eq!(self.program.wait().code(), Some(0), "{}", self.program.log.text());
    }

    /// Waits for its end in order.
    #[track_caller]
    pub(super) fn done(&mut self) -> String {
        let ended = self.program.wait();
        assert_eq!(ended.code(), Some(0), "{}", self.program.log.text());
        self.program.log.text()
    }
}

/// Makes standard input of octets: a file, which is always ready.
pub(super) fn file(place: &Place, octets: &[u8]) -> Stdio {
    let path = place.dir.join("input");
    std::fs::write(&path, octets).unwrap();
    File::open(path).unwrap().into()
}

/// Begins another program with a file of these octets as standard input. It is killed with the test, so nothing else needs
/// to end it, and nothing stands between that could be killed in its place.
pub(super) fn begin(place: &Place, (program, package): (&str, &str), words: &[&str], input: &[u8]) -> Program {
    let mut command = place.command(tool::find(program, package));
    command.args(words).stdin(file(place, input));
    Program::begin(command)
}

/// Counts the sockets in the folder of a place.
pub(super) fn sockets(place: &Place) -> usize {
    let files = std::fs::read_dir(&place.dir).unwrap();
    files.filter(|file| file.as_ref().is_ok_and(|file| file.file_type().is_ok_and(|kind| kind.is_socket()))).count()
}
