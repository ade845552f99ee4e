//! Which module does which command.

use crate::arguments::{self, Arguments, Command};
use crate::output::Failure;
use crate::{bench, command, configuration, down, lease, logs, run, status, talk, up, watch};

/// Does what was typed.
///
/// # Errors
/// What the command says.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        None => arguments::print_help(),
        Some(Command::Config(command)) => configuration::run(&command),
        Some(Command::Completions(completions)) => completions.print(),
        Some(Command::Manual(manual)) => manual.print(),
        Some(Command::Up(up)) => up::run(&up),
        Some(Command::Down(down)) => down::run(&down),
        Some(Command::Logs(logs)) => logs::run(&logs),
        Some(Command::Run(run)) => run::run(&run),
        Some(Command::Lines(lines)) => command::lines(&lines),
        Some(Command::Get(get)) => command::get(&get),
        Some(Command::Set(set)) => command::set(&set),
        Some(Command::Toggle(toggle)) => command::toggle(&toggle),
        Some(Command::Pulse(pulse)) => command::pulse(&pulse),
        Some(Command::Blink(blink)) => command::blink(&blink),
        Some(Command::Lease(lease)) => lease::run(&lease),
        Some(Command::Press(press)) => command::press(&press),
        Some(Command::Watch(watch)) => watch::run(&watch),
        Some(Command::Send(send)) => talk::send(&send),
        Some(Command::Listen(listen)) => talk::listen(&listen),
        Some(Command::Status(status)) => status::run(&status),
        Some(Command::Bench(bench)) => bench::run(&bench),
    }
}
