//! Who started this process, where that holds the descriptors of its outputs for it: `up`, or systemd.
//!
//! The kernel leaves a line alone once its last descriptor is closed, and at the death of a process it closes all it had. A
//! second descriptor of the same request, with somebody who lives on, keeps the line as it is until the process is back
//! and goes on with it. It is handed over by systemd's protocol of the descriptor store: a datagram with it,
//! `FDSTORE=1` and `FDNAME=NAME`, and another, `FDSTOREREMOVE=1`, when it is not to be held any more.
//!
//! | an output has | while |
//! |---|---|
//! | what it was told; at first its start value | its process runs, or hangs: the kernel keeps it |
//! | its safe value, at once | its process is dead and `up` lives; unless its chip refuses, which is said |
//! | what it had | its process is dead, and systemd holds it |
//! | its stop value | its process was to stop and had to be killed, until `up` ends |
//! | its stop value | `up` was killed: its processes hear that and stop, within 5 s |
//! | what the hardware decides | before the first start and after a clean stop; after the death of a process that nobody holds anything of, or of all processes at once: a panic, a reset, no power |
//!
//! What the hardware decides is a matter of the driver, which may leave a line that is given back as it is or make it an
//! input, and then of the resistors that pull it. Where an output must be off then, a resistor has to make it so. A kernel that
//! hangs keeps what the outputs have; only a watchdog of the hardware ends that.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use soquete_board::Level;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::Duration;

/// What the name of each held descriptor begins with, so that sockets of another kind can lie in the same store.
const PREFIX: &str = "gpio/";

/// The longest name of a descriptor, in octets: 255, as systemd has it. Ours are shorter.
const NAME_MAX_BYTES: usize = 255;

/// How long a datagram may wait for who holds, and the answer to it: 2 s. Whoever holds answers within milliseconds; one
/// that is stopped must not keep the process from its other lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who holds the descriptors of outputs, and what was held for an earlier run of this process.
#[derive(Debug)]
pub struct Holder {
    socket: UnixDatagram,
    given: Vec<(String, OwnedFd)>,
}

impl Holder {
    /// Says whether a descriptor of this name is one of an output that was held.
    #[must_use]
    pub fn names(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Connects to a notification socket, as `NOTIFY_SOCKET` names it: a path, or `@` and an abstract name. `given` are the
    /// descriptors that were held, by their names; those that are no lines are ignored, and closed.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: &OsStr, given: Vec<(String, OwnedFd)>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        match address.as_bytes().strip_prefix(b"@") {
            Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
            None => socket.connect(address)?,
        }
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, given: given.into_iter().filter(|(name, _)| Self::names(name)).collect() })
    }

    /// Returns what was held under this name, once.
    pub(crate) fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let nth = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.swap_remove(nth).1)
    }

    /// Closes whatever was held under other names than these, here and where it is held; returns the names.
    pub(crate) fn keep_only(&mut self, names: &[String]) -> Vec<String> {
        let others: Vec<_> =
            self.given.extract_if(.., |(name, _)| !names.contains(name)).map(|(name, _)| name).collect();
        self.give_back(&others);
        others
    }

    /// Has a descriptor held under a name, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where too much waits there already; whatever else says that nobody holds it.
    pub(crate) fn store(&self, name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.send(&format!("FDSTORE=1\nFDNAME={name}\n"), Some(fd), SendFlags::DONTWAIT)
    }

    /// Has what is held under a name closed, without waiting; whoever is busy closes it when the next one is stored.
    pub(crate) fn forget(&self, name: &str) {
        let _ = self.send(&remove(name), None, SendFlags::DONTWAIT);
    }

    /// Has what is held under these names closed, and waits until it is: the lines can be had again then.
    pub(crate) fn give_back(&self, names: &[String]) {
        let removed = names.iter().all(|name| self.send(&remove(name), None, SendFlags::empty()).is_ok());
        if removed && !names.is_empty() {
            // Who does not answer may still close them; a line that is busy then says so.
            let _ = self.barrier();
        }
    }

    /// Waits until all that was sent is dealt with: whoever holds closes what comes with `BARRIER=1`.
    fn barrier(&self) -> io::Result<()> {
        let (mut end, held) = UnixStream::pair()?;
        self.send("BARRIER=1\n", Some(held.as_fd()), SendFlags::empty())?;
        drop(held);
        end.set_read_timeout(Some(PATIENCE))?;
        end.read(&mut [0]).map(drop)
    }

    fn send(&self, text: &str, fd: Option<BorrowedFd<'_>>, flags: SendFlags) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds: Vec<_> = fd.into_iter().collect();
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&fds));
        }
        let parts = [IoSlice::new(text.as_bytes())];
        sendmsg(&self.socket, &parts, &mut control, flags | SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

fn remove(name: &str) -> String {
    format!("FDSTOREREMOVE=1\nFDNAME={name}\n")
}

/// Names the descriptor of a line: `gpio/LED/pinctrl-bcm2711/17`. What systemd allows in no name is written as `%` and its
/// octet in hexadecimal.
pub(crate) fn name(line: &str, place: &str) -> String {
    let mut name = format!("{PREFIX}{line}/");
    for octet in place.bytes() {
        match octet {
            b'%' | b':' | ..=b' ' | 0x7f.. => name.push_str(&format!("%{octet:02X}")),
            octet => name.push(octet.into()),
        }
    }
    name
}

/// Returns the line whose descriptor has this name, as the configuration calls it; nothing where it is no line's, or longer
/// than 255 octets, or has something in it that is no ASCII letter, digit or sign, or a colon, which stands between names.
#[must_use]
pub fn line_of(name: &str) -> Option<&str> {
    let is_allowed =
        name.len() <= NAME_MAX_BYTES && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':');
    Some(name).filter(|_| is_allowed)?.strip_prefix(PREFIX)?.split_once('/').map(|(line, _)| line)
}

/// Drives the output behind a descriptor that is held, at once; on and off are as its last configuration said.
///
/// # Errors
/// What the kernel says: ENODEV where the chip is gone, EPERM where nobody has driven the line yet, ENOTTY where it is no
/// line.
pub fn drive(fd: &impl AsFd, level: Level) -> io::Result<()> {
    crate::back::drive(&File::from(fd.as_fd().try_clone_to_owned()?), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_descriptor_says_which_line_it_is_and_pleases_systemd() {
        let name = name("LED", "a chip: ü%/17");
        assert_eq!(name, "gpio/LED/a%20chip%3A%20%C3%BC%25/17");
        assert_eq!(line_of(&name), Some("LED"));
        assert_eq!([line_of("tcp"), line_of("gpio/LED")], [None, None]);
        let long = format!("gpio/LED/{}", "x".repeat(NAME_MAX_BYTES));
        assert_eq!(line_of(&long[..NAME_MAX_BYTES]), Some("LED"));
        for name in ["gpio/LED/soc:1", "gpio/LED/\0", "gpio/LED/\n", "gpio/LED/a b", "gpio/LED/ü", &long] {
            assert_eq!(line_of(name), None, "{name:?}");
        }
        // The longest: a line, a label and an offset of as many octets as there can be.
        assert!(super::name(&"x".repeat(32), &format!("{}/4294967295", "ü".repeat(15))).len() <= NAME_MAX_BYTES);
    }
}
