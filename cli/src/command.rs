//! One command to a line, or a question about lines: `lines`, `get`, `set`, `toggle`, `pulse`, `blink`, `press`.
//!
//! | module | does |
//! |---|---|
//! | `answer` | reads what a board answers |
//! | `events` | follows the changes of one server |
//! | `table` | columns below each other |
//! | `hardware` | the GPIO of this machine |
//! | `latency` | how long something took, as rows of a table |
//! | `moment` | moments and durations as a person reads them |

pub(crate) mod answer;
pub(crate) mod events;
mod hardware;
pub(crate) mod latency;
pub(crate) mod moment;
pub(crate) mod table;

use std::time::Duration;

use soquete::{Endpoint, Error, Outcome};
use soquete_node::config::LineName;
use soquete_node::status::{LineStatus, ProcessStatus};
use soquete_proto::text::Verb;

use crate::arguments::{Blink, Get, LinePath, Lines, Press, Pulse, Reached, Set, Toggle};
use crate::output::{Exit, Failure, note, print, print_done};
use crate::reach::{self, Deadline, Target};
use answer::{Value, plain};
use moment::Moment;
use table::Table;

/// How long a press may take. 2 s, as the other commands by default: it never leaves this machine.
const PRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Prints every line with its direction and value, or the GPIO of this machine; of this machine's also who set it, and when.
///
/// # Errors
/// Somebody does not answer; the lines of the others are printed.
pub(crate) fn lines(lines: &Lines) -> Result<(), Failure> {
    if lines.hardware {
        return hardware::list(lines);
    }
    let reached = &lines.reached;
    let by = Deadline::after(reached.timeout.duration());
    let targets = reach::targets(reached)?;
    let mut table = Table::new(&["PROCESS", "LINE", "DIRECTION", "VALUE", "SINCE", "BY", "LEASED BY"]);
    let answers: Vec<Result<_, Error>> = reach::ask_each(&targets, by, move |target| rows(target, by));
    let mut silent = Vec::new();
    for (target, answer) in targets.iter().zip(answers) {
        // One process alone needs no name.
        let process = target.process.clone().filter(|_| targets.len() > 1).unwrap_or_default();
        match answer {
            Ok(rows) => rows.into_iter().for_each(|[line, direction, value, since, who, owner]| {
                table.add([process.clone(), line, direction, value, since, who, owner]);
            }),
            Err(error) => silent.push(error),
        }
    }
    print(&table)?;
    match silent.split_first() {
        None => Ok(()),
        Some((one, [])) => Err(reach::not_done(one)),
        Some(_) => {
            let wrong = silent.iter().map(reach::words).collect();
            Err(Failure::Wrong { exit: Exit::NotDone, wrong, act: None })
        }
    }
}

/// Asks one target for the rows of its lines: name, direction, value, since when and by whom, and who owns it.
fn rows(target: &Target, by: Deadline) -> Result<Vec<[String; 6]>, Error> {
    if target.process.is_none() {
        let rows = target.ask("LINES", by, answer::rows)?;
        let cells = |row: answer::Row| {
            let direction = answer::direction(row.direction).to_owned();
            let owner = answer::owner(row.lease.as_ref());
            [row.name.to_string(), direction, row.known(), String::new(), String::new(), owner]
        };
        return Ok(rows.into_iter().map(cells).collect());
    }
    let status: ProcessStatus = reach::ask_json(target, by)?;
    let cells = |line: LineStatus| {
        let since = line.since_us.map(|us| Moment::from_us(us).rough()).unwrap_or_default();
        let owner = answer::owner(line.lease.as_ref());
        let trouble = line.gpio.and_then(|gpio| gpio.trouble).or_else(|| line.far.and_then(|far| far.trouble));
        let value = answer::known(&line.value, trouble.as_deref().filter(|_| line.value == "unknown"));
        [line.name, line.direction, value, since, plain(&line.by.unwrap_or_default()), owner]
    };
    Ok(status.lines.into_iter().map(cells).collect())
}

/// Prints the value of a line; why it is unknown, to standard error.
///
/// # Errors
/// There is no such line, or nobody answers.
pub(crate) fn get(get: &Get) -> Result<(), Failure> {
    let by = Deadline::after(get.reached.timeout.duration());
    let (value, why) = match &get.reached.at {
        None => {
            let row = reach::find(&reach::here(&get.reached.chosen)?, &get.line, by)?.row;
            (row.value, row.why)
        }
        Some(endpoint) => {
            let (target, line) = at(endpoint, &get.line)?;
            let ask = move |target: &Target| known(target, &line, by);
            reach::ask_one(&target, by, ask).map_err(|error| reach::not_done(&error))?
        }
    };
    print(format_args!("{value}\n"))?;
    // Scripts compare the value; the reason is for people.
    why.iter().for_each(|why| note(format_args!("{} is unknown: {}", get.line, plain(why))));
    Ok(())
}

/// Asks a target what a line has; where that is unknown also why, which stands only among all its lines.
fn known(target: &Target, line: &LineName, by: Deadline) -> Result<(Value, Option<String>), Error> {
    let (name, value) = target.ask(line.as_str(), by, answer::value)?;
    if value != Value::Unknown {
        return Ok((value, None));
    }
    // Without the reason the value is still worth something.
    let rows = target.ask("LINES", by, answer::rows).unwrap_or_default();
    Ok((value, rows.into_iter().find(|row| row.name == name).and_then(|row| row.why)))
}

/// Switches a line and prints what it has then.
///
/// # Errors
/// It is not done, or nobody can say.
pub(crate) fn set(set: &Set) -> Result<(), Failure> {
    switch(&set.line, set.value.word(), &set.reached)
}

/// Switches a line to what it is not and prints what it has then.
///
/// # Errors
/// It is not done, or nobody can say.
pub(crate) fn toggle(toggle: &Toggle) -> Result<(), Failure> {
    switch(&toggle.line, "TOGGLE", &toggle.reached)
}

/// Switches a line on for a time and prints what it has then.
///
/// # Errors
/// It is not done, or nobody can say.
pub(crate) fn pulse(pulse: &Pulse) -> Result<(), Failure> {
    switch(&pulse.line, &Verb::Pulse(pulse.time.duration()).to_string(), &pulse.reached)
}

/// Switches a line on and off by turns and prints what it has first.
///
/// # Errors
/// It is not done, or nobody can say.
pub(crate) fn blink(blink: &Blink) -> Result<(), Failure> {
    let (on, off) = (blink.on.duration(), blink.off.unwrap_or(blink.on).duration());
    switch(&blink.line, &Verb::Blink { on, off, count: blink.count }.to_string(), &blink.reached)
}

fn switch(path: &LinePath, word: &str, reached: &Reached) -> Result<(), Failure> {
    let by = Deadline::after(reached.timeout.duration());
    let (target, line) = meant(path, reached, by)?;
    let done = call(&target, &line, format!("{line} {word}"), by)?;
    let (line, value): (LineName, Value) =
        answer::value(&done).map_err(|wrong| unknown(&line, &format!("{}: {wrong}", target.endpoint)))?;
    print_done(format_args!("{line} {value}\n"))
}

/// Finds the line that a path means, and whose it is.
///
/// # Errors
/// There is none, or nobody answers.
pub(crate) fn meant(path: &LinePath, reached: &Reached, by: Deadline) -> Result<(Target, LineName), Failure> {
    match &reached.at {
        Some(endpoint) => at(endpoint, path),
        None => {
            let found = reach::find(&reach::here(&reached.chosen)?, path, by)?;
            Ok((found.target, found.row.name))
        }
    }
}

/// Presses a button of this machine that is a FIFO or virtual.
///
/// # Errors
/// There is no such line, it cannot be pressed from here, or nobody can say whether it was.
pub(crate) fn press(press: &Press) -> Result<(), Failure> {
    let by = Deadline::after(PRESS_TIMEOUT);
    let found = reach::find(&reach::here(&press.chosen)?, &press.line, by)?;
    let line = found.row.name;
    call(&found.target, &line, format!("PRESS {line}"), by)?;
    print_done(format_args!("pressed {line}\n"))
}

/// Makes the target of `--at`, where a line has no process.
fn at(endpoint: &Endpoint, path: &LinePath) -> Result<(Target, LineName), Failure> {
    match &path.process {
        None => Ok((Target::at(endpoint), path.line.clone())),
        Some(_) => Err(reach::process_at_an_endpoint(path)),
    }
}

/// Has something done, once; returns the server's answer.
fn call(target: &Target, line: &LineName, request: String, by: Deadline) -> Result<String, Failure> {
    match reach::call_one(target, request, by).map_err(|error| reach::not_done(&error))? {
        Outcome::Done(answer) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Outcome::NotDone(why) => Err(Failure::new(Exit::NotDone, format!("{line}: not done: {}", plain(&why)))),
        Outcome::Unknown(why) => Err(unknown(line, &why)),
    }
}

/// Says that nobody knows what became of a command.
pub(crate) fn unknown(line: &LineName, why: &str) -> Failure {
    Failure::new(Exit::Unknown, format!("{line}: nobody knows whether it was done: {}", plain(why)))
        .act("look before you try again: `soquete get` tells the value")
}
