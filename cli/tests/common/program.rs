//! The built program at work, and what it prints.

use super::{Log, PATIENCE, Place};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// A program that runs. It is killed with the test that started it.
pub(crate) struct Program {
    child: Child,
    /// Both its outputs.
    pub(crate) log: Log,
}

/// How a run of a program ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its exit code; nothing where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    /// Begins a program.
    pub(crate) fn begin(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::default();
        log.read(child.stdout.take().unwrap());
        log.read(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Runs one process of a place's configuration; it is ready on return, by its own word.
    pub(crate) fn start(place: &Place, process: &str) -> Self {
        let notify = place.dir.join(format!("{process}.notify"));
        let _ = std::fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = place.soquete(&format!("run {process}"));
        command.env("NOTIFY_SOCKET", &notify);
        let program = Self::begin(command);
        let mut room = [0; 100];
        while !matches!(socket.recv(&mut room), Ok(len) if room[..len].starts_with(b"READY=1")) {
            assert!(!program.log.text().contains("soquete: "), "{process} is not ready:\n{}", program.log.text());
        }
        std::fs::remove_file(&notify).unwrap();
        program
    }

    /// Runs everything of a place's configuration; it is ready on return.
    pub(crate) fn up(place: &Place, arguments: &str) -> Self {
        let up = Self::begin(place.soquete(&format!("up {arguments}")));
        up.log.next("stops everything");
        up
    }

    /// Waits for the next line with this text, behind the one that was waited for last.
    #[track_caller]
    pub(crate) fn next(&self, text: &str) -> String {
        self.log.next(text)
    }

    /// Says whether nothing came behind the line that was waited for last.
    pub(crate) fn next_is_none(&self) -> bool {
        self.log.is_read()
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // It was not waited for yet, so the id is still its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it by SIGSTOP; it has stopped on return.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(stopped.1.stopped(), "{stopped:?}");
    }

    /// Has it go on after [`pause`](Program::pause).
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it by SIGKILL; it has ended on return.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.wait_for_end();
    }

    /// Ends it by SIGTERM; it has ended on return.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.log.wait_for_end();
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended by itself is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Run {
    /// Runs a command to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        Self::from(command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Returns what it printed, where it ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Run { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
