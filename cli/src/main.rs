//! `soquete`: processes that talk over sockets, and the lines they drive.
//!
//! | module | does |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `bench` | how fast it is on this machine |
//! | `command` | one command to a line, or a question about lines |
//! | `configuration` | finds, reads, checks and shows the configuration |
//! | `down` | stops what `up` runs |
//! | `instance` | the folder where what `up` runs is found |
//! | `logs` | what the processes say, and have said |
//! | `output` | prints, and turns how a command ended into an exit code |
//! | `reach` | where a command goes: an endpoint, or what runs on this machine |
//! | `run` | one process |
//! | `status` | what runs here and how it is |
//! | `up` | starts the processes, and starts again what dies |
//! | `watch` | each change as it happens |

#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod command;
mod configuration;
mod down;
mod instance;
mod logs;
mod output;
mod reach;
mod run;
mod status;
mod up;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use output::Failure;

fn main() -> ExitCode {
    output::finish(match Arguments::try_parse() {
        Ok(arguments) => run(arguments),
        Err(error) => arguments::print_or_refuse(&error),
    })
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        None => arguments::print_help(),
        Some(Command::Config(command)) => configuration::run(&command),
        Some(Command::Completions(completions)) => completions.print(),
        Some(Command::Manual(manual)) => manual.print(),
        Some(Command::Up(up)) => up::run(&up),
        Some(Command::Down(down)) => down::run(&down),
        Some(Command::Logs(logs)) => logs::run(&logs),
        Some(Command::Run(run)) => run::run(&run),
        Some(Command::Lines(reached)) => command::lines(&reached),
        Some(Command::Get(get)) => command::get(&get),
        Some(Command::Set(set)) => command::set(&set),
        Some(Command::Toggle(toggle)) => command::toggle(&toggle),
        Some(Command::Press(press)) => command::press(&press),
        Some(Command::Watch(watch)) => watch::run(&watch),
        Some(Command::Status(status)) => status::run(&status),
        Some(Command::Bench(bench)) => bench::run(&bench),
    }
}
