//! `up --detach`: begins an `up` in the background and waits until all it runs is ready.
//!
//! What it prints until then comes through a pipe and ends with a NUL; a pipe that ends without one tells of a failure,
//! whose message went to standard error and whose code is the code of both. Should the command end before, by Ctrl-C for
//! instance, the other stops what it has started.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::setsid;

use crate::output::{Exit, Failure, print};

/// The variable of the environment that tells `up` that it runs in the background.
const DETACHED: &str = "SOQUETE_DETACHED";

/// What ends the words of the one in the background.
const ALL_READY: u8 = 0;

/// Says whether this program is the one in the background.
pub(super) fn is_detached() -> bool {
    env::var_os(DETACHED).is_some_and(|value| value == OsStr::new("1"))
}

/// Begins another `up` in the background and prints what it says until all it runs is ready.
///
/// # Errors
/// It cannot be begun, or ends before all is ready; it has said why.
pub(super) fn detach() -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(Exit::NotDone, format!("begin `up` in the background: {error}"));
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "soquete".into());
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    std::os::unix::process::CommandExt::arg0(&mut command, name);
    command.args(arguments).env(DETACHED, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut up = command.spawn().map_err(failed)?;
    let mut words = Vec::new();
    if let Some(out) = up.stdout.take() {
        BufReader::new(out).read_until(ALL_READY, &mut words).map_err(failed)?;
    }
    let is_ready = words.pop_if(|last| *last == ALL_READY).is_some();
    print(String::from_utf8_lossy(&words))?;
    if is_ready {
        return Ok(());
    }
    // Waiting closes its standard input, which tells it to stop; it is about to end anyway.
    Err(as_it_ended(up.wait().map_err(failed)?))
}

/// Makes the failure of one that has said itself what is wrong.
fn as_it_ended(status: ExitStatus) -> Failure {
    let exit = match status.code() {
        Some(code) if code == Exit::WrongUsage as i32 => Exit::WrongUsage,
        Some(code) if code != 0 => Exit::NotDone,
        _ => {
            let how = status.signal().map_or(String::new(), |signal| format!(" by signal {signal}"));
            return Failure::new(Exit::NotDone, format!("`up` ended in the background{how} before all was ready"));
        }
    };
    Failure::Wrong { exit, wrong: Vec::new(), act: None }
}

/// Leaves the session of whoever typed the command, so that its end is nothing to this.
///
/// # Errors
/// What the system calls say.
pub(super) fn leave_session() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// Tells the command that all is ready, and lets go of its inputs and outputs.
///
/// # Errors
/// What the system calls say.
pub(super) fn let_go() -> io::Result<()> {
    // Not before: a configuration that was named from here is shown with its whole path.
    env::set_current_dir("/")?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // Whether anybody is still there to hear it does not matter any more.
    let _ = rustix::io::write(rustix::stdio::stdout(), &[ALL_READY]);
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
