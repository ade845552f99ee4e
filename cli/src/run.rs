//! `soquete run`: one process of the configuration, in the foreground or under `up`.
//!
//! Under `up` the configuration comes through standard input, as `up` has read it, and ends with a NUL. Standard input stays
//! open then; its end means that `up` is gone, and the process stops.

mod unit;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, process, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use soquete::Stream;
use soquete_node::config::{ProcessConfig, ProcessName};
use soquete_node::holder::Holder;
use soquete_node::{Askers, Process, Surroundings};

use self::unit::Notify;
use crate::activation::descriptors;
use crate::arguments::Run;
use crate::configuration::{Configuration, load, read_shown};
use crate::instance::{Instance, control_in, journal_in};
use crate::output::{Exit, Failure};
use crate::up::child::{HELD, Held, is_supervised, told};
use crate::up::member::STOP_TIMEOUT;
use crate::up::signals::{Signals, terminations};

/// What to do where the descriptors that were passed are none.
const LISTEN_ACT: &str = "LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say what was passed; unset them where nothing was";

/// Runs `soquete run`.
///
/// # Errors
/// There is no such process, what it needs cannot be had, or it ends before its time.
pub(crate) fn run(run: &Run) -> Result<(), Failure> {
    // First, before anything else has a descriptor.
    let passed = descriptors().map_err(|error| failed("take over descriptors", &error).act(LISTEN_ACT))?;
    let (stored, sockets): (Vec<_>, Vec<_>) = passed.into_iter().partition(|(name, _)| Holder::names(name));
    let lifeline = is_supervised().then(lifeline).transpose().map_err(|error| failed("read what `up` says", &error))?;
    let (configuration, held) = match &lifeline {
        Some(lifeline) => told_by(lifeline)?,
        None => (load(&run.chosen)?, stored),
    };
    let home = Home::of(&configuration, &run.name, lifeline.is_some())?;
    let config = process_of(configuration, &run.name)?;
    take_shape(&run.name);
    home.create()?;
    let notify = Notify::from_environment().map_err(unheard)?;
    let signals = stop_signals().map_err(|error| failed("catch signals", &error))?;
    let mut stop_on = vec![OwnedFd::from(signals)];
    if let Some(lifeline) = lifeline {
        end_with(&lifeline).map_err(|error| failed("watch over `up`", &error))?;
        stop_on.push(lifeline.into());
    }
    let holder = unit::notify_socket().map(|at| Holder::connect(&at, held)).transpose();
    let holder = holder.map_err(unheard)?;
    let overseer = notify.as_ref().map(Notify::overseer).transpose();
    let surroundings = Surroundings {
        control: Some(home.control.clone()),
        askers: home.askers,
        stop_on,
        journal: Some(home.journal.clone()),
        holder,
        sockets: sockets.into_iter().map(|(_, socket)| socket).collect(),
        overseer: overseer.map_err(unheard)?,
    };
    let process = Process::new(config, surroundings).map_err(Failure::from)?;
    let ready = notify.map_or(Ok(()), |notify| notify.ready(&process));
    ready.map_err(unheard)?;
    let ended = process.run().map_err(Failure::from);
    home.remove();
    ended
}

/// Nobody can be told how the process is.
fn unheard(error: io::Error) -> Failure {
    let place = unit::notify_socket().unwrap_or_default();
    let wrong = failed(&format!("tell NOTIFY_SOCKET {}", place.display()), &error);
    wrong.act("unset NOTIFY_SOCKET where nobody waits to be told that this is ready")
}

/// Where a process has its control socket and its journal.
struct Home {
    control: PathBuf,
    journal: PathBuf,
    askers: Askers,
    /// The instance whose folder this is; nothing where a unit has a folder for it.
    instance: Option<Instance>,
}

impl Home {
    fn of(configuration: &Configuration, name: &ProcessName, is_supervised: bool) -> Result<Self, Failure> {
        if let Some(folder) = unit::runtime_folder(name).filter(|_| !is_supervised) {
            let journal = journal_in(&unit::state_folder().unwrap_or_else(|| folder.clone()), name);
            return Ok(Self { control: control_in(&folder, name), journal, askers: Askers::Group, instance: None });
        }
        let instance = Instance::of(&configuration.name)?;
        let (control, journal) = (instance.control(name), instance.journal(name));
        Ok(Self { control, journal, askers: Askers::Owner, instance: Some(instance) })
    }

    fn create(&self) -> Result<(), Failure> {
        self.instance.as_ref().map_or(Ok(()), Instance::create)
    }

    fn remove(&self) {
        // Where `up` has put something into it, it stays.
        self.instance.iter().for_each(Instance::remove_folder);
    }
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
