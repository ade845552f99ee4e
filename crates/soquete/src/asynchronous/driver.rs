//! The one task that owns connection and protocol core.

use super::ask::{Ask, Ended, Urgent, Waiting, again};
use super::dial::Dialling;
use super::subscription::Feed;
use super::wire::Wire;
use crate::{Backoff, Cause, Clock, Endpoint, Error, Operation};
use soquete_proto::client::{Client as Core, Options};
use soquete_proto::frame::Front;
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep};

/// How long a client that is closed waits for what is still out, and for the server's end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests in the flight of the first HELLO, when it is not known yet how many the server takes: one, so that a
/// command costs no round trip for the handshake.
const FIRST_FLIGHT_MAX: usize = 1;

/// The state of the connection.
pub(super) enum Link {
    /// There is none, and nothing that wants one.
    Down,
    /// One is being made, after the pause that the backoff wants.
    Dialling(Pin<Box<dyn Future<Output = Result<Wire, Error>> + Send>>),
    Up(Wire),
}

/// How far the end has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    /// Nothing new is taken; the goodbye waits for the answers still out, until the instant.
    Closing(Duration),
    /// The goodbye is in `out`; the server has until the instant to close.
    Leaving(Duration),
}

/// Connection, protocol core, and everybody who waits for something.
pub(super) struct Driver {
    dialling: Dialling,
    pub(super) core: Core,
    pub(super) link: Link,
    pub(super) backoff: Backoff,
    asks: mpsc::UnboundedReceiver<Ask>,
    /// Asked and not taken up yet, in order.
    pub(super) backlog: VecDeque<Ask>,
    /// What goes before that.
    pub(super) urgent: VecDeque<Urgent>,
    pub(super) waiting: HashMap<u32, Waiting>,
    /// Subscriptions by id, with the token that ends them.
    pub(super) feeds: HashMap<u32, (u64, Feed)>,
    pub(super) in_flight_max: usize,
    pub(super) input: Vec<u8>,
    /// What is not sent yet.
    pub(super) out: Vec<u8>,
    /// Where `out` can be overtaken.
    pub(super) front: Front,
    /// The longest payload that was ever put into `out`.
    pub(super) longest: usize,
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
    phase: Phase,
    closers: Vec<oneshot::Sender<()>>,
}

impl Driver {
    pub(super) fn new(dialling: Dialling, options: Options, wire: Wire, asks: mpsc::UnboundedReceiver<Ask>) -> Self {
        let mut driver = Driver {
            dialling,
            core: Core::new(options),
            link: Link::Down,
            backoff: Backoff::default(),
            asks,
            backlog: VecDeque::new(),
            urgent: VecDeque::new(),
            waiting: HashMap::new(),
            feeds: HashMap::new(),
            in_flight_max: FIRST_FLIGHT_MAX,
            input: Vec::new(),
            out: Vec::new(),
            front: Front::default(),
            longest: 0,
            timer: None,
            phase: Phase::Working,
            closers: Vec::new(),
        };
        driver.connected(wire);
        driver
    }

    /// Serves until the client is closed or nobody has it any more.
    pub(super) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        for closer in self.closers {
            // Who closed it may be gone by now.
            let _ = closer.send(());
        }
    }

    /// Does all that can be done: takes what is asked, uses what arrived, sends what both gave with one write.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.poll_asks(cx);
            let mut has_more = self.poll_link(cx);
            has_more |= self.poll_timer(cx);
            self.take_up();
            self.settle();
            if self.has_left(cx) {
                return Poll::Ready(());
            }
            let was_full = self.is_full();
            match self.poll_flush(cx) {
                // What was held back for want of room can go on.
                Ok(is_all_sent) => has_more |= was_full && is_all_sent,
                Err(error) => {
                    self.disconnect(&Error::new(Operation::Send, self.endpoint(), error));
                    has_more = true;
                }
            }
            // Taking up or settling may have given it a reason to connect, or moved the next deadline.
            has_more |= self.must_dial() || self.is_timer_late();
            if !has_more {
                return Poll::Pending;
            }
        }
    }

    fn poll_asks(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(ask) = self.asks.poll_recv(cx) {
            match ask {
                Some(Ask::Cancel(token)) => self.cancel(token),
                Some(Ask::Close(closer)) => {
                    self.closers.push(closer);
                    self.begin_close();
                }
                Some(Ask::Urgent(urgent)) => self.urgent.push_back(urgent),
                Some(ask) => self.backlog.push_back(ask),
                None => return self.begin_close(),
            }
        }
    }

    fn begin_close(&mut self) {
        if self.phase == Phase::Working {
            self.phase = Phase::Closing(Clock::now() + CLOSE_TIMEOUT);
        }
    }

    /// Serves the connection; says whether there may be more at once.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> bool {
        if self.must_dial() {
            let (dialling, pause) = (self.dialling.clone(), self.backoff.next(crate::entropy::random_u64()));
            self.link = Link::Dialling(Box::pin(async move {
                sleep(pause).await;
                dialling.dial().await
            }));
        }
        match &mut self.link {
            Link::Down => false,
            Link::Dialling(dialling) => match dialling.as_mut().poll(cx) {
                Poll::Pending => false,
                Poll::Ready(Ok(wire)) => {
                    self.connected(wire);
                    true
                }
                Poll::Ready(Err(error)) => {
                    self.link = Link::Down;
                    self.fail_plain(&error);
                    true
                }
            },
            Link::Up(_) => self.poll_input(cx),
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.dialling.endpoint
    }

    fn has_backlog(&self) -> bool {
        !(self.backlog.is_empty() && self.urgent.is_empty())
    }

    fn must_dial(&self) -> bool {
        let wants = self.core.unanswered() > 0 || self.has_backlog();
        matches!(self.link, Link::Down) && wants && !matches!(self.phase, Phase::Leaving(_))
    }

    fn connected(&mut self, wire: Wire) {
        self.input.clear();
        self.out.clear();
        self.front = Front::opening();
        self.core.connected(Clock::now(), &mut self.out);
        self.link = Link::Up(wire);
    }

    /// Notes that the connection is lost, for `why`; what can go on over the next one stays.
    pub(super) fn disconnect(&mut self, why: &Error) {
        self.link = Link::Down;
        self.core.disconnected();
        self.out.clear();
        self.feeds.clear();
        // Those that were sent and cannot be asked for again end so, with more to say than their verdict.
        while let Some((id, verdict)) = self.core.verdict() {
            match self.waiting.remove(&id) {
                Some(waiting) if waiting.is_call => waiting.end(Ended::Unanswered(verdict)),
                Some(waiting) => waiting.end(Ended::Error(again(why))),
                None => {}
            }
        }
    }

    /// No connection can be made: only what has a deadline goes on waiting for one.
    pub(super) fn fail_plain(&mut self, why: &Error) {
        let is_plain = |(id, waiting): (&u32, &Waiting)| (!waiting.is_call).then_some(*id);
        let plain: Vec<u32> = self.waiting.iter().filter_map(is_plain).collect();
        for id in plain {
            self.core.cancel(id, &mut self.out);
            self.end(id, Ended::Error(again(why)));
        }
        self.urgent.clear();
        for ask in std::mem::take(&mut self.backlog) {
            match ask {
                Ask::Request { waiting, .. } if !waiting.is_call => waiting.end(Ended::Error(again(why))),
                Ask::Message { .. } => {}
                ask => self.backlog.push_back(ask),
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline() else { return false };
        let now = Clock::now();
        if deadline <= now {
            self.timer = None;
            self.expire(now);
            if let Err(fault) = self.core.handle_timeout(now, &mut self.out) {
                self.disconnect(&Error::new(Operation::Receive, self.endpoint(), Cause::Protocol(Box::new(fault))));
            }
            return true;
        }
        // One that is too early wakes in vain, which is cheaper than to set it again for each message.
        if self.timer.as_ref().is_none_or(|(at, _)| *at > deadline) {
            self.timer = Some((deadline, Box::pin(sleep(deadline - now))));
        }
        let has_fired = self.timer.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if has_fired {
            self.timer = None;
        }
        has_fired
    }

    /// Says whether the timer must be set earlier than it is.
    fn is_timer_late(&mut self) -> bool {
        let set = self.timer.as_ref().map(|(at, _)| *at);
        self.deadline().is_some_and(|deadline| set.is_none_or(|set| set > deadline))
    }

    fn deadline(&mut self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Working => None,
            Phase::Closing(at) | Phase::Leaving(at) => Some(at),
        };
        [self.core.timeout(), self.backlog_deadline(), phase].into_iter().flatten().min()
    }

    /// Brings the end on; says whether it is there.
    fn has_left(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Clock::now();
        if let Phase::Closing(until) = self.phase {
            let is_done = !self.has_backlog() && self.core.unanswered() == 0;
            if !is_done && now < until {
                return false;
            }
            self.core.goodbye(&mut self.out);
            self.phase = Phase::Leaving(now + CLOSE_TIMEOUT);
        }
        let Phase::Leaving(until) = self.phase else { return false };
        if now >= until || !matches!(self.link, Link::Up(_)) {
            return true;
        }
        match self.poll_flush(cx) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(_) => return true,
        }
        let Link::Up(wire) = &mut self.link else { return true };
        // The server closes when it has heard the goodbye; its end shows in the reading.
        wire.shutdown().is_err()
    }

    /// Sends what is gathered; says whether all of it is sent.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Link::Up(wire) = &self.link else {
            self.out.clear();
            return Ok(true);
        };
        let mut sent = 0;
        let result = loop {
            if sent == self.out.len() {
                break Ok(true);
            }
            match wire.poll_write_frames(cx, &self.out[sent..]) {
                Poll::Ready(Ok(len)) => sent += len,
                Poll::Ready(Err(error)) => break Err(error),
                Poll::Pending => break Ok(false),
            }
        };
        self.front.sent(&self.out, sent);
        self.out.drain(..sent);
        result
    }
}
