//! The folder of an instance, where what one `up` runs is found: `DIR/INSTANCE/PROCESS.sock`.
//!
//! | file | is |
//! |---|---|
//! | `PROCESS.sock` | the control socket of a process |
//! | `PROCESS.journal` | the presses it has under way |
//! | `.up.sock` | the control socket of `up` |
//! | `.notify.sock` | where processes say that they are ready |
//! | `.lock` | held by `up`, and by what it started, for as long as they live |
//!
//! A unit of systemd has a folder of its own, which systemd removes with it: `/run/soquete/units/PROCESS/PROCESS.sock`.
//!
//! Nothing here is a promise by itself: a socket file counts only while somebody listens behind it, the lock only
//! while it is held. So nothing can lie that was left behind by a crash.

mod folder;
mod found;
mod lock;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use soquete::{Endpoint, ListenOptions, Listener, Stream, UNIX_NAME_LEN_MAX, UnixName};
use soquete_node::config::{InstanceName, PROCESS_NAME_BYTES_MAX, ProcessName};

use crate::arguments::Chosen;
use crate::output::{Exit, Failure};

pub(crate) use lock::Lock;

/// What the name of a control socket ends with.
const SOCKET_SUFFIX: &str = ".sock";

/// What the name of a journal ends with.
const JOURNAL_SUFFIX: &str = ".journal";

/// Octets of a journal that count the presses.
const PRESSES_LEN_BYTES: u64 = 8;

/// The control socket of `up`. No process can have this name: each begins with a letter.
const SUPERVISOR_SOCKET: &str = ".up.sock";

/// Where processes say that they are ready.
const NOTIFY_SOCKET: &str = ".notify.sock";

/// How long a look at a socket may take. It is on this machine: more means that somebody stopped it by hand.
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);

/// The folder below `/run/soquete` in which systemd makes one for each unit, and what they are called together.
const UNITS: &str = "units";

/// What to type for units in the place of `down` and `logs`.
pub(crate) const UNITS_ACT: &str =
    "`systemctl stop soquete.target` stops them; `journalctl -u 'soquete@*'` has their log";

/// All that one `up` runs, by its folder; whether anything runs is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    name: InstanceName,
    folder: PathBuf,
}

impl Instance {
    /// Returns the instance of this name.
    ///
    /// # Errors
    /// The folder of all instances belongs to somebody else or is open to others, or its path is too long for sockets.
    pub(crate) fn of(name: &InstanceName) -> Result<Self, Failure> {
        let base = folder::base();
        folder::check(&base)?;
        Self::below(&base, name)
    }

    fn below(base: &Path, name: &InstanceName) -> Result<Self, Failure> {
        let folder = base.join(name.as_str());
        let len_max = UNIX_NAME_LEN_MAX - "/".len() - PROCESS_NAME_BYTES_MAX - SOCKET_SUFFIX.len();
        let len = folder.as_os_str().len();
        if len > len_max {
            let wrong = format!("{}: a path of {len} octets, at most {len_max} allowed for sockets", folder.display());
            return Err(Failure::new(Exit::NotDone, wrong).act("set XDG_RUNTIME_DIR to a folder with a shorter path"));
        }
        Ok(Self { name: name.clone(), folder })
    }

    /// Returns the running instance that a command is about: the one chosen by `-c`, `--platform` or
    /// `$SOQUETE_CONFIG`; without a choice the one of the configuration found, where it runs, else the only one that runs.
    ///
    /// # Errors
    /// It does not run; or several run, and the choice is open. Each error says what to type.
    pub(crate) fn find(chosen: &Chosen) -> Result<Self, Failure> {
        let instance = Self::meant(chosen)?;
        if instance.is_running() { Ok(instance) } else { Err(instance.not_running()) }
    }

    /// Returns the instance that a command is about, as [`find`](Instance::find) does, whether it runs or not.
    ///
    /// # Errors
    /// Several run, and the choice is open.
    pub(crate) fn meant(chosen: &Chosen) -> Result<Self, Failure> {
        found::meant(chosen)
    }

    /// Returns what runs as units of systemd: `/run/soquete/units/PROCESS/PROCESS.sock`, where there is such a folder.
    fn units() -> Option<Self> {
        let units = Self { name: UNITS.parse().ok()?, folder: Path::new(folder::SYSTEM).join(UNITS) };
        folder::is_of_the_system(&units.folder).then_some(units)
    }

    /// Returns the folder of a unit.
    fn unit_folder(&self, process: &ProcessName) -> PathBuf {
        self.folder.join(process.as_str())
    }

    /// Says whether its processes are units of systemd, each with a folder of its own.
    pub(crate) fn is_units(&self) -> bool {
        self.folder == Path::new(folder::SYSTEM).join(UNITS)
    }

    /// Says that no `up` runs here, and how to change that.
    pub(crate) fn not_running(&self) -> Failure {
        if self.is_units() {
            let wrong = "what runs here are units of systemd, and no `up`";
            return Failure::new(Exit::NotDone, wrong).act(UNITS_ACT);
        }
        let looked = self.folder.display();
        let act = format!("`soquete up` starts it. Looked at were {looked} and {}/{UNITS}", folder::SYSTEM);
        Failure::new(Exit::NotDone, format!("nothing runs as {}", self.name)).act(act)
    }

    /// Returns what it is called.
    pub(crate) fn name(&self) -> &InstanceName {
        &self.name
    }

    /// Returns where `up` takes commands.
    pub(crate) fn supervisor(&self) -> Endpoint {
        self.endpoint(SUPERVISOR_SOCKET)
    }

    /// Returns the socket at which processes say that they are ready.
    pub(crate) fn notify(&self) -> PathBuf {
        self.folder.join(NOTIFY_SOCKET)
    }

    /// Returns the control socket of a process.
    pub(crate) fn control(&self, process: &ProcessName) -> PathBuf {
        control_in(&self.folder, process)
    }

    /// Returns where a process notes the presses under way.
    pub(crate) fn journal(&self, process: &ProcessName) -> PathBuf {
        journal_in(&self.folder, process)
    }

    /// Says whether `up` or any process of it lives.
    pub(crate) fn is_running(&self) -> bool {
        is_living(&self.supervisor()) || !self.processes().is_empty()
    }

    /// Says whether `up` lives.
    pub(crate) fn has_supervisor(&self) -> bool {
        is_living(&self.supervisor())
    }

    /// Says whether no other instance runs, so that a command without a choice means this one.
    pub(crate) fn is_only(&self) -> bool {
        found::is_only(self)
    }

    /// Returns the processes whose control sockets live, by name.
    pub(crate) fn processes(&self) -> Vec<(ProcessName, Endpoint)> {
        let mut living: Vec<_> = self.controls().filter(|(_, endpoint)| is_living(endpoint)).collect();
        living.sort_by(|(one, _), (other, _)| one.cmp(other));
        living
    }

    /// Goes through where the control sockets of processes are, alive or not.
    fn controls(&self) -> impl Iterator<Item = (ProcessName, Endpoint)> {
        self.files().filter_map(|file| {
            let name: ProcessName = file.strip_suffix(SOCKET_SUFFIX).unwrap_or(&file).parse().ok()?;
            let path = self.folder.join(&file);
            match (file.ends_with(SOCKET_SUFFIX), self.is_units()) {
                (true, _) => Some((name, Endpoint::Unix(UnixName::Path(path)))),
                (false, true) => {
                    let control = control_in(&self.unit_folder(&name), &name);
                    Some((name, Endpoint::Unix(UnixName::Path(control))))
                }
                (false, false) => None,
            }
        })
    }

    /// Makes the folder, and the one of all instances, where they are not there.
    ///
    /// # Errors
    /// They cannot be made, belong to somebody else or are open to others.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        if let Some(base) = self.folder.parent() {
            folder::create(base)?;
        }
        folder::create(&self.folder)
    }

    /// Removes what the dead left: sockets without a listener, journals without a press, folders that are empty then.
    ///
    /// A journal with presses stays: the next start of its process tells how many were forgotten. So does what cannot be
    /// removed, which the next `up` takes over. To be called by who holds the lock.
    pub(crate) fn clean(&self) {
        for file in self.files() {
            if file.ends_with(SOCKET_SUFFIX) {
                remove_dead(&self.endpoint(&file));
            }
            let path = self.folder.join(&file);
            if file.ends_with(JOURNAL_SUFFIX) && is_zero(&path) {
                let _ = fs::remove_file(&path);
            }
        }
        self.remove_folder();
    }

    /// Removes the folder and the one of all instances, as far as they are empty; the one of the system stays.
    pub(crate) fn remove_folder(&self) {
        if fs::remove_dir(&self.folder).is_ok()
            && let Some(base) = self.folder.parent().filter(|base| *base != Path::new(folder::SYSTEM))
        {
            let _ = fs::remove_dir(base);
        }
    }

    fn endpoint(&self, file: &str) -> Endpoint {
        Endpoint::Unix(UnixName::Path(self.folder.join(file)))
    }

    /// Goes through the files of the folder by name; through none where it is not there.
    fn files(&self) -> impl Iterator<Item = String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    }
}

/// Returns the control socket of a process in a folder.
pub(crate) fn control_in(folder: &Path, process: &ProcessName) -> PathBuf {
    folder.join(format!("{process}{SOCKET_SUFFIX}"))
}

/// Returns where a process with this folder notes the presses under way.
pub(crate) fn journal_in(folder: &Path, process: &ProcessName) -> PathBuf {
    folder.join(format!("{process}{JOURNAL_SUFFIX}"))
}

/// Says whether somebody listens at a control socket. A queue that is full is a sign of life too.
fn is_living(endpoint: &Endpoint) -> bool {
    match Stream::connect_timeout(endpoint, LOOK_TIMEOUT) {
        Ok(_) => true,
        Err(error) => error.is_timeout() || matches!(error.cause(), soquete::Cause::Busy(_)),
    }
}

/// Removes the socket file of a dead server; one behind which somebody listens stays.
///
/// To listen there takes it over, and to stop removes it: the library does both without getting into anybody's way.
pub(crate) fn remove_dead(endpoint: &Endpoint) {
    drop(Listener::bind(endpoint, &ListenOptions::default()));
}

/// Says whether a journal notes no press under way: the number in it is zero, or not there.
fn is_zero(journal: &Path) -> bool {
    let mut octets = Vec::new();
    let read = fs::File::open(journal).and_then(|file| file.take(PRESSES_LEN_BYTES).read_to_end(&mut octets));
    read.is_ok() && octets.iter().all(|octet| *octet == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_too_deep_for_sockets_says_what_to_do() {
        let name = "n".repeat(32).parse().unwrap();
        let base = |len: usize| PathBuf::from(format!("/{}", "d".repeat(len - 1)));
        let longest = UNIX_NAME_LEN_MAX - 1 - 32 - 1 - 15 - 5;
        let instance = Instance::below(&base(longest), &name).unwrap();
        let control = instance.control(&"p".repeat(15).parse().unwrap());
        assert_eq!(control.as_os_str().len(), UNIX_NAME_LEN_MAX);
        let wrong = Instance::below(&base(longest + 1), &name).unwrap_err().to_string();
        assert!(
            wrong.contains("a path of 87 octets, at most 86 allowed") && wrong.contains("XDG_RUNTIME_DIR"),
            "{wrong}"
        );
    }

    #[test]
    fn a_dead_socket_file_is_no_process() {
        let base = std::env::temp_dir().join(format!("soquete-dead-{}", std::process::id()));
        let instance = Instance::below(&base, &"home".parse().unwrap()).unwrap();
        instance.create().unwrap();
        let led = std::os::unix::net::UnixListener::bind(instance.control(&"led".parse().unwrap())).unwrap();
        assert_eq!(instance.processes().len(), 1);
        instance.clean();
        assert!(instance.is_running(), "what lives is not removed");
        drop(led);
        assert!(!instance.is_running());
        let journal = instance.journal(&"led".parse().unwrap());
        fs::write(&journal, 3u64.to_le_bytes()).unwrap();
        instance.clean();
        assert!(journal.exists(), "it is still to be told");
        fs::write(&journal, 0u64.to_le_bytes()).unwrap();
        instance.clean();
        assert!(!base.exists());
    }
}
