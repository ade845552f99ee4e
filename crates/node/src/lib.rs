//! One soquete process at work: its front-ends, back-ends, rules and control, on one loop.

pub mod config;
pub mod status;

mod back;
mod console;
mod deliver;
mod front;
mod journal;
mod plant;
mod process;
mod report;

pub use process::{Process, ProcessError, Surroundings};
