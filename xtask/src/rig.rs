//! `cargo xtask rig`: the program on a real kernel with simulated GPIO chips.
//!
//! The kernel is user-mode Linux: an ordinary process, which sees the files of this machine read-only and runs the
//! program out of the target folder. `cargo xtask rig kernel` has it built and booted once, and plays nothing.

mod cable;
pub(crate) mod cache;
mod guest;
mod kernel;
pub(crate) mod machine;
mod scene;

use std::time::Instant;

use crate::command::{Failure, build_program, target_folder, workspace_root};
use guest::{BEGUN, Guest, Parts};
use scene::{Scene, TOPICS};

/// Why something could not be done, for a person.
#[derive(Debug)]
pub(crate) struct Trouble(pub(crate) String);

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Failure::Failed(trouble.0)
    }
}

/// Plays the scenes whose names contain the argument; all without one, none for `kernel`.
///
/// # Errors
/// [`Failure::Impossible`] where this machine has no rig: the kernel cannot be had, or does not boot here at all;
/// [`Failure::Failed`] where a scene fails. Each says why.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let filter = match arguments {
        [] => "",
        [filter] => filter,
        [_, second, ..] => return Err(Failure::Usage(format!("unexpected argument `{second}`"))),
    };
    let chosen = choose(TOPICS, filter)?;
    let parts =
        Parts { kernel: kernel::provide()?, bin: target_folder().join("debug"), data: workspace_root().join("rig") };
    probe(&parts)?;
    if chosen.is_empty() {
        return Ok(());
    }
    build_program(&[], &[])?;
    play(&chosen, &parts)
}

/// Boots a guest, to see whether this machine can at all: it cannot where no kernel comes as far as its first process.
fn probe(parts: &Parts) -> Result<(), Failure> {
    let mut guest = Guest::start(parts, "probe", None)?;
    guest.come_up().map_err(|said| match said.contains(BEGUN) {
        true => Failure::Failed(format!("a guest does not come up:\n{said}")),
        false => Failure::Impossible(format!("user-mode Linux does not boot on this machine:\n{said}")),
    })?;
    let version = guest.run("uname -r")?;
    println!("rig: Linux {version} boots, as an ordinary process: {}", parts.kernel.display());
    Ok(())
}

/// The scenes whose names contain a filter; none for `kernel`, which asks for no scene.
fn choose<'a>(topics: &[&'a [Scene]], filter: &str) -> Result<Vec<&'a Scene>, Failure> {
    let scenes = || topics.iter().copied().flatten();
    let chosen: Vec<_> = scenes().filter(|scene| scene.name.contains(filter)).collect();
    let names = || scenes().map(|scene| scene.name).collect::<Vec<_>>().join("\n  ");
    match (filter, chosen.is_empty()) {
        ("kernel", _) => Ok(Vec::new()),
        (_, true) => Err(Failure::Usage(format!("no scene has `{filter}` in its name; there are\n  {}", names()))),
        (_, false) => Ok(chosen),
    }
}

/// Plays every scene, also after one failed.
fn play(scenes: &[&Scene], parts: &Parts) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut failed = Vec::new();
    for scene in scenes {
        let scene_begin = Instant::now();
        let outcome = (scene.play)(parts);
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("rig: {}: {word}, {:.1} s", scene.name, scene_begin.elapsed().as_secs_f64());
        if let Err(Trouble(why)) = outcome {
            println!("{why}\n");
            failed.push(scene.name);
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    if failed.is_empty() {
        println!("rig: all {} passed, {seconds:.1} s", scenes.len());
        return Ok(());
    }
    Err(Failure::Failed(format!("{} of {} scenes failed: {}", failed.len(), scenes.len(), failed.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_chosen_by_a_part_of_their_name() {
        assert_eq!(choose(TOPICS, "").unwrap().len(), TOPICS.concat().len());
        assert!(choose(TOPICS, "kernel").unwrap().is_empty());
        assert!(choose(TOPICS, "bounc").unwrap().iter().all(|scene| scene.name.contains("bounc")));
        assert!(matches!(choose(TOPICS, "no such scene"), Err(Failure::Usage(_))));
    }
}
