//! `soquete up`, `down`, `run` and `logs`, with the built program, each test in a folder of its own.
//!
//! | module | tests |
//! |---|---|
//! | `home` | nothing: the folder, the configuration and the program |
//! | `start` | what runs, under which names, and what keeps it from running |
//! | `stop` | every way to an end, and that nothing is left |
//! | `again` | what dies and is started again |
//! | `talk` | the log, the control socket, standard output that nobody reads |
//! | `detached` | `--detach` |
//! | `alone` | `run`, and which instance a command means |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

#[path = "up/again.rs"]
mod again;
#[path = "up/alone.rs"]
mod alone;
#[path = "up/detached.rs"]
mod detached;
#[path = "up/home.rs"]
mod home;
#[path = "up/start.rs"]
mod start;
#[path = "up/stop.rs"]
mod stop;
#[path = "up/talk.rs"]
mod talk;
