//! `soquete watch`: each change as it happens, and who caused it.
//!
//! A thread follows each process and comes back to it when it was gone; all feed one channel, which this thread prints.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr, stdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use soquete_node::config::LineName;
use soquete_node::histogram::Histogram;
use soquete_node::status::LatencyStatus;

use crate::arguments::{LinePath, Watch};
use crate::command::answer::Value;
use crate::command::events::{Follower, Happening, Notice};
use crate::command::latency::{LATENCY_HEAD, latency_row};
use crate::command::moment::{Moment, Took};
use crate::command::table::Table;
use crate::output::{Exit, Failure, note, print};
use crate::reach::{self, Deadline, Found, Target};

/// What is told to the thread that prints.
enum Told {
    /// Something happened at a target, counted in the order of the targets.
    By(usize, Notice),
    /// A signal asks for the end, or nobody reads any more.
    End,
}

/// One change as `--json` prints it.
#[derive(Debug, Serialize)]
struct Document<'a> {
    time_us: u64,
    process: Option<&'a str>,
    line: &'a str,
    value: Value,
    by: &'a str,
    seq: u64,
    missed: u64,
    /// How long after its cause it happened; nothing where nobody knows.
    latency_us: Option<u64>,
}

/// How long changes of a line were after their causes, as `--json --latency` prints it at the end.
#[derive(Debug, Serialize)]
struct Sum<'a> {
    process: Option<&'a str>,
    line: &'a str,
    latency: LatencyStatus,
}

/// A target, and which of its lines to hear of; none named means all.
struct Watched {
    target: Target,
    names: Vec<LineName>,
}

/// Prints changes.
struct Printer {
    targets: Vec<Target>,
    is_json: bool,
    /// Names of lines that several processes have, so that the process is printed, too.
    shared: Vec<LineName>,
    /// The longest name of a line watched so far, in characters.
    width: usize,
    /// By target and line, how long changes were after their causes; nothing where that is not asked for.
    latencies: Option<Latencies>,
}

/// Lines of each target whose latencies are summed: 1,024, as many as a board has. What a far end tells of more is printed
/// and not summed.
const SUMMED_MAX: usize = 1024;

type Latencies = BTreeMap<(usize, LineName), Histogram>;

/// Prints each change until Ctrl-C.
///
/// # Errors
/// There is no such line, nothing runs, or the endpoint of `--at` cannot be watched. A server that goes later is waited
/// for.
pub(crate) fn run(watch: &Watch) -> Result<(), Failure> {
    let by = Deadline::after(watch.reached.timeout.duration());
    let (watched, lines) = match &watch.reached.at {
        Some(endpoint) => (vec![Watched { target: Target::at(endpoint), names: plain_names(&watch.lines)? }], vec![]),
        None => chosen(&reach::here(&watch.reached.chosen)?, &watch.lines, by)?,
    };
    let mut printer = Printer::new(&watched, &lines, watch);
    let (teller, told) = channel();
    end_on_signals(teller.clone())?;
    end_without_reader(teller.clone());
    for (place, watched) in watched.into_iter().enumerate() {
        let teller = teller.clone();
        let follower = Follower::new(watched.target, watched.names, watch.reached.timeout.duration());
        thread::spawn(move || follower.follow(|notice| teller.send(Told::By(place, notice)).is_ok()));
    }
    let ended = printer.print_all(&told);
    // The threads that follow still have the paths at which they are answered.
    soquete::remove_paths();
    ended
}

/// Takes the names of lines of one endpoint, where processes have no names.
fn plain_names(paths: &[LinePath]) -> Result<Vec<LineName>, Failure> {
    let plain = |path: &LinePath| match &path.process {
        None => Ok(path.line.clone()),
        Some(_) => Err(reach::process_at_an_endpoint(path)),
    };
    paths.iter().map(plain).collect()
}

/// Chooses whom to watch among the processes of this machine; a name that several processes have means each of them.
fn chosen(targets: &[Target], paths: &[LinePath], by: Deadline) -> Result<(Vec<Watched>, Vec<Found>), Failure> {
    let (lines, silent) = reach::lines(targets, by);
    if paths.is_empty() {
        let all = targets.iter().map(|target| Watched { target: target.clone(), names: vec![] });
        return Ok((all.collect(), lines));
    }
    let is_meant = |found: &Found, path: &LinePath| found.row.name == path.line && reach::is_meant(&found.target, path);
    if let Some(none) = paths.iter().find(|path| !lines.iter().any(|found| is_meant(found, path))) {
        return Err(reach::no_such_line(none, &lines, &silent));
    }
    let watched = targets.iter().map(|target| {
        let own = lines.iter().filter(|found| found.target == *target);
        let meant = own.filter(|found| paths.iter().any(|path| is_meant(found, path)));
        Watched { target: target.clone(), names: meant.map(|found| found.row.name.clone()).collect() }
    });
    Ok((watched.filter(|watched| !watched.names.is_empty()).collect(), lines))
}

fn end_on_signals(teller: Sender<Told>) -> Result<(), Failure> {
    let no_signals = |error| Failure::new(Exit::NotDone, format!("catch Ctrl-C: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(no_signals)?;
    thread::spawn(move || signals.forever().next().map(|_| teller.send(Told::End)));
    Ok(())
}

/// Ends when whoever reads standard output has gone (`soquete watch | head -1`), not only at the next change.
fn end_without_reader(teller: Sender<Told>) {
    thread::spawn(move || {
        let out = stdout();
        // Errors and the far end's going are told without being asked for.
        let mut gone = [PollFd::new(&out, PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut gone, None) {}
        if gone[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            // The printing thread may have ended already.
            let _ = teller.send(Told::End);
        }
    });
}

impl Printer {
    fn new(watched: &[Watched], lines: &[Found], watch: &Watch) -> Self {
        let is_shared = |name: &LineName| lines.iter().filter(|found| found.row.name == *name).count() > 1;
        let shared = lines.iter().map(|found| found.row.name.clone()).filter(is_shared).collect();
        let targets = watched.iter().map(|watched| watched.target.clone()).collect();
        let latencies = watch.latency.then(Latencies::new);
        let mut printer = Self { targets, is_json: watch.json, shared, width: 0, latencies };
        let is_watched = |found: &&Found| {
            let watched = watched.iter().find(|watched| watched.target == found.target);
            watched.is_some_and(|watched| watched.names.is_empty() || watched.names.contains(&found.row.name))
        };
        let own = lines.iter().filter(is_watched).map(|found| printer.name(&found.target, &found.row.name).len());
        printer.width = own.max().unwrap_or(0);
        printer
    }

    /// Names a line: with its process only where others have one of this name.
    fn name(&self, target: &Target, line: &LineName) -> String {
        if self.shared.contains(line) { target.path(line) } else { line.to_string() }
    }

    fn print_all(&mut self, told: &Receiver<Told>) -> Result<(), Failure> {
        // Every sender lives as long as this.
        while let Ok(Told::By(place, notice)) = told.recv() {
            if let Notice::Happened(happening) = &notice {
                self.count(place, happening);
            }
            let target = &self.targets[place];
            match notice {
                Notice::Happened(happening) => self.print(target, &happening)?,
                Notice::Watching(names) => {
                    let names: Vec<String> = names.iter().map(|name| self.name(target, name)).collect();
                    announce(target, &names);
                    self.width = names.iter().map(String::len).chain([self.width]).max().unwrap_or(0);
                }
                Notice::Gone(error) if target.process.is_none() && error.is_first => {
                    return Err(reach::not_done(&error.error));
                }
                Notice::Gone(error) => note(format_args!("{}; trying again", reach::words(&error.error))),
                Notice::Back(rows) => {
                    let now = rows.iter().map(|row| format!("{} {}", self.name(target, &row.name), row.known()));
                    note(format_args!("{} is back: {}", target.name(), now.collect::<Vec<_>>().join(", ")));
                }
            }
        }
        self.print_latencies()
    }

    /// Adds how long a change was after its cause to those of its line.
    fn count(&mut self, place: usize, happening: &Happening) {
        if let (Some(latencies), Some(lag)) = (&mut self.latencies, happening.lag) {
            let key = (place, happening.change.name.clone());
            if latencies.len() < SUMMED_MAX * self.targets.len() || latencies.contains_key(&key) {
                latencies.entry(key).or_default().add(lag);
            }
        }
    }

    /// Prints how long changes were after their causes in all.
    fn print_latencies(&self) -> Result<(), Failure> {
        let mut table = Table::new(&LATENCY_HEAD);
        for ((place, line), histogram) in self.latencies.iter().flatten() {
            let (target, Some(latency)) = (&self.targets[*place], histogram.status()) else { continue };
            if self.is_json {
                print_json(&Sum { process: target.process.as_deref(), line: line.as_str(), latency })?;
            } else {
                table.add(latency_row(["edge", &format!("{} set", self.name(target, line))], &latency));
            }
        }
        if self.latencies.as_ref().is_some_and(BTreeMap::is_empty) {
            note(format_args!("no change had the time of an edge"));
        }
        print(table)
    }

    fn print(&self, target: &Target, happening: &Happening) -> Result<(), Failure> {
        let Happening { change, seq, missed, lag } = happening;
        if self.is_json {
            let document = Document {
                time_us: change.time_us,
                process: target.process.as_deref(),
                line: change.name.as_str(),
                value: change.value,
                by: &change.by,
                seq: *seq,
                missed: *missed,
                latency_us: lag.map(|lag| u64::try_from(lag.as_micros()).unwrap_or(u64::MAX)),
            };
            return print_json(&document);
        }
        if *missed > 0 {
            let changes = if *missed == 1 { "change" } else { "changes" };
            note(format_args!("{}: {missed} {changes} missed", target.name()));
        }
        let lag = lag.filter(|_| self.latencies.is_some());
        let lag = lag.map(|lag| format!(", {} after the edge", Took::of(lag))).unwrap_or_default();
        let (time, name) = (Moment::from_us(change.time_us).precise(), self.name(target, &change.name));
        print(format_args!(
            "{time} {name:width$} {:5}by {}{lag}\n",
            change.value.to_string() + " ",
            change.by,
            width = self.width
        ))
    }
}

fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(document);
    let json = json.map_err(|error| Failure::new(Exit::NotDone, format!("write JSON: {error}")))?;
    print(format_args!("{json}\n"))
}

/// Says to a person what is watched from now on.
fn announce(target: &Target, names: &[String]) {
    if stderr().is_terminal() {
        note(format_args!("watching {} of {}; Ctrl-C ends", names.join(", "), target.name()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::answer::Change;

    #[test]
    fn however_many_lines_a_far_end_tells_of_no_more_are_summed_than_a_board_has() {
        let targets = vec![Target::at(&"mem:far".parse().unwrap())];
        let latencies = Some(Latencies::new());
        let mut printer = Printer { targets, is_json: false, shared: vec![], width: 0, latencies };
        for nth in (0..SUMMED_MAX + 2).chain([0]) {
            let (name, value) = (format!("L{nth}").parse().unwrap(), Value::On);
            let change = Change { name, value, time_us: 0, by: String::new() };
            printer.count(0, &Happening { change, seq: 1, missed: 0, lag: Some(Duration::ZERO) });
        }
        let counts: Vec<_> = printer.latencies.iter().flatten().map(|(_, sum)| sum.status().unwrap().count).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (SUMMED_MAX, SUMMED_MAX as u64 + 1));
    }
}
