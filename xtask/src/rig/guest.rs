//! One guest: booted over the host's files, told what to do over its console, and ended.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::Trouble;

/// How long a guest may live, on a busy machine too; after that its scene has failed.
const LIFE_MAX: Duration = Duration::from_secs(90);

/// Becomes the kernel, and leaves behind who copies the console to it. When there is nothing more to copy, since this
/// process closed the console or ended in whatever way, that ends their group: the kernel, its helpers, and itself.
/// The kernel leads the group, or it would make one of its own. Its cable comes as descriptor 2, since no other passes,
/// and becomes 3.
const BOOT: &str = r#"
    mkfifo "$HOME/console" && exec 4<&0
    { cat; kill -KILL 0; } <&4 >"$HOME/console" 2>&1 &
    exec "$@" <"$HOME/console" 3>&2 2>&1 4<&-"#;

/// What a guest ends a step with, before its status.
const DONE: &str = "RIG-DONE ";

/// What the first process of a guest prints first: from there on, a guest that does not come up is no kernel's fault.
pub(crate) const BEGUN: &str = "RIG-BEGUN";

/// What every guest is made of.
pub(crate) struct Parts {
    pub(crate) kernel: PathBuf,
    /// Where the program lies.
    pub(crate) bin: PathBuf,
    /// The folder `rig` of the workspace.
    pub(crate) data: PathBuf,
}

/// The one network card of a guest.
pub(crate) struct Card {
    /// Its end of the cable.
    pub(crate) cable: OwnedFd,
    /// The last number of its address, which begins with 10.9.0.
    pub(crate) number: u8,
}

/// A running guest; ended when this is dropped.
pub(crate) struct Guest {
    name: &'static str,
    process: Child,
    /// Closed to end the guest, also by the end of this process.
    console: Option<ChildStdin>,
    lines: Receiver<String>,
    deadline: Instant,
    /// Where its steps lie.
    folder: PathBuf,
    steps: usize,
}

impl Guest {
    /// Boots a guest and waits for its console.
    ///
    /// # Errors
    /// It could not be started, or did not come up; with what it said.
    pub(crate) fn boot(parts: &Parts, name: &'static str, card: Option<Card>) -> Result<Self, Trouble> {
        let mut guest = Self::start(parts, name, card)?;
        guest.come_up().map_err(|said| Trouble(format!("{name} did not come up:\n{said}")))?;
        Ok(guest)
    }

    /// Starts a guest.
    ///
    /// # Errors
    /// There is no folder for it, or no process.
    pub(crate) fn start(parts: &Parts, name: &'static str, card: Option<Card>) -> Result<Self, Trouble> {
        let failed = |error: std::io::Error| Trouble(format!("{name}: start {}: {error}", parts.kernel.display()));
        let folder = std::env::temp_dir().join(format!("soquete-rig.{}.{name}", std::process::id()));
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut process = command(parts, &folder, card).spawn().map_err(failed)?;
        let (console, said) = (process.stdin.take(), process.stdout.take());
        let (teller, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = said.into_iter().flat_map(|said| BufReader::new(said).split(b'\n')).map_while(Result::ok);
            let mut told = lines.map(|line| String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
            told.all(|line| teller.send(line).is_ok())
        });
        Ok(Guest { name, process, console, lines, deadline: Instant::now() + LIFE_MAX, folder, steps: 0 })
    }

    /// Waits for its console.
    ///
    /// # Errors
    /// It does not come up; what it said.
    pub(crate) fn come_up(&mut self) -> Result<(), String> {
        match self.hear() {
            Ok((0, _)) => Ok(()),
            Ok((_, said)) | Err(said) => Err(said),
        }
    }

    /// Does a step: a script for the shell, with what `rig/init` has. Returns what it printed.
    ///
    /// # Errors
    /// Its status is not 0, or it did not end in time; with what it printed, and the logs of the guest.
    pub(crate) fn run(&mut self, script: &str) -> Result<String, Trouble> {
        let trouble = match self.step(script) {
            Ok((0, said)) => return Ok(said),
            Ok((status, said)) => format!("status {status}\n{said}"),
            Err(said) => format!("it did not end, or the guest did\n{said}"),
        };
        let logs = self.step("tail -n 40 /run/*.log").map_or_else(|said| said, |(_, said)| said);
        Err(Trouble(format!("{}: {script}\n{trouble}\n{logs}", self.name)))
    }

    /// Waits until a command of the guest succeeds.
    ///
    /// # Errors
    /// It does not; as those of [`run`](Guest::run).
    pub(crate) fn until(&mut self, command: &str) -> Result<(), Trouble> {
        self.run(&format!("again {command}")).map(drop)
    }

    /// Has a step done; returns its status and what it printed.
    fn step(&mut self, script: &str) -> Result<(i32, String), String> {
        self.steps += 1;
        let name = self.steps.to_string();
        fs::write(self.folder.join(&name), script).map_err(|error| error.to_string())?;
        let console = self.console.as_mut().ok_or("no console")?;
        writeln!(console, "{name}").map_err(|error| error.to_string())?;
        self.hear()
    }

    /// Reads up to the end of a step; returns its status and what was printed before.
    fn hear(&mut self) -> Result<(i32, String), String> {
        let mut said = Vec::new();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { return Err(said.join("\n")) };
            match line.strip_prefix(DONE).and_then(|status| status.parse().ok()) {
                Some(status) => return Ok((status, said.join("\n").trim_end().to_owned())),
                None => said.push(line),
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.console = None;
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The command that boots a guest; its console is the command's input and output.
fn command(parts: &Parts, folder: &Path, card: Option<Card>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", BOOT, "sh"]).arg(&parts.kernel);
    command.args(["mem=128M", "rootfstype=hostfs", "rootflags=/", "ro", "init=/bin/sh", "quiet", "con=null"]);
    command.arg("con0=fd:0,fd:1");
    for (name, value) in [("RIG_STEPS", folder), ("RIG_BIN", &parts.bin), ("RIG_DATA", &parts.data)] {
        command.arg(format!("{name}={}", value.display()));
    }
    command.stderr(Stdio::null());
    if let Some(Card { cable, number }) = card {
        command.arg(format!("vec0:transport=fd,fd=3,depth=64,mac=02:00:00:00:00:{number:02x}"));
        command.arg(format!("RIG_ADDRESS=10.9.0.{number}")).stderr(cable);
    }
    command.arg("--").arg(parts.data.join("init"));
    // Its folder for what the kernel writes; a group of its own, which is ended as one.
    command.env("HOME", folder).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    command
}
