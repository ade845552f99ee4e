//! Development automation: `cargo xtask COMMAND`.
//!
//! To add a command, write a module with a `run` function and give it a line in [`COMMANDS`].

#![forbid(unsafe_code)]

mod ci;
mod command;
mod count;
mod deb;
mod pi3;
mod release;
mod rig;
mod tidy;

use std::process::ExitCode;

use command::Command;

/// Every command, in the order in which the help lists them.
const COMMANDS: &[Command] = &[
    Command { name: "ci", help: "everything a change must pass: fmt, clippy, Windows, doc, tidy, tests", run: ci::run },
    Command { name: "count", help: "the instructions that a request costs, by callgrind", run: count::run },
    Command { name: "deb", help: "a Debian package of the program: [all | --target T | check FILE]", run: deb::run },
    Command { name: "pi3", help: "the program on a Raspberry Pi 3 that qemu emulates; not in ci", run: pi3::run },
    Command { name: "rig", help: "the program on a real kernel with simulated GPIO: [kernel | FILTER]", run: rig::run },
    Command { name: "static", help: "the program for arm64, in need of no library", run: deb::run_static },
    Command { name: "tidy", help: "the rules of CONTRIBUTING.md that a program can check", run: tidy::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    command::dispatch(COMMANDS, &arguments)
}
