//! Other people's programs. One that is missing is a failure that names its package: what did not run has not passed.

use super::Place;
use super::program::Run;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where programs are looked for; the system's own folders are not in everybody's path.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// How long another program may take, as `timeout` reads it.
const LIMIT: &str = "20";

/// Both netcats of Debian, and the packages they come from.
pub(crate) const NETCATS: [(&str, &str); 2] =
    [("nc.openbsd", "netcat-openbsd"), ("nc.traditional", "netcat-traditional")];

/// Finds a program of a Debian package.
///
/// # Panics
/// It is not there.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    let mut paths = PATH.split(':').map(|folder| PathBuf::from(folder).join(program));
    paths.find(|path| path.exists()).unwrap_or_else(|| panic!("{program} is missing: apt-get install {package}"))
}

/// Makes a command of another program; `timeout` ends it where it does not end by itself, with code 124.
pub(crate) fn command(place: &Place, program: &str, package: &str) -> Command {
    let mut command = place.command(find("timeout", "coreutils"));
    command.arg(LIMIT).arg(find(program, package));
    command
}

/// Runs a command to its end with this on its standard input, which then ends.
pub(crate) fn feed(command: &mut Command, input: impl AsRef<[u8]>) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // One that ends before it has read all of it says by its code how that was meant.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    Run::from(child.wait_with_output().unwrap())
}
