//! `soquete up`: starts the processes of the configuration, shows what they say, starts again what dies.
//!
//! | module | does |
//! |---|---|
//! | `supervisor` | the loop: when what is started, stopped, started again |
//! | `member`, `child` | a process of the configuration; while it runs, its descriptors |
//! | `outputs` | what is held for it, so that its outputs outlive it |
//! | `crew`, `log`, `lines` | all processes, and what they say |
//! | `readiness`, `signals` | what the loop hears of besides |
//! | `control`, `report` | the control socket, and what it tells |
//! | `ask` | the other end of it, for other commands |
//! | `printer`, `guide` | what is shown |
//! | `detach` | `--detach` |

pub(crate) mod ask;
pub(crate) mod child;
mod control;
mod crew;
mod detach;
mod guide;
mod lines;
mod log;
pub(crate) mod member;
mod outputs;
mod printer;
mod readiness;
pub(crate) mod report;
pub(crate) mod signals;
mod supervisor;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sd_notify::NotifyState;
use signal_hook::consts::SIGINT;
use soquete::{Endpoint, Framing, Hub, Limits, ListenOptions, UnixName};
use soquete_proto::server::Options;

use crate::arguments::Up;
use crate::configuration::{Configuration, Shown, apply_anyone_from, load};
use crate::instance::{Instance, Lock};
use crate::output::{Exit, Failure};

use crew::Crew;
use guide::{Choice, Place};
use printer::{Printer, Showing};
use readiness::Readiness;
use report::Report;
use signals::Signals;
use supervisor::{Means, Supervisor};

/// Connections to the control socket at a time: people, and programs that show how it is.
const CONNECTIONS_MAX: usize = 256;

/// The longest request, in octets: a word and a number.
const REQUEST_MAX_BYTES: u32 = 64;

/// How long processes of an earlier `up` may take to stop: as long as each gives itself, and a little more.
const LEFTOVERS_TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look whether they have.
const LEFTOVERS_INTERVAL: Duration = Duration::from_millis(20);

/// How long they may take without a word.
const LEFTOVERS_SILENCE: Duration = Duration::from_millis(500);

/// Runs `soquete up`.
///
/// # Errors
/// The configuration has mistakes, the instance runs already, or a process cannot be started.
pub(crate) fn run(up: &Up) -> Result<(), Failure> {
    let is_detached = detach::is_detached();
    if up.detach && !is_detached {
        return detach::detach();
    }
    let mut configuration = load(&up.chosen)?;
    apply_anyone_from(&mut configuration, &up.anyone_from)?;
    if is_detached {
        detach::leave_session().map_err(|error| failed("leave the session", &error))?;
    }
    let instance = Instance::of(&configuration.name)?;
    let lock = lock(&instance)?;
    let showing = if is_detached { Showing::Words } else { Showing::All };
    let mut crew = Crew::new(&configuration, Printer::start(showing));
    crew.printer.words(format!("configuration: {} (instance {})\n", configuration.source, configuration.name));
    let is_only = instance.is_only();
    let mut supervisor = Supervisor::new(means(&configuration, instance, lock)?, crew).map_err(lost)?;
    let input = io::stdin();
    if supervisor.start(is_detached.then(|| input.as_fd())).map_err(lost)? {
        // Nobody waits for it where the variable is not set.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let place = if is_detached { Place::Background } else { Place::Foreground };
        let choice = if is_only { Choice::Only } else { Choice::OfSeveral };
        let guide = guide::guide(&configuration, &supervisor.crew.report(), place, choice);
        supervisor.crew.printer.words(guide);
        if is_detached {
            supervisor.crew.printer.finish();
            detach::let_go().map_err(|error| failed("let go of the terminal", &error))?;
        }
    }
    supervisor.run().map_err(lost)?;
    supervisor.finish()
}

/// Takes the lock of the instance. Where an `up` was killed, its processes are waited for: they are about to stop.
fn lock(instance: &Instance) -> Result<Lock, Failure> {
    let begun = Instant::now();
    let mut is_silent = true;
    loop {
        if let Some(lock) = instance.lock()? {
            return Ok(lock);
        }
        match ask::status(instance) {
            Ok(report) => return Err(running(&report)),
            Err(failure) if instance.has_supervisor() => return Err(failure),
            Err(_) => {}
        }
        let waited = begun.elapsed();
        if waited > LEFTOVERS_TIMEOUT {
            let names: Vec<String> = instance.processes().into_iter().map(|(name, _)| name.to_string()).collect();
            let wrong =
                format!("processes of an earlier `up` of {} do not stop: {}", instance.name(), names.join(", "));
            return Err(Failure::new(Exit::NotDone, wrong).act("`kill -KILL` ends each; `pidof` tells its id"));
        }
        if waited > LEFTOVERS_SILENCE && std::mem::take(&mut is_silent) {
            eprintln!("soquete: waiting for processes of an earlier `up` to stop");
        }
        thread::sleep(LEFTOVERS_INTERVAL);
    }
}

/// Says who runs the instance already.
fn running(report: &Report) -> Failure {
    let since = i64::try_from(report.since_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    let since = since.map(|since| since.to_zoned(TimeZone::system()).strftime("%F %T").to_string());
    let wrong = format!("{} runs already: pid {}, since {}", report.name, report.pid, since.unwrap_or_default());
    Failure::new(Exit::NotDone, wrong).act("`soquete status` shows it, `soquete down` stops it")
}

/// Gets what the loop is made of. What an earlier `up` has left in the folder is taken over.
fn means(configuration: &Configuration, instance: Instance, lock: Lock) -> Result<Means, Failure> {
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let mut hub = Hub::new(limits).map_err(lost)?;
    let options =
        Options { name: "soquete up".to_owned(), payload_max_bytes: REQUEST_MAX_BYTES, ..Options::new(ask::SERVICE) };
    let service = hub.add_service(Framing::Frames, options);
    let listening = ListenOptions { mode: Some(0o600), ..ListenOptions::default() };
    hub.listen(service, &instance.supervisor(), &listening).map_err(lost)?;
    let readiness = Readiness::listen(instance.notify()).map_err(|error| failed("listen for readiness", &error))?;
    let catch = |signals: &[i32]| Signals::catch(signals).map_err(|error| failed("catch signals", &error));
    let served = configuration.processes.iter().flat_map(|process| &process.serve).map(|serve| &serve.at);
    let is_path = |at: &&Endpoint| matches!(at, Endpoint::Unix(UnixName::Path(_)));
    Ok(Means {
        hub,
        instance,
        lock,
        readiness,
        interrupts: catch(&[SIGINT])?,
        terminations: catch(&signals::terminations())?,
        unix_paths: served.filter(is_path).cloned().collect(),
        configuration: Arc::from(Shown(configuration).to_string()),
    })
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::NotDone, format!("{what}: {error}"))
}

fn lost(error: soquete::Error) -> Failure {
    Failure::new(Exit::NotDone, error)
}
