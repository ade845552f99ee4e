//! `soquete pulse` and `soquete blink`: what a line does by itself.

use clap::Args;
use soquete_node::config::{BLINK_MAX, BLINK_MIN, BLINKS_MAX, Timeout};

use super::{LinePath, Reached, bounded};

/// Switches a line on, and off again after a time
///
/// Is done when the line is on; the process that has the line switches it off, whatever becomes of this one. A line that
/// is on already stays on for the time. Whatever the line is told meanwhile ends the pulse, and a second pulse begins the
/// time anew. Ends with 0 when it is on, 1 when it is not, and 3 when nobody can say.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete pulse DOOR 3s
  soquete pulse LED 500ms --at tcp://10.0.0.100:5555")]
pub(crate) struct Pulse {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    /// How long it is on: 1ms to 1h
    pub(crate) time: Timeout,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Switches a line on and off by turns
///
/// Is done when the line is on for the first time; the process that has the line goes on with it, until it did it as many
/// times as are given, or until the line is told something else, such as `soquete set LED off`. Ends with 0 when it is on,
/// 1 when it is not, and 3 when nobody can say.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete blink LED 500ms              on and off for half a second each, until it is told something else
  soquete blink LED 100ms 2s           a short flash every 2.1 s
  soquete blink LED 200ms --count 3    three flashes")]
pub(crate) struct Blink {
    /// The line; PROCESS/LINE where its name is not unique
    pub(crate) line: LinePath,
    /// How long it is on each time: 10ms to 1h
    #[arg(value_parser = blink_time)]
    pub(crate) on: Timeout,
    /// How long it is off in between: 10ms to 1h; as long as it is on where it is not given
    #[arg(value_parser = blink_time)]
    pub(crate) off: Option<Timeout>,
    /// How many times it is on: 1 to 1000000
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) count: Option<u32>,
    #[command(flatten)]
    pub(crate) reached: Reached,
}

/// Reads how long a line that blinks is on or off.
fn blink_time(text: &str) -> Result<Timeout, String> {
    bounded(text, BLINK_MIN..=BLINK_MAX, "10ms to 1h, such as 500ms")
}

/// Reads how many times a line that blinks is on.
fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=BLINKS_MAX).contains(count));
    count.ok_or_else(|| format!("expected 1 to {BLINKS_MAX}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, Command};

    fn parse(line: &str) -> Option<Command> {
        Arguments::try_parse_from(line.split(' ')).ok()?.command
    }

    #[test]
    fn times_and_counts_have_bounds() {
        for time in ["1ms", "1h"] {
            assert!(parse(&format!("soquete pulse LED {time}")).is_some(), "{time}");
        }
        for time in ["0ms", "3601s", "1", ""] {
            assert!(parse(&format!("soquete pulse LED {time}")).is_none(), "{time}");
        }
        for times in ["10ms", "1h 10ms", "10ms --count 1", "10ms 1h --count 1000000"] {
            assert!(parse(&format!("soquete blink LED {times}")).is_some(), "{times}");
        }
        for times in ["9ms", "10ms 9ms", "3601s", "10ms --count 0", "10ms --count 1000001", "10ms 10ms 3"] {
            assert!(parse(&format!("soquete blink LED {times}")).is_none(), "{times}");
        }
    }
}
