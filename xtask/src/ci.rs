//! `cargo xtask ci`: everything a change must pass, in the order in which it fails soonest.

pub(crate) mod target;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::command::{Failure, no_arguments, workspace_root};

/// One cargo command of the run.
struct Step {
    name: &'static str,
    /// Environment variables set for this step alone.
    environment: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
    /// What it compiles for, if not for this machine: a step that is left out where that cannot be.
    target: Option<&'static str>,
}

/// How a step ended.
enum Outcome {
    Passed,
    Failed,
    /// It could not be run here, and why.
    NotRun(String),
}

/// What a part of the library is compiled for, and nothing is run on.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

const STEPS: &[Step] = &[
    Step { name: "fmt", environment: &[], arguments: &["fmt", "--all", "--", "--check"], target: None },
    Step {
        name: "clippy",
        environment: &[],
        arguments: &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        target: None,
    },
    Step {
        name: "windows",
        environment: &[],
        arguments: &[
            "clippy",
            "--package",
            "soquete",
            "--package",
            "soquete-board",
            "--lib",
            "--test",
            "portable",
            "--all-features",
            "--target",
            WINDOWS,
            "--",
            "-D",
            "warnings",
        ],
        target: Some(WINDOWS),
    },
    Step {
        name: "doc",
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        arguments: &["doc", "--workspace", "--no-deps"],
        target: None,
    },
    Step { name: "tidy", environment: &[], arguments: &["xtask", "tidy"], target: None },
    Step {
        name: "test",
        environment: &[],
        // One failure must not hide the next.
        arguments: &["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"],
        target: None,
    },
];

/// Runs every step that can be run here, and stops at the first that fails.
///
/// # Errors
/// [`Failure::Failed`] names the step and the command to repeat.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    let root = workspace_root();
    run_steps(STEPS, |step| execute(step, &root))
}

fn run_steps(steps: &[Step], mut execute: impl FnMut(&Step) -> Outcome) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut left_out = Vec::new();
    for step in steps {
        let (name, line) = (step.name, command_line(step));
        println!("== {name}: {line}");
        let step_begin = Instant::now();
        let outcome = execute(step);
        let seconds = step_begin.elapsed().as_secs_f64();
        match outcome {
            Outcome::Passed => println!("== {name}: passed in {seconds:.1} s"),
            Outcome::NotRun(why) => left_out.push(format!("== {name}: NOT RUN: {why}")),
            Outcome::Failed => {
                let reason = format!("{name} failed after {seconds:.1} s; to repeat it:\n  {line}");
                return Err(Failure::Failed(reason));
            }
        }
    }
    left_out.iter().for_each(|line| println!("{line}"));
    let (run, all) = (steps.len() - left_out.len(), steps.len());
    println!("== {run} of {all} steps passed in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Runs the step's command with its output going where ours goes.
fn execute(step: &Step, root: &Path) -> Outcome {
    let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
    if let Some(Err(why)) = step.target.map(|target| target::provide(target, &cargo, root)) {
        return Outcome::NotRun(why);
    }
    let status =
        Command::new(cargo).args(step.arguments).envs(step.environment.iter().copied()).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(_) => Outcome::Failed,
        Err(error) => {
            eprintln!("xtask: start cargo: {error}");
            Outcome::Failed
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
            if step.name == "doc" { Outcome::Failed } else { Outcome::Passed }
        });
        assert_eq!(seen, ["fmt", "clippy", "windows", "doc"]);
        let Err(Failure::Failed(reason)) = outcome else { panic!("a failed step must fail") };
        assert!(reason.starts_with("doc failed after "));
        assert!(reason.ends_with("\n  RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps"));
    }

    #[test]
    fn every_step_runs_when_all_pass_or_cannot_be_run() {
        let mut count = 0;
        let outcome = run_steps(STEPS, |step| {
            count += 1;
            if step.target.is_some() { Outcome::NotRun("no network".to_owned()) } else { Outcome::Passed }
        });
        assert_eq!((outcome, count), (Ok(()), STEPS.len()));
    }
}
