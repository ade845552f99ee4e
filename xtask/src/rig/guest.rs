//! One guest: booted over the host's files, told what to do over its console, and ended.

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Trouble;
use super::machine::{Folder, Machine};

/// How long a guest may live, on a busy machine too; after that its scene has failed.
const LIFE_MAX: Duration = Duration::from_secs(90);

/// What two guests need in /dev/shm, where user-mode Linux has its memory: Docker gives 64 MiB there.
const SHM_MIN_BYTES: u64 = 300 << 20;

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
    /// In its folder lie the steps.
    machine: Machine,
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
        let folder = Folder::make(name).map_err(failed)?;
        let mut words = words(parts, folder.path());
        let cable = card.map(|Card { cable, number }| {
            words.push(format!("vec0:transport=fd,fd=3,depth=64,mac=02:00:00:00:00:{number:02x}").into());
            words.push(format!("RIG_ADDRESS=10.9.0.{number}").into());
            cable
        });
        words.extend(["--".into(), parts.data.join("init").into()]);
        let machine = Machine::start(&words, folder, cable, LIFE_MAX).map_err(failed)?;
        Ok(Guest { name, machine, steps: 0 })
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
        let path = self.machine.folder.path().join(&name);
        fs::write(path, script).and_then(|()| self.machine.say(&name)).map_err(|error| error.to_string())?;
        self.hear()
    }

    /// Reads up to the end of a step; returns its status and what was printed before.
    fn hear(&mut self) -> Result<(i32, String), String> {
        let mut said = Vec::new();
        while let Some(line) = self.machine.next() {
            match line.strip_prefix(DONE).and_then(|status| status.parse().ok()) {
                Some(status) => return Ok((status, said.join("\n").trim_end().to_owned())),
                None => said.push(line),
            }
        }
        Err(said.join("\n"))
    }
}

/// What boots a guest, but for its network and its first process; its console is its input and output.
fn words(parts: &Parts, folder: &Path) -> Vec<OsString> {
    let mut words = Vec::new();
    if shm_bytes().is_some_and(|bytes| bytes < SHM_MIN_BYTES) {
        words.extend(["env".into(), format!("TMPDIR={}", folder.display()).into()]);
    }
    words.push(parts.kernel.clone().into());
    words.extend(["mem=128M", "rootfstype=hostfs", "rootflags=/", "ro", "init=/bin/sh", "quiet"].map(OsString::from));
    words.extend(["con=null", "con0=fd:0,fd:1"].map(OsString::from));
    for (name, value) in [("RIG_STEPS", folder), ("RIG_BIN", &parts.bin), ("RIG_DATA", &parts.data)] {
        words.push(format!("{name}={}", value.display()).into());
    }
    words
}

/// Says how much room /dev/shm has, where there is one.
fn shm_bytes() -> Option<u64> {
    let asked = Command::new("stat").args(["-f", "-c", "%a %S", "/dev/shm"]).stderr(Stdio::null()).output().ok()?;
    let told = String::from_utf8(asked.stdout).ok()?;
    let (blocks, block_bytes) = told.trim().split_once(' ')?;
    blocks.parse::<u64>().ok()?.checked_mul(block_bytes.parse().ok()?)
}
