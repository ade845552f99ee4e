//! `mem:NAME`: threads of one process connect to each other, with the same descriptors as everywhere else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::{Cause, Stream};

/// What a client hears when the listener has not taken the connections before it.
pub(crate) const QUEUE_FULL: &str = "the listener's queue is full";

/// The listeners of this process by name. One lock for all: it is held for a few instructions and a system call.
static LISTENERS: Mutex<BTreeMap<String, Queue>> = Mutex::new(BTreeMap::new());

/// The connections a listener has not accepted yet.
struct Queue {
    /// An eventfd that counts `waiting`, so the listener is readable while there is something to accept.
    bell: Arc<OwnedFd>,
    /// At most `backlog`.
    waiting: VecDeque<Stream>,
    /// 0 once it is shut down.
    backlog: usize,
}

/// The listening end of a name; dropping it frees the name and closes what was not accepted.
#[derive(Debug)]
pub(crate) struct Inbox {
    name: String,
    bell: Arc<OwnedFd>,
}

impl Inbox {
    /// Takes a name of this process; EADDRINUSE when it is taken.
    pub(crate) fn bind(name: &str, backlog: u32) -> rustix::io::Result<Self> {
        let mut listeners = listeners();
        let Entry::Vacant(place) = listeners.entry(name.to_owned()) else {
            return Err(Errno::ADDRINUSE);
        };
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE)?);
        let backlog = usize::try_from(backlog).unwrap_or(usize::MAX).max(1);
        place.insert(Queue { bell: Arc::clone(&bell), waiting: VecDeque::new(), backlog });
        Ok(Self { name: name.to_owned(), bell })
    }

    /// Returns what is readable while there is something to accept.
    pub(crate) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the connection that waits longest; blocks, or says EAGAIN, while there is none.
    pub(crate) fn accept(&self) -> rustix::io::Result<Stream> {
        rustix::io::retry_on_intr(|| rustix::io::read(&self.bell, &mut [0u8; 8]))?;
        let mut listeners = listeners();
        let queue = listeners.get_mut(&self.name).ok_or(Errno::AGAIN)?;
        if queue.backlog == 0 {
            // The next one shall wake up as well.
            rustix::io::write(&self.bell, &1u64.to_ne_bytes())?;
            return Err(Errno::SHUTDOWN);
        }
        queue.waiting.pop_front().ok_or(Errno::AGAIN)
    }

    /// Accepts nothing more and refuses who connects; the name stays taken.
    pub(crate) fn shutdown(&self) -> rustix::io::Result<()> {
        if let Some(queue) = listeners().get_mut(&self.name) {
            queue.backlog = 0;
            queue.waiting.clear();
        }
        rustix::io::write(&self.bell, &1u64.to_ne_bytes())?;
        Ok(())
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        listeners().remove(&self.name);
    }
}

/// Connects to a name of this process without ever blocking; `flags` are those of both ends.
pub(crate) fn connect(name: &str, flags: SocketFlags) -> Result<Stream, Cause> {
    let mut listeners = listeners();
    let queue = listeners.get_mut(name).filter(|queue| queue.backlog > 0).ok_or(Errno::CONNREFUSED)?;
    if queue.waiting.len() >= queue.backlog {
        return Err(Cause::Busy(QUEUE_FULL));
    }
    let flags = flags | SocketFlags::CLOEXEC;
    let (near, far) = net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::io::write(&queue.bell, &1u64.to_ne_bytes())?;
    queue.waiting.push_back(Stream::octets(far));
    Ok(Stream::octets(near))
}

fn listeners() -> MutexGuard<'static, BTreeMap<String, Queue>> {
    // No code of ours panics while it holds the lock, and the map is whole between any two lines.
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_accepting_makes_room() {
        let inbox = Inbox::bind("mem-full", 1).unwrap();
        let _first = connect("mem-full", SocketFlags::empty()).unwrap();
        let full = connect("mem-full", SocketFlags::empty()).unwrap_err();
        assert_eq!(full.to_string(), "the listener's queue is full");
        inbox.accept().unwrap();
        assert!(connect("mem-full", SocketFlags::empty()).is_ok());
    }

    #[test]
    fn who_was_not_accepted_sees_the_end_when_the_listener_goes() {
        let inbox = Inbox::bind("mem-gone", 1).unwrap();
        let mut client = connect("mem-gone", SocketFlags::empty()).unwrap();
        drop(inbox);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert!(connect("mem-gone", SocketFlags::empty()).is_err());
        assert!(Inbox::bind("mem-gone", 1).is_ok());
    }
}
