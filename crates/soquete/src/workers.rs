//! A process for each connection: workers executed anew, each with the accepted socket.

mod child;
mod worker;

use crate::hub::Mailbox;
use crate::{Cause, Clock, Endpoint, Error, ListenOptions, Listener, Operation, Peer, Stopper, Stream, ready};
use child::Child;
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub use worker::Worker;

/// How long to wait where descriptors, memory or processes ran out, before the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// How workers are kept.
#[derive(Clone, Copy, Debug)]
pub struct WorkersOptions {
    /// Workers at a time, at least 1. Default 64: with some MiB each they fit into the memory of a small board, and into
    /// the 1,024 descriptors of a process whose limit nobody raised. At the bound newcomers wait in the backlog.
    pub workers_max: usize,
    /// How long workers may take to end after a stop, before they are killed. Default 5 s: the 2 s for which a worker
    /// lets its connection end, and some more for a busy machine.
    pub stop_timeout: Duration,
    /// How the listener listens.
    pub listen: ListenOptions,
}

impl Default for WorkersOptions {
    fn default() -> Self {
        WorkersOptions { workers_max: 64, stop_timeout: Duration::from_secs(5), listen: ListenOptions::default() }
    }
}

/// What became of a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// It was begun, for this peer.
    Started {
        /// Its process.
        pid: u32,
        /// Whose connection it serves.
        peer: Peer,
    },
    /// It ended; [`is_crash`](WorkerEvent::is_crash) says whether as it should.
    Ended {
        /// The process that it was.
        pid: u32,
        /// Whose connection it served.
        peer: Peer,
        /// How it ended, which prints in words. An error where nobody knows: somebody else waited for it, or the kernel
        /// was told to forget children (SIGCHLD ignored).
        status: io::Result<ExitStatus>,
    },
    /// None could be begun for this peer, whose connection is closed: the program is not there, or no process is left.
    Failed {
        /// Who was not served.
        peer: Peer,
        /// Why.
        error: io::Error,
    },
}

impl WorkerEvent {
    /// Says whether a worker ended as none should: with an exit code that is not 0, by a signal, or nobody knows how.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        matches!(self, WorkerEvent::Ended { status, .. } if !status.as_ref().is_ok_and(ExitStatus::success))
    }
}

/// A server with a process for each connection.
///
/// It accepts, and begins a program for each connection, executed anew, with the connection as its standard input. That
/// program is mostly this one with another argument, which then makes a [`Worker`] of what it inherited; but any program
/// that talks over its standard input will do, as under inetd. What a worker does to itself (a crash, a leak, a loop
/// without end) it does to one connection; the others, and this server, do not notice but for the
/// [event](WorkerEvent). The price is a millisecond and some MiB for each connection, and that workers share no memory.
/// A client that says nothing holds a place for as long as [its worker](Worker::limits) lets it.
///
/// ```no_run
/// use soquete::{Bounds, Exchange, Framing, ServerOptions, Worker, Workers, WorkersOptions};
///
/// if std::env::args().any(|word| word == "worker") {
///     let bounds = Bounds { receive_max_bytes: 1024, send_max_bytes: 1024 };
///     Worker::inherited()?.serve(Framing::Line(bounds), ServerOptions::new(""), |exchange: Exchange<'_>| {
///         let line = exchange.payload;
///         exchange.reply(line).unwrap();
///     })?;
///     return Ok(());
/// }
/// let mut command = std::process::Command::new(std::env::current_exe()?);
/// command.arg("worker");
/// let workers = Workers::bind(&"tcp://127.0.0.1:5555".parse()?, command, &WorkersOptions::default())?;
/// workers.run(|event| eprintln!("{event:?}"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Workers {
    listener: Listener,
    command: Command,
    options: WorkersOptions,
    mailbox: Arc<Mailbox>,
    /// Each is ended and waited for when it is dropped, so that none is left, however this ends.
    children: Vec<Child>,
}

impl Workers {
    /// Listens at `endpoint`; `command` is the worker. Its standard input is replaced, all else is as it says.
    ///
    /// # Errors
    /// As [`Listener::bind`]; [`Cause::Misuse`] for `mem:`, which no other process can reach, and for no workers at all.
    pub fn bind(endpoint: &Endpoint, command: Command, options: &WorkersOptions) -> Result<Self, Error> {
        let misuse = match endpoint {
            Endpoint::Mem(_) => Some("another process cannot reach mem:"),
            _ if options.workers_max == 0 => Some("there must be room for one worker"),
            _ => None,
        };
        if let Some(misuse) = misuse {
            return Err(Error::new(Operation::Bind, endpoint, Cause::Misuse(misuse)));
        }
        let mailbox = Mailbox::new().map_err(Operation::Bind.failed(endpoint))?;
        let listener = Listener::bind(endpoint, &ListenOptions { nonblocking: true, ..options.listen })?;
        Ok(Workers { listener, command, options: *options, mailbox, children: Vec::new() })
    }

    /// Returns where it really listens: port 0 has become a port.
    pub fn endpoint(&self) -> &Endpoint {
        self.listener.local()
    }

    /// Returns a handle by which any thread can stop it.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(self.mailbox.clone())
    }

    /// Begins a worker for each connection until it is stopped, and tells `on_event` what becomes of each.
    ///
    /// After a stop it listens no more, sends every worker SIGTERM, and kills those that are still there after
    /// [`WorkersOptions::stop_timeout`]. When it comes back no worker is left, not even as a zombie. Blocks until then.
    ///
    /// # Errors
    /// What the wait for descriptors can say; a worker that fails is no error of the server.
    pub fn run(mut self, mut on_event: impl FnMut(WorkerEvent)) -> Result<(), Error> {
        while !self.mailbox.is_stopped() {
            let has_room = self.children.len() < self.options.workers_max;
            let is_short = match has_room.then(|| self.listener.accept()) {
                Some(Ok((stream, peer))) => !self.start(stream, peer, &mut on_event),
                Some(Err(error)) => crate::system::is_full(&error),
                None => false,
            };
            if self.wait(has_room && !is_short, is_short.then_some(PAUSE))? {
                reap(&mut self.children, &mut on_event);
            }
        }
        self.stop(&mut on_event)
    }

    /// Begins a worker; says whether it could.
    fn start(&mut self, stream: Stream, peer: Peer, on_event: &mut impl FnMut(WorkerEvent)) -> bool {
        // The worker's end does as it likes; most programs expect an input that blocks.
        let started = stream.set_nonblocking(false).and_then(|()| {
            self.command.stdin(Stdio::from(rustix::fd::OwnedFd::from(stream)));
            Child::start(&mut self.command, peer)
        });
        // The command holds the connection until it is given another.
        self.command.stdin(Stdio::null());
        match started {
            Ok(child) => {
                on_event(WorkerEvent::Started { pid: child.pid(), peer });
                self.children.push(child);
                true
            }
            Err(error) => {
                on_event(WorkerEvent::Failed { peer, error });
                false
            }
        }
    }

    /// Waits for a newcomer where there is room, for the end of a worker, and for the stop; says whether a worker ended.
    fn wait(&self, has_room: bool, timeout: Option<Duration>) -> Result<bool, Error> {
        let mut fds: Vec<_> = self.children.iter().map(|child| PollFd::new(child.end(), PollFlags::IN)).collect();
        fds.push(PollFd::new(&self.mailbox, PollFlags::IN));
        if has_room {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        ready::wait(&mut fds, timeout).map_err(failed)?;
        let is_ready = |fd: &PollFd<'_>| fd.revents().contains(PollFlags::IN);
        let (children, rest) = fds.split_at(self.children.len());
        if is_ready(&rest[0]) {
            self.mailbox.silence();
        }
        Ok(children.iter().any(is_ready))
    }

    /// Ends all workers: as they like for a while, then as nobody likes.
    fn stop(self, on_event: &mut impl FnMut(WorkerEvent)) -> Result<(), Error> {
        let Workers { listener, options, mut children, .. } = self;
        // Who is in the backlog hears at once that nobody will come.
        drop(listener);
        children.iter().for_each(Child::terminate);
        let deadline = Clock::now() + options.stop_timeout;
        let mut timeout = Some(options.stop_timeout);
        while !children.is_empty() {
            let mut fds: Vec<_> = children.iter().map(|child| PollFd::new(child.end(), PollFlags::IN)).collect();
            ready::wait(&mut fds, timeout).map_err(failed)?;
            reap(&mut children, on_event);
            timeout = timeout.map(|_| deadline.saturating_sub(Clock::now())).filter(|left| !left.is_zero());
            if timeout.is_none() {
                children.iter().for_each(Child::kill);
            }
        }
        Ok(())
    }
}

/// Takes note of the workers that have ended.
fn reap(children: &mut Vec<Child>, on_event: &mut impl FnMut(WorkerEvent)) {
    let mut place = 0;
    while let Some(child) = children.get_mut(place) {
        match child.ending() {
            Some(status) => {
                let child = children.swap_remove(place);
                on_event(WorkerEvent::Ended { pid: child.pid(), peer: child.peer, status });
            }
            None => place += 1,
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::without_address(Operation::Poll, error)
}
