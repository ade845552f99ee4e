//! Handing open descriptors to another process, over Unix sockets (SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, sockopt,
};

use super::{Stream, whole};

/// The most descriptors that go with one message: 16. The kernel's own bound is 253; a process has 1,024 by default, and
/// whoever sends them fills the table of whoever receives.
pub const DESCRIPTORS_MAX: usize = 16;

const SPACE_BYTES: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX));

/// What came with [`Stream::receive_with_descriptors`].
#[derive(Debug)]
pub struct Handed {
    /// The octets that were read; 0 is the end.
    pub len_bytes: usize,
    /// The descriptors, in the order of their sender; closed in programs that this process executes.
    pub descriptors: Vec<OwnedFd>,
    /// Tells whether more had been sent: above [`DESCRIPTORS_MAX`], or above what this process may have open. Those are
    /// closed.
    pub is_cut: bool,
}

impl Stream {
    /// Sends octets, and open descriptors with the first of them; returns how many octets went.
    ///
    /// The receiver gets descriptors of its own for the same open files; these here stay open. Where less than all octets
    /// went, the descriptors did go: send the rest without them. It blocks as a write does.
    ///
    /// # Errors
    ///
    /// Those of a write. [`io::ErrorKind::InvalidInput`] above [`DESCRIPTORS_MAX`], for descriptors without an octet, and for
    /// what is no Unix or `mem:` stream; ETOOMANYREFS while too many are on their way.
    pub fn send_with_descriptors(&self, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if descriptors.is_empty() {
            return super::send(&self.fd, octets);
        }
        let mistake = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        if descriptors.len() > DESCRIPTORS_MAX {
            return mistake("at most 16 descriptors go with one message");
        }
        // The kernel would drop them without a word.
        if octets.is_empty() {
            return mistake("descriptors need at least one octet to go with");
        }
        if sockopt::socket_domain(&self.fd)? != AddressFamily::UNIX {
            return mistake("only Unix sockets and `mem:` carry descriptors");
        }
        let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(descriptors));
        Ok(net::sendmsg(&self.fd, &[IoSlice::new(octets)], &mut control, SendFlags::NOSIGNAL)?)
    }

    /// Reads, and takes the descriptors that come with it. One read takes those of one send at most; any other read has the
    /// kernel close those of what it takes.
    ///
    /// They are what the peer says they are, or anything else: look before you use one.
    ///
    /// # Errors
    ///
    /// Those of a read; the descriptors that came with a packet that is too long are closed.
    pub fn receive_with_descriptors(&self, buf: &mut [u8]) -> io::Result<Handed> {
        let max_bytes = buf.len();
        let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | self.cut.flags();
        let got = net::recvmsg(&self.fd, &mut [IoSliceMut::new(buf)], &mut control, flags)?;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(handed) = message {
                descriptors.extend(handed);
            }
        }
        let len_bytes = whole(got.bytes, max_bytes)?;
        // There is room for one or two more, in which the kernel may align.
        let is_cut = descriptors.len() > DESCRIPTORS_MAX || got.flags.contains(ReturnFlags::CTRUNC);
        descriptors.truncate(DESCRIPTORS_MAX);
        Ok(Handed { len_bytes, descriptors, is_cut })
    }
}
