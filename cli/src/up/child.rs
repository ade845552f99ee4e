//! One running process of `up`: its descriptors, how it is begun, told to stop, and how it ended.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child as Process, Command, ExitStatus};
use std::sync::Arc;
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::low_level::signal_name;
use soquete::{Handed, Stream};
use soquete_node::config::ProcessName;

/// This very program, also when its file was replaced since.
const PROGRAM: &str = "/proc/self/exe";

/// The variable of the environment that tells `run` that it runs under `up`.
pub(crate) const SUPERVISED: &str = "SOQUETE_SUPERVISED";

/// The variable of the environment that tells `run` what the descriptors are called that come before its configuration, in
/// their order, with [`HELD_SEPARATOR`] between.
pub(crate) const HELD: &str = "SOQUETE_HELD";

/// What no name of a descriptor has in it, by systemd's rule.
const HELD_SEPARATOR: &str = ":";

/// What ends the configuration on a process's standard input. It is in no TOML.
const CONFIGURATION_END: u8 = 0;

/// A descriptor of an output, and its name.
pub(crate) type Held = (String, OwnedFd);

/// A process that was begun and whose end was not seen yet.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    pid: Pid,
    /// Readable once it has ended. Signals go through it, so that they reach this process or none.
    pidfd: OwnedFd,
    output: PipeReader,
    /// Its standard input, open for as long as this `up` lives: its end tells the process to stop.
    _lifeline: Arc<Stream>,
}

impl Child {
    /// Begins a process, in a group of its own, under its own name, and hands it what was held for it.
    ///
    /// # Errors
    /// No process, descriptor or thread is left.
    pub(super) fn spawn(
        name: &ProcessName,
        configuration: &Arc<str>,
        notify: &Path,
        held: Vec<Held>,
    ) -> io::Result<Self> {
        let (output, printed) = io::pipe()?;
        let (input, lifeline) = Stream::pair()?;
        let (names, held): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        rustix::io::ioctl_fionbio(&output, true)?;
        let mut command = Command::new(PROGRAM);
        command.arg0(name.as_str()).arg("run").arg(name.as_str());
        command.env(SUPERVISED, "1").env("NOTIFY_SOCKET", notify);
        command.env(HELD, names.join(HELD_SEPARATOR));
        command.stdin(OwnedFd::from(input)).stdout(printed.try_clone()?).stderr(printed).process_group(0);
        let mut process = command.spawn()?;
        let pid = Pid::from_child(&process);
        let started = pidfd_open(pid, PidfdFlags::empty())
            .map_err(io::Error::from)
            .and_then(|pidfd| tell(lifeline, held, configuration.clone()).map(|lifeline| (pidfd, lifeline)));
        match started {
            Ok((pidfd, lifeline)) => Ok(Self { process, pid, pidfd, output, _lifeline: lifeline }),
            Err(error) => {
                // It was not waited for yet, so its id is still its own.
                let _ = process.kill().and_then(|()| process.wait());
                Err(error)
            }
        }
    }

    /// Returns its process id.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns what is readable once it has ended.
    pub(super) fn end(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Returns what it prints, both outputs in one.
    pub(super) fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    /// Reads what it printed; nothing at the end of both outputs.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it has printed nothing more yet.
    pub(super) fn read_output(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.output.read(room)
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        // It fails only where it has ended, which its descriptor tells.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Returns how it ended; nothing while it lives.
    pub(super) fn ending(&mut self) -> Option<String> {
        match self.process.try_wait() {
            Ok(Some(status)) => Some(ending(status)),
            Ok(None) => None,
            Err(error) => Some(format!("nobody knows how: {error}")),
        }
    }
}

/// Hands descriptors and the configuration to a process, from a thread of its own: one that does not read shall not stop
/// `up`. Each descriptor goes with an LF, which says nothing to whoever reads TOML.
fn tell(lifeline: Stream, held: Vec<OwnedFd>, configuration: Arc<str>) -> io::Result<Arc<Stream>> {
    let lifeline = Arc::new(lifeline);
    let input = lifeline.clone();
    thread::Builder::new().spawn(move || {
        // A process that ends before it has read all of it says why by itself.
        let _ = held.iter().try_for_each(|held| input.send_with_descriptors(b"\n", &[held.as_fd()]).map(drop));
        drop(held);
        let mut input = &*input;
        let _ = input.write_all(configuration.as_bytes()).and_then(|()| input.write_all(&[CONFIGURATION_END]));
    })?;
    Ok(lifeline)
}

/// Reads in a process what [`tell`] says, and returns the configuration and the descriptors, whose `names` came by [`HELD`].
///
/// # Errors
/// `up` is gone, or the standard input is none of its; not each name has its descriptor, since no more may be open: then
/// nobody can say which are there.
pub(crate) fn told(lifeline: &Stream, names: &str) -> io::Result<(Vec<u8>, Vec<Held>)> {
    let (mut text, mut held) = (Vec::new(), Vec::new());
    while text.last() != Some(&CONFIGURATION_END) {
        let mut room = [0; 4096];
        match lifeline.receive_with_descriptors(&mut room) {
            Ok(Handed { len_bytes: 0, .. }) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Handed { len_bytes, descriptors, .. }) => {
                text.extend_from_slice(&room[..len_bytes]);
                held.extend(descriptors);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.pop();
    let names: Vec<_> = names.split(HELD_SEPARATOR).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() != held.len() {
        let wrong = format!("{} descriptors came for {} names", held.len(), names.len());
        return Err(io::Error::other(wrong));
    }
    Ok((text, names.into_iter().zip(held).collect()))
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("killed by {name}"),
            None => format!("killed by signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

/// Says whether this program was begun by `up`.
pub(crate) fn is_supervised() -> bool {
    std::env::var_os(SUPERVISED).is_some_and(|value| value == OsStr::new("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_its_configuration_and_given_what_was_held_under_its_names() {
        let configuration: Arc<str> = "x".repeat(1 << 20).into();
        let (here, there) = Stream::pair().unwrap();
        let pipes: Vec<_> = (0..20).map(|_| io::pipe().unwrap()).collect();
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        let _lifeline = tell(here, writers.into_iter().map(OwnedFd::from).collect(), configuration.clone()).unwrap();
        let names: Vec<_> = (0..20).map(|nth| nth.to_string()).collect();
        let (text, held) = told(&there, &names.join(HELD_SEPARATOR)).unwrap();
        // Each descriptor came with an LF.
        assert_eq!(text, format!("{}{configuration}", "\n".repeat(20)).into_bytes());
        assert_eq!(held.len(), 20);
        for ((name, writer), mut reader) in held.into_iter().zip(readers) {
            std::fs::File::from(writer).write_all(name.as_bytes()).unwrap();
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            assert_eq!(read, name);
        }
    }

    #[test]
    fn who_is_told_half_a_configuration_does_not_begin() {
        let (here, there) = Stream::pair().unwrap();
        (&here).write_all(b"[processes").unwrap();
        drop(here);
        assert_eq!(told(&there, "").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_descriptor_that_did_not_arrive_lets_no_other_be_taken_for_it() {
        let (here, there) = Stream::pair().unwrap();
        let _lifeline = tell(here, vec![io::pipe().unwrap().0.into()], "".into()).unwrap();
        assert_eq!(told(&there, "lost:there").unwrap_err().to_string(), "1 descriptors came for 2 names");
    }

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(ending(ExitStatus::from_raw(0)), "exit code 0");
        assert_eq!(ending(ExitStatus::from_raw(3 << 8)), "exit code 3");
        assert_eq!(ending(ExitStatus::from_raw(9)), "killed by SIGKILL");
        assert_eq!(ending(ExitStatus::from_raw(40)), "killed by signal 40");
    }
}
