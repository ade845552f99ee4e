//! `soquete config`: checks, shows, explains and begins a configuration.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use soquete_node::config::ProcessConfig;

use super::show::Shown;
use super::{Configuration, load, source};
use crate::arguments::ConfigCommand;
use crate::output::{Exit, Failure, print};

/// A configuration that explains every key; what is in force in it is the built-in one.
pub(super) const EXAMPLE: &str = include_str!("example.toml");

/// Runs `soquete config`.
///
/// # Errors
/// The configuration has mistakes, or the file cannot be written.
pub(crate) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(chosen) => print(summary(&load(chosen)?)),
        ConfigCommand::Show(chosen) => print(Shown(&load(chosen)?)),
        ConfigCommand::Example => print(EXAMPLE),
        ConfigCommand::Init => init(),
    }
}

/// Says what a configuration without mistakes has: `ok: 2 processes, 2 lines, 1 rule, 1 endpoint (built-in pc)`.
fn summary(configuration: &Configuration) -> String {
    let count = |of: fn(&ProcessConfig) -> usize| configuration.processes.iter().map(of).sum::<usize>();
    let processes = counted(configuration.processes.len(), "process", "es");
    let lines = counted(count(|process| process.lines.len()), "line", "s");
    let rules = counted(count(|process| process.rules.len()), "rule", "s");
    let endpoints = counted(count(|process| process.serve.len()), "endpoint", "s");
    format!("ok: {processes}, {lines}, {rules}, {endpoints} ({})\n", configuration.source)
}

fn counted(count: usize, one: &str, plural: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { plural })
}

/// Writes the example where the user's configuration is looked for.
fn init() -> Result<(), Failure> {
    let Some(path) = source::user_file(&source::environment) else {
        return Err(Failure::new(
            Exit::NotDone,
            "no place for a configuration: neither XDG_CONFIG_HOME nor HOME is set",
        )
        .act("`soquete config example` prints it, and `soquete up -c FILE` runs it"));
    };
    let shown = path.display();
    write_new(&path, EXAMPLE).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(Exit::NotDone, format!("{shown} is there already and stays as it is"))
            .act("`soquete config check` says whether it is fine; `soquete config example` prints a new one"),
        _ => Failure::new(Exit::NotDone, format!("write {shown}: {error}")),
    })?;
    print(format_args!("written: {shown}\nEdit it, then type `soquete config check` and `soquete up`.\n"))
}

/// Writes a file that is not there yet, and the folders above it.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // Half an example would be a mistake at the next start; that it cannot be removed is not worth a second error.
        let _ = fs::remove_file(path);
    })
}
