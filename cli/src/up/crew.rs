//! All processes of an instance, and what they and `up` say.

use std::process;

use rustix::process::Pid;

use super::log::Log;
use super::member::{Member, now_us};
use super::printer::Printer;
use super::report::Report;
use crate::configuration::{Configuration, Source};

/// Who speaks in the log where no process does.
const SUPERVISOR: &str = "up";

/// The processes in the order of the configuration, and the log.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) members: Vec<Member>,
    pub(super) log: Log,
    pub(super) printer: Printer,
    name: String,
    config: String,
    since_us: u64,
}

impl Crew {
    /// Makes the processes of a configuration; none of them runs yet.
    pub(super) fn new(configuration: &Configuration, printer: Printer) -> Self {
        Self {
            members: configuration.processes.iter().map(Member::new).collect(),
            log: Log::default(),
            printer,
            name: configuration.name.to_string(),
            config: match &configuration.source {
                Source::File(path) => std::path::absolute(path).unwrap_or(path.clone()).display().to_string(),
                built_in @ Source::BuiltIn(_) => built_in.to_string(),
            },
            since_us: now_us(),
        }
    }

    /// Returns the place of the process with this id.
    pub(super) fn place_of(&self, pid: Pid) -> Option<usize> {
        self.members.iter().position(|member| member.pid() == Some(pid))
    }

    /// Logs what `up` says.
    pub(super) fn say(&mut self, text: &str) {
        self.log.push(&format!("{SUPERVISOR} | {text}"));
        self.printer.line(SUPERVISOR, text, None);
    }

    /// Logs what a process says.
    pub(super) fn hear(&mut self, nth: usize, lines: &[String]) {
        let name = self.members[nth].name.as_str();
        for line in lines {
            self.log.push(&format!("{name} | {line}"));
            self.printer.line(name, line, Some(nth));
        }
    }

    /// Tells about all of them.
    pub(super) fn report(&self) -> Report {
        Report {
            pid: process::id(),
            name: self.name.clone(),
            config: self.config.clone(),
            since_us: self.since_us,
            processes: self.members.iter().map(Member::report).collect(),
        }
    }
}
