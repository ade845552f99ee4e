//! A program for another machine, run on this one: qemu does its instructions, this kernel its system calls.
//!
//! `up` starts itself for each process, which a kernel refuses that does not know such programs; `run` is what it starts.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{failed, output, skipped, text};
use crate::command::Failure;

/// How long it may take until it is ready, on a busy machine too.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What is run: nothing of the machine is touched, and the port is any.
const CONFIGURATION: &str = r#"
name = "foreign"
[processes.led_process]
serve = ["tcp://127.0.0.1:0"]
syslog = "off"
[processes.led_process.lines]
LED.output = "log"
BUTTON.input = "virtual"
[[processes.led_process.rules]]
on = "BUTTON press"
send = "LED TOGGLE"
"#;

/// A program, what runs it, and the folder that it works in.
struct Foreign<'a> {
    program: &'a Path,
    qemu: String,
    /// Where its libraries are, unless it needs none.
    libraries: Option<&'a Path>,
    folder: PathBuf,
}

/// Tries a program for this machine (as qemu calls it): what it says about itself, a process, its commands, its end.
/// Says so where there is no qemu for it.
pub(super) fn try_out(program: &Path, machine: &str, libraries: Option<&Path>) -> Result<(), Failure> {
    let qemu = format!("qemu-{machine}-static");
    if let Err(why) = output(Command::new(&qemu).arg("--version"), "qemu-user-static") {
        skipped(&format!("the program under {qemu}"), why);
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("soquete-foreign-{}", std::process::id()));
    let foreign = Foreign { program, qemu, libraries, folder };
    let outcome = foreign.play();
    // What went wrong is worth more than that this went wrong.
    let _ = fs::remove_dir_all(&foreign.folder);
    outcome.map(|()| println!("ran under {}: config, run, set, get, press, status", foreign.qemu))
}

impl Foreign<'_> {
    fn play(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(failed)?;
        fs::write(self.folder.join("foreign.toml"), CONFIGURATION).map_err(failed)?;
        self.says(&["--version"], "soquete ")?;
        self.says(&["config", "show"], "BUTTON press")?;
        let process = self.begin()?;
        let outcome = self.command_it();
        let said = end(process).and_then(|()| fs::read_to_string(self.folder.join("log")).map_err(failed))?;
        outcome?;
        let wanted = "LED TCP";
        if said.contains(wanted) { Ok(()) } else { Err(failed(format!("no {wanted:?} in what it said:\n{said}"))) }
    }

    /// Has the process do what people have it do.
    fn command_it(&self) -> Result<(), Failure> {
        self.says(&["set", "LED", "on"], "LED on")?;
        self.says(&["get", "LED"], "on")?;
        self.says(&["press", "BUTTON"], "pressed BUTTON")?;
        self.says(&["status"], "led_process")
    }

    /// Starts the process; it is ready on return.
    fn begin(&self) -> Result<Child, Failure> {
        let path = self.folder.join("ready");
        let socket = UnixDatagram::bind(&path).map_err(failed)?;
        socket.set_read_timeout(Some(READY_TIMEOUT)).map_err(failed)?;
        let log = File::create(self.folder.join("log")).map_err(failed)?;
        let mut command = self.command(&["run", "led_process"]);
        command.env("NOTIFY_SOCKET", path).stdin(Stdio::null()).stderr(log.try_clone().map_err(failed)?).stdout(log);
        let process = command.spawn().map_err(failed)?;
        let mut told = [0; 256];
        match socket.recv(&mut told) {
            Ok(len) if told[..len].starts_with(b"READY=1") => Ok(process),
            outcome => {
                end(process)?;
                let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                Err(failed(format!("the process is not ready: {outcome:?}\n{said}")))
            }
        }
    }

    fn says(&self, arguments: &[&str], wanted: &str) -> Result<(), Failure> {
        let said = text(&mut self.command(arguments), "qemu-user-static")?;
        let is_said = said.contains(wanted);
        if is_said { Ok(()) } else { Err(failed(format!("{arguments:?} says no {wanted:?}:\n{said}"))) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.qemu);
        if let Some(libraries) = self.libraries {
            command.arg("-L").arg(libraries);
        }
        command.arg(self.program).args(arguments).env("XDG_RUNTIME_DIR", &self.folder);
        command.env("SOQUETE_CONFIG", self.folder.join("foreign.toml"));
        command
    }
}

/// Ends a process by SIGTERM; `Child::kill` would not let it stop.
fn end(mut process: Child) -> Result<(), Failure> {
    Command::new("kill").arg(process.id().to_string()).status().map_err(failed)?;
    let status = process.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed(format!("the process ended badly, {status}"))) }
}
