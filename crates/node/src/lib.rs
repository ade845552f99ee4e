//! One soquete process at work: its front-ends, back-ends, rules and control, on one loop.

pub mod config;
pub mod hardware;
pub mod histogram;
pub mod holder;
pub mod status;

mod back;
mod console;
mod deliver;
mod error;
mod front;
mod journal;
mod moment;
mod plant;
mod process;
mod report;
mod surroundings;

pub use error::ProcessError;
pub use process::Process;
pub use surroundings::{Askers, Notice, Overseer, Surroundings};
