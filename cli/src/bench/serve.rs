//! The modes that serve, on the library's loop.

use super::mark;
use super::{SERVICE, failed, payload_max_bytes, print_rate, print_ready, print_throughput, raise_descriptors_max};
use crate::arguments::Load;
use crate::output::Failure;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use soquete::{
    Bounds, Clock, ConnectionId, DATAGRAM_MAX_BYTES, Ending, Exchange, Framing, Handler, Hub, Limits, ListenOptions,
    Peer, SourceId,
};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long connections may take to end after a signal.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest command of the seeds' text, in octets.
const COMMAND_MAX_BYTES: usize = 1024;

/// Answers each message with its content until it is terminated.
pub(super) fn pong(load: &Load, spin: Duration) -> Result<(), Failure> {
    let mut serving = Serving::start(load, Framing::Frames)?;
    let mut n = 0u64;
    let mut echo = |exchange: Exchange<'_>| {
        n += 1;
        let payload = exchange.payload;
        // The client takes what it has sent itself; one that does not is told so by the library.
        let _ = exchange.reply(payload);
    };
    if spin.is_zero() {
        while serving.turn(None, &mut echo)? {}
    } else {
        serving.spin(spin, &mut Counted { handler: &mut echo, has_come: false })?;
    }
    serving.leave(&mut echo);
    Ok(())
}

/// Counts one-way messages until the last connection that brought some has ended; over datagrams, each of which is a
/// message, until one marks the end or no more come.
pub(super) fn sink(load: &Load) -> Result<(), Failure> {
    let has_marks = load.url.is_datagram();
    let bounds = Bounds { receive_max_bytes: DATAGRAM_MAX_BYTES, send_max_bytes: 0 };
    let mut serving = Serving::start(load, if has_marks { Framing::Raw(bounds) } else { Framing::Frames })?;
    let mut tally = Tally { has_marks, ..Tally::default() };
    loop {
        let before = tally.n;
        let silence = (has_marks && before > 0).then_some(mark::SILENCE);
        let goes_on = serving.turn(silence, &mut tally)?;
        if tally.n > before {
            tally.last_at = Clock::now();
        }
        // Who connects and says nothing, to see whether the port is there, ends nothing.
        let has_ended = tally.n > 0
            && if has_marks {
                tally.has_heard_end || Clock::now().saturating_sub(tally.last_at) >= mark::SILENCE
            } else {
                tally.has_closed && serving.hub.counts().connections == 0
            };
        if has_ended || !goes_on {
            break;
        }
    }
    serving.leave(&mut tally);
    print_throughput(tally.n, tally.bytes, tally.took())
}

/// Serves the seeds' text: takes one command of each connection and closes it.
pub(super) fn accept(load: &Load) -> Result<(), Failure> {
    let bounds = Bounds { receive_max_bytes: COMMAND_MAX_BYTES, send_max_bytes: COMMAND_MAX_BYTES };
    let mut serving = Serving::start(load, Framing::Line(bounds))?;
    let deadline = Clock::now() + load.secs;
    let mut tally = Tally { closes: true, ..Tally::default() };
    loop {
        let left = deadline.saturating_sub(Clock::now());
        let before = tally.n;
        let goes_on = serving.turn(Some(left), &mut tally)?;
        if tally.n > before {
            tally.last_at = Clock::now();
        }
        if left.is_zero() || !goes_on {
            break;
        }
    }
    serving.leave(&mut tally);
    print_rate(tally.n, tally.took())
}

/// A loop that listens, and hears when it is to stop.
struct Serving {
    hub: Hub,
    signals: SourceId,
}

impl Serving {
    fn start(load: &Load, framing: Framing) -> Result<Self, Failure> {
        raise_descriptors_max();
        let mut hub = Hub::new(Limits { connections_max: usize::MAX, ..Limits::default() }).map_err(failed)?;
        let signals = watch_signals(&mut hub)?;
        let options = soquete_proto::server::Options {
            payload_max_bytes: payload_max_bytes(load),
            in_flight_max: u16::MAX,
            ..soquete_proto::server::Options::new(SERVICE)
        };
        let service = hub.add_service(framing, options);
        let listens = hub.listen(service, &load.url, &ListenOptions::default()).map_err(failed)?;
        print_ready(&load.url, &listens)?;
        Ok(Serving { hub, signals })
    }

    /// Serves what is ready; says whether to go on.
    fn turn<H: Handler>(&mut self, timeout: Option<Duration>, handler: &mut H) -> Result<bool, Failure> {
        self.hub.turn(timeout, handler).map_err(failed)?;
        Ok(self.hub.next_ready() != Some(self.signals))
    }

    /// Serves until it is terminated, and tries for `spin` after the last message before it blocks.
    fn spin<H: Handler>(&mut self, spin: Duration, handler: &mut Counted<'_, H>) -> Result<(), Failure> {
        let mut until = Clock::now() + spin;
        loop {
            let now = Clock::now();
            let timeout = if now < until { Some(Duration::ZERO) } else { None };
            if !self.turn(timeout, handler)? {
                return Ok(());
            }
            if std::mem::take(&mut handler.has_come) || timeout.is_none() {
                until = now + spin;
            }
        }
    }

    fn leave<H: Handler>(mut self, handler: &mut H) {
        self.hub.close_listeners();
        self.hub.goodbye("the benchmark is over", handler);
        self.hub.drain(GOODBYE_TIMEOUT, handler);
    }
}

fn watch_signals(hub: &mut Hub) -> Result<SourceId, Failure> {
    let told = |error: io::Error| failed(format!("watch for signals: {error}"));
    let (heard, told_by) = UnixStream::pair().map_err(told)?;
    pipe::register(SIGINT, told_by.try_clone().map_err(told)?).map_err(told)?;
    pipe::register(SIGTERM, told_by).map_err(told)?;
    hub.watch(heard.as_fd()).map_err(failed)
}

/// What came, and when.
#[derive(Default)]
struct Tally {
    n: u64,
    bytes: u64,
    first_at: Duration,
    last_at: Duration,
    /// Whether any connection has ended.
    has_closed: bool,
    /// Whether a message may mark the end, and whether one has.
    has_marks: bool,
    has_heard_end: bool,
    /// Whether each connection ends with its first message.
    closes: bool,
}

impl Tally {
    fn took(&self) -> Duration {
        self.last_at.saturating_sub(self.first_at)
    }
}

impl Handler for Tally {
    #[inline]
    fn receive(&mut self, mut exchange: Exchange<'_>) {
        if self.has_marks && mark::is_end(exchange.payload) {
            // That of a measurement before this one, say, ends nothing.
            self.has_heard_end = self.n > 0;
            return;
        }
        if self.n == 0 {
            self.first_at = Clock::now();
        }
        self.n += 1;
        self.bytes += exchange.payload.len() as u64;
        if self.closes {
            exchange.close_after();
        }
    }

    fn close(&mut self, _: ConnectionId, _: &Peer, _: &Ending) {
        self.has_closed = true;
    }
}

/// A handler that tells whether anything came.
struct Counted<'a, H> {
    handler: &'a mut H,
    has_come: bool,
}

impl<H: Handler> Handler for Counted<'_, H> {
    #[inline]
    fn receive(&mut self, exchange: Exchange<'_>) {
        self.has_come = true;
        self.handler.receive(exchange);
    }
}
