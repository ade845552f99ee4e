//! `cargo xtask deb`: a Debian package of the program, and its inspection.
//!
//! `cargo xtask deb --target T` makes it for another machine, `cargo xtask deb check FILE` inspects one: what is in it,
//! what lintian says, and what happens where it is installed, used and removed again. `cargo xtask deb all` makes and
//! inspects all that can be made here.

mod check;
mod copyright;
mod foreign;
mod linkage;
mod pack;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ci::target;
use crate::command::{Failure, cargo, no_arguments, workspace_root};
use crate::release;

/// The targets that packages are made for, and what Debian calls their architectures.
const ARCHITECTURES: [(&str, &str); 2] =
    [("x86_64-unknown-linux-gnu", "amd64"), ("aarch64-unknown-linux-gnu", "arm64")];

/// What `cargo xtask static` builds for: boards whose Debian is older than ours, or which have none.
const STATIC_TARGET: &str = "aarch64-unknown-linux-musl";

/// Makes a package, or inspects one.
///
/// # Errors
/// [`Failure::Failed`] where the program cannot be built, a tool is missing, or the inspection finds something.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => make(this_architecture()?, &release::build()?).map(|file| tell_next(&file)),
        ["all"] => all(),
        ["--target", target] => {
            let architecture = architecture_of(target)?;
            provide(target)?;
            release::build_for(&[target])?;
            make(architecture, &release::built_for(target)).map(|file| tell_next(&file))
        }
        ["check", file] => check::check(Path::new(file)),
        _ => Err(Failure::Usage("expected nothing, `all`, `--target TARGET`, or `check FILE`".to_owned())),
    }
}

/// Builds the program for arm64 with all that it needs in it, and tries it where that can be emulated.
///
/// # Errors
/// [`Failure::Failed`] where it cannot be built, is not what it should be, or does not work.
pub(crate) fn run_static(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    provide(STATIC_TARGET)?;
    release::build_for(&[STATIC_TARGET])?;
    make_static()
}

/// Makes and inspects everything that is given away, as far as it can be made here.
fn all() -> Result<(), Failure> {
    let here = this_architecture()?;
    let program = release::build()?;
    let others = ARCHITECTURES.iter().filter(|(_, architecture)| *architecture != here).map(|(target, _)| *target);
    let mut targets: Vec<&str> = others.chain([STATIC_TARGET]).collect();
    targets.retain(|target| provide(target).map_err(|why| skipped(&format!("building for {target}"), why)).is_ok());
    if !targets.is_empty() {
        release::build_for(&targets)?;
    }
    make_twice(here, &program)?;
    for target in targets {
        match architecture_of(target) {
            Ok(architecture) => make_twice(architecture, &release::built_for(target))?,
            Err(_) => make_static()?,
        }
    }
    Ok(())
}

/// Makes a package twice, sees that it is the same, and inspects it.
fn make_twice(architecture: &str, program: &Path) -> Result<(), Failure> {
    let made = || make(architecture, program).and_then(|file| Ok((std::fs::read(&file).map_err(failed)?, file)));
    let (first, (second, file)) = (made()?.0, made()?);
    if first != second {
        return Err(failed(format!("{} is another each time that it is made", shown(&file))));
    }
    check::check(&file)
}

/// Makes the package, and says where it lies.
fn make(architecture: &str, program: &Path) -> Result<PathBuf, Failure> {
    // Manual pages and completions are the same wherever they are printed.
    let teller = if architecture == this_architecture()? { program.to_owned() } else { release::build()? };
    let file = pack::pack(architecture, program, &teller)?;
    println!("made {}", shown(&file));
    Ok(file)
}

/// Says what to type now.
fn tell_next(file: &Path) {
    println!("next: cargo xtask deb check {}\n      sudo apt install ./{0}", shown(file));
}

fn make_static() -> Result<(), Failure> {
    let program = release::built_for(STATIC_TARGET);
    let linkage = linkage::read(&program)?;
    if linkage.machine != "AArch64" || !linkage.libraries.is_empty() || linkage.has_interpreter {
        return Err(failed(format!("{} is no static program for arm64: {linkage:?}", program.display())));
    }
    let name = format!("soquete_{}_arm64-static", pack::version()?);
    let (file, terms) = (pack::folder().join(&name), pack::folder().join(name + ".copyright"));
    std::fs::create_dir_all(pack::folder()).and_then(|()| std::fs::copy(&program, &file)).map_err(failed)?;
    std::fs::write(terms, copyright::copyright(STATIC_TARGET)?).map_err(failed)?;
    foreign::try_out(&program, "aarch64", None)?;
    println!("made {}, for any Linux on arm64; it cannot look up names in .local", shown(&file));
    println!("next: scp {} PI:soquete && ssh PI ./soquete up", shown(&file));
    Ok(())
}

/// Says what was not done, and why: it must not look as if it had been.
fn skipped(what: &str, why: impl std::fmt::Display) {
    println!("== NOT RUN: {what}: {why}");
}

/// What Debian calls the architecture of a target.
fn architecture_of(target: &str) -> Result<&'static str, Failure> {
    let found = ARCHITECTURES.iter().find(|(known, _)| *known == target);
    let known = ARCHITECTURES.map(|(target, _)| target).join(", ");
    found.map(|(_, name)| *name).ok_or_else(|| Failure::Usage(format!("no packages for {target}, but for {known}")))
}

/// What Debian calls the architecture of this machine.
fn this_architecture() -> Result<&'static str, Failure> {
    let here = std::env::consts::ARCH;
    let found = ARCHITECTURES.iter().find(|(target, _)| target.starts_with(here));
    found.map(|(_, name)| *name).ok_or_else(|| failed(format!("no packages are made for {here}")))
}

/// Sees to it that the program can be built for a target.
fn provide(target: &str) -> Result<(), Failure> {
    if let Some(linker) = release::foreign_linker(target) {
        let package = format!("gcc-{}", linker.trim_end_matches("-gcc").replace('_', "-"));
        output(Command::new(linker).arg("--version"), &package)?;
    }
    let cargo = cargo();
    target::provide(target, Path::new(cargo.get_program()), &workspace_root()).map_err(failed)
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    path.strip_prefix(workspace_root()).unwrap_or(path).display().to_string()
}

/// Runs a tool of a package and returns what it prints.
fn output(command: &mut Command, package: &str) -> Result<Vec<u8>, Failure> {
    let program = command.get_program().display().to_string();
    let missing = |error: std::io::Error| failed(format!("start {program}: {error}; apt-get install {package}"));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(missing)?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stdout);
            Err(failed(format!("{program} failed, {}\n{}", output.status, said.trim_end()).trim_end()))
        }
    }
}

/// The same, as text.
fn text(command: &mut Command, package: &str) -> Result<String, Failure> {
    output(command, package).map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

/// A folder below the target folder, empty.
fn empty(name: &str) -> Result<PathBuf, Failure> {
    let folder = pack::folder().join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => std::fs::create_dir_all(&folder).map_err(failed)?,
    }
    Ok(folder)
}

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::Failed(what.to_string())
}
