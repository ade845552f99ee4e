//! A few friendly lines: what runs, where, and what to type next.

use std::fmt::Write;

use soquete_node::config::{Direction, LineConfig, LineKind, ProcessConfig};

use super::report::{Report, quoted};
use crate::configuration::Configuration;

/// How `up` goes on after these lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the terminal where it was typed.
    Foreground,
    /// Without one.
    Background,
}

/// Whether a command has to name the instance that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// No other runs.
    Only,
    /// It has to be named.
    OfSeveral,
}

/// Says what runs and what to type next, all of it from the configuration and from what runs.
pub(super) fn guide(configuration: &Configuration, report: &Report, place: Place, choice: Choice) -> String {
    let mut text = String::from("\n");
    for (config, process) in configuration.processes.iter().zip(&report.processes) {
        let pid = process.pid.map_or(String::from("none"), |pid| pid.to_string());
        let served: Vec<String> = config.serve.iter().map(|serve| serve.at.to_string()).collect();
        row(&mut text, &format!("{}, pid {pid}", config.name), &served.join(" "));
        for serve in config.serve.iter().filter(|serve| !serve.anyone_from.is_empty()) {
            let networks: Vec<String> = serve.anyone_from.iter().map(ToString::to_string).collect();
            row(&mut text, "", &format!("{}: for every machine of {}", serve.at, networks.join(" ")));
        }
    }
    text.push_str(match place {
        Place::Foreground => "\nType in another terminal:\n",
        Place::Background => "\nType next:\n",
    });
    let which = match choice {
        Choice::Only => String::new(),
        Choice::OfSeveral => format!(" {}", report.choice()),
    };
    if let Some((process, config)) = first(configuration, Direction::Input) {
        let line = path(configuration, process, config);
        match &config.kind {
            LineKind::Gpio(_) => {}
            _ => command(&mut text, &format!("press {line}{which}"), &format!("presses {line}")),
        }
        if let LineKind::Fifo { path, .. } = &config.kind {
            row(&mut text, &format!("echo \"0\" > {}", quoted(&path.to_string_lossy())), "does the same");
        }
    }
    if let Some((process, config)) = first(configuration, Direction::Output) {
        let line = path(configuration, process, config);
        command(&mut text, &format!("toggle {line}{which}"), &format!("switches {line}"));
        command(&mut text, &format!("watch{which}"), "shows each change");
    }
    command(&mut text, &format!("status{which}"), "shows how everything is");
    match place {
        Place::Foreground => command(&mut text, &format!("down{which}"), "stops everything; so does Ctrl-C here"),
        Place::Background => {
            command(&mut text, &format!("logs -f{which}"), "shows what the processes say");
            command(&mut text, &format!("down{which}"), "stops everything");
        }
    }
    text.push('\n');
    text
}

fn command(text: &mut String, words: &str, does: &str) {
    row(text, &format!("soquete {words}"), does);
}

fn row(text: &mut String, left: &str, right: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", format!("  {left:<34} {right}").trim_end());
}

/// Returns the first line that goes this way, and its process.
fn first(configuration: &Configuration, direction: Direction) -> Option<(&ProcessConfig, &LineConfig)> {
    let lines =
        configuration.processes.iter().flat_map(|process| process.lines.iter().map(move |line| (process, line)));
    lines.into_iter().find(|(_, line)| line.kind.direction() == direction)
}

/// Names a line as it is typed: with its process where another has one of this name.
fn path(configuration: &Configuration, process: &ProcessConfig, line: &LineConfig) -> String {
    let lines = configuration.processes.iter().flat_map(|process| &process.lines);
    match lines.filter(|other| other.name == line.name).count() {
        1 => line.name.to_string(),
        _ => format!("{}/{}", process.name, line.name),
    }
}
