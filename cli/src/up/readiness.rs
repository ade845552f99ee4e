//! Where processes tell that they are ready, and hand over descriptors of their outputs, by systemd's protocol: datagrams
//! of lines such as `READY=1`.
//!
//! Who sent one is told by the kernel, so no process can speak for another. A descriptor that nobody wants is closed at
//! once, which is all that `BARRIER=1` asks for.

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

/// The longest message, in octets: systemd's protocol has short lines, and ours are a word and a name.
const MESSAGE_MAX_BYTES: usize = 4096;

/// The most descriptors of a message: each is stored by a message of its own, with its name. The kernel closes those beyond.
const DESCRIPTORS_MAX: usize = 1;

/// What a process has told.
#[derive(Debug)]
pub(super) enum Told {
    /// It is ready.
    Ready,
    /// This descriptor is to be held for it under this name.
    Hold(String, OwnedFd),
    /// A descriptor was to be held under this name, and did not arrive: no more may be open.
    Lost(String),
    /// What is held under this name is to be closed.
    GiveBack(String),
}

impl Told {
    /// Reads a message; nothing where it says nothing of this. Of one that says several things, one is taken.
    fn read(message: &[u8], descriptor: Option<OwnedFd>) -> Option<Self> {
        let lines = || message.split(|octet| *octet == b'\n');
        let has = |wanted: &str| lines().any(|line| line == wanted.as_bytes());
        let name = || Some(str::from_utf8(lines().find_map(|line| line.strip_prefix(b"FDNAME="))?).ok()?.to_owned());
        match descriptor {
            Some(descriptor) if has("FDSTORE=1") => Some(Self::Hold(name()?, descriptor)),
            None if has("FDSTORE=1") => Some(Self::Lost(name()?)),
            _ if has("FDSTOREREMOVE=1") => Some(Self::GiveBack(name()?)),
            _ => has("READY=1").then_some(Self::Ready),
        }
    }
}

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

    /// Returns the next process that told something, and what; nothing where none has.
    pub(super) fn next(&self) -> Option<(Pid, Told)> {
        let mut octets = [0; MESSAGE_MAX_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(DESCRIPTORS_MAX))];
        loop {
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut octets)];
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            // What cannot be received is as if it had not been sent.
            let received = recvmsg(&self.socket, &mut parts, &mut ancillary, flags).ok()?;
            let (mut sender, mut descriptors) = (None, Vec::new());
            for message in ancillary.drain() {
                match message {
                    RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials.pid),
                    RecvAncillaryMessage::ScmRights(handed) => descriptors.extend(handed),
                    _ => {}
                }
            }
            if let (Some(sender), Some(told)) =
                (sender, Told::read(&octets[..received.bytes], descriptors.into_iter().next()))
            {
                return Some((sender, told));
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
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::io::{IoSlice, Read, Write};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::path::Path;

    /// Listens at a path of its own.
    fn listen(name: &str) -> (Readiness, PathBuf) {
        let path = std::env::temp_dir().join(format!("soquete-{name}-{}.sock", std::process::id()));
        (Readiness::listen(path.clone()).unwrap(), path)
    }

    #[test]
    fn the_kernel_tells_who_is_ready() {
        let (readiness, path) = listen("ready");
        assert!(readiness.next().is_none());
        let process = UnixDatagram::unbound().unwrap();
        process.send_to(b"STATUS=soon\n", &path).unwrap();
        process.send_to(b"STATUS=now\nREADY=1\n", &path).unwrap();
        assert!(matches!(readiness.next(), Some((pid, Told::Ready)) if pid == rustix::process::getpid()));
        assert!(readiness.next().is_none());
        drop(readiness);
        assert!(!path.exists());
    }

    /// Sends a message with descriptors, as `sd_pid_notify_with_fds` does.
    fn send(path: &Path, text: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(path).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(descriptors));
        sendmsg(&socket, &[IoSlice::new(text)], &mut control, SendFlags::empty()).unwrap();
    }

    #[test]
    fn a_descriptor_is_taken_with_its_name_and_the_name_takes_it_back() {
        let (readiness, path) = listen("hold");
        let (mut end, descriptor) = UnixStream::pair().unwrap();
        send(&path, b"FDSTORE=1\nFDNAME=gpio/LED/soc/17\n", &[descriptor.as_fd()]);
        drop(descriptor);
        let Some((_, Told::Hold(name, held))) = readiness.next() else { panic!() };
        assert_eq!(name, "gpio/LED/soc/17");
        UnixStream::from(held).write_all(b"1").unwrap();
        assert_eq!(end.read(&mut [0; 9]).unwrap(), 1);
        UnixDatagram::unbound().unwrap().send_to(b"FDSTOREREMOVE=1\nFDNAME=x", &path).unwrap();
        assert!(matches!(readiness.next(), Some((_, Told::GiveBack(name))) if name == "x"));
        UnixDatagram::unbound().unwrap().send_to(b"FDSTORE=1\nFDNAME=y", &path).unwrap();
        assert!(matches!(readiness.next(), Some((_, Told::Lost(name))) if name == "y"));
    }

    #[test]
    fn what_nobody_wants_is_closed_at_once() {
        let (readiness, path) = listen("close");
        for text in [b"BARRIER=1\n".as_slice(), b"FDSTORE=1\n", b"FDSTORE=1\nFDNAME=\xff", b"", &[b'x'; 9000]] {
            let (mut end, descriptor) = UnixStream::pair().unwrap();
            let several = [descriptor.as_fd(), descriptor.as_fd(), descriptor.as_fd()];
            send(&path, text, &several);
            drop(descriptor);
            assert!(readiness.next().is_none());
            assert_eq!(end.read(&mut [0]).unwrap(), 0);
        }
    }
}
