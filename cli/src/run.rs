//! `soquete run`: one process of the configuration, in the foreground or under `up`.
//!
//! Under `up` the configuration comes through standard input, as `up` has read it, and ends with a NUL. Standard input stays
//! open then; its end means that `up` is gone, and the process stops.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, process, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use soquete::Stream;
use soquete_node::config::{ProcessConfig, ProcessName};
use soquete_node::holder::Holder;
use soquete_node::{Process, Surroundings};

use crate::activation::descriptors;
use crate::arguments::Run;
use crate::configuration::{Configuration, load, read_shown};
use crate::instance::Instance;
use crate::output::{Exit, Failure};
use crate::up::child::{HELD, Held, is_supervised, told};
use crate::up::member::STOP_TIMEOUT;
use crate::up::signals::{Signals, terminations};

/// Runs `soquete run`.
///
/// # Errors
/// There is no such process, what it needs cannot be had, or it ends before its time.
pub(crate) fn run(run: &Run) -> Result<(), Failure> {
    let lifeline = is_supervised().then(lifeline).transpose().map_err(|error| failed("read what `up` says", &error))?;
    let (configuration, held) = match &lifeline {
        Some(lifeline) => told_by(lifeline)?,
        None => (load(&run.chosen)?, descriptors().map_err(|error| failed("take over descriptors", &error))?),
    };
    let instance = Instance::of(&configuration.name)?;
    let config = process_of(configuration, &run.name)?;
    take_shape(&run.name);
    instance.create()?;
    let signals = stop_signals().map_err(|error| failed("catch signals", &error))?;
    let mut stop_on = vec![OwnedFd::from(signals)];
    if let Some(lifeline) = lifeline {
        end_with(&lifeline).map_err(|error| failed("watch over `up`", &error))?;
        stop_on.push(lifeline.into());
    }
    let (control, journal) = (instance.control(&run.name), instance.journal(&run.name));
    let holder = env::var_os("NOTIFY_SOCKET").map(|at| Holder::connect(&at, held)).transpose();
    let holder = holder.map_err(|error| failed("reach who started this", &error))?;
    let surroundings = Surroundings { control: Some(control), stop_on, journal: Some(journal), holder };
    let process = Process::new(config, surroundings).map_err(Failure::from)?;
    sd_notify::notify(&[NotifyState::Ready]).map_err(|error| failed("say that it is ready", &error))?;
    let ended = process.run().map_err(Failure::from);
    // Where `up` has put something into it, it stays.
    instance.remove_folder();
    ended
}

/// Returns the standard input, for itself.
fn lifeline() -> io::Result<Stream> {
    Ok(Stream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Reads what `up` hands over: the configuration, and the descriptors it held for an earlier run.
fn told_by(lifeline: &Stream) -> Result<(Configuration, Vec<Held>), Failure> {
    let told = told(lifeline, &env::var(HELD).unwrap_or_default());
    let (text, held) = told.map_err(|error| failed("read the configuration from `up`", &error))?;
    Ok((read_shown(Path::new("the configuration that `up` read"), &text)?, held))
}

/// Takes one process out of a configuration.
fn process_of(configuration: Configuration, name: &ProcessName) -> Result<ProcessConfig, Failure> {
    let names: Vec<String> = configuration.processes.iter().map(|process| process.name.to_string()).collect();
    let found = configuration.processes.into_iter().find(|process| process.name == *name);
    found.ok_or_else(|| {
        let wrong = format!("no process {name} in {}", configuration.source);
        Failure::usage(wrong).act(format!("it has {}", names.join(", ")))
    })
}

/// Makes this process appear under its name, and lets it have as many descriptors as it may.
fn take_shape(name: &ProcessName) {
    if let Ok(name) = CString::new(name.as_str()) {
        // It would only look different.
        let _ = rustix::thread::set_name(&name);
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    // It would only serve fewer clients.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Catches the signals that stop a process; the second one ends it at once.
///
/// # Errors
/// EMFILE or ENFILE when no descriptor is left.
fn stop_signals() -> io::Result<Signals> {
    let is_told = Arc::new(AtomicBool::new(false));
    let mut stopping = terminations();
    stopping.push(SIGINT);
    // First, so that no signal between the two is lost: the flag alone ends nothing.
    let signals = Signals::catch(&stopping)?;
    for &signal in &stopping {
        flag::register_conditional_shutdown(signal, Exit::NotDone as i32, is_told.clone())?;
        flag::register(signal, is_told.clone())?;
    }
    Ok(signals)
}

/// Ends this process where `up` is gone and it does not stop by itself in the time that `up` would give it.
fn end_with(lifeline: &Stream) -> io::Result<()> {
    let mut lifeline = File::from(lifeline.as_fd().try_clone_to_owned()?);
    thread::Builder::new().stack_size(64 << 10).spawn(move || {
        // Nothing more is ever written to it.
        while matches!(lifeline.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::Interrupted) {}
        thread::sleep(STOP_TIMEOUT);
        process::exit(Exit::NotDone as i32)
    })?;
    Ok(())
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::NotDone, format!("{what}: {error}"))
}
