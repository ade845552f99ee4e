//! `soquete logs`: what the processes that `up` runs have said, and say.

use soquete::{Error, Received};

use crate::arguments::Logs;
use crate::instance::Instance;
use crate::output::{Exit, Failure, print};
use crate::up::ask;

/// Runs `soquete logs`.
///
/// # Errors
/// Nothing runs, `up` does not answer, or standard output takes no more.
pub(crate) fn run(logs: &Logs) -> Result<(), Failure> {
    let instance = Instance::find(&logs.chosen)?;
    if logs.follow { follow(&instance) } else { show(&instance) }
}

/// Prints what is kept of the log.
fn show(instance: &Instance) -> Result<(), Failure> {
    let failed = |error: &Error| ask::failed(instance, error);
    let mut client = ask::connect(instance, Some(ask::ANSWER_TIMEOUT)).map_err(|error| failed(&error))?;
    let mut next = String::from("0");
    loop {
        let answer = client.request(format!("LOGS {next}").as_bytes()).map_err(|error| failed(&error))?;
        let answer = String::from_utf8_lossy(answer);
        let (behind, lines) = answer.split_once('\n').unwrap_or((&answer, ""));
        if lines.is_empty() {
            return Ok(());
        }
        print(lines)?;
        next = behind.to_owned();
    }
}

/// Prints what is kept of the log and what is said from now on, until `up` ends.
fn follow(instance: &Instance) -> Result<(), Failure> {
    let mut client = ask::connect(instance, None).map_err(|error| ask::failed(instance, &error))?;
    client.submit(b"FOLLOW 0").map_err(|error| ask::failed(instance, &error))?;
    loop {
        let refused = match client.receive() {
            Ok(Received::Event { head, payload, .. }) => {
                // What went before this command was typed was not missed by it.
                if head.missed > 0 && head.seq > u64::from(head.missed) {
                    print(format_args!("… {} lines were missed\n", head.missed))?;
                }
                print(format_args!("{}\n", String::from_utf8_lossy(payload)))?;
                continue;
            }
            Ok(Received::Failed { .. }) => None,
            Ok(Received::Reply { .. } | Received::Message { .. }) => continue,
            // It has ended, and its processes with it.
            Err(error) if error.is_closed() => return Ok(()),
            Err(error) => Some(ask::failed(instance, &error)),
        };
        return Err(refused.unwrap_or_else(|| Failure::new(Exit::NotDone, client.reason())));
    }
}
