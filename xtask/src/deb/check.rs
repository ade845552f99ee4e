//! The inspection of a package: what is in it, what it needs, what lintian says, and whether it works.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::linkage::{self, GLIBC_MAX};
use super::tree::{COMPLETIONS, FILES};
use super::{ARCHITECTURES, empty, failed, foreign, output, skipped, text, this_architecture};
use crate::command::Failure;

/// Installs, uses and removes a package where nothing of it stays.
const INSTALLED: &str = include_str!("installed.sh");

/// What that script ends with where there can be no copy of this machine.
const NO_COPY: i32 = 77;

/// What is in every package beside [`FILES`] and [`COMPLETIONS`]; the manual pages of the commands come to it.
const OTHERS: [&str; 5] = [
    "usr/bin/soquete",
    "usr/share/man/man1/soquete.1.gz",
    "usr/share/doc/soquete/copyright",
    "usr/share/doc/soquete/changelog.gz",
    "usr/share/doc/soquete/CHANGELOG.md.gz",
];

/// Inspects a package, and says what it found in order.
///
/// # Errors
/// [`Failure::Failed`] with the first thing that is not as it should be, or the tool that is missing.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    let file = &file.canonicalize().map_err(|error| failed(format!("{}: {error}", file.display())))?;
    let architecture = field(file, "Architecture")?;
    let found = ARCHITECTURES.iter().find(|(_, name)| *name == architecture);
    let (target, _) = found.ok_or_else(|| failed(format!("a package for {architecture}, which nobody makes")))?;
    let machine = target.split('-').next().unwrap_or_default();
    let list = text(Command::new("dpkg-deb").arg("--contents").arg(file), "dpkg")?;
    let wrong = complaints(&list);
    if !wrong.is_empty() {
        return Err(failed(wrong.join("\n")));
    }
    println!("deb: {} files, each where it belongs", list.lines().filter(|line| line.starts_with('-')).count());
    let folder = empty("inspected")?;
    output(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&folder), "dpkg")?;
    let program = folder.join("usr/bin/soquete");
    check_linkage(&program, &field(file, "Depends")?)?;
    lint(file)?;
    if this_architecture()? == architecture {
        return install(file);
    }
    let libraries = PathBuf::from(format!("/usr/{machine}-linux-gnu"));
    foreign::try_out(&program, machine, Some(&libraries))
}

fn field(file: &Path, name: &str) -> Result<String, Failure> {
    let mut field = Command::new("dpkg-deb");
    text(field.arg("--field").arg(file).arg(name), "dpkg").map(|told| told.trim().to_owned())
}

/// Compares what `dpkg-deb --contents` lists with what has to be there.
fn complaints(list: &str) -> Vec<String> {
    let rows = list.lines().filter_map(|line| line.split_once(" ./"));
    let (folders, files): (Vec<_>, Vec<_>) = rows.partition(|(head, _)| head.starts_with('d'));
    let mut wanted: Vec<&str> = FILES.iter().chain(&COMPLETIONS).map(|(_, to)| *to).chain(OTHERS).collect();
    let mut wrong = Vec::new();
    for (head, path) in folders {
        if !head.starts_with("drwxr-xr-x root/root") {
            wrong.push(format!("folder {path}: {head}"));
        }
    }
    for (head, path) in files {
        let mode = if path == "usr/bin/soquete" { "-rwxr-xr-x root/root" } else { "-rw-r--r-- root/root" };
        if !head.starts_with(mode) {
            wrong.push(format!("{path}: {head}, expected {mode}"));
        }
        match wanted.iter().position(|wanted| *wanted == path) {
            Some(place) => drop(wanted.swap_remove(place)),
            None if path.starts_with("usr/share/man/man1/soquete-") => {}
            None => wrong.push(format!("{path} is not expected")),
        }
    }
    wrong.extend(wanted.iter().map(|path| format!("{path} is missing")));
    wrong
}

fn check_linkage(program: &Path, depends: &str) -> Result<(), Failure> {
    let linkage = linkage::read(program)?;
    let wanted = linkage::depends(&linkage)?;
    if depends != wanted {
        return Err(failed(format!("Depends: {depends}, and the program needs {wanted}")));
    }
    if linkage.glibc > Some(GLIBC_MAX) {
        return Err(failed(format!("Depends: {depends}, and Debian 12 has glibc 2.36; build it on Debian 12")));
    }
    println!("deb: the program is for {} and needs {depends}", linkage.machine);
    Ok(())
}

/// Asks lintian; a warning is an error too, unless `dist/debian/lintian-overrides` says why it is none.
fn lint(file: &Path) -> Result<(), Failure> {
    if let Err(why) = output(Command::new("lintian").arg("--version"), "lintian") {
        skipped("lintian", why);
        return Ok(());
    }
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"]);
    output(lintian.arg(file), "lintian")?;
    println!("deb: lintian has no errors and no warnings");
    Ok(())
}

/// Installs it on a copy of this machine, which root alone can make; says so where that cannot be.
fn install(file: &Path) -> Result<(), Failure> {
    let skipped = |why: String| skipped("installing it on a copy of this machine", why);
    let is_root = text(Command::new("id").arg("-u"), "coreutils")?.trim() == "0";
    let apart = |words: &[&str]| {
        let mut command = Command::new(if is_root { "unshare" } else { "sudo" });
        command.args(if is_root { &[][..] } else { &["-n", "unshare"] });
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child"]).args(words);
        command
    };
    if let Err(why) = output(&mut apart(&["true"]), if is_root { "util-linux" } else { "sudo" }) {
        skipped(format!("{why}; this is for root, where namespaces can be made"));
        return Ok(());
    }
    let status = apart(&["sh", "-c", INSTALLED, "installed.sh"]).arg(file).arg(empty("copy")?).status();
    match status.map_err(failed)?.code() {
        Some(0) => Ok(()),
        Some(NO_COPY) => {
            skipped("what mount says is above".to_owned());
            Ok(())
        }
        _ => Err(failed(format!("installing {} failed", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What dpkg-deb lists of a package that is in order.
    fn list() -> String {
        let row = |path: &str| {
            let mode = if path == "usr/bin/soquete" { "-rwxr-xr-x" } else { "-rw-r--r--" };
            format!("{mode} root/root      4711 2026-11-21 03:10 ./{path}\n")
        };
        let files = FILES.iter().chain(&COMPLETIONS).map(|(_, to)| *to).chain(OTHERS);
        let folder = "drwxr-xr-x root/root         0 2026-11-21 03:10 ./usr/\n".to_owned();
        folder + &files.map(row).collect::<String>() + &row("usr/share/man/man1/soquete-up.1.gz")
    }

    #[test]
    fn a_package_with_all_its_files_is_in_order() {
        assert_eq!(complaints(&list()), [""; 0]);
    }

    #[test]
    fn what_is_missing_strange_or_open_is_named() {
        assert_eq!(complaints(&list().replace("./etc/soquete/soquete.toml", "./etc/other")).len(), 2);
        assert_eq!(complaints(&list().replace("-rwxr-xr-x root/root", "-rwsr-xr-x root/root")).len(), 1);
        assert_eq!(complaints(&list().replace("drwxr-xr-x", "drwxrwxr-x")).len(), 1);
        assert_eq!(complaints(&list().replace("root/root", "me/me")).len(), list().lines().count());
    }
}
