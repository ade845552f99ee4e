//! Which instance a command is about.

use std::fs;
use std::io::ErrorKind;

use soquete_node::config::{InstanceName, ProcessName};

use super::{Instance, folder};
use crate::arguments::Chosen;
use crate::configuration::load;
use crate::output::{Exit, Failure};
use crate::up::ask;

/// What is meant where no configuration says otherwise.
const USUAL: &str = "default";

/// Returns the instance that a command is about, whether it runs or not.
pub(super) fn meant(chosen: &Chosen) -> Result<Instance, Failure> {
    let is_named = std::env::var_os("SOQUETE_CONFIG").is_some_and(|value| !value.is_empty());
    if chosen.config.is_some() || chosen.platform.is_some() || is_named {
        return Instance::of(&load(chosen)?.name);
    }
    // A configuration with mistakes is no reason not to stop what was started before they were made.
    let usual = load(chosen).map(|found| found.name).or_else(|failure| USUAL.parse().map_err(|_| failure))?;
    let usual = Instance::of(&usual)?;
    if usual.is_running() {
        return Ok(usual);
    }
    let mut running = running();
    match running.len() {
        0 => units().map(|units| units.unwrap_or(usual)),
        1 => Ok(running.remove(0)),
        _ => Err(several(&running)),
    }
}

/// Returns what runs as units of systemd, where anything does.
///
/// # Errors
/// Their folders are closed to this user.
fn units() -> Result<Option<Instance>, Failure> {
    let Some(units) = Instance::units() else { return Ok(None) };
    if units.is_running() {
        return Ok(Some(units));
    }
    let is_closed = |process: &ProcessName| matches!(fs::metadata(units.unit_folder(process).join(".")), Err(error) if error.kind() == ErrorKind::PermissionDenied);
    let closed: Vec<ProcessName> = units.controls().map(|(process, _)| process).filter(is_closed).collect();
    let Some(first) = closed.first() else { return Ok(None) };
    let folder = units.unit_folder(first);
    let wrong = format!("systemd runs {first} as a unit, and {} is closed to you", folder.display());
    let act = "members of group soquete may ask: `sudo usermod -aG soquete $USER`, then log in again; or ask as root";
    Err(Failure::new(Exit::NotDone, wrong).act(act))
}

/// Returns the instances that run, by name.
fn running() -> Vec<Instance> {
    instances().into_iter().filter(Instance::is_running).collect()
}

/// Says whether no instance but this one runs.
pub(super) fn is_only(instance: &Instance) -> bool {
    !instances().iter().any(|other| other != instance && other.is_running())
}

/// Returns every instance that has a folder, by name.
fn instances() -> Vec<Instance> {
    let entries = fs::read_dir(folder::base()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<InstanceName>().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.iter().filter_map(|name| Instance::of(name).ok()).collect()
}

/// Says what runs, and what to type for each.
fn several(running: &[Instance]) -> Failure {
    let choice = |instance: &Instance| match ask::status(instance) {
        Ok(report) => format!("  {}: {}", instance.name(), report.choice()),
        Err(_) => format!("  {}: -c and its configuration", instance.name()),
    };
    let choices: Vec<String> = running.iter().map(choice).collect();
    let wrong = format!("{} instances run, and none of them is {USUAL}", running.len());
    Failure::new(Exit::WrongUsage, wrong).act(format!("type behind the command\n{}", choices.join("\n")))
}
