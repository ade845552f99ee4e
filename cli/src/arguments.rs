//! The arguments of the program, as types; its help, completions and manual pages come out of them.

mod bench;
mod blink;
mod manual;
mod talk;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use soquete::Endpoint;
use soquete_node::config::{LEASE_MIN, LineName, Network, ProcessName, RULE_LEASE_MAX, Timeout};

pub(crate) use bench::{Bench, BenchMode, Load, Loads};
pub(crate) use blink::{Blink, Pulse};
pub(crate) use manual::{Completions, Manual};
pub(crate) use talk::{Listen, Manner, Send};

use crate::output::{Failure, printed};

const FIRST: &str = "\
Type first:
  soquete up             starts a button and an LED on this machine, and shows what they do
  soquete press BUTTON   presses the button, from a second terminal
  soquete down           stops both";

const MORE: &str = "\
The configuration is that of -c FILE, else of $SOQUETE_CONFIG, else
~/.config/soquete/soquete.toml, else /etc/soquete/soquete.toml, else the built-in one:
two processes, a button and an LED.

Exit codes:
  0  done
  1  not done; it is safe to try again
  2  wrong arguments or configuration; nothing was begun
  3  nobody can say whether it was done";

/// Lets processes talk over sockets, and drives buttons, LEDs and relays through them
#[derive(Debug, Parser)]
#[command(name = "soquete", version, after_help = FIRST, after_long_help = format!("{FIRST}\n\n{MORE}"))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Up),
    Down(Down),
    Status(Status),
    Logs(Logs),
    Run(Run),
    Press(Press),
    Lines(Lines),
    Get(Get),
    Set(Set),
    Toggle(Toggle),
    Pulse(Pulse),
    Blink(Blink),
    Lease(Lease),
    Watch(Watch),
    Send(Send),
    Listen(Listen),
    /// Checks, shows or begins a configuration, or prints an example of one
    #[command(subcommand)]
    Config(ConfigCommand),
    Bench(Bench),
    Completions(Completions),
    Manual(Manual),
}

/// Which configuration, and so which instance, a command is about.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// Takes the configuration from this file; else $SOQUETE_CONFIG names it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Takes the built-in configuration of this platform, in any case of its letters
    #[arg(long, ignore_case = true, conflicts_with = "config")]
    pub(crate) platform: Option<Platform>,
}

/// A platform with a built-in configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Any Linux: the button is a FIFO, the LED a line in the log
    Pc,
    /// A Raspberry Pi: the LED is on GPIO17, the button between GPIO4 and ground
    Raspberry,
}

/// Starts every process of the configuration and shows their logs
///
/// Starts the processes in the order of the configuration, waits until each is ready, prints their logs, and starts
/// again, after a while, what dies. Meanwhile it holds its outputs on hardware, with their safe values. Ctrl-C stops all
/// processes gracefully; a second one at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete up                             the button and the LED of this machine
  soquete up --anyone-from 10.0.0.0/24   for every machine of that network too
  soquete up -c home.toml --detach       in the background; see `soquete logs -f`")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// Serves every machine of this network too, without a key; may be given more than once
    ///
    /// What the configuration serves on loopback TCP is bound on all addresses instead. Peers of other networks are
    /// turned away; those on loopback never are.
    #[arg(long, value_name = "NET")]
    pub(crate) anyone_from: Vec<Network>,
    /// Returns when every process is ready, and leaves them running
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Stops what `up` started, in reverse order
///
/// Stops gracefully, and by force what does not stop; leaves no process and no stale file behind.
#[derive(Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Shows processes, endpoints, lines, who set them, and how presses ended
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Prints one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Shows the log of what `up` runs
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// Goes on with what is logged from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Runs one process of the configuration, in the foreground
///
/// Where NOTIFY_SOCKET is set, as under systemd, it says there that it is ready, and has its outputs on hardware held there
/// (FDSTORE=1), which takes `FileDescriptorStoreMax=` in its unit. In a terminal nobody holds them after its death.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The process, as the configuration calls it
    pub(crate) name: ProcessName,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Presses a button that is a FIFO or virtual; a hardware one has to be pressed by hand
#[derive(Args, Debug)]
pub(crate) struct Press {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Whom a command talks to, and how long it waits.
#[derive(Args, Debug)]
pub(crate) struct Reached {
    /// Talks to this endpoint; else to what `up` runs on this machine
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = ["config", "platform"])]
    pub(crate) at: Option<Endpoint>,
    /// Gives up after this time: 1ms to 1h
    #[arg(long, value_name = "T", default_value = "2s")]
    pub(crate) timeout: Timeout,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Lists every line with its direction and its value, or the GPIO of this machine
#[derive(Args, Debug)]
pub(crate) struct Lines {
    /// Lists the GPIO chips of this machine and their lines instead, in use or not, whatever is configured
    #[arg(long, conflicts_with_all = ["at", "config", "platform"])]
    pub(crate) hardware: bool,
    /// Prints one JSON document, of the GPIO only; `soquete status --json` has the lines that are configured
    #[arg(long, requires = "hardware")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Prints the value of a line: on, off or unknown
///
/// Why it is unknown stands on standard error, where that is known.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Switches a line on or off
///
/// Ends with 0 when it is done, 1 when it is not, and 3 when nobody can say.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete set LED on
  soquete set LED off --at tcp://10.0.0.100:5555 --timeout 500ms")]
pub(crate) struct Set {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    /// What it shall be
    #[arg(ignore_case = true)]
    pub(crate) value: Switch,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// What a line can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    /// Returns it as the text language has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::On => "ON",
            Self::Off => "OFF",
        }
    }
}

/// Switches a line to what it is not
///
/// Ends with 0 when it is done, 1 when it is not, and 3 when nobody can say: then look before you try again.
#[derive(Args, Debug)]
pub(crate) struct Toggle {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Owns a line until Ctrl-C: nobody else sets it
///
/// Takes a lease on the line, switches it where a value is given, renews the lease until Ctrl-C and releases it then,
/// which leaves the line as it is. Where this program is gone without that, or the network is, the line becomes safe
/// when the lease ends. Where the process that has the line was started anew, the line is switched again at the next
/// renewal, of which there are three within the lease. Ends with 1 where another owns the line or takes it over, or
/// where it cannot be switched.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete lease PUMP on               the pump runs for as long as this does
  soquete lease LED --for 10s --at tcp://10.0.0.100:5555")]
pub(crate) struct Lease {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    /// What it shall be
    #[arg(ignore_case = true)]
    pub(crate) value: Option<Switch>,
    /// How long the lease lasts without renewal: 100ms to 1m
    #[arg(long = "for", value_name = "T", default_value = "3s")]
    pub(crate) time: LeaseTime,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// How long a lease lasts, within the bounds of one that is renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseTime(pub(crate) Timeout);

impl FromStr for LeaseTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bounded(text, LEASE_MIN..=RULE_LEASE_MAX, "100ms to 1m, such as 3s").map(Self)
    }
}

/// Reads a time within bounds; else says what was expected.
fn bounded(text: &str, bounds: RangeInclusive<Duration>, expected: &str) -> Result<Timeout, String> {
    let time = text.parse().ok().filter(|time: &Timeout| bounds.contains(&time.duration()));
    time.ok_or_else(|| format!("expected {expected}"))
}

/// Shows each change of lines as it happens, and who caused it
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// The lines; all where none is named
    #[arg(value_name = "LINE")]
    pub(crate) lines: Vec<LinePath>,
    /// Tells how long after the edge of a button an output was set, and at the end how long it took in all
    ///
    /// The time is that of the board which has the line: from the edge until the output was set, without the way of the
    /// command over the wire, which needs two clocks that agree. `soquete status` of the process with the button estimates
    /// it with the way. Changes whose cause has no time, such as a command typed by hand, have none.
    #[arg(long)]
    pub(crate) latency: bool,
    /// Prints a JSON document for each change, one a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// What `soquete config` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Says that the configuration is fine, or what is wrong in which line and column
    Check(Chosen),
    /// Prints the configuration in force, with every default filled in
    Show(Chosen),
    /// Prints a configuration that explains itself
    Example,
    /// Writes that example to ~/.config/soquete/soquete.toml, where `up` finds it
    Init,
}

/// A line of what `up` runs: `LINE`, or `PROCESS/LINE` where that name is not unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinePath {
    /// The process, where it is named.
    pub(crate) process: Option<ProcessName>,
    /// The line.
    pub(crate) line: LineName,
}

impl FromStr for LinePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (process, line) = match text.split_once('/') {
            Some((process, line)) => (Some(process.parse().map_err(|error| format!("process: {error}"))?), line),
            None => (None, text),
        };
        let line = line.parse().map_err(|error: soquete_node::config::LineNameError| error.to_string())?;
        Ok(Self { process, line })
    }
}

impl fmt::Display for LinePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.iter().try_for_each(|process| write!(f, "{process}/"))?;
        self.line.fmt(f)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pc => "pc",
            Self::Raspberry => "raspberry",
        })
    }
}

/// Prints the short help, which begins with what to type first.
///
/// # Errors
/// Standard output takes no more.
pub(crate) fn print_help() -> Result<(), Failure> {
    printed(Arguments::command().print_help())
}

/// Prints the help or the version where that is what was asked for; else says what is wrong with the arguments.
///
/// # Errors
/// The arguments are wrong, or standard output takes no more.
pub(crate) fn print_or_refuse(error: &clap::Error) -> Result<(), Failure> {
    if !error.use_stderr() {
        return printed(error.print());
    }
    let wrong = error.render().to_string();
    Err(Failure::usage(wrong.strip_prefix("error: ").unwrap_or(&wrong).trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace()).map(|arguments| arguments.command.unwrap())
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_platform_is_read_in_any_case_and_never_beside_a_file() {
        let Ok(Command::Up(up)) = parse("soquete up --platform PC") else { panic!() };
        assert_eq!(up.chosen.platform, Some(Platform::Pc));
        let both = parse("soquete up -c a.toml --platform pc").unwrap_err();
        assert_eq!(both.kind(), clap::error::ErrorKind::ArgumentConflict);
    }

    #[test]
    fn networks_add_up() {
        let Ok(Command::Up(up)) = parse("soquete up --anyone-from 10.0.0.0/24 --anyone-from fd00::/8") else {
            panic!()
        };
        assert_eq!(up.anyone_from, ["10.0.0.0/24".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    }

    #[test]
    fn a_line_may_name_its_process() {
        let Ok(Command::Set(set)) = parse("soquete set led_process/LED ON --timeout 1m") else { panic!() };
        assert_eq!(set.line.process, Some("led_process".parse().unwrap()));
        assert_eq!((set.line.to_string().as_str(), set.value), ("led_process/LED", Switch::On));
        assert_eq!(set.reached.timeout.to_string(), "1m");
        let Ok(Command::Toggle(toggle)) = parse("soquete toggle led") else { panic!() };
        assert_eq!((toggle.line.process, toggle.reached.timeout.to_string().as_str()), (None, "2s"));
    }

    #[test]
    fn an_endpoint_is_no_configuration() {
        assert!(parse("soquete get LED --at tcp://10.0.0.2:5555").is_ok());
        assert!(parse("soquete get LED --at unix:@led -c a.toml").is_err());
    }
}
