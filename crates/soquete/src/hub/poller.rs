//! The epoll set and the periodic timer, as the hub uses them.

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Events taken by one wait.
const EVENTS_MAX: usize = 256;

/// What the kernel is asked to tell about a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// Nothing but its end.
    None,
    /// Something to read.
    Read,
    /// Room to write. Only while a peer does not take what is sent: it costs a Unix peer a wake-up a message.
    Write,
    /// Either.
    ReadWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Interest::None => EventFlags::empty(),
            Interest::Read => EventFlags::IN,
            Interest::Write => EventFlags::OUT,
            Interest::ReadWrite => EventFlags::IN | EventFlags::OUT,
        }
    }
}

/// What a wait brought: keys and flags.
pub(super) type Events = Vec<(usize, EventFlags)>;

/// A level-triggered epoll set, and a timer in it.
pub(super) struct Poller {
    epoll: OwnedFd,
    ticker: OwnedFd,
    events: Events,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            // Monotonic: a machine that slept has nothing to make up for.
            ticker: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            events: Vec::with_capacity(EVENTS_MAX),
        })
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key as u64), interest.flags())?)
    }

    pub(super) fn add_ticker(&self, key: usize) -> io::Result<()> {
        self.add(self.ticker.as_fd(), key, Interest::Read)
    }

    pub(super) fn change(&self, fd: BorrowedFd<'_>, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(key as u64), interest.flags())?)
    }

    pub(super) fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails for what is not in the set, which is then as it should be.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits for events; give them back with [`give_back`](Poller::give_back), so that their buffer is used again.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Events> {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_MAX];
        // The kernel counts milliseconds in 31 bits, 24 days.
        let timeout = timeout.map(|timeout| timeout.min(Duration::from_millis(i32::MAX as u64)));
        let timespec = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let told = match epoll::wait(&self.epoll, &mut buffer, timespec.as_ref()) {
            Ok((told, _)) => told,
            Err(rustix::io::Errno::INTR) => &mut [],
            Err(errno) => return Err(errno.into()),
        };
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        // Keys are places in a slab, which fit.
        events.extend(told.iter().map(|event| (usize::try_from(event.data.u64()).unwrap_or(usize::MAX), event.flags)));
        Ok(events)
    }

    pub(super) fn give_back(&mut self, events: Events) {
        self.events = events;
    }

    /// Starts the timer, or stops it.
    pub(super) fn set_ticker(&self, period: Option<Duration>) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let period = period.and_then(|period| Timespec::try_from(period).ok()).unwrap_or(zero);
        let timer = Itimerspec { it_interval: period, it_value: period };
        // It fails only for a descriptor that is no timer.
        let _ = timerfd_settime(&self.ticker, TimerfdTimerFlags::empty(), &timer);
    }

    /// Takes note that the timer ticked.
    pub(super) fn silence_ticker(&self) {
        let _ = rustix::io::read(&self.ticker, &mut [0; 8]);
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
