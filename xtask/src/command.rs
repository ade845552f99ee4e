//! The table of commands: how one is found, run, and turned into an exit code.

use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

/// One command of `cargo xtask`.
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// One line, shown in the list of commands.
    pub(crate) help: &'static str,
    /// Does the work, given the arguments after the name.
    pub(crate) run: fn(&[String]) -> Result<(), Failure>,
}

/// Why a command did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command was called in a wrong way: exit code 2.
    Usage(String),
    /// The command did its work and the answer is no, or it could not do it: exit code 1.
    Failed(String),
    /// The command was not run, for want of something that this machine cannot have, or has not yet: exit code 3.
    Impossible(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Usage(why) | Self::Failed(why) | Self::Impossible(why)) = self;
        f.write_str(why)
    }
}

/// Runs the command that the first argument names, and gives its exit code: 0 done, 1 failed, 2 wrong usage, 3 not run.
pub(crate) fn dispatch(commands: &[Command], arguments: &[String]) -> ExitCode {
    match select(commands, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(reason)) => {
            eprintln!("xtask: {reason}\n\n{}", usage(commands));
            ExitCode::from(2)
        }
        Err(Failure::Failed(reason)) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
        Err(Failure::Impossible(reason)) => {
            eprintln!("xtask: not run: {reason}");
            ExitCode::from(3)
        }
    }
}

fn select(commands: &[Command], arguments: &[String]) -> Result<(), Failure> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Failure::Usage("no command given".to_owned()));
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        println!("{}", usage(commands));
        return Ok(());
    }
    match commands.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => Err(Failure::Usage(format!("unknown command `{name}`"))),
    }
}

/// Lists the commands, one a line.
fn usage(commands: &[Command]) -> String {
    let mut text = "usage: cargo xtask COMMAND\n".to_owned();
    for command in commands {
        text += &format!("\n  {:<8} {}", command.name, command.help);
    }
    text
}

/// Refuses any argument, for commands that take none.
///
/// # Errors
/// [`Failure::Usage`] with the first argument.
pub(crate) fn no_arguments(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Usage(format!("unexpected argument `{first}`"))),
    }
}

/// The root folder of the workspace, where the commands work.
pub(crate) fn workspace_root() -> PathBuf {
    let manifest_dir =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.parent().map_or(manifest_dir.clone(), Path::to_path_buf)
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> process::Command {
    process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The folder in which cargo builds.
pub(crate) fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from)
}

/// Builds the program with cargo, given further arguments and environment.
///
/// # Errors
/// [`Failure::Failed`]: there is no cargo, or the program does not build.
pub(crate) fn build_program(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), Failure> {
    let mut build = cargo();
    build.args(["build", "--locked", "--package", "soquete-cli"]).args(arguments).envs(environment.iter().copied());
    match build.current_dir(workspace_root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::Failed("the program was not built".to_owned())),
        Err(error) => Err(Failure::Failed(format!("start cargo: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: &[Command] = &[
        Command { name: "good", help: "succeeds", run: no_arguments },
        Command { name: "bad", help: "fails", run: |_| Err(Failure::Failed("no".to_owned())) },
        Command { name: "moon", help: "needs one", run: |_| Err(Failure::Impossible("no moon".to_owned())) },
    ];

    fn select_words(words: &[&str]) -> Result<(), Failure> {
        let arguments: Vec<String> = words.iter().map(ToString::to_string).collect();
        select(COMMANDS, &arguments)
    }

    #[test]
    fn a_known_command_runs_with_the_arguments_after_its_name() {
        assert_eq!(select_words(&["good"]), Ok(()));
        assert_eq!(select_words(&["bad"]), Err(Failure::Failed("no".to_owned())));
        let extra = Failure::Usage("unexpected argument `more`".to_owned());
        assert_eq!(select_words(&["good", "more"]), Err(extra));
    }

    #[test]
    fn an_unknown_or_missing_command_is_wrong_usage() {
        assert_eq!(select_words(&["no"]), Err(Failure::Usage("unknown command `no`".to_owned())));
        assert_eq!(select_words(&[]), Err(Failure::Usage("no command given".to_owned())));
        assert_eq!(dispatch(COMMANDS, &["no".to_owned()]), ExitCode::from(2));
    }

    #[test]
    fn what_this_machine_cannot_run_has_not_failed() {
        assert_eq!(dispatch(COMMANDS, &["moon".to_owned()]), ExitCode::from(3));
        assert_eq!(dispatch(COMMANDS, &["bad".to_owned()]), ExitCode::FAILURE);
    }

    #[test]
    fn the_list_has_a_line_for_each_command() {
        let list = usage(COMMANDS);
        assert!(list.contains("\n  good     succeeds") && list.contains("\n  bad      fails"));
    }
}
