//! Another system to compile for: whether what that needs is here, or can be fetched in a while.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long fetching may take, each time. Reason: a network that drops packets must not hold a run up for ever.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a program that runs is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Sees to it that `cargo` can compile for a target; where it cannot, says why.
pub(crate) fn provide(target: &str, cargo: &Path, root: &Path) -> Result<(), String> {
    if !has_std(target) {
        let mut add = Command::new("rustup");
        add.args(["target", "add", target]);
        within(FETCH_TIMEOUT, add.current_dir(root)).map_err(|why| format!("rustup target add {target}: {why}"))?;
    }
    let mut fetch = Command::new(cargo);
    fetch.args(["fetch", "--quiet", "--locked", "--target", target]);
    within(FETCH_TIMEOUT, fetch.current_dir(root)).map_err(|why| format!("cargo fetch --target {target}: {why}"))
}

/// Says whether the compiler has the standard library of a target.
pub(crate) fn has_std(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    asked.is_ok_and(|said| Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir())
}

/// Runs a program, and ends it when the time is over; where it did not succeed, says why in a few words.
fn within(timeout: Duration, command: &mut Command) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot be run: {error}");
    let mut child = command.stdin(Stdio::null()).spawn().map_err(cannot)?;
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => return told(status),
            None if Instant::now() < deadline => std::thread::sleep(LOOK_INTERVAL),
            None => {
                // It fails for one that has just ended, which is waited for all the same.
                let _ = child.kill();
                child.wait().map_err(cannot)?;
                return Err(format!("not done after {} s", timeout.as_secs()));
            }
        }
    }
}

fn told(status: ExitStatus) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(format!("failed, {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Result<(), String> {
        within(timeout, Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn what_a_program_came_to_is_told_in_a_few_words() {
        assert_eq!(shell("exit 0", FETCH_TIMEOUT), Ok(()));
        assert_eq!(shell("exit 3", FETCH_TIMEOUT), Err("failed, exit status: 3".to_owned()));
        let missing = within(FETCH_TIMEOUT, &mut Command::new("/no/such/program")).unwrap_err();
        assert!(missing.starts_with("cannot be run: "), "{missing}");
    }

    #[test]
    fn a_program_whose_time_is_over_is_ended() {
        assert_eq!(shell("exec tail -f /dev/null", Duration::ZERO), Err("not done after 0 s".to_owned()));
    }

    #[test]
    fn a_target_that_no_compiler_knows_is_not_there() {
        assert!(!has_std("no-such-target"));
    }
}
