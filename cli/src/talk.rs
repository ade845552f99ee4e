//! `soquete send` and `soquete listen`: netcat for every kind of endpoint.
//!
//! | module | has |
//! |---|---|
//! | `form` | messages as text, as they are, or as hex |
//! | `input` | standard input, cut into messages |
//! | `output` | standard output, which may take its time |
//! | `socket` | a socket of any kind |
//! | `peer` | one at the other end, and what waits for it |
//! | `room` | the loop in which all of them meet |
//! | `frames` | the same commands over frames |
//!
//! One thread polls everything, and nothing that it does blocks. Each queue has a bound, beyond which its source is not
//! read: a peer that takes nothing stops standard input, a reader that takes nothing stops the peers.

mod form;
mod frames;
mod input;
mod output;
mod peer;
mod room;
mod socket;

use std::ffi::OsString;
use std::fmt;
use std::io::{Write, stderr};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::flag;
use soquete::{Datagram, DatagramOptions, Endpoint, Error, ListenOptions, Listener, Operation, Stream};

use crate::arguments::{Listen, Manner, Send};
use crate::output::{Exit, Failure};
use crate::reach;
use crate::up::signals::{Signals, terminations};
use form::Form;
use input::{Cut, Input};
use output::{Speakers, note};
use peer::{Partner, Peer};
use room::Room;
use socket::Socket;

/// How long connecting may take where nothing is said about it: 5 s, as the library's client has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long answers are waited for behind the last datagram: 1 s. Nothing else tells that there will be no more.
const DATAGRAM_WAIT: Duration = Duration::from_secs(1);

/// How long after a signal another is taken for the same: 500 ms. `timeout -s INT`, say, sends it to a child and to its
/// group, and so twice.
const SAME_SIGNAL_TIME: Duration = Duration::from_millis(500);

/// How everybody in a conversation is dealt with.
struct Manners {
    form: Form,
    timeout: Option<Duration>,
    /// How long is waited once one side has ended.
    wait: Option<Duration>,
    peeks: bool,
    reply: Option<Rc<[u8]>>,
    /// Whether it goes on when a peer has left.
    keeps: bool,
    /// Whether several may answer one socket.
    has_many: bool,
    /// Whether an empty standard input says nothing, not even that it has ended.
    may_be_silent: bool,
}

impl Manners {
    fn of(manner: &Manner) -> Self {
        Self {
            form: Form::of(manner),
            timeout: manner.timeout.map(Duration::from),
            wait: manner.wait.map(Duration::from),
            peeks: manner.peek,
            reply: None,
            keeps: false,
            has_many: false,
            may_be_silent: false,
        }
    }
}

impl Form {
    fn of(manner: &Manner) -> Self {
        match manner {
            Manner { raw: true, .. } => Self::Raw,
            Manner { hex: true, .. } => Self::Hex,
            _ => Self::Text,
        }
    }
}

/// Runs `soquete send`.
///
/// # Errors
/// Nobody is there, the connection broke, or nothing was answered in time.
pub(crate) fn send(send: &Send) -> Result<(), Failure> {
    refuse_mem(&send.endpoint)?;
    if matches!(send.endpoint.host(), Some((_, 0))) {
        let wrong = format!("{}: nobody listens at port 0; expected a port from 1 to 65535", send.endpoint);
        return Err(Failure::usage(wrong));
    }
    if send.manner.frames {
        return frames::send(send);
    }
    if send.urgent.is_some() && !matches!(send.endpoint, Endpoint::Tcp { .. }) {
        return Err(Failure::usage(format!("{}: only tcp: has urgent data", send.endpoint)));
    }
    let mut manners = Manners::of(&send.manner);
    let messages = messages(send, manners.form)?;
    if send.endpoint.is_datagram() {
        manners.wait.get_or_insert(DATAGRAM_WAIT);
    }
    manners.has_many = means_many(&send.endpoint);
    let (socket, signals) = connect(&send.endpoint, manners.timeout)?;
    let cut = Cut::of(manners.form, socket.keeps_boundaries());
    let input = messages.is_empty().then(|| Input::new(manners.form, cut));
    let mut peer = Peer::new(socket, send.endpoint.to_string(), Partner::Fixed);
    peer.is_to_peek = manners.peeks;
    messages.into_iter().for_each(|message| peer.put(message.into(), 1, None));
    peer.put_urgent(send.urgent);
    if input.is_none() {
        peer.finish();
    }
    let speakers = if manners.has_many { Speakers::Many } else { Speakers::One };
    let mut room = Room::new(manners, signals, speakers);
    (room.peers, room.input) = (vec![peer], input);
    room.talk()
}

/// Makes octets of the messages.
fn messages(send: &Send, form: Form) -> Result<Vec<Vec<u8>>, Failure> {
    let message = |(place, text): (usize, &OsString)| {
        let wrong = |wrong: &dyn fmt::Display| Failure::usage(format!("message {place}: {wrong}"));
        let message = form.octets_of(text.as_bytes()).map_err(|error| wrong(&error))?;
        match send.endpoint {
            Endpoint::Seqpacket(_) if message.is_empty() => Err(wrong(&"an empty packet would be taken for the end")),
            _ => Ok(message),
        }
    };
    (1..).zip(&send.messages).map(message).collect()
}

/// Opens a socket to an endpoint, and catches signals: what has a file to be removed first, and what blocks last.
fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<(Socket, Signals), Failure> {
    if endpoint.is_datagram() {
        let signals = catch_signals(Exit::Unknown)?;
        let options = DatagramOptions { nonblocking: true, ..DatagramOptions::default() };
        let socket = Datagram::connect(endpoint, &options).map_err(|error| failure(Exit::NotDone, &error))?;
        return Ok((Socket::Datagram(socket.into()), signals));
    }
    let stream = Stream::connect_timeout(endpoint, timeout.unwrap_or(CONNECT_TIMEOUT));
    let stream = stream.map_err(|error| failure(Exit::NotDone, &error))?;
    let failed = |error| failure(Exit::NotDone, &Error::new(Operation::Connect, endpoint, error));
    stream.set_nonblocking(true).map_err(failed)?;
    Ok((Socket::Stream(stream), catch_signals(Exit::Unknown)?))
}

/// Runs `soquete listen`.
///
/// # Errors
/// The address cannot be had, the only client was lost, or nothing came in time.
pub(crate) fn listen(listen: &Listen) -> Result<(), Failure> {
    refuse_mem(&listen.endpoint)?;
    if listen.manner.frames {
        return frames::listen(listen);
    }
    let mut manners = Manners { keeps: listen.keep, may_be_silent: true, ..Manners::of(&listen.manner) };
    manners.reply = reply(listen, manners.form)?;
    let speakers = if listen.keep { Speakers::Many } else { Speakers::One };
    let has_input = !listen.keep && manners.reply.is_none();
    let (form, peeks) = (manners.form, manners.peeks);
    let mut room = Room::new(manners, catch_signals(Exit::NotDone)?, speakers);
    let keeps_boundaries = listen.endpoint.is_datagram() || matches!(listen.endpoint, Endpoint::Seqpacket(_));
    room.input = has_input.then(|| Input::new(form, Cut::of(form, keeps_boundaries)));
    let failed = |error: Error| failure(Exit::NotDone, &error);
    if listen.endpoint.is_datagram() {
        let options = DatagramOptions { nonblocking: true, ..DatagramOptions::default() };
        let socket = Datagram::bind(&listen.endpoint, &options).map_err(failed)?;
        announce(socket.local(), listen);
        let (name, partner) = (socket.local().to_string(), first_or_all(listen));
        let mut peer = Peer::new(Socket::Datagram(socket.into()), name, partner);
        peer.is_to_peek = peeks;
        room.peers = vec![peer];
    } else {
        let options = ListenOptions { nonblocking: true, ..ListenOptions::default() };
        let door = Listener::bind(&listen.endpoint, &options).map_err(failed)?;
        announce(door.local(), listen);
        room.door = Some(door);
    }
    room.talk()
}

fn first_or_all(listen: &Listen) -> Partner {
    if listen.keep { Partner::Anybody } else { Partner::FirstToCome }
}

/// Makes octets of `--reply`.
fn reply(listen: &Listen, form: Form) -> Result<Option<Rc<[u8]>>, Failure> {
    let octets = listen.reply.as_ref().map(|reply| form.octets_of(reply.as_bytes())).transpose();
    octets.map(|octets| octets.map(Rc::from)).map_err(|wrong| Failure::usage(format!("--reply: {wrong}")))
}

/// Says where it listens, what to type at the other side, and who can come.
fn announce(at: &Endpoint, listen: &Listen) {
    let manner = match &listen.manner {
        Manner { frames: true, .. } => "--frames ",
        Manner { raw: true, .. } => "--raw ",
        Manner { hex: true, .. } => "--hex ",
        _ => "",
    };
    let message = if listen.manner.hex { "'68 65 6c 6c 6f'" } else { "hello" };
    // There is nobody to tell that standard error is gone.
    let _ = writeln!(stderr().lock(), "listening at {at}: try `soquete send {manner}{} {message}`", typed(at));
    if !at.is_local() {
        note(
            "every machine that reaches this address can send here; nothing is encrypted, and nobody is asked who it is",
        );
    }
}

/// Writes an endpoint as a shell takes it.
fn typed(endpoint: &Endpoint) -> String {
    let text = endpoint.to_string();
    let is_plain = |character: char| character.is_alphanumeric() || ":/.-_@[]".contains(character);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn refuse_mem(endpoint: &Endpoint) -> Result<(), Failure> {
    let Endpoint::Mem(name) = endpoint else { return Ok(()) };
    Err(Failure::usage(reach::mem_reaches_nobody(endpoint))
        .act(format!("write unix:@{name} for two processes of this machine")))
}

/// Says whether several may answer what is sent there.
fn means_many(endpoint: &Endpoint) -> bool {
    endpoint.is_multicast() || matches!(endpoint, Endpoint::Udp { options, .. } if options.broadcast)
}

/// Catches the signals that end a conversation; one that comes later than [`SAME_SIGNAL_TIME`] ends it at once, by `forced`.
fn catch_signals(forced: Exit) -> Result<Signals, Failure> {
    let catch = || {
        let mut ending = terminations();
        ending.push(SIGINT);
        let (signals, first) = (Signals::catch(&ending)?, Signals::catch(&ending)?);
        let is_forced = Arc::new(AtomicBool::new(false));
        for &signal in &ending {
            flag::register_conditional_shutdown(signal, forced as i32, is_forced.clone())?;
        }
        let arm = move || {
            first.wait();
            thread::sleep(SAME_SIGNAL_TIME);
            is_forced.store(true, Ordering::SeqCst);
        };
        thread::Builder::new().stack_size(64 << 10).spawn(arm)?;
        Ok(signals)
    };
    catch().map_err(|error: std::io::Error| Failure::new(Exit::NotDone, format!("catch Ctrl-C: {error}")))
}

/// Turns an error into the end of the program.
fn failure(exit: Exit, error: &Error) -> Failure {
    let failure = Failure::new(exit, reach::words(error));
    match error.act() {
        Some(act) => failure.act(act),
        None => failure,
    }
}
