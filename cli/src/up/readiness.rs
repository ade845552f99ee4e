//! Where processes tell that they are ready, by systemd's protocol: a datagram `READY=1`.
//!
//! Who sent it is told by the kernel, so no process can speak for another.

use std::fs;
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind,
    recvmsg, socket_with, sockopt,
};
use rustix::process::Pid;

/// What a process that is ready says, among other lines perhaps.
const READY: &[u8] = b"READY=1";

/// The longest message: systemd's protocol has short lines, and ours is this one.
const MESSAGE_MAX_BYTES: usize = 4096;

/// The socket, and its file for as long as it lives.
#[derive(Debug)]
pub(super) struct Readiness {
    socket: OwnedFd,
    path: PathBuf,
}

impl Readiness {
    /// Listens at a path of ours; what an earlier `up` has left there is removed.
    ///
    /// # Errors
    /// What the system calls say.
    pub(super) fn listen(path: PathBuf) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        sockopt::set_socket_passcred(&socket, true)?;
        // The file takes over the mode that the socket has.
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        bind(&socket, &SocketAddrUnix::new(&path)?)?;
        Ok(Self { socket, path })
    }

    /// Returns the next process that said that it is ready, or nothing where none has.
    pub(super) fn next(&self) -> Option<Pid> {
        let mut octets = [0; MESSAGE_MAX_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        loop {
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut octets)];
            // What cannot be received is as if it had not been sent.
            let received = recvmsg(&self.socket, &mut parts, &mut ancillary, RecvFlags::DONTWAIT).ok()?;
            let sender = ancillary.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid),
                _ => None,
            });
            let mut lines = octets[..received.bytes].split(|octet| *octet == b'\n');
            if sender.is_some() && lines.any(|line| line == READY) {
                return sender;
            }
        }
    }
}

impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        // The next `up` removes it where this cannot.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_kernel_tells_who_is_ready() {
        let path = std::env::temp_dir().join(format!("soquete-ready-{}.sock", std::process::id()));
        let readiness = Readiness::listen(path.clone()).unwrap();
        assert_eq!(readiness.next(), None);
        let process = UnixDatagram::unbound().unwrap();
        process.send_to(b"STATUS=soon\n", &path).unwrap();
        process.send_to(b"STATUS=now\nREADY=1\n", &path).unwrap();
        assert_eq!(readiness.next(), Some(rustix::process::getpid()));
        assert_eq!(readiness.next(), None);
        drop(readiness);
        assert!(!path.exists());
    }
}
