//! Connections without the loop: one at a time, in a thread that waits for this one alone.

use super::connection::{Connection, Lent, Turn, Wire};
use super::mailbox::Letter;
use super::{ConnectionId, Ending, Handler, Limits, Shared, TICK};
use crate::server::GOODBYE_TIMEOUT;
use crate::{Clock, Error, Listener, Operation, Peer, Stream, ready, system};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::BorrowedFd;
use std::io;
use std::time::Duration;

/// What serves one connection after the other.
pub(crate) struct Alone {
    shared: Shared,
    limits: Limits,
    /// Connections ever served; each has its number as id, so that an answer which comes late finds its own or none.
    served: u64,
}

/// What matters beside the connection that is served.
pub(crate) enum Beside<'a> {
    /// Others wait here for their turn.
    Queue(&'a Listener),
    /// Readable once this is to end.
    #[cfg(unix)]
    Signal(BorrowedFd<'a>),
}

/// The connection that is served.
struct Talk {
    connection: Connection,
    turn: Turn,
    /// By when it is to be over, and how it then ended.
    leaving: Option<(Duration, Ending)>,
    tick_at: Duration,
    /// When it last sent or took something, or was answered.
    active_at: Duration,
}

impl Alone {
    /// Takes over what serves one service.
    pub(super) fn over(shared: Shared, limits: Limits) -> Self {
        Alone { shared, limits, served: 0 }
    }

    /// Makes what serves one service.
    #[cfg(unix)]
    pub(crate) fn new(
        framing: super::Framing,
        options: soquete_proto::server::Options,
        limits: Limits,
    ) -> io::Result<Self> {
        let mut shared = Shared::new()?;
        shared.services.push(super::service::Service::new(framing, options));
        Ok(Self::over(shared, limits))
    }

    /// Serves who comes, one after the other, until it is stopped. The listener does not block.
    pub(crate) fn run<H: Handler>(&mut self, listener: Listener, handler: &mut H) -> Result<(), Error> {
        while !self.shared.mailbox.is_stopped() {
            self.deliver_to_nobody();
            self.sweep();
            match listener.accept() {
                Ok((stream, peer)) => drop(self.serve(stream, peer, &Beside::Queue(&listener), handler)?),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for(Some(&listener), TICK)?,
                // Descriptors or memory ran out for a while; looking at the listener would turn in circles.
                Err(error) if system::is_full(&error) => self.wait_for(None, super::PAUSE)?,
                // It belongs to a connection that is gone again.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Serves one connection to its end. A stop says goodbye to it and lets it end, for 2 s at most.
    pub(crate) fn serve<H: Handler>(
        &mut self,
        stream: Stream,
        peer: Peer,
        beside: &Beside<'_>,
        handler: &mut H,
    ) -> Result<Ending, Error> {
        let failed = |error: io::Error| Error::new(Operation::Poll, peer, error);
        stream.set_nonblocking(true).map_err(failed)?;
        let admitted = handler.admit(0, &peer);
        self.served += 1;
        let now = Clock::now();
        let mut lent = self.shared.lend(now);
        let mut connection = Connection::new(ConnectionId(self.served), Wire::Stream(stream), peer, 0, admitted, &lent);
        let turn = connection.read_turn(&mut lent, handler);
        let active_at = Clock::now();
        let mut talk = Talk { connection, turn, leaving: None, tick_at: now + self.limits.period(), active_at };
        let ending = loop {
            if let Turn::Closed(ending) = talk.turn {
                break talk.leaving.map_or(ending, |(_, ending)| ending);
            }
            self.go_on(&mut talk, beside, handler).map_err(failed)?;
            // Afterwards: what has arrived is used before anybody is called silent.
            if !matches!(talk.turn, Turn::Closed(_)) {
                self.look_after(&mut talk, beside);
            }
        };
        let mut lent = self.shared.lend(Clock::now());
        talk.connection.leave(&mut lent);
        self.shared.out.clear();
        handler.close(talk.connection.id, &peer, &ending);
        Ok(ending)
    }

    /// Does what time and the stop ask for.
    fn look_after(&mut self, talk: &mut Talk, beside: &Beside<'_>) {
        let now = Clock::now();
        if talk.connection.held_bytes() > self.limits.waiting_max_bytes {
            let why = format!("{} octets wait for it, too many", talk.connection.held_bytes());
            talk.turn = Turn::Closed(Ending::Refused(why));
        } else if let Some((deadline, ending)) = &talk.leaving {
            if now >= *deadline {
                talk.turn = Turn::Closed(ending.clone());
            }
        } else if self.shared.mailbox.is_stopped() {
            self.leave(talk, "the server was stopped", Ending::Closed);
        } else if now >= talk.tick_at {
            talk.tick_at = now + self.limits.period();
            self.sweep();
            let Limits { silence, idle, patience, .. } = self.limits;
            let turn = talk.connection.tick(silence, idle, &mut self.shared.lend(now));
            if turn != Turn::Idle {
                talk.turn = turn;
            } else if talk.is_silent(now, patience) && beside.somebody_waits() {
                let why = format!("silent for {patience:?} while another waited");
                self.leave(talk, &why, Ending::Refused(why.clone()));
                if talk.turn == Turn::Blocked {
                    // Who takes nothing takes no goodbye.
                    talk.turn = Turn::Closed(Ending::Refused(why));
                }
            }
        }
    }

    /// Waits, then does what became possible.
    fn go_on<H: Handler>(&mut self, talk: &mut Talk, beside: &Beside<'_>, handler: &mut H) -> io::Result<()> {
        let until = talk.leaving.as_ref().map_or(talk.tick_at, |(deadline, _)| *deadline);
        let flags = match talk.turn {
            Turn::Idle => PollFlags::IN,
            Turn::Blocked => PollFlags::OUT,
            Turn::Waiting | Turn::Closed(_) => PollFlags::empty(),
        };
        let Some(stream) = talk.connection.wire.stream() else { return Ok(()) };
        let mailbox = &self.shared.mailbox;
        // Who is leaving was told to stop already.
        let signal = beside.signal().filter(|_| talk.leaving.is_none());
        let nothing = PollFd::new(mailbox, PollFlags::empty());
        let mut fds = [
            PollFd::new(stream, flags),
            PollFd::new(mailbox, PollFlags::IN),
            signal.map_or(nothing, |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        ];
        let timeout = if mailbox.fall_asleep() { until.saturating_sub(Clock::now()) } else { Duration::ZERO };
        let waited = ready::wait(&mut fds, Some(timeout));
        mailbox.wake();
        waited?;
        let [stream, bell, signal] = fds.map(|fd| fd.revents());
        if signal.contains(PollFlags::IN) {
            mailbox.stop();
        }
        if bell.contains(PollFlags::IN) {
            mailbox.silence();
        }
        for letter in self.shared.mailbox.take() {
            self.deliver(&letter, Some(&mut *talk), handler);
        }
        if stream.is_empty() {
            return Ok(());
        }
        let mut lent = self.shared.lend(Clock::now());
        match talk.turn {
            Turn::Idle => talk.turn = talk.connection.read_turn(&mut lent, handler),
            Turn::Blocked => talk.turn = talk.connection.resume_turn(&mut lent, handler),
            // It waits for an answer and is not read, but the peer is gone altogether.
            Turn::Waiting if stream.intersects(PollFlags::HUP | PollFlags::ERR) => {
                talk.turn = Turn::Closed(Ending::Left);
            }
            Turn::Waiting | Turn::Closed(_) => {}
        }
        // Only now: the handler may have taken its time.
        talk.active_at = Clock::now();
        Ok(())
    }

    /// Tells a connection that it is to end, and lets it.
    fn leave(&mut self, talk: &mut Talk, text: &str, ending: Ending) {
        let now = Clock::now();
        talk.leaving = Some((now + GOODBYE_TIMEOUT, ending));
        talk.turn = talk.connection.goodbye(text, &mut self.shared.lend(now));
    }

    /// Brings an answer that was given later to its connection; where that is gone, to the memory of its session.
    fn deliver<H: Handler>(&mut self, letter: &Letter, talk: Option<&mut Talk>, handler: &mut H) {
        let from = letter.connection;
        let to = match letter.ticket {
            Some(ticket) => self.shared.services[letter.service].core.route(ticket).map(ConnectionId),
            None => Some(from),
        };
        let mut lent = self.shared.lend(Clock::now());
        let here = talk.as_ref().map(|talk| talk.connection.id);
        if let (Some(ticket), false) = (letter.ticket, to.is_some() && to == here) {
            let Lent { services, out, .. } = &mut lent;
            // The client is away: what must not be done twice is remembered until it is back.
            let _ = services[letter.service].core.answer(ticket, letter.answer(), None, out);
        }
        let Some(talk) = talk else { return };
        if from == talk.connection.id {
            talk.connection.settle();
        }
        if matches!(talk.turn, Turn::Closed(_)) {
            return;
        }
        talk.active_at = Clock::now();
        if to == here {
            talk.turn = talk.connection.answer(letter, &mut lent, handler);
        } else if Some(from) == here {
            // Its session went elsewhere; it may have waited for nothing but this to end.
            talk.turn = talk.connection.resume_turn(&mut lent, handler);
        }
    }

    fn deliver_to_nobody(&mut self) {
        for letter in self.shared.mailbox.take() {
            self.deliver(&letter, None, &mut |_: super::Exchange<'_>| {});
        }
    }

    /// Waits for a newcomer, a late answer or the stop.
    fn wait_for(&self, listener: Option<&Listener>, timeout: Duration) -> Result<(), Error> {
        let mailbox = &self.shared.mailbox;
        let mut fds = vec![PollFd::new(mailbox, PollFlags::IN)];
        fds.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
        // Sessions without a connection have their time; where there are none, nothing has.
        let has_time = listener.is_none() || self.shared.services.iter().any(|service| service.core.sessions() > 0);
        let timeout = match mailbox.fall_asleep() {
            true if has_time => Some(timeout),
            true => None,
            false => Some(Duration::ZERO),
        };
        let waited = ready::wait(&mut fds, timeout);
        mailbox.wake();
        if fds[0].revents().contains(PollFlags::IN) {
            mailbox.silence();
        }
        waited.map_err(|error| Error::without_address(Operation::Poll, error))
    }

    fn sweep(&mut self) {
        let now = Clock::now();
        self.shared.services.iter_mut().for_each(|service| service.core.sweep(now));
    }
}

impl Talk {
    fn is_silent(&self, now: Duration, patience: Duration) -> bool {
        !self.connection.is_owed() && now.saturating_sub(self.active_at) >= patience
    }
}

#[cfg(unix)]
impl super::Hub {
    /// Gives up the loop, and its one listener to what serves without it; nothing where there is no listener.
    pub(crate) fn into_alone(mut self) -> Option<(Alone, Listener)> {
        let listener = self.slots.drain().find_map(|slot| match slot {
            super::Slot::Listener { listener, .. } => Some(listener),
            _ => None,
        })?;
        Some((Alone::over(self.shared, self.limits), *listener))
    }
}

impl Beside<'_> {
    fn signal(&self) -> Option<BorrowedFd<'_>> {
        match self {
            #[cfg(unix)]
            Beside::Signal(fd) => Some(*fd),
            Beside::Queue(_) => None,
        }
    }

    fn somebody_waits(&self) -> bool {
        match self {
            Beside::Queue(listener) => {
                let mut fds = [PollFd::new(*listener, PollFlags::IN)];
                ready::wait(&mut fds, Some(Duration::ZERO)).is_ok() && fds[0].revents().contains(PollFlags::IN)
            }
            #[cfg(unix)]
            Beside::Signal(_) => false,
        }
    }
}
