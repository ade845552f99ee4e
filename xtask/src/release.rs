//! The program as it is given away: the release build, without symbols, the same octets wherever it is built.

use std::path::{Path, PathBuf};

use crate::command::{Failure, cargo, target_folder, workspace_root};

/// Builds the program for this machine, and returns where it lies.
///
/// The paths of this machine that panics tell are replaced, and no option of the compiler comes from the environment:
/// two people who build the same commit with the same compiler have the same program.
///
/// # Errors
/// [`Failure::Failed`] where it cannot be built; cargo has said why.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    cargo_build(&[format!("build.rustflags={:?}", remaps())], &[])?;
    Ok(target_folder().join("release/soquete"))
}

/// Builds the program for other targets in the same way, all at once: one alone leaves processors idle.
///
/// # Errors
/// As those of [`build`].
pub(crate) fn build_for(targets: &[&str]) -> Result<(), Failure> {
    let options = |target: &str| remaps().into_iter().chain(linker(target));
    let config = |target: &&str| format!("target.{target}.rustflags={:?}", options(target).collect::<Vec<_>>());
    cargo_build(&targets.iter().map(config).collect::<Vec<_>>(), targets)
}

/// Returns where the program for a target lies when it is built.
pub(crate) fn built_for(target: &str) -> PathBuf {
    target_folder().join(target).join("release/soquete")
}

fn cargo_build(options: &[String], targets: &[&str]) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--package", "soquete-cli"]).current_dir(workspace_root());
    command.args(["--config", "profile.release.strip=\"symbols\""]);
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    options.iter().for_each(|option| _ = command.args(["--config", option]));
    targets.iter().for_each(|target| _ = command.args(["--target", target]));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::Failed("the release build failed".to_owned())),
        Err(error) => Err(Failure::Failed(format!("start cargo: {error}"))),
    }
}

/// The folders in which cargo keeps the sources of other people's crates, one for each registry.
pub(crate) fn registries() -> Vec<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
    let entries = std::fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The options that keep the paths of this machine out of the program.
fn remaps() -> Vec<String> {
    let remap = |path: &Path, name: &str| format!("--remap-path-prefix={}={name}", path.display());
    let crates = registries().into_iter().map(|registry| remap(&registry, "/crates"));
    crates.chain([remap(&workspace_root(), "/soquete")]).collect()
}

/// The compiler of Debian's that links for a target; nothing where Rust's own tools have all that it needs.
pub(crate) fn foreign_linker(target: &str) -> Option<String> {
    target.strip_suffix("-unknown-linux-gnu").map(|machine| format!("{machine}-linux-gnu-gcc"))
}

/// The options that have it linked for a target that is not this machine.
fn linker(target: &str) -> Vec<String> {
    // Rust has all of musl, and a linker.
    let own = ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Clink-self-contained=yes"];
    match foreign_linker(target) {
        Some(linker) => vec![format!("-Clinker={linker}")],
        None if target.ends_with("-musl") => own.map(str::to_owned).to_vec(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_compiler_links_against_debians_libraries_and_rust_against_musl() {
        assert_eq!(linker("aarch64-unknown-linux-gnu"), ["-Clinker=aarch64-linux-gnu-gcc"]);
        assert_eq!(foreign_linker("aarch64-unknown-linux-musl"), None);
        assert!(linker("aarch64-unknown-linux-musl").contains(&"-Clinker=rust-lld".to_owned()));
    }

    #[test]
    fn the_paths_of_this_machine_are_replaced() {
        let root = workspace_root().display().to_string();
        assert!(remaps().contains(&format!("--remap-path-prefix={root}=/soquete")));
    }
}
