//! Urgent data of TCP: one octet that its receiver is told of before it has read what was sent earlier.
//!
//! The octet does not travel faster: it keeps its place, the *mark*, among the others. What comes first is the news that
//! there is one. A read never goes beyond the mark in one call, so a program can throw away what lies before it.
//!
//! There is one mark. A second urgent octet moves it, and the first, if nobody has taken it, is lost among the others
//! or, with [`Stream::set_urgent_inline`], is one of them. So it suits "stop what you are doing", and little else.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, sockopt};

use super::Stream;
use crate::Clock;

impl Stream {
    /// Sends one urgent octet (MSG_OOB), behind what was written before.
    ///
    /// # Errors
    ///
    /// Those of a write; EOPNOTSUPP for what is not TCP. Newer kernels have something of the kind for Unix streams too;
    /// nothing here promises it.
    pub fn send_urgent(&self, octet: u8) -> io::Result<()> {
        net::send(&self.fd, &[octet], SendFlags::OOB | SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits until an urgent octet is there that nobody has taken; says whether one came.
    ///
    /// It blocks until then, until the peer has ended its direction, or until the time is over; `None` is for ever. In a
    /// loop of one's own, EPOLLPRI (POLLPRI) of this descriptor says the same; in a loop that waits for reading only, such as
    /// a [`Hub`](crate::Hub), [`urgent_bell`](Stream::urgent_bell) does. It lasts until
    /// [`receive_urgent`](Stream::receive_urgent) takes the octet or a read passes the mark.
    ///
    /// # Errors
    ///
    /// ENOMEM; a broken connection is told by the next read.
    pub fn await_urgent(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let deadline = timeout.and_then(|timeout| Clock::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_sub(Clock::now()));
            // What is too long for the kernel is for ever.
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut socket = [PollFd::new(&self.fd, PollFlags::PRI | PollFlags::RDHUP)];
            match poll(&mut socket, left.as_ref()) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(socket[0].revents().contains(PollFlags::PRI)),
            }
        }
    }

    /// Makes a descriptor that is ready for reading while an urgent octet is there that nobody has taken, and when the
    /// connection is broken: for [`Hub::watch`](crate::Hub::watch).
    ///
    /// It is an epoll set with nothing but this stream, and falls silent when the stream is closed.
    ///
    /// # Errors
    ///
    /// EMFILE or ENFILE when no descriptor is left; ENOSPC when the user watches too many.
    pub fn urgent_bell(&self) -> io::Result<OwnedFd> {
        let bell = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&bell, &self.fd, epoll::EventData::new_u64(0), epoll::EventFlags::PRI)?;
        Ok(bell)
    }

    /// Takes the urgent octet, wherever the reading stands; `None` where there is none, it was taken, or urgent octets come
    /// in line. It never blocks.
    ///
    /// The mark stays where it was. Whoever wants to know when the reading has reached it asks
    /// [`is_at_mark`](Stream::is_at_mark) before the octet is taken.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where one is announced that has not arrived; ECONNRESET, …; EOPNOTSUPP for what is not
    /// TCP.
    pub fn receive_urgent(&self) -> io::Result<Option<u8>> {
        let mut octet = [0];
        match net::recv(&self.fd, &mut octet, RecvFlags::OOB) {
            Ok((_, 0)) | Err(Errno::INVAL) => Ok(None),
            Ok(_) => Ok(Some(octet[0])),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Tells whether the reading has come to the mark of an urgent octet that nobody has taken: what lay before it is read.
    ///
    /// The kernel's own question for it, SIOCATMARK, is in no library that calls it safely. So this asks whether there is an
    /// urgent octet, and then how many octets lie before its mark, which is what FIONREAD counts. Threads that read at the
    /// same time make the answer old.
    ///
    /// # Errors
    ///
    /// None for a socket of TCP; the system calls have results all the same.
    pub fn is_at_mark(&self) -> io::Result<bool> {
        if !self.await_urgent(Some(Duration::ZERO))? {
            return Ok(false);
        }
        let is_inline = sockopt::socket_oobinline(&self.fd)?;
        if is_inline {
            // In line, FIONREAD counts what lies behind the mark, too.
            sockopt::set_socket_oobinline(&self.fd, false)?;
        }
        let before_mark = rustix::io::ioctl_fionread(&self.fd);
        if is_inline {
            sockopt::set_socket_oobinline(&self.fd, true)?;
        }
        Ok(before_mark? == 0)
    }

    /// Has urgent octets come in line, at their place among the others (`true`; SO_OOBINLINE), or apart from them (`false`,
    /// the default).
    ///
    /// In line none is lost, and the first octet read at the mark is the urgent one.
    ///
    /// # Errors
    ///
    /// None for a socket; the system call has a result all the same.
    pub fn set_urgent_inline(&self, inline: bool) -> io::Result<()> {
        Ok(sockopt::set_socket_oobinline(&self.fd, inline)?)
    }
}
