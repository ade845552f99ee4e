//! Where a command goes: to one endpoint, or to all that `up` runs on this machine.
//!
//! Each target is asked in a thread of its own, and nobody waits longer than the command's deadline: one that is
//! stopped, stalls or drips octets holds up neither the others nor the person who typed.

use std::sync::{Once, mpsc};
use std::time::Duration;
use std::{io, thread};

use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use soquete::{Cause, Client, ClientFraming, ClientOptions, Clock, Endpoint, Error, Operation, Outcome};
use soquete_node::config::LineName;

use crate::arguments::{Chosen, LinePath, Reached};
use crate::command::answer::{self, Row};
use crate::instance::Instance;
use crate::output::{Exit, Failure};
use crate::up::signals::hold_back;

/// What a command calls itself, in the server's log and as the one who set a line.
const CLIENT_NAME: &str = "soquete";

/// How much longer than its deadline a target's own error, which says more than ours, is waited for.
const GRACE: Duration = Duration::from_millis(50);

/// The longest time a command that was sent may take to become known: a server that lives has answered long before.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// Which part of a command's time is for learning what became of it after it was sent.
const SETTLE_PART: u32 = 4;

/// When a command has had its time, on the clock of the library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Duration);

/// A server to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The process, where it is one of this machine; else it is only known by its endpoint.
    pub(crate) process: Option<String>,
    /// Where it is.
    pub(crate) endpoint: Endpoint,
}

/// A line, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The process that has it.
    pub(crate) target: Target,
    /// The line as it was when it was looked for.
    pub(crate) row: Row,
}

impl Deadline {
    /// Ends `timeout` from now.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Clock::now() + timeout)
    }

    /// Returns the time that is left; at least a millisecond, so that what is tried has a chance to fail by itself.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_sub(Clock::now()).max(Duration::from_millis(1))
    }

    /// Returns the end of the first half of what is left.
    fn halfway(self) -> Self {
        Self::after(self.left() / 2)
    }
}

impl Target {
    /// Makes the target of `--at`.
    pub(crate) fn at(endpoint: &Endpoint) -> Self {
        Self { process: None, endpoint: endpoint.clone() }
    }

    /// Returns what it is called: the process, else the endpoint.
    pub(crate) fn name(&self) -> String {
        self.process.clone().unwrap_or_else(|| self.endpoint.to_string())
    }

    /// Names one of its lines as it is typed: with its process where it has one.
    pub(crate) fn path(&self, line: &LineName) -> String {
        self.process.iter().map(|process| format!("{process}/")).collect::<String>() + line.as_str()
    }

    /// Connects; each wait for this client lasts `wait` at most, and what it calls is settled within `settle`.
    ///
    /// # Errors
    /// What connecting can say.
    pub(crate) fn connect(&self, connect: Duration, wait: Duration, settle: Duration) -> Result<Client, Error> {
        let service = if self.process.is_some() { "control" } else { "board" };
        let mut options =
            ClientOptions { connect_timeout: connect, timeout: Some(wait), ..ClientOptions::frames(service) };
        if let ClientFraming::Frames(frames) = &mut options.framing {
            CLIENT_NAME.clone_into(&mut frames.name);
            (frames.settle, frames.timed) = (settle, true);
        }
        Client::connect(&self.endpoint, options)
    }

    /// Asks something that changes nothing, and reads the answer.
    ///
    /// # Errors
    /// There is none, it is a refusal, or not what `read` expects.
    pub(crate) fn ask<T, E>(&self, request: &str, by: Deadline, read: fn(&str) -> Result<T, E>) -> Result<T, Error>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut client = self.connect(by.left(), by.left(), SETTLE_MAX)?;
        let answer = client.request(request.as_bytes())?;
        read(&String::from_utf8_lossy(answer)).map_err(|wrong| self.wrong_answer(wrong))
    }

    /// Has something done, once and in time; tells how it ended.
    ///
    /// The last part of the time is kept for learning what became of it, so that even *unknown* is known by the
    /// deadline.
    ///
    /// # Errors
    /// Nothing was done: there is no server, or it wants no session.
    pub(crate) fn call(&self, request: &str, by: Deadline) -> Result<Outcome, Error> {
        let settle = (by.left() / SETTLE_PART).min(SETTLE_MAX);
        let mut client = self.connect(by.left(), by.left(), settle)?;
        // What is no server of ours shows itself here, where nothing was sent yet.
        client.handshake()?;
        match client.call(request.as_bytes(), by.left().saturating_sub(settle)) {
            // It may have been sent before the server broke the protocol, or before another took its place.
            Err(error) if matches!(error.cause(), Cause::Protocol(_) | Cause::Rejected { .. }) => {
                Ok(Outcome::Unknown(error.to_string()))
            }
            ended => ended,
        }
    }

    /// Makes the error of an answer that cannot be read.
    pub(crate) fn wrong_answer(&self, wrong: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::new(Operation::Receive, &self.endpoint, Cause::Protocol(Box::new(wrong)))
    }
}

/// Finds what a command without `--at` is about: the living processes of this machine's instance.
///
/// # Errors
/// The configuration is wrong, or nothing runs.
pub(crate) fn here(chosen: &Chosen) -> Result<Vec<Target>, Failure> {
    let instance = Instance::find(chosen)?;
    let targets = processes(&instance);
    if targets.is_empty() {
        let wrong = format!("no process of {} runs at present", instance.name());
        return Err(Failure::new(Exit::NotDone, wrong).act("`soquete status` says why"));
    }
    Ok(targets)
}

/// Returns the living processes of an instance.
pub(crate) fn processes(instance: &Instance) -> Vec<Target> {
    let living = instance.processes().into_iter();
    living.map(|(name, endpoint)| Target { process: Some(name.to_string()), endpoint }).collect()
}

/// Finds whom a command is about: the endpoint of `--at`, or the living processes of this machine's instance.
///
/// # Errors
/// As [`here`].
pub(crate) fn targets(reached: &Reached) -> Result<Vec<Target>, Failure> {
    match &reached.at {
        Some(endpoint) => Ok(vec![Target::at(endpoint)]),
        None => here(&reached.chosen),
    }
}

/// Asks every target the same at once; one that has not answered by the deadline has timed out.
pub(crate) fn ask_each<T: Send + 'static>(
    targets: &[Target],
    by: Deadline,
    ask: impl Fn(&Target) -> Result<T, Error> + Clone + Send + 'static,
) -> Vec<Result<T, Error>> {
    let answers = targets.iter().zip(each(targets, by, ask));
    let timed_out = |target: &Target| Err(Error::new(Operation::Receive, &target.endpoint, Cause::Timeout));
    answers.map(|(target, answer)| answer.unwrap_or_else(|| timed_out(target))).collect()
}

/// Asks one target of this machine for its `STATUS`.
///
/// # Errors
/// As [`Target::ask`].
pub(crate) fn ask_json<T: DeserializeOwned>(target: &Target, by: Deadline) -> Result<T, Error> {
    target.ask("STATUS", by, |json| serde_json::from_str(json))
}

/// Asks one target; one that has not answered by the deadline has timed out.
///
/// # Errors
/// What `ask` says, or that the time is over.
pub(crate) fn ask_one<T: Send + 'static>(
    target: &Target,
    by: Deadline,
    ask: impl Fn(&Target) -> Result<T, Error> + Clone + Send + 'static,
) -> Result<T, Error> {
    // There are as many answers as targets.
    ask_each(std::slice::from_ref(target), by, ask).remove(0)
}

/// Has one target do something, once and in time; tells how it ended.
///
/// # Errors
/// As [`Target::call`].
pub(crate) fn call_one(target: &Target, request: String, by: Deadline) -> Result<Outcome, Error> {
    let ended = each(std::slice::from_ref(target), by, move |target| target.call(&request, by)).remove(0);
    ended.unwrap_or_else(|| Ok(Outcome::Unknown("its time is over".into())))
}

/// Does the same with every target at once; nothing for what has not ended by the deadline.
fn each<T: Send + 'static>(
    targets: &[Target],
    by: Deadline,
    work: impl Fn(&Target) -> Result<T, Error> + Clone + Send + 'static,
) -> Vec<Option<Result<T, Error>>> {
    if targets.iter().any(|target| matches!(target.endpoint, Endpoint::Unixgram(_))) {
        leave_no_path();
    }
    let mut results: Vec<Option<Result<T, Error>>> = targets.iter().map(|_| None).collect();
    let (sender, receiver) = mpsc::channel();
    for (place, target) in targets.iter().enumerate() {
        if let Err(error) = spawn(place, target.clone(), work.clone(), sender.clone()) {
            results[place] = Some(Err(Error::new(Operation::Connect, &target.endpoint, error)));
        }
    }
    // It ends when every thread has.
    drop(sender);
    while let Ok((place, result)) = receiver.recv_timeout(by.left() + GRACE) {
        results[place] = Some(result);
    }
    // A thread whose time is over may still have a path at which it is answered.
    soquete::remove_paths();
    results
}

/// Has a signal end this process only when the paths at which Unix datagrams are answered are removed. Where signals cannot
/// be caught, another program sweeps them.
fn leave_no_path() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let ending = [SIGHUP, SIGINT, SIGTERM];
        let Ok(mut signals) = hold_back(&ending, || Signals::new(ending)) else { return };
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                soquete::remove_paths();
                // It fails for signals alone that end nothing.
                let _ = emulate_default_handler(signal);
            }
        });
    });
}

fn spawn<T: Send + 'static>(
    place: usize,
    target: Target,
    work: impl Fn(&Target) -> Result<T, Error> + Send + 'static,
    sender: mpsc::Sender<(usize, Result<T, Error>)>,
) -> io::Result<()> {
    // Whoever waited may have given up.
    thread::Builder::new().spawn(move || drop(sender.send((place, work(&target)))))?;
    Ok(())
}

/// Finds the one line that a path means, among what the targets have.
///
/// # Errors
/// There is none, or there are several; the lines there are, or those it could be, are listed.
pub(crate) fn find(targets: &[Target], path: &LinePath, by: Deadline) -> Result<Found, Failure> {
    let asked: Vec<Target> = targets.iter().filter(|target| is_meant(target, path)).cloned().collect();
    if asked.is_empty() {
        let names: Vec<String> = targets.iter().map(Target::name).collect();
        return Err(Failure::new(
            Exit::NotDone,
            format!("{path}: no such process runs; there are {}", names.join(", ")),
        ));
    }
    // The other half is for what is to be done with it.
    let (lines, silent) = lines(&asked, by.halfway());
    let mut meant: Vec<Found> = lines.iter().filter(|found| found.row.name == path.line).cloned().collect();
    match (meant.len(), meant.pop()) {
        (1, Some(found)) => Ok(found),
        (0, _) => Err(no_such_line(path, &lines, &silent)),
        _ => Err(not_unique(path, &lines)),
    }
}

/// Says whether a path may mean a line of a target.
pub(crate) fn is_meant(target: &Target, path: &LinePath) -> bool {
    path.process.as_ref().is_none_or(|process| target.process.as_deref() == Some(process.as_str()))
}

/// Asks every target for its lines; returns those, and the errors of who did not answer.
pub(crate) fn lines(targets: &[Target], by: Deadline) -> (Vec<Found>, Vec<Error>) {
    let (mut lines, mut silent) = (Vec::new(), Vec::new());
    let answers = ask_each(targets, by, move |target| target.ask("LINES", by, answer::rows));
    for (target, answer) in targets.iter().zip(answers) {
        match answer {
            Ok(rows) => lines.extend(rows.into_iter().map(|row| Found { target: target.clone(), row })),
            Err(error) => silent.push(error),
        }
    }
    (lines, silent)
}

/// Says that there is no such line, and which there are.
pub(crate) fn no_such_line(path: &LinePath, lines: &[Found], silent: &[Error]) -> Failure {
    let names: Vec<String> = lines.iter().map(|found| found.target.path(&found.row.name)).collect();
    let known = if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
    let place = if silent.is_empty() { "" } else { " in the processes that answer" };
    let mut wrong = vec![format!("{path}: no such line{place}; {known}")];
    wrong.extend(silent.iter().map(words));
    Failure::Wrong { exit: Exit::NotDone, wrong, act: None }
}

/// Says that a line of `--at` has no process.
pub(crate) fn process_at_an_endpoint(path: &LinePath) -> Failure {
    Failure::usage(format!("{path}: an endpoint is one process, so its lines go by their names alone"))
        .act(format!("write {}", path.line))
}

fn not_unique(path: &LinePath, lines: &[Found]) -> Failure {
    let meant = lines.iter().filter(|found| found.row.name == path.line);
    let names: Vec<String> = meant.map(|found| found.target.path(&found.row.name)).collect();
    Failure::usage(format!("{path}: several processes have a line of this name"))
        .act(format!("write {}", names.join(" or ")))
}

/// Puts an error into one line. What a server says about a request needs no more than its address.
pub(crate) fn words(error: &Error) -> String {
    match (error.operation(), error.cause()) {
        (Operation::Receive, Cause::Rejected { text, .. }) => {
            format!("{}: {text}", error.address().unwrap_or("server"))
        }
        _ => error.to_string(),
    }
}

/// Turns an error into the end of the program: nothing was done, or what was typed can never be.
pub(crate) fn not_done(error: &Error) -> Failure {
    let exit = if let Cause::Misuse(_) = error.cause() { Exit::WrongUsage } else { Exit::NotDone };
    let failure = Failure::new(exit, words(error));
    match error.act() {
        Some(act) => failure.act(act),
        None => failure,
    }
}
/// Says why a `mem:` endpoint is of no use between processes.
pub(crate) fn mem_reaches_nobody(endpoint: &Endpoint) -> String {
    format!("{endpoint}: it connects the threads of one process, and no other process can reach it")
}
