//! A machine that is a process here, real or emulated: its console, its folder, and how it ends.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// Becomes the machine, and leaves behind who copies the console to it. When there is nothing more to copy, since this
/// process closed the console or ended in whatever way, that ends their group: the machine, its helpers, and itself.
/// The machine leads the group, or user-mode Linux would make one of its own. Its cable comes as descriptor 2, since no other passes,
/// and becomes 3.
const BOOT: &str = r#"
    mkfifo "$HOME/console" && exec 4<&0
    { cat; kill -KILL 0; } <&4 >"$HOME/console" 2>&1 &
    exec "$@" <"$HOME/console" 3>&2 2>&1 4<&-"#;

/// A folder of a machine; gone when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("soquete-rig.{}.{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed from a temporary folder goes with it.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A running machine; ended when this is dropped.
pub(crate) struct Machine {
    process: Child,
    /// Closed to end the machine, also by the end of this process.
    console: Option<ChildStdin>,
    lines: Receiver<String>,
    deadline: Instant,
    /// Where it writes what it has to.
    pub(crate) folder: Folder,
}

impl Machine {
    /// Starts a machine: a program and its arguments, whose input and output is the console. It may live so long.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(
        words: &[OsString],
        folder: Folder,
        cable: Option<OwnedFd>,
        life: Duration,
    ) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", BOOT, "sh"]).args(words).env("HOME", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        command.stderr(cable.map_or_else(Stdio::null, Stdio::from));
        let mut process = command.spawn()?;
        let (console, said) = (process.stdin.take(), process.stdout.take());
        let (teller, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = said.into_iter().flat_map(|said| BufReader::new(said).split(b'\n')).map_while(Result::ok);
            let mut told = lines.map(|line| String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
            told.all(|line| teller.send(line).is_ok())
        });
        Ok(Machine { process, console, lines, deadline: Instant::now() + life, folder })
    }

    /// Writes a line to its console.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.console.as_mut().map_or(Ok(()), |console| writeln!(console, "{line}"))
    }

    /// Returns the next line from its console; none when it has ended or its time is over.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())).ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.console = None;
        drop(self.process.wait());
    }
}
