//! The other end of the control socket of `up`: what `down`, `logs` and `status` ask it.

use std::time::Duration;

use soquete::{Client, ClientOptions, Error};

use super::report::Report;
use crate::instance::Instance;
use crate::output::{Exit, Failure};

/// The service of every control socket.
pub(crate) const SERVICE: &str = "control";

/// How long `up` may take to answer what it can answer at once. More means that somebody stopped it by hand.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to the `up` of an instance; `timeout` bounds each wait, without one it lasts as long as `up` does.
///
/// # Errors
/// Nobody listens there.
pub(crate) fn connect(instance: &Instance, timeout: Option<Duration>) -> Result<Client, Error> {
    Client::connect(&instance.supervisor(), ClientOptions { timeout, ..ClientOptions::frames(SERVICE) })
}

/// Asks `up` what it runs.
///
/// # Errors
/// It does not run, or does not answer within 10 s.
pub(crate) fn status(instance: &Instance) -> Result<Report, Failure> {
    let mut client = connect(instance, Some(ANSWER_TIMEOUT)).map_err(|error| failed(instance, &error))?;
    let answer = client.request(b"STATUS").map_err(|error| failed(instance, &error))?;
    serde_json::from_slice(answer).map_err(|error| {
        let wrong = format!("the `up` of {} answers what cannot be read: {error}", instance.name());
        Failure::new(Exit::NotDone, wrong).act("it may be of another version: stop it with Ctrl-C or SIGTERM")
    })
}

/// Says why `up` gave no answer, and what to do.
pub(crate) fn failed(instance: &Instance, error: &Error) -> Failure {
    if error.is_refused() || error.io_kind() == Some(std::io::ErrorKind::NotFound) {
        return instance.not_running();
    }
    let failure = Failure::new(Exit::NotDone, error);
    if error.is_timeout() {
        let act = "`up` runs and does not answer. See with `ps -C soquete -o pid,stat,args` whether it is stopped (T): \
                   `kill -CONT PID` lets it go on, `kill -KILL PID` ends it, and its processes then end by themselves";
        return failure.act(act);
    }
    failure
}
