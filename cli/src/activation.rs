//! Descriptors that were open when this program began, by systemd's protocol (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES).

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::close;
use soquete::Stream;

/// Returns the descriptors that are meant for this process, with their names, once: they are its own from then on, and
/// closed in programs that it executes. There are none where they were meant for another.
///
/// # Errors
/// What is said of them is nonsense, or no descriptor is left.
pub(crate) fn descriptors() -> io::Result<Vec<(String, OwnedFd)>> {
    sd_notify::listen_fds_with_names()?.map(|(number, name)| Ok((name, own(number)?))).collect()
}

/// Makes a number a descriptor of ours. Nothing safe does so directly; but what is sent to oneself arrives as one.
fn own(number: RawFd) -> io::Result<OwnedFd> {
    let (one, other) = Stream::pair()?;
    let handed = [ControlMessage::ScmRights(&[number])];
    sendmsg::<()>(one.as_raw_fd(), &[IoSlice::new(b"0")], &handed, MsgFlags::empty(), None)?;
    close(number)?;
    let mut room = [0];
    let mut received = other.receive_with_descriptors(&mut room)?.descriptors;
    received.pop().ok_or_else(|| io::Error::other("a descriptor that was sent did not arrive"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_number_becomes_a_descriptor_and_is_no_other_any_more() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut owned = std::fs::File::from(own(reader.into_raw_fd()).unwrap());
        writer.write_all(b"1").unwrap();
        owned.read_exact(&mut [0]).unwrap();
        drop(owned);
        // Had its number stayed open, the pipe would have a reader still.
        assert_eq!(writer.write(b"1").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let nothing = own(RawFd::MAX).unwrap_err();
        assert_eq!(nothing.raw_os_error(), Some(9));
    }
}
