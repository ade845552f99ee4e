//! Which instance a command is about.

use std::fs;

use soquete_node::config::InstanceName;

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
        0 => Ok(usual),
        1 => Ok(running.remove(0)),
        _ => Err(several(&running)),
    }
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
