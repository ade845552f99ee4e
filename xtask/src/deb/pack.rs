//! The package itself: files, what Debian has to know about them, and dpkg-deb.
//!
//! The same commit gives the same octets: times are that of the commit, owners root, modes fixed, and one thread
//! compresses, since several would cut as there are processors.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::linkage::{self, GLIBC_MAX};
use super::tree::{Tree, repository_file};
use super::{ARCHITECTURES, copyright, empty, failed, output, text};
use crate::command::{Failure, target_folder, workspace_root};

/// Who answers for the package: whoever wrote it, together; there is no address to write to.
const MAINTAINER: &str = "soquete contributors <soquete@noreply.invalid>";

/// What dpkg runs, and what it has to leave alone where somebody changed it.
const SCRIPTS: [&str; 3] = ["postinst", "postrm", "prerm"];

/// Where packages are made.
pub(super) fn folder() -> PathBuf {
    target_folder().join("debian")
}

/// The version of the program.
pub(super) fn version() -> Result<String, Failure> {
    let manifest = String::from_utf8_lossy(&repository_file("Cargo.toml")?).into_owned();
    let found = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    found.map(str::to_owned).ok_or_else(|| failed("Cargo.toml has no version"))
}

/// Packs the program; `teller`, which runs here, prints its manual pages and completions.
pub(super) fn pack(architecture: &str, program: &Path, teller: &Path) -> Result<PathBuf, Failure> {
    let (version, epoch) = (version()?, epoch()?);
    let tree = Tree(empty(architecture)?);
    tree.write_as("usr/bin/soquete", 0o755, std::fs::read(program).map_err(failed)?)?;
    tree.copy_files()?;
    tree.complete(teller)?;
    tree.explain(teller, &[])?;
    let target = ARCHITECTURES.iter().find(|(_, name)| *name == architecture).map_or("all", |(target, _)| target);
    tree.write("usr/share/doc/soquete/copyright", copyright::copyright(target)?)?;
    tree.write_compressed("usr/share/doc/soquete/changelog", changelog(&version, &epoch)?)?;
    tree.write_compressed("usr/share/doc/soquete/CHANGELOG.md", repository_file("CHANGELOG.md")?)?;
    let files = tree.files()?;
    let control = control(&tree, architecture, &version, program)?;
    write_control(&tree, &files, &control)?;
    let file = folder().join(format!("soquete_{version}_{architecture}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "--threads-max=1", "-Zxz", "--build"]).arg(&tree.0).arg(&file);
    output(pack.env("SOURCE_DATE_EPOCH", epoch), "dpkg").map(|_| file)
}

/// When the last commit was made, in seconds; what the environment says comes first. Where there is no git, or no
/// repository, the manifest has the time at which somebody unpacked all this.
fn epoch() -> Result<String, Failure> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let mut log = Command::new("git");
    log.args(["log", "-1", "--format=%ct"]).current_dir(workspace_root());
    if let Ok(told) = text(&mut log, "git") {
        return Ok(told.trim().to_owned());
    }
    let mut manifest = Command::new("date");
    manifest.args(["+%s", "--reference", "Cargo.toml"]).current_dir(workspace_root());
    text(&mut manifest, "coreutils").map(|told| told.trim().to_owned())
}

/// Debian's own form of a changelog; ours lies beside it.
fn changelog(version: &str, epoch: &str) -> Result<String, Failure> {
    let mut date = Command::new("date");
    let date = text(date.env("LC_ALL", "C").args(["-uR", "-d", &format!("@{epoch}")]), "coreutils")?;
    let what = "What changed for those who use it: CHANGELOG.md.gz beside this file.";
    Ok(format!("soquete ({version}) unstable; urgency=medium\n\n  * {what}\n\n -- {MAINTAINER}  {date}"))
}

fn control(tree: &Tree, architecture: &str, version: &str, program: &Path) -> Result<String, Failure> {
    let linkage = linkage::read(program)?;
    if linkage.glibc > Some(GLIBC_MAX) {
        println!("note: this needs a glibc that Debian 12 does not have; build it on Debian 12 to have it run there");
    }
    let depends = linkage::depends(&linkage)?;
    let description = String::from_utf8_lossy(&repository_file("dist/debian/description")?).into_owned();
    Ok(format!(
        "Package: soquete\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {}\nDepends: {depends}\nSection: net\nPriority: optional\n{description}",
        tree.size_kib()?
    ))
}

fn write_control(tree: &Tree, files: &[String], control: &str) -> Result<(), Failure> {
    let mut sums = Command::new("md5sum");
    let sums = text(sums.args(files).current_dir(&tree.0), "coreutils")?;
    let conffiles = files.iter().filter(|file| file.starts_with("etc/")).map(|file| format!("/{file}\n"));
    tree.write("DEBIAN/control", control)?;
    tree.write("DEBIAN/md5sums", sums)?;
    tree.write("DEBIAN/conffiles", conffiles.collect::<String>())?;
    let mut scripts = SCRIPTS.iter();
    scripts.try_for_each(|name| {
        tree.write_as(&format!("DEBIAN/{name}"), 0o755, repository_file(&format!("dist/debian/{name}"))?)
    })
}
