//! Everybody in a conversation in one loop: standard input and output, signals, newcomers and peers.

mod ends;
mod hear;

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio;
use soquete::{Address, Clock, Error, Listener, Operation};

use super::input::Input;
use super::output::{Output, Speakers, note};
use super::peer::{Partner, Peer};
use super::socket::Socket;
use super::{Manners, failure};
use crate::output::{Exit, Failure};
use crate::up::signals::Signals;

/// Octets received at once: 256 KiB. The kernel makes no packet or datagram longer by default.
const RECEIVE_MAX_BYTES: usize = 256 << 10;

/// Peers at once under `--keep`: 256, more than anybody follows. The others wait to be accepted.
const PEERS_MAX: usize = 256;

/// A conversation.
pub(super) struct Room {
    pub(super) manners: Manners,
    pub(super) signals: Signals,
    /// Where newcomers arrive.
    pub(super) door: Option<Listener>,
    pub(super) peers: Vec<Peer>,
    /// What is sent to the one peer there is.
    pub(super) input: Option<Input>,
    pub(super) output: Output,
    buf: Vec<u8>,
    /// When somebody came or went last.
    moved_at: Duration,
    has_heard: bool,
    /// Whether nobody can be taken in before somebody has left.
    is_full: bool,
    /// Whether a signal asks for the end.
    is_called_off: bool,
}

/// Who is ready.
#[derive(Clone, Copy, Debug)]
enum Who {
    Signals,
    Input,
    Output,
    Door,
    Peer(usize),
}

impl Room {
    /// Makes an empty room.
    pub(super) fn new(manners: Manners, signals: Signals, speakers: Speakers) -> Self {
        let output = Output::new(manners.form, speakers);
        let buf = vec![0; RECEIVE_MAX_BYTES];
        Self {
            manners,
            signals,
            door: None,
            peers: Vec::new(),
            input: None,
            output,
            buf,
            moved_at: Clock::now(),
            has_heard: false,
            is_full: false,
            is_called_off: false,
        }
    }

    /// Talks until the conversation is over; what was received by then is shown, however it ends.
    ///
    /// # Errors
    /// Whatever ended it before its time.
    pub(super) fn talk(mut self) -> Result<(), Failure> {
        let ended = loop {
            match self.turn() {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        (self.door, self.input) = (None, None);
        self.peers.clear();
        self.flush()?;
        ended
    }

    /// Writes what was received; after a signal only what is taken at once.
    fn flush(&mut self) -> Result<(), Failure> {
        while self.output.is_pending() {
            let timeout = self.is_called_off.then_some(Duration::ZERO);
            let ready = self.wait(timeout)?;
            if ready.is_empty() && self.is_called_off {
                break;
            }
            for (who, flags) in ready {
                match who {
                    Who::Signals => self.is_called_off |= self.signals.count() > 0,
                    _ => self.write_output(flags)?,
                }
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<ControlFlow<()>, Failure> {
        for (who, flags) in self.wait(self.time_left())? {
            match who {
                Who::Signals => self.is_called_off |= self.signals.count() > 0,
                Who::Output => self.write_output(flags)?,
                Who::Input => self.read_input()?,
                Who::Door => self.accept()?,
                Who::Peer(place) => self.serve(place, flags),
            }
        }
        // From the first octet on this is the client; until then it may be one who only looks whether anybody listens.
        if !self.manners.keeps && self.peers.iter().any(Peer::has_talked) {
            self.door = None;
        }
        if self.is_called_off { Ok(ControlFlow::Break(())) } else { self.settle() }
    }

    /// Waits until somebody is ready, or for so long.
    fn wait(&self, timeout: Option<Duration>) -> Result<Vec<(Who, PollFlags)>, Failure> {
        let mut all = vec![(Who::Signals, PollFd::new(&self.signals, PollFlags::IN))];
        let (stdin, stdout) = (stdio::stdin(), stdio::stdout());
        if self.wants_input() {
            all.push((Who::Input, PollFd::from_borrowed_fd(stdin, PollFlags::IN)));
        }
        if !self.output.is_gone() {
            // That its reader has gone is told without being asked for.
            let interest = if self.output.is_pending() { PollFlags::OUT } else { PollFlags::empty() };
            all.push((Who::Output, PollFd::from_borrowed_fd(stdout, interest)));
        }
        let peers_max = if self.manners.keeps { PEERS_MAX } else { 1 };
        if let Some(door) = self.door.as_ref().filter(|_| self.peers.len() < peers_max && !self.is_full) {
            all.push((Who::Door, PollFd::new(door, PollFlags::IN)));
        }
        for (place, peer) in self.peers.iter().enumerate() {
            let interest = peer.interest(self.output.has_room());
            // One that nothing is wanted of would tell again and again that it has hung up.
            if !interest.is_empty() {
                all.push((Who::Peer(place), PollFd::new(&peer.socket, interest)));
            }
        }
        let (whos, mut fds): (Vec<Who>, Vec<PollFd<'_>>) = all.into_iter().unzip();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::new(Exit::NotDone, Error::without_address(Operation::Poll, errno))),
        }
        let flags = fds.iter().map(PollFd::revents);
        Ok(whos.into_iter().zip(flags).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn wants_input(&self) -> bool {
        let is_open = self.input.as_ref().is_some_and(|input| !input.is_ended());
        is_open && self.peers.first().is_some_and(Peer::has_room)
    }

    fn write_output(&mut self, flags: PollFlags) -> Result<(), Failure> {
        if flags.intersects(PollFlags::ERR | PollFlags::HUP) {
            self.output.leave();
            return Ok(());
        }
        self.output.write()
    }

    fn read_input(&mut self) -> Result<(), Failure> {
        let (Some(input), Some(peer)) = (&mut self.input, self.peers.first_mut()) else { return Ok(()) };
        let to = if let Partner::Come(address) = &peer.partner { Some(address.clone()) } else { None };
        for message in input.read()? {
            if !to.as_ref().is_some_and(Address::is_nowhere) {
                peer.put(message.into(), 1, to.clone());
            }
        }
        // Whoever listens with nothing to say, in the background say, must not turn the client away by an early end.
        if input.is_ended() && !(self.manners.may_be_silent && input.is_empty()) {
            peer.finish();
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Failure> {
        let Some(door) = &self.door else { return Ok(()) };
        let (stream, who) = match door.accept() {
            Ok(accepted) => accepted,
            Err(error) if is_for_later(&error) || error.kind() == ErrorKind::ConnectionAborted => return Ok(()),
            Err(error) => {
                let error = Error::new(Operation::Accept, door.local(), error);
                if self.peers.is_empty() {
                    return Err(failure(Exit::NotDone, &error));
                }
                // No descriptor is left, say: those who are here go on.
                self.is_full = true;
                note(error);
                return Ok(());
            }
        };
        note(format_args!("{who} is here"));
        let mut peer = Peer::new(Socket::Stream(stream), who.to_string(), Partner::Fixed);
        peer.is_to_peek = self.manners.peeks;
        self.peers.push(peer);
        self.moved_at = Clock::now();
        if self.peers.len() == PEERS_MAX {
            note(format_args!("{PEERS_MAX} are here, and no more are taken in before one has left"));
        }
        Ok(())
    }

    /// Does what a peer is ready for.
    fn serve(&mut self, place: usize, flags: PollFlags) {
        let is_over = flags.intersects(PollFlags::HUP | PollFlags::ERR);
        if flags.contains(PollFlags::PRI) {
            self.hear_urgent(place);
        }
        let may_receive = self.peers[place].interest(self.output.has_room()).contains(PollFlags::IN);
        if may_receive
            && (is_over || flags.contains(PollFlags::IN))
            && let Err(error) = self.receive(place)
        {
            self.lose(place, Operation::Receive, error);
        }
        let peer = &mut self.peers[place];
        if peer.is_waiting()
            && (is_over || flags.contains(PollFlags::OUT))
            && let Err(error) = peer.send()
        {
            self.lose(place, Operation::Send, error);
        }
    }

    /// Notes that a peer was lost. One datagram that did not arrive, or one sender that is gone, is nothing to the others.
    fn lose(&mut self, place: usize, operation: Operation, error: io::Error) {
        let peer = &mut self.peers[place];
        if matches!(peer.socket, Socket::Datagram(_)) && (peer.partner != Partner::Fixed || self.manners.has_many) {
            let to = peer.dropped_to.take().map(|to| to.to_string());
            let lost = Error::new(operation, to.as_ref().unwrap_or(&peer.name), error);
            peer.note(lost);
        } else {
            peer.lose(operation, error);
        }
    }
}

/// Says whether there is nothing at this moment.
fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
