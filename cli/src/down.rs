//! `soquete down`: stops what `up` runs.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use soquete::{Clock, Exchange, Hub, Limits, Received};

use crate::arguments::Down;
use crate::instance::{Instance, UNITS_ACT};
use crate::output::{Exit, Failure, print};
use crate::up::ask;
use crate::up::member::STOP_TIMEOUT;

/// How much longer than its processes `up` may take.
const MARGIN: Duration = Duration::from_secs(10);

/// How long `up` may take to end once all has stopped.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs `soquete down`.
///
/// # Errors
/// Nothing runs, or `up` does not answer.
pub(crate) fn run(down: &Down) -> Result<(), Failure> {
    let instance = Instance::meant(&down.chosen)?;
    if !instance.has_supervisor() {
        return Err(nothing(&instance));
    }
    let report = ask::status(&instance)?;
    // An id that is given to another between the two would only be waited for in vain.
    let up = i32::try_from(report.pid).ok().and_then(Pid::from_raw);
    let up = up.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    // One after the other, each in its time.
    let count = u32::try_from(report.processes.len()).unwrap_or(u32::MAX);
    let timeout = STOP_TIMEOUT.saturating_mul(count) + MARGIN;
    let mut client = ask::connect(&instance, Some(timeout)).map_err(|error| ask::failed(&instance, &error))?;
    let stopped = client.request(b"DOWN").map_err(|error| ask::failed(&instance, &error))?;
    let stopped = String::from_utf8_lossy(stopped).into_owned();
    // Its end is the end of all: after it nothing is left, not even a process that is about to go.
    while matches!(client.receive(), Ok(Received::Event { .. })) {}
    up.map_or(Ok(()), |up| wait_for_end(&up)).map_err(|error| ask::failed(&instance, &error))?;
    print(stopped.lines().map(|line| format!("{line}\n")).collect::<String>())
}

/// Removes what a killed `up` has left, and says what there is to say.
fn nothing(instance: &Instance) -> Failure {
    let living: Vec<String> = instance.processes().into_iter().map(|(name, _)| name.to_string()).collect();
    match living.as_slice() {
        [] => {
            if let Ok(Some(lock)) = instance.lock() {
                instance.clean();
                lock.remove_file();
                instance.remove_folder();
            }
            instance.not_running()
        }
        living if instance.is_units() => {
            let wrong = format!("no `up` runs: {} run as units of systemd", living.join(" and "));
            Failure::new(Exit::NotDone, wrong).act(UNITS_ACT)
        }
        living => {
            let wrong = format!("no `up` runs as {}, but there are {}", instance.name(), living.join(" and "));
            let act = "what a killed `up` has left stops within seconds; what `soquete run` runs stops by Ctrl-C";
            Failure::new(Exit::NotDone, wrong).act(act)
        }
    }
}

fn wait_for_end(up: &OwnedFd) -> Result<(), soquete::Error> {
    let mut hub = Hub::new(Limits::default())?;
    hub.watch(up.as_fd())?;
    let deadline = Clock::now() + END_TIMEOUT;
    while hub.next_ready().is_none() && Clock::now() < deadline {
        hub.turn(Some(deadline.saturating_sub(Clock::now())), &mut |_: Exchange<'_>| {})?;
    }
    Ok(())
}
