//! The client's end of a session, which may outlive its connections.
//!
//! A [`Client`] is told when it has a connection ([`connected`](Client::connected)) and when it has lost it
//! ([`disconnected`](Client::disconnected)); what it has to say goes to `out`, what arrives is given to
//! [`next`](Client::next), and how requests end without an answer is told by [`verdict`](Client::verdict).
//!
//! Every request ends exactly once: with a reply, an error or a verdict. Over one connection they go in the order in
//! which they were made, so that one that waits for the server's clock holds up those after it.

mod clock;
mod event;
mod options;
mod receive;
mod send;
mod timeout;
mod window;

pub use event::{Event, Request, Timing, Unanswered, Verdict};
pub use options::Options;

use crate::handshake::{Features, Hello, SessionKey, VERSION};
use crate::opening::OPENING;
use std::collections::VecDeque;
use std::time::Duration;
use window::{Slot, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unconnected,
    /// HELLO went out, WELCOME has not come.
    Greeting,
    Open,
    /// The server has said goodbye: it takes up nothing more, and may still answer.
    Leaving,
    /// We have said goodbye, were refused, or the server did something wrong: what still arrives is thrown away.
    Closed,
}

/// How many requests may be unanswered before the server has said how many it takes: what servers take by default.
const IN_FLIGHT_BEFORE_WELCOME: usize = 1024;

/// The client's side of one session.
#[derive(Debug)]
pub struct Client {
    options: Options,
    state: State,
    window: Window,
    session: SessionKey,
    /// Counts connections, from 1.
    connection: u32,
    heard_at: Duration,
    /// The latest PING, counted from 1; `answered` is the latest that came back.
    ping: u32,
    answered: u32,
    /// Whether a request waits for the WELCOME, or for the PONG of a PING that is on its way: those after it wait, too.
    waiting: bool,
    payload_max_bytes: u32,
    in_flight_max: usize,
    /// What both ends of the present connection can do; none before its WELCOME.
    agreed: Features,
    subscriptions: bool,
    verdicts: VecDeque<(u32, Verdict)>,
    /// The course of the request whose reply came last of those that have one. Beside the event, which is copied often.
    timing: Option<(u32, Timing)>,
}

impl Client {
    /// Makes a client without a connection.
    pub fn new(options: Options) -> Self {
        Client {
            payload_max_bytes: options.request_max_bytes(u32::MAX),
            options,
            state: State::Unconnected,
            window: Window::new(),
            session: SessionKey::default(),
            connection: 0,
            heard_at: Duration::ZERO,
            ping: 0,
            answered: 0,
            waiting: false,
            in_flight_max: IN_FLIGHT_BEFORE_WELCOME,
            agreed: Features::NONE,
            subscriptions: false,
            verdicts: VecDeque::new(),
            timing: None,
        }
    }

    /// Notes a new connection and greets: the opening octets, HELLO and what may go in its flight go to `out`.
    ///
    /// An earlier connection counts as lost. `out` must be empty: what was left of an earlier connection would damage
    /// the opening octets.
    pub fn connected(&mut self, now: Duration, out: &mut Vec<u8>) {
        if self.state != State::Unconnected {
            self.disconnected();
        }
        self.state = State::Greeting;
        self.agreed = Features::NONE;
        self.connection += 1;
        self.heard_at = now;
        self.answered = self.ping;
        out.extend_from_slice(&OPENING);
        let hello = Hello {
            version_max: VERSION,
            features: self.features(),
            payload_max_bytes: self.options.taken_max_bytes(),
            resume: self.session,
            service: &self.options.service,
            name: &self.options.name,
        };
        hello.put(out);
        self.send_kept(now, None, out);
    }

    /// Notes that the connection is gone: what was sent over it and cannot be asked for again ends as unknown.
    pub fn disconnected(&mut self) {
        self.state = State::Unconnected;
        self.subscriptions = false;
        let is_resumable = self.options.resume && self.session != SessionKey::default();
        let is_lost = |slot: &Slot| match slot {
            Slot::Settled => false,
            Slot::Plain => true,
            Slot::Kept(kept) => kept.sent_on != 0 && !(kept.once && is_resumable),
        };
        let lost: Vec<u32> = self.window.iter().filter(|(_, slot)| is_lost(slot)).map(|(id, _)| id).collect();
        for id in lost {
            self.end(id, Verdict::Unknown(Unanswered::ConnectionLost));
        }
    }

    /// Says whether a request that has no answer yet may have been taken up by a server.
    pub fn was_sent(&self, id: u32) -> bool {
        self.window.was_sent(id)
    }

    /// Returns how many requests have no answer yet.
    pub fn unanswered(&self) -> usize {
        self.window.unsettled()
    }

    /// Says whether `now` means anything to [`next`](Client::next): the handshake, a request that is kept or a
    /// subscription waits. Otherwise any earlier instant will do, which saves reading a clock for each message.
    pub fn is_timed(&self) -> bool {
        self.state == State::Greeting || self.subscriptions || self.window.has_kept()
    }

    /// Says whether the handshake of the present connection is done and nothing has ended it since.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Returns the longest payload the server takes, in octets, as far as it is known.
    pub fn payload_max_bytes(&self) -> u32 {
        self.payload_max_bytes
    }

    /// Keeps the connection under watch while events may come: pings when idle.
    pub fn expect_events(&mut self) {
        self.subscriptions = true;
    }

    /// Returns the course of request `id`, whose reply [`next`](Client::next) returned last; nothing where the request did not
    /// say when it was caused.
    pub fn timing(&self, id: u32) -> Option<Timing> {
        self.timing.filter(|(of, _)| *of == id).map(|(_, timing)| timing)
    }

    /// Returns the next request that ended without an answer, and how.
    pub fn verdict(&mut self) -> Option<(u32, Verdict)> {
        self.verdicts.pop_front()
    }

    fn features(&self) -> Features {
        let Options { resume, urgent, timed, .. } = self.options;
        let wanted = [(Features::RESUME, resume), (Features::URGENT, urgent), (Features::TIMED, timed)];
        wanted.into_iter().fold(Features::NONE, |all, (feature, is_wanted)| all.and(feature.only_if(is_wanted)))
    }

    fn has_connection(&self) -> bool {
        matches!(self.state, State::Greeting | State::Open)
    }

    fn end(&mut self, id: u32, verdict: Verdict) {
        if self.window.settle(id).is_some() {
            self.verdicts.push_back((id, verdict));
        }
    }

    /// The server has said that it took up nothing after `last_id` over this connection (0: nothing at all): that can
    /// be sent elsewhere, unless it went over an earlier connection, too.
    fn not_taken_up_after(&mut self, last_id: u32) {
        let connection = self.connection;
        let is_after = |id: u32| last_id == 0 || crate::id::is_before(last_id, id);
        for (id, kept) in self.window.kept_mut() {
            if kept.sent_on == connection && !kept.sent_before && is_after(id) {
                kept.sent_on = 0;
            }
        }
        let plain = self.window.iter().filter(|(id, slot)| matches!(slot, Slot::Plain) && is_after(*id));
        let not_done: Vec<u32> = plain.map(|(id, _)| id).collect();
        for id in not_done {
            self.end(id, Verdict::NotDone(Unanswered::NotTakenUp));
        }
    }
}
