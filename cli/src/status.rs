//! `soquete status`: what runs here and how it is, or what an endpoint tells about itself.
//!
//! | module | does |
//! |---|---|
//! | `far` | asks an endpoint for its name and its lines |
//! | `page` | prints it for people |

mod far;
mod page;

use serde::Serialize;
use soquete_node::status::ProcessStatus;

use crate::arguments::{Reached, Status};
use crate::instance::Instance;
use crate::output::{Exit, Failure, print};
use crate::reach::{self, Deadline, Target};
use crate::up::report::Report;

/// All that `status` knows: one JSON document.
#[derive(Debug, Serialize)]
struct Document {
    /// What the instance is called; nothing where an endpoint was asked.
    instance: Option<String>,
    /// What `up` tells; nothing where it does not live, or an endpoint was asked.
    supervisor: Option<Report>,
    /// The processes: of `up` in its order, then others.
    processes: Vec<Answer>,
}

/// What is known of a process.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    /// What it tells itself.
    Here(Box<ProcessStatus>),
    /// What an endpoint tells.
    Far(far::Far),
    /// Nothing, and why.
    Silent { name: String, error: String },
}

/// Prints what runs and how it is.
///
/// # Errors
/// Nothing runs, or the endpoint does not answer.
pub(crate) fn run(status: &Status) -> Result<(), Failure> {
    let document = match &status.reached.at {
        Some(endpoint) => {
            let by = Deadline::after(status.reached.timeout.duration());
            let asked = reach::ask_one(&Target::at(endpoint), by, move |target| far::ask(target, by));
            let far = asked.map_err(|error| reach::not_done(&error))?;
            Document { instance: None, supervisor: None, processes: vec![Answer::Far(far)] }
        }
        None => here(&status.reached)?,
    };
    if !status.json {
        return print(page::Page(&document));
    }
    let json = serde_json::to_string_pretty(&document);
    print(json.map_err(|error| Failure::new(Exit::NotDone, format!("write JSON: {error}")))? + "\n")
}

/// Asks `up` and every process of this machine's instance, all at once.
fn here(reached: &Reached) -> Result<Document, Failure> {
    let instance = Instance::find(&reached.chosen)?;
    let by = Deadline::after(reached.timeout.duration());
    let targets = reach::processes(&instance);
    let supervisor = Target { process: Some("up".to_owned()), endpoint: instance.supervisor() };
    let supervisor = std::thread::spawn(move || reach::ask_one(&supervisor, by, move |up| reach::ask_json(up, by)));
    let asked = reach::ask_each(&targets, by, move |target| reach::ask_json::<ProcessStatus>(target, by));
    let mut processes: Vec<Answer> =
        targets.iter().zip(asked).map(|(target, asked)| Answer::of(target, asked)).collect();
    // An instance whose `up` was killed may have processes that are about to end.
    let supervisor: Option<Report> = supervisor.join().ok().and_then(Result::ok);
    if let Some(report) = &supervisor {
        let place = |answer: &Answer| report.processes.iter().position(|process| process.name == answer.name());
        processes.sort_by_key(|answer| place(answer).unwrap_or(usize::MAX));
    }
    Ok(Document { instance: Some(instance.name().to_string()), supervisor, processes })
}

impl Answer {
    fn of(target: &Target, asked: Result<ProcessStatus, soquete::Error>) -> Self {
        match asked {
            Ok(status) => Self::Here(Box::new(status)),
            Err(error) => Self::Silent { name: target.name(), error: reach::words(&error) },
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Here(status) => &status.name,
            Self::Far(far) => &far.name,
            Self::Silent { name, .. } => name,
        }
    }
}
