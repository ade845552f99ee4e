//! What a unit of systemd gives to a process, and what systemd is told by it.
//!
//! | variable | is |
//! |---|---|
//! | `NOTIFY_SOCKET` | where it says that it is ready, how it is, that it lives, that it stops |
//! | `WATCHDOG_USEC`, `WATCHDOG_PID` | how often it has to say that it lives |
//! | `RUNTIME_DIRECTORY` | the folder of its control socket, which members of its group may use to ask |
//! | `STATE_DIRECTORY` | the folder of its journal, which has to outlive it |

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;

use soquete_node::config::ProcessName;
use soquete_node::{Notice, Overseer, Process};

/// Where a process tells how it is.
#[derive(Debug)]
pub(super) struct Notify {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notify {
    /// Makes a socket for it, where somebody wants to be told.
    ///
    /// # Errors
    /// The address is none, or no descriptor is left.
    pub(super) fn from_environment() -> io::Result<Option<Self>> {
        let Some(place) = notify_socket() else { return Ok(None) };
        Ok(Some(Self { socket: UnixDatagram::unbound()?, address: address(&place)? }))
    }

    /// Says that a process is ready, and what it serves. It may wait for room, and never does so again.
    ///
    /// # Errors
    /// Nobody receives there.
    pub(super) fn ready(&self, process: &Process) -> io::Result<()> {
        let served: Vec<String> = process.endpoints().iter().map(ToString::to_string).collect();
        let served = if served.is_empty() { "nothing".to_owned() } else { served.join(", ") };
        self.socket.send_to_addr(format!("READY=1\nSTATUS=serves {served}\n").as_bytes(), &self.address)?;
        self.socket.set_nonblocking(true)
    }

    fn tell(&self, notice: Notice) {
        let words: &[u8] = match notice {
            Notice::Alive => b"WATCHDOG=1\n",
            Notice::Stopping => b"STOPPING=1\nSTATUS=stops when what is under way has ended\n",
        };
        // One sign of life may get lost; who gets none of two acts on it.
        let _ = self.socket.send_to_addr(words, &self.address);
    }

    /// Makes it the one who watches over a process: told twice as often as he wants to be.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn overseer(&self) -> io::Result<Overseer> {
        let told = Self { socket: self.socket.try_clone()?, address: self.address.clone() };
        let every = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()).map(|interval| interval / 2);
        Ok(Overseer::new(every, move |notice| told.tell(notice)))
    }
}

/// Returns where to say how it is, where somebody wants to be told.
pub(super) fn notify_socket() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty())
}

/// Returns the folder for the control socket of a process, where a unit has one for it: named as the process is, so that no
/// folder of a unit in which somebody starts it by hand is meant.
pub(super) fn runtime_folder(process: &ProcessName) -> Option<PathBuf> {
    env::var_os("RUNTIME_DIRECTORY")
        .and_then(|folders| first(&folders))
        .filter(|folder| folder.ends_with(process.as_str()))
}

/// Returns the folder for what has to outlive it, where a unit has one for it.
pub(super) fn state_folder() -> Option<PathBuf> {
    env::var_os("STATE_DIRECTORY").and_then(|folders| first(&folders))
}

/// Returns the first of some folders, as systemd lists them.
fn first(folders: &OsStr) -> Option<PathBuf> {
    let first = folders.as_bytes().split(|octet| *octet == b':').next()?;
    Some(PathBuf::from(OsString::from(OsStr::from_bytes(first)))).filter(|folder| folder.is_absolute())
}

/// Reads an address as systemd writes it: a path, or `@` and an abstract name.
fn address(place: &OsStr) -> io::Result<SocketAddr> {
    match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_counts_and_only_an_absolute_one() {
        let first = |folders: &str| first(OsStr::new(folders)).map(|folder| folder.display().to_string());
        assert_eq!(first("/run/soquete/units/led:/run/other"), Some("/run/soquete/units/led".to_owned()));
        assert_eq!([first("run:/run"), first("")], [None, None]);
    }

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        assert_eq!(address(OsStr::new("/run/notify")).unwrap().as_pathname().unwrap().to_str(), Some("/run/notify"));
        assert_eq!(address(OsStr::new("@notify")).unwrap().as_abstract_name(), Some(&b"notify"[..]));
    }
}
