//! `cargo xtask ci`: everything a change must pass, in the order in which it fails soonest.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::command::{Failure, no_arguments, workspace_root};

/// One cargo command of the run.
struct Step {
    name: &'static str,
    /// Environment variables set for this step alone.
    environment: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
}

const STEPS: &[Step] = &[
    Step { name: "fmt", environment: &[], arguments: &["fmt", "--all", "--", "--check"] },
    Step {
        name: "clippy",
        environment: &[],
        arguments: &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    },
    Step {
        name: "doc",
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        arguments: &["doc", "--workspace", "--no-deps"],
    },
    Step { name: "tidy", environment: &[], arguments: &["xtask", "tidy"] },
    Step { name: "test", environment: &[], arguments: &["test", "--workspace", "--all-features", "--locked"] },
];

/// Runs every step, and stops at the first that fails.
///
/// # Errors
/// [`Failure::Failed`] names the step and the command to repeat.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    let root = workspace_root();
    run_steps(STEPS, |step| execute(step, &root))
}

fn run_steps(steps: &[Step], mut execute: impl FnMut(&Step) -> bool) -> Result<(), Failure> {
    let begin = Instant::now();
    for step in steps {
        let (name, line) = (step.name, command_line(step));
        println!("== {name}: {line}");
        let step_begin = Instant::now();
        let passed = execute(step);
        let seconds = step_begin.elapsed().as_secs_f64();
        if !passed {
            let reason = format!("{name} failed after {seconds:.1} s; to repeat it:\n  {line}");
            return Err(Failure::Failed(reason));
        }
        println!("== {name}: passed in {seconds:.1} s");
    }
    println!("== all {} steps passed in {:.1} s", steps.len(), begin.elapsed().as_secs_f64());
    Ok(())
}

/// Runs the step's command with its output going where ours goes; true when it succeeded.
fn execute(step: &Step, root: &Path) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(step.arguments).envs(step.environment.iter().copied()).current_dir(root).status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("xtask: start cargo: {error}");
            false
        }
    }
}

/// The step as one would type it in a shell.
fn command_line(step: &Step) -> String {
    let mut line = String::new();
    for (name, value) in step.environment {
        line += &format!("{name}=\"{value}\" ");
    }
    line + "cargo " + &step.arguments.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stops_the_run_and_says_what_to_repeat() {
        let mut seen = Vec::new();
        let outcome = run_steps(STEPS, |step| {
            seen.push(step.name);
            step.name != "doc"
        });
        assert_eq!(seen, ["fmt", "clippy", "doc"]);
        let Err(Failure::Failed(reason)) = outcome else { panic!("a failed step must fail") };
        assert!(reason.starts_with("doc failed after "));
        assert!(reason.ends_with("\n  RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps"));
    }

    #[test]
    fn every_step_runs_when_all_pass() {
        let mut count = 0;
        let outcome = run_steps(STEPS, |_| {
            count += 1;
            true
        });
        assert_eq!((outcome, count), (Ok(()), STEPS.len()));
    }
}
