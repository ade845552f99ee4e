//! Peers that send each other datagrams: one socket, and what arrives sorted by sender.

use crate::hub::Mailbox;
use crate::{
    Address, Cause, Clock, DATAGRAM_MAX_BYTES, Datagram, DatagramOptions, Endpoint, Error, Operation, Peer, Stopper,
    ready,
};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Datagrams that are looked at when the time is over: 8,192, more than the kernel keeps. So what has arrived is found
/// with a timeout of 0, and who is flooded by others still sees the end of the time.
const LATE_MAX: usize = 8192;

/// How much is kept of what arrives before it is asked for. All bounds together: 64 MiB of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeersOptions {
    /// Senders of whom something may wait, beside those that are [expected](DatagramPeers::expect). Default 256, more than
    /// a network of small machines has. What comes from one more is dropped.
    pub senders_max: usize,
    /// Datagrams of one sender that may wait. Default 64: a moment's worth. One more is dropped.
    pub waiting_max: usize,
    /// Octets of one sender that may wait. Default 256 KiB: four of the longest datagrams. One that exceeds it is dropped.
    pub waiting_max_bytes: usize,
}

impl Default for PeersOptions {
    fn default() -> Self {
        PeersOptions { senders_max: 256, waiting_max: 64, waiting_max_bytes: 256 << 10 }
    }
}

/// A datagram, with who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Where an answer goes; [`Address::is_nowhere`] for a Unix sender without a name.
    pub from: Address,
    /// Who sent it, as far as the kernel knows.
    pub peer: Peer,
    /// Its octets. None is legal.
    pub octets: Vec<u8>,
    /// How many of the same sender were dropped, for want of room, since the one that was received before it.
    pub dropped: u64,
}

/// What was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Datagrams of a sender of whom too much waited.
    pub full: u64,
    /// Datagrams of a sender who was one too many.
    pub senders: u64,
    /// Datagrams longer than [`DATAGRAM_MAX_BYTES`].
    pub too_long: u64,
}

/// Peers without a server: one bound socket of datagrams that all of them send to, sorted by sender.
///
/// Whose datagram is wanted can be asked for; what others send meanwhile waits, within [bounds](PeersOptions), and is
/// received in its turn. Over UDP a sender's address is what the datagram says, nobody vouches for it.
///
/// # Examples
///
/// ```
/// use soquete::{Address, DatagramPeers};
/// use std::time::Duration;
///
/// let udp = "udp://127.0.0.1:0".parse()?;
/// let (mut a, mut b, mut c) = (DatagramPeers::bind(&udp)?, DatagramPeers::bind(&udp)?, DatagramPeers::bind(&udp)?);
/// let (at_a, at_c) = (Address::of(a.local())?, Address::of(c.local())?);
/// b.send_to(b"from b", &at_a)?;
/// c.send_to(b"from c", &at_a)?;
///
/// let soon = Some(Duration::from_secs(10));
/// assert_eq!(a.receive_from(&at_c, soon)?.unwrap().octets, b"from c");
/// let parcel = a.receive(soon)?.unwrap();
/// assert_eq!(parcel.octets, b"from b");
/// a.send_to(b"welcome", &parcel.from)?;
/// assert_eq!(b.receive(soon)?.unwrap().octets, b"welcome");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DatagramPeers {
    socket: Datagram,
    options: PeersOptions,
    /// One for each sender of whom something waits, and for each who is expected.
    queues: HashMap<Address, Queue>,
    /// Datagrams ever kept: the next one's place in the order of all.
    arrived: u64,
    dropped: Dropped,
    mailbox: Arc<Mailbox>,
    buffer: Box<[u8]>,
}

/// What waits of one sender.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(u64, Parcel)>,
    waiting_bytes: usize,
    /// Dropped and not told yet.
    dropped: u64,
    is_expected: bool,
}

impl DatagramPeers {
    /// Takes an address and receives there, with the default bounds.
    ///
    /// # Errors
    ///
    /// As [`Datagram::bind`].
    pub fn bind(endpoint: &Endpoint) -> Result<Self, Error> {
        let socket = Datagram::bind(endpoint, &DatagramOptions::default())?;
        Self::over(socket, PeersOptions::default())
    }

    /// Takes over a socket and has it block.
    ///
    /// # Errors
    ///
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn over(socket: Datagram, options: PeersOptions) -> Result<Self, Error> {
        let failed = |error| Error::new(Operation::Poll, socket.local(), Cause::Io(error));
        // Of a socket that blocks the kernel says that it is ready only when it has seen that the datagram is whole.
        socket.set_nonblocking(false).map_err(failed)?;
        let mailbox = Mailbox::new().map_err(failed)?;
        let (queues, dropped) = (HashMap::new(), Dropped::default());
        let buffer = vec![0; DATAGRAM_MAX_BYTES].into_boxed_slice();
        Ok(DatagramPeers { socket, options, queues, arrived: 0, dropped, mailbox, buffer })
    }

    /// Says where it receives: a port of 0 is answered with the real one.
    pub fn local(&self) -> &Endpoint {
        self.socket.local()
    }

    /// Returns the socket, to set a timeout for sending, say.
    pub fn socket(&self) -> &Datagram {
        &self.socket
    }

    /// Returns a handle by which any thread can end the receives, the one under way and those to come.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(self.mailbox.clone())
    }

    /// Keeps room for a sender whoever else sends: it is not counted among the senders of [`PeersOptions::senders_max`].
    pub fn expect(&mut self, peer: &Address) {
        self.queues.entry(peer.clone()).or_default().is_expected = true;
    }

    /// Returns how much was dropped, and why.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Sends one datagram to a peer; blocks while the kernel has no room.
    ///
    /// # Errors
    ///
    /// As [`Datagram::send_to`], with the peer's address.
    pub fn send_to(&self, datagram: &[u8], to: &Address) -> Result<(), Error> {
        self.socket.send_to(datagram, to).map_err(Operation::Send.failed(to))
    }

    /// Receives the oldest datagram, whoever sent it; nothing once it was stopped. Blocks for `timeout`, or for ever.
    ///
    /// # Errors
    ///
    /// [`Cause::Timeout`]; what the kernel tells about a datagram that was sent: receiving can go on.
    pub fn receive(&mut self, timeout: Option<Duration>) -> Result<Option<Parcel>, Error> {
        let oldest = self.queues.iter().filter_map(|(from, queue)| Some((queue.waiting.front()?.0, from)));
        if let Some(from) = oldest.min_by_key(|(number, _)| *number).map(|(_, from)| from.clone()) {
            return Ok(self.take(&from));
        }
        self.wait_for(None, timeout)
    }

    /// Receives the oldest datagram of one sender; what others send meanwhile waits. As [`receive`](DatagramPeers::receive).
    ///
    /// # Errors
    ///
    /// As [`receive`](DatagramPeers::receive).
    pub fn receive_from(&mut self, from: &Address, timeout: Option<Duration>) -> Result<Option<Parcel>, Error> {
        match self.take(from) {
            Some(parcel) => Ok(Some(parcel)),
            None => self.wait_for(Some(from), timeout),
        }
    }

    /// Takes what arrives until it is from `wanted`, of whom nothing waits, or from anybody.
    fn wait_for(&mut self, wanted: Option<&Address>, timeout: Option<Duration>) -> Result<Option<Parcel>, Error> {
        let deadline = timeout.map(|timeout| Clock::now().saturating_add(timeout));
        let mut late = 0;
        while !self.mailbox.is_stopped() {
            let left = deadline.map(|deadline| deadline.saturating_sub(Clock::now()));
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.mailbox, PollFlags::IN)];
            ready::wait(&mut fds, left).map_err(Operation::Receive.failed(self.local()))?;
            let [socket, bell] = fds.map(|fd| fd.revents());
            if !bell.is_empty() && !self.mailbox.is_stopped() {
                self.mailbox.silence();
            }
            late += usize::from(left.is_some_and(|left| left.is_zero()));
            if late > if socket.is_empty() { 0 } else { LATE_MAX } {
                return Err(Error::new(Operation::Receive, self.local(), Cause::Timeout));
            }
            if socket.is_empty() {
                continue;
            }
            let Some(mut parcel) = self.arrive()? else { continue };
            if wanted.is_none_or(|wanted| *wanted == parcel.from) {
                let dropped = self.queues.get_mut(&parcel.from).map(|queue| std::mem::take(&mut queue.dropped));
                parcel.dropped = dropped.unwrap_or(0);
                return Ok(Some(parcel));
            }
            self.keep(parcel);
        }
        Ok(None)
    }

    /// Receives what has arrived; nothing where it is too long.
    fn arrive(&mut self) -> Result<Option<Parcel>, Error> {
        match self.socket.receive_from(&mut self.buffer) {
            Ok(arrival) => {
                let octets = self.buffer[..arrival.len_bytes].to_vec();
                Ok(Some(Parcel { from: arrival.from, peer: arrival.peer, octets, dropped: 0 }))
            }
            Err(error) if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) => {
                self.dropped.too_long += 1;
                Ok(None)
            }
            Err(error) => Err(Error::new(Operation::Receive, self.local(), error)),
        }
    }

    /// Keeps a datagram until it is asked for, where there is room.
    fn keep(&mut self, parcel: Parcel) {
        if !self.queues.contains_key(&parcel.from) {
            let strangers = self.queues.values().filter(|queue| !queue.is_expected).count();
            if strangers >= self.options.senders_max {
                self.dropped.senders += 1;
                return;
            }
        }
        let queue = self.queues.entry(parcel.from.clone()).or_default();
        let held = queue.waiting_bytes + parcel.octets.len();
        if queue.waiting.len() >= self.options.waiting_max || held > self.options.waiting_max_bytes {
            self.dropped.full += 1;
            queue.dropped += 1;
            return self.forget_if_empty(&parcel.from);
        }
        queue.waiting_bytes = held;
        queue.waiting.push_back((self.arrived, parcel));
        self.arrived += 1;
    }

    /// Takes the oldest that waits of one sender, who is forgotten with the last unless expected.
    fn take(&mut self, from: &Address) -> Option<Parcel> {
        let queue = self.queues.get_mut(from)?;
        let (_, mut parcel) = queue.waiting.pop_front()?;
        queue.waiting_bytes -= parcel.octets.len();
        parcel.dropped = std::mem::take(&mut queue.dropped);
        self.forget_if_empty(from);
        Some(parcel)
    }

    /// Gives the place of a sender of whom nothing waits to another.
    fn forget_if_empty(&mut self, from: &Address) {
        if self.queues.get(from).is_some_and(|queue| queue.waiting.is_empty() && !queue.is_expected) {
            self.queues.remove(from);
        }
    }
}
