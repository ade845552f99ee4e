//! What comes back of datagrams that nobody received.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};

use super::message::{Control, ip_of};
use super::{Address, Datagram};

impl Datagram {
    /// Has the kernel keep what routers and machines answer of datagrams that they could not deliver, for
    /// [`take_error`](Datagram::take_error) (IP_RECVERR).
    ///
    /// A socket that is connected to one endpoint hears of it anyway: its next call is ECONNREFUSED. One that sends to many
    /// hears nothing by default, so nobody stops it for the others. After this, its next call **of any kind** fails with the
    /// error of an earlier datagram, to whomever; then take the errors until there are none, and repeat the call. In a loop,
    /// EPOLLERR tells that there are some; taking them keeps the calls from failing. Unix datagrams need none of it: their
    /// send itself is the error.
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn report_errors(&self) -> io::Result<()> {
        match self.local.socket_addr() {
            Some(address) if address.is_ipv4() => setsockopt(&self.fd, Ipv4RecvErr, &true)?,
            Some(_) => setsockopt(&self.fd, Ipv6RecvErr, &true)?,
            None => {}
        }
        Ok(())
    }

    /// Takes the oldest error of an earlier datagram: where that was to go, and why it did not arrive. `None` where there is
    /// none, or [`report_errors`](Datagram::report_errors) was not called. It never blocks.
    ///
    /// The kernel keeps as many as fit its receive buffer. Nobody vouches for them: whoever sees a datagram can send one.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn take_error(&self) -> io::Result<Option<(Address, io::Error)>> {
        if self.local.socket_addr().is_none() {
            return Ok(None);
        }
        loop {
            match take_error(&self.fd) {
                Err(nix::Error::EAGAIN) => return Ok(None),
                // What tells nothing, such as a time stamp, is skipped.
                Err(nix::Error::EINTR) | Ok(None) => {}
                taken => return Ok(taken?),
            }
        }
    }
}

fn take_error(socket: &OwnedFd) -> nix::Result<Option<(Address, io::Error)>> {
    let mut control = Control::EMPTY;
    // It carries the datagram, which its sender knows.
    let mut nothing = [];
    let mut slices = [IoSliceMut::new(&mut nothing)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
    for told in message.cmsgs()? {
        if let ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) = told {
            let errno = i32::try_from(error.ee_errno).unwrap_or_default();
            // Only with such an error is there an address.
            let to = message.address.as_ref().and_then(ip_of);
            return Ok(to.map(|to| (Address::from(to), io::Error::from_raw_os_error(errno))));
        }
    }
    Ok(None)
}
