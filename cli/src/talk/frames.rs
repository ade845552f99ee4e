//! `soquete send --frames` and `soquete listen --frames`.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio;
use soquete::{
    Cause, Client, ClientFraming, ClientOptions, Clock, ConnectionId, Ending, Error, Exchange, Framing, Handler, Hub,
    Limits, ListenOptions, Operation, Outcome, Peer,
};

use super::form::{Form, quoted};
use super::input::{Cut, Input};
use super::output::{Output, Piece, Speakers, Voice, note};
use super::{CONNECT_TIMEOUT, announce, catch_signals, failure};
use crate::arguments::{Listen, Send};
use crate::output::{Exit, Failure, print};
use crate::reach;
use crate::up::signals::Signals;

/// What a second client is told where one is enough.
const TAKEN: &str = "it talks with another client; with --keep it takes many";

/// How long connections may take to end.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends each message as a request that is done once or not at all, and prints its reply.
///
/// # Errors
/// What the first request that is not done says; those behind it are not sent.
pub(super) fn send(send: &Send) -> Result<(), Failure> {
    let form = Form::of(&send.manner);
    let timeout = send.manner.timeout.map_or(CONNECT_TIMEOUT, Duration::from);
    let messages = super::messages(send, bare(form))?;
    let mut signals = catch_signals(Exit::Unknown)?;
    let mut asking = Asking::open(send, form, timeout)?;
    messages.iter().try_for_each(|message| asking.ask(message))?;
    let mut input = send.messages.is_empty().then(|| Input::new(form, Cut::BareLines));
    while let Some(input) = input.as_mut().filter(|input| !input.is_ended())
        && is_input_next(&mut signals)?
    {
        input.read()?.iter().try_for_each(|message| asking.ask(message))?;
    }
    // All was answered; over datagrams nothing else tells the server that this was all.
    let _ = asking.client.finish();
    Ok(())
}

/// Takes the form for a payload, which has no line end.
fn bare(form: Form) -> Form {
    if form == Form::Text { Form::Raw } else { form }
}

/// Waits for standard input; says whether it is ready, and no signal came first.
fn is_input_next(signals: &mut Signals) -> Result<bool, Failure> {
    let mut fds = [PollFd::new(signals, PollFlags::IN), PollFd::from_borrowed_fd(stdio::stdin(), PollFlags::IN)];
    match poll(&mut fds, None) {
        Ok(_) | Err(Errno::INTR) => Ok(signals.count() == 0),
        Err(errno) => Err(Failure::new(Exit::NotDone, Error::without_address(Operation::Poll, errno))),
    }
}

/// A client, and where its replies are shown.
struct Asking {
    client: Client,
    output: Output,
    voice: Voice,
    timeout: Duration,
}

impl Asking {
    fn open(send: &Send, form: Form, timeout: Duration) -> Result<Self, Failure> {
        let mut options = ClientOptions {
            connect_timeout: timeout,
            timeout: Some(timeout),
            ..ClientOptions::frames(&send.manner.service)
        };
        if let ClientFraming::Frames(frames) = &mut options.framing {
            frames.name = "soquete send".into();
        }
        let opened = Client::connect(&send.endpoint, options);
        // What is no server of frames shows itself here, where nothing was sent yet.
        let opened = opened.and_then(|mut client| client.handshake().map(|()| client));
        let client = opened.map_err(|error| reach::not_done(&error))?;
        let voice = Voice::new(send.endpoint.to_string());
        Ok(Self { client, output: Output::new(form, Speakers::One), voice, timeout })
    }

    fn ask(&mut self, message: &[u8]) -> Result<(), Failure> {
        let at = self.client.endpoint().clone();
        match self.client.call(message, self.timeout) {
            Ok(Outcome::Done(reply)) => {
                self.output.show(&mut self.voice, &reply, Piece::Whole);
                while self.output.is_pending() {
                    self.output.write()?;
                }
                Ok(())
            }
            Ok(Outcome::NotDone(why)) => Err(Failure::new(Exit::NotDone, format!("{at}: {why}"))),
            Ok(Outcome::Unknown(why)) => {
                Err(Failure::new(Exit::Unknown, format!("{at}: nobody knows whether it was done: {why}")))
            }
            // It may have been sent before the server broke the protocol, or before another took its place.
            Err(error) if matches!(error.cause(), Cause::Protocol(_) | Cause::Rejected { .. }) => {
                Err(failure(Exit::Unknown, &error))
            }
            Err(error) => Err(failure(Exit::NotDone, &error)),
        }
    }
}

/// Shows what clients of frames say, and answers their requests.
///
/// # Errors
/// The address cannot be had, or nobody came in time.
pub(super) fn listen(listen: &Listen) -> Result<(), Failure> {
    let failed = |error: Error| failure(Exit::NotDone, &error);
    let form = Form::of(&listen.manner);
    let reply = super::reply(listen, bare(form))?;
    let mut signals = catch_signals(Exit::NotDone)?;
    let mut hub = Hub::new(Limits::default()).map_err(failed)?;
    let options = soquete_proto::server::Options {
        name: "soquete listen".into(),
        ..soquete_proto::server::Options::new(&*listen.manner.service)
    };
    let service = hub.add_service(Framing::Frames, options);
    let local = hub.listen(service, &listen.endpoint, &ListenOptions::default()).map_err(failed)?;
    hub.watch(signals.as_fd()).map_err(failed)?;
    announce(&local, listen);
    let mut show = Show {
        form,
        reply: reply.as_deref().unwrap_or_default(),
        keeps: listen.keep,
        taken: false,
        state: Ok(Progress::Waiting),
        moved_at: Clock::now(),
    };
    while matches!(show.state, Ok(Progress::Waiting | Progress::Talking)) && signals.count() == 0 {
        let timeout = listen.manner.timeout.map(Duration::from);
        let left = timeout.map(|timeout| (show.moved_at + timeout).saturating_sub(Clock::now()));
        if left == Some(Duration::ZERO) {
            if matches!(show.state, Ok(Progress::Waiting)) {
                show.state = Err(failed(Error::new(Operation::Accept, &local, Cause::Timeout)));
            }
            break;
        }
        hub.turn(left, &mut show).map_err(failed)?;
        while hub.next_ready().is_some() {}
    }
    hub.close_listeners();
    let ended = std::mem::replace(&mut show.state, Ok(Progress::Over));
    hub.goodbye("the listener was stopped", &mut show);
    hub.drain(GOODBYE_TIMEOUT, &mut show);
    ended.map(|_| ())
}

/// How far it has come.
enum Progress {
    /// Nothing was said yet.
    Waiting,
    Talking,
    Over,
}

/// Shows everything that comes.
struct Show<'a> {
    form: Form,
    reply: &'a [u8],
    keeps: bool,
    /// Whether there is a client, or one that may become it.
    taken: bool,
    state: Result<Progress, Failure>,
    moved_at: Duration,
}

impl Show<'_> {
    fn print(&mut self, line: impl std::fmt::Display) {
        if let Err(failure) = print(format_args!("{line}\n")) {
            self.state = Err(failure);
        }
    }
}

impl Handler for Show<'_> {
    fn receive(&mut self, exchange: Exchange<'_>) {
        self.moved_at = Clock::now();
        if matches!(self.state, Ok(Progress::Waiting)) {
            self.state = Ok(Progress::Talking);
        }
        let (topic, id) = (exchange.topic, exchange.id());
        let urgency = if exchange.is_urgent() { "urgent " } else { "" };
        let kind = if exchange.wants_answer() { format!("REQUEST id {id}") } else { "MESSAGE".to_owned() };
        let (name, peer) = (quoted(exchange.name.as_bytes(), Form::Text), exchange.peer);
        let payload = quoted(exchange.payload, self.form);
        self.print(format_args!("{urgency}{kind} topic {topic} from {name} ({peer}): {payload}"));
        // Where it is longer than the client takes, the client is told so.
        let _ = exchange.reply(self.reply);
    }

    fn admit(&mut self, _service: usize, peer: &Peer) -> Result<(), String> {
        if self.taken && !self.keeps {
            return Err(TAKEN.to_owned());
        }
        note(format_args!("{peer} is here"));
        self.taken = true;
        self.moved_at = Clock::now();
        Ok(())
    }

    fn cancel(&mut self, _connection: ConnectionId, id: u32) {
        self.print(format_args!("CANCEL id {id}"));
    }

    fn close(&mut self, _connection: ConnectionId, peer: &Peer, ending: &Ending) {
        self.moved_at = Clock::now();
        match ending {
            Ending::Refused(why) if why.contains(TAKEN) => return,
            Ending::Refused(why) => note(format_args!("{peer} was refused: {why}")),
            _ => note(format_args!("{peer} has left")),
        }
        match self.state {
            // Who has asked nothing was not the one who is waited for.
            Ok(Progress::Waiting) => self.taken = false,
            Ok(Progress::Talking) if !self.keeps => self.state = Ok(Progress::Over),
            _ => {}
        }
    }
}
