//! A worker, as it sees itself.

use crate::hub::{Alone, Beside, Ending, Framing, Handler, Limits};
use crate::{Cause, Error, Operation, Peer, Stream};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::set_parent_process_death_signal;
use soquete_proto::server::Options;
use std::fs::File;
use std::io;

/// The process that serves one connection of [`Workers`](crate::Workers): what it inherited, and how it is told to stop.
#[derive(Debug)]
pub struct Worker {
    stream: Stream,
    peer: Peer,
    limits: Limits,
    /// Readable once SIGTERM came.
    signals: SignalFd,
}

impl Worker {
    /// Takes the connection that this process has as its standard input.
    ///
    /// From then on the standard input is empty, and SIGTERM no longer ends the process but stops
    /// [`serve`](Worker::serve): the signal is blocked in the thread that calls this, which should be the first and only
    /// one, for those that it starts inherit that. The end of the parent comes as SIGTERM, too, so that a worker does not
    /// outlive its server for long.
    ///
    /// # Errors
    /// [`Cause::Misuse`] where the standard input is no connected socket: this program was not begun as a worker.
    pub fn inherited() -> Result<Self, Error> {
        let failed = |error: io::Error| Error::new(Operation::Accept, "standard input", error);
        let signals = terminations().map_err(|errno| failed(errno.into()))?;
        // Where the parent ended before, this outlives it by one connection.
        set_parent_process_death_signal(Some(rustix::process::Signal::TERM)).map_err(|errno| failed(errno.into()))?;
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let stream = Stream::from(input);
        let no_worker = |_| Error::new(Operation::Accept, "standard input", NO_CONNECTION);
        let peer = stream.peer().map_err(no_worker)?;
        // Else the connection would not end before the process does.
        let nothing = File::open("/dev/null").map_err(failed)?;
        rustix::stdio::dup2_stdin(OwnedFd::from(nothing)).map_err(|errno| failed(errno.into()))?;
        Ok(Worker { stream, peer, limits: Limits::default(), signals })
    }

    /// Returns whose connection it is.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Takes other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves the connection to its end, with the handler that would serve all; returns how it ended.
    ///
    /// Sessions do not survive it, whatever `options` say: the next connection of the same client comes to another
    /// process. Clients are told so in the handshake, and take what was not answered for *unknown*. SIGTERM says goodbye
    /// to the client and lets the connection end, for 2 s at most.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left, and what the wait for descriptors can say.
    pub fn serve<H: Handler>(self, framing: Framing, options: Options, mut handler: H) -> Result<Ending, Error> {
        let options = Options { resume: false, ..options };
        let failed = |error: io::Error| Error::new(Operation::Poll, self.peer, error);
        let mut alone = Alone::new(framing, options, self.limits).map_err(failed)?;
        alone.serve(self.stream, self.peer, &Beside::Signal(self.signals.as_fd()), &mut handler)
    }
}

const NO_CONNECTION: Cause = Cause::Misuse("it is no connection: this program is begun as a worker, by a server");

/// Has SIGTERM come as something to read.
fn terminations() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
