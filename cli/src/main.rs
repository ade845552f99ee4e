//! `soquete`: processes that talk over sockets, and the lines they drive.
//!
//! | module | does |
//! |---|---|
//! | `activation` | descriptors that were open at the beginning |
//! | `arguments` | what can be typed |
//! | `bench` | how fast it is on this machine |
//! | `command` | one command to a line, or a question about lines |
//! | `configuration` | finds, reads, checks and shows the configuration |
//! | `dispatch` | which module does which command |
//! | `down` | stops what `up` runs |
//! | `instance` | the folder where what `up` runs is found |
//! | `lease` | owns a line for as long as it runs |
//! | `logs` | what the processes say, and have said |
//! | `output` | prints, and turns how a command ended into an exit code |
//! | `reach` | where a command goes: an endpoint, or what runs on this machine |
//! | `run` | one process |
//! | `status` | what runs here and how it is |
//! | `talk` | sends and listens, as netcat does, over every kind of endpoint |
//! | `up` | starts the processes, and starts again what dies |
//! | `watch` | each change as it happens |

#![forbid(unsafe_code)]

mod activation;
mod arguments;
mod bench;
mod command;
mod configuration;
mod dispatch;
mod down;
mod instance;
mod lease;
mod logs;
mod output;
mod reach;
mod run;
mod status;
mod talk;
mod up;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

fn main() -> ExitCode {
    output::finish(match Arguments::try_parse() {
        Ok(arguments) => dispatch::run(arguments),
        Err(error) => arguments::print_or_refuse(&error),
    })
}
