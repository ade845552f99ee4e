//! What the tests with the built program share.
//!
//! | file | has |
//! |---|---|
//! | `place` | a home of its own for each test: folders, an address, a configuration |
//! | `program` | the built program at work, and what it prints |
//! | `log` | lines as they come, and the wait for one |
//! | `tool` | other people's programs: netcat, socat, curl, … |
//! | `proxy` | a wire between button and LED that can be cut or held anywhere |
//! | `wire` | frames, octet by octet as PROTOCOL.md has them |
//! | `vitals` | what the kernel says about a process |
//! | `machine` | machines of one test: network namespaces |
//! | `chance` | random numbers that can be had again |

#![allow(dead_code, unused_imports, reason = "each file of tests uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

pub(crate) mod chance;
pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod tool;
pub(crate) mod vitals;
pub(crate) mod wire;

use std::time::{Duration, Instant};

pub(crate) use log::Log;
pub(crate) use place::{Place, Rule};
pub(crate) use program::{Program, Run};

/// How long a test waits for what must come. Nothing is that slow; the loaded machine of somebody else is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until it is so: for what nobody tells of.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}
