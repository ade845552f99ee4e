//! `soquete lease`: the sole right to set a line, for as long as this program runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use soquete::{Client, Clock, Outcome};

use crate::arguments::{Lease, Switch};
use crate::command::answer::plain;
use crate::command::{meant, unknown};
use crate::output::{Exit, Failure, print, print_done};
use crate::reach::{self, Deadline};

/// How often the lease is renewed within its time.
const RENEWALS: u32 = 3;

/// How long a command may still be answered when its time is over. 500 ms: whoever waits for Ctrl-C to be heard waits for
/// this, too.
const SETTLE: Duration = Duration::from_millis(500);

/// Takes a lease on a line, and switches the line where it is told to; renews the lease until Ctrl-C, and releases it.
///
/// A line that lost its value all the same, as with a server that was started anew, is switched again at the renewal.
///
/// # Errors
/// Another has the line, or takes it over; the server does not answer for as long as the lease lasts. The line becomes
/// safe then, if nobody else owns it.
pub(crate) fn run(lease: &Lease) -> Result<(), Failure> {
    let (time, by) = (lease.time.0.duration(), Deadline::after(lease.reached.timeout.duration()));
    let signals = signals()?;
    let (target, line) = meant(&lease.line, &lease.reached, by)?;
    let mut client = target.connect(by.left(), by.left(), SETTLE).map_err(|error| reach::not_done(&error))?;
    // What is no server of ours shows itself here, where nothing was sent yet.
    client.handshake().map_err(|error| reach::not_done(&error))?;
    let mut call = |command: &str, timeout| match call(&mut client, command, timeout)? {
        Outcome::Done(answer) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Outcome::NotDone(why) => Err(Failure::new(Exit::NotDone, format!("{line}: not done: {}", plain(&why)))),
        Outcome::Unknown(why) => Err(unknown(&line, &why)),
    };
    let take = format!("LEASE {line} {}", lease.time.0);
    let mut until = Clock::now() + time;
    call(&take, by.left())?;
    if let Some(value) = lease.value {
        call(&format!("{line} {}", value.word()), by.left())?;
        print(format_args!("{line} {}\n", value.word().to_lowercase()))?;
    }
    print(format_args!("{line} is leased for {} and renewed; Ctrl-C releases it\n", lease.time.0))?;
    while let Err(RecvTimeoutError::Timeout) = signals.recv_timeout(time / RENEWALS) {
        let asked_at = Clock::now();
        // What is not renewed by its end is lost, whoever has it then.
        let renewed = call(&take, until.saturating_sub(asked_at));
        renewed.map_err(|why| why.act("its lease is lost; the line becomes safe unless somebody else owns it"))?;
        until = asked_at + time;
        let Some(value) = lease.value.map(Switch::word) else { continue };
        let has = call(line.as_str(), until.saturating_sub(Clock::now()))?;
        if !has.ends_with(&format!(" {value}")) {
            call(&format!("{line} {value}"), until.saturating_sub(Clock::now()))?;
            print(format_args!("{line} was switched {} again\n", value.to_lowercase()))?;
        }
    }
    call(&format!("RELEASE {line}"), until.saturating_sub(Clock::now()))?;
    print_done(format_args!("{line} is released\n"))
}

/// Has something done once; a connection that is lost is made again with the same session, whose lease it is.
fn call(client: &mut Client, command: &str, timeout: Duration) -> Result<Outcome, Failure> {
    client.call(command.as_bytes(), timeout).map_err(|error| reach::not_done(&error))
}

/// Hears of Ctrl-C from now on.
fn signals() -> Result<Receiver<()>, Failure> {
    let no_signals = |error| Failure::new(Exit::NotDone, format!("catch Ctrl-C: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(no_signals)?;
    let (teller, told) = channel();
    // It ends with the program.
    thread::spawn(move || signals.forever().next().map(|_| teller.send(())));
    Ok(told)
}
