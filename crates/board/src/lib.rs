//! The board of one process: its lines, their values, who watches them, and the rules that turn an edge into a command.
//!
//! It is a pure state machine. It does no IO, reads no clock and draws no random numbers: time is an argument, a
//! [`Duration`](std::time::Duration) on the caller's clock, from any start. Facts go in with [`Board::handle`];
//! instructions come out of [`Board::poll`] until it says `None`; [`Board::timeout`] says when
//! [`Board::handle_timeout`] wants to be called.
//!
//! | the board says | the caller does | and answers |
//! |---|---|---|
//! | [`Instruction::Act`] | tells the back-ends | [`Fact::Acted`], once for each line |
//! | [`Instruction::Reply`] | tells who asked | |
//! | [`Instruction::Notify`] | tells the watcher | [`Board::hold`] when its queue is full |
//! | [`Instruction::Deliver`] | sends the rule's command | [`Fact::Delivered`] |
//! | [`Instruction::Report`] | logs how a press ended | |
//! | [`Instruction::Leased`] | logs who owns a line | |
//!
//! # Promises
//!
//! - Every command gets exactly one reply, and every press exactly one report.
//! - A value is what the back-end confirmed, never what somebody hoped for.
//! - Commands on one line are done one at a time, in the order they came. One that has to wait beyond its deadline is
//!   refused; it is never done late.
//! - A line has one owner at most: who has a lease on it. Nobody else sets it until the lease is released, or ends because
//!   it was not renewed; then the line gets its safe value, which is tried
//!   until it is set or the line was told something else.
//! - A line that pulses or blinks is ended by whatever is done to it later, and by nothing that was refused. Its changes
//!   come at the times that were planned when it began; those that are over are not made up for.
//! - Where a far board keeps a line, all this is its matter ([`Keeper::Far`]): commands go to it in the order they came.
//! - Everything that can grow has a bound, a public constant.
//!
//! # Examples
//!
//! A board with one LED, switched by one command:
//!
//! ```
//! use std::time::Duration;
//! use soquete_board::*;
//!
//! let now = Duration::ZERO;
//! let led = LineName::try_from("LED")?;
//! let mut board = Board::new();
//! let line = board.add_line(now, LineSpec::output(led.clone()))?;
//!
//! // A front-end hears `LED ON`.
//! board.handle(now, Fact::Command(Command {
//!     ticket: Ticket(1),
//!     cause: Cause::from("text 127.0.0.1:40312"),
//!     owner: OwnerId::from("connection 1"),
//!     sets: vec![(led.clone(), Verb::On)],
//!     deadline: None,
//!     hops: 0,
//! }));
//!
//! // The board wants it done; the back-end does it and says so.
//! let Some(Instruction::Act { action, sets, .. }) = board.poll() else { panic!("no action") };
//! assert_eq!(sets, [(line, Verb::On)]);
//! board.handle(now, Fact::Acted { action, line, outcome: Ok(Value::On), at: Some(now) });
//!
//! // Only now has the LED a value, and only now is the command answered.
//! assert_eq!(board.read(&led), Ok(Value::On));
//! let result = Ok(vec![(led, Value::On)]);
//! assert_eq!(board.poll(), Some(Instruction::Reply { ticket: Ticket(1), result, done_at: Some(now) }));
//! assert_eq!(board.poll(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod action;
mod blink;
mod board;
mod cause;
mod command;
mod fact;
#[cfg(test)]
mod fixture;
mod gesture;
mod lease;
mod line;
mod name;
mod owed;
mod queue;
mod refusal;
mod rule;
mod value;
mod watch;

pub use action::ActionId;
pub use blink::{BLINK_MAX, BLINK_MIN, BLINKS_MAX, Blink, PULSE_MAX, PULSE_MIN};
pub use board::Board;
pub use cause::Cause;
pub use command::{Command, LINES_PER_COMMAND_MAX, Ticket};
pub use fact::{Fact, Failure, Instruction, Outcome, Taken};
pub use gesture::Trigger;
pub use lease::{LEASE_MAX, LEASE_MIN, Lease, LeaseNews, Owner, OwnerId};
pub use line::{LINES_MAX, Line, LineId, LineSpec};
pub use name::{LineName, NAME_BYTES_MAX, NameError, RESERVED_WORDS};
pub use owed::{OWED_PAUSE_MAX, OWED_PAUSE_MIN, Owed};
pub use queue::COMMANDS_WAITING_MAX;
pub use refusal::Refusal;
pub use rule::{PRESSES_WAITING_MAX, PressCounts, PressId, RULES_MAX, Rule, RuleId, RuleSpec};
pub use value::{Direction, Keeper, Level, Preset, Value, Verb};
pub use watch::{Event, WATCHERS_MAX, WatcherId};
