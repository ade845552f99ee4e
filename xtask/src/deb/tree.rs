//! The files of a package, laid out in a folder as they will lie on a machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{failed, output, text};
use crate::command::{Failure, workspace_root};

/// Files of the repository, and where they go.
pub(super) const FILES: [(&str, &str); 11] = [
    ("dist/soquete@.service", "usr/lib/systemd/system/soquete@.service"),
    ("dist/soquete.target", "usr/lib/systemd/system/soquete.target"),
    ("dist/soquete.sysusers", "usr/lib/sysusers.d/soquete.conf"),
    ("dist/60-soquete-gpio.rules", "usr/lib/udev/rules.d/60-soquete-gpio.rules"),
    ("dist/README.md", "usr/share/doc/soquete/systemd.md"),
    ("dist/examples/soquete@led_process.socket", "usr/share/doc/soquete/examples/soquete@led_process.socket"),
    ("dist/examples/backoff.conf", "usr/share/doc/soquete/examples/backoff.conf"),
    ("dist/debian/lintian-overrides", "usr/share/lintian/overrides/soquete"),
    ("docs/raspberry-pi.md", "usr/share/doc/soquete/raspberry-pi.md"),
    ("docs/packages.md", "usr/share/doc/soquete/packages.md"),
    // What `soquete config example` prints: the two processes that are built in, so installing changes nothing of what
    // `soquete up` does, and explained, so that whoever has a board finds what to change.
    ("cli/src/configuration/example.toml", "etc/soquete/soquete.toml"),
];

/// The completions of each shell, and where Debian has them.
pub(super) const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/soquete"),
    ("zsh", "usr/share/zsh/vendor-completions/_soquete"),
    ("fish", "usr/share/fish/vendor_completions.d/soquete.fish"),
];

/// A folder that becomes a package.
pub(super) struct Tree(pub(super) PathBuf);

impl Tree {
    /// Writes a file that everybody may read.
    pub(super) fn write(&self, path: &str, octets: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.write_as(path, 0o644, octets)
    }

    /// Writes a file with this mode, whatever the umask here is.
    pub(super) fn write_as(&self, path: &str, mode: u32, octets: impl AsRef<[u8]>) -> Result<(), Failure> {
        let path = self.0.join(path);
        let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.0));
        fs::create_dir_all(path.parent().unwrap_or(&self.0)).map_err(failed)?;
        folders.map(|folder| (folder, 0o755)).try_for_each(|(folder, mode)| permit(folder, mode))?;
        fs::write(&path, octets).map_err(|error| failed(format!("write {}: {error}", path.display())))?;
        permit(&path, mode)
    }

    /// Writes a file compressed, without name and time, as Debian wants what lies in its documents.
    pub(super) fn write_compressed(&self, path: &str, octets: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.write(path, octets)?;
        output(Command::new("gzip").arg("-n9f").arg(self.0.join(path)), "gzip").map(drop)
    }

    /// Copies the files of the repository.
    pub(super) fn copy_files(&self) -> Result<(), Failure> {
        FILES.iter().try_for_each(|(from, to)| self.write(to, repository_file(from)?))
    }

    /// Writes the completions that the program prints.
    pub(super) fn complete(&self, teller: &Path) -> Result<(), Failure> {
        let mut shells = COMPLETIONS.iter();
        shells.try_for_each(|(shell, path)| self.write(path, told(teller, &["completions", shell])?))
    }

    /// Writes the manual page of a command, and of each that it names; of the program for none.
    pub(super) fn explain(&self, teller: &Path, command: &[&str]) -> Result<(), Failure> {
        let page = told(teller, &[&["manual"], command].concat())?;
        let name = [&["soquete"], command].concat().join("-");
        for below in commands_below(&page, &name) {
            self.explain(teller, &[command, &[below]].concat())?;
        }
        self.write_compressed(&format!("usr/share/man/man1/{name}.1"), page.as_bytes())
    }

    /// Every file, relative to the folder and in order.
    pub(super) fn files(&self) -> Result<Vec<String>, Failure> {
        let mut files = self.find(&["-type", "f", "-printf", "%P\\n"])?;
        files.sort();
        Ok(files)
    }

    /// What it takes on a disk, in KiB, whatever the disk: each file rounded up, and one for each folder.
    pub(super) fn size_kib(&self) -> Result<u64, Failure> {
        let files = self.find(&["-type", "f", "-printf", "%s\\n"])?;
        let folders = self.find(&["-type", "d", "-printf", "1\\n"])?;
        let sizes = files.iter().chain(&folders).filter_map(|size| size.parse::<u64>().ok());
        Ok(sizes.map(|size| size.div_ceil(1024)).sum())
    }

    fn find(&self, words: &[&str]) -> Result<Vec<String>, Failure> {
        let told = text(Command::new("find").arg(".").args(words).current_dir(&self.0), "findutils")?;
        Ok(told.lines().map(str::to_owned).collect())
    }
}

/// Reads a file of the repository.
pub(super) fn repository_file(path: &str) -> Result<Vec<u8>, Failure> {
    fs::read(workspace_root().join(path)).map_err(|error| failed(format!("read {path}: {error}")))
}

fn permit(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)
}

/// What the program prints.
fn told(teller: &Path, arguments: &[&str]) -> Result<String, Failure> {
    text(Command::new(teller).args(arguments), "cargo")
}

/// The commands that a manual page names as its own.
fn commands_below<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let prefix = format!("{}\\-", name.replace('-', "\\-"));
    page.lines().filter_map(|line| line.strip_prefix(&prefix)?.strip_suffix("(1)")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_shipped_is_there() {
        for (from, _) in FILES {
            assert!(workspace_root().join(from).is_file(), "{from}");
        }
    }

    #[test]
    fn a_page_names_its_commands() {
        let page = ".SH SUBCOMMANDS\n.TP\nsoquete\\-config\\-check(1)\nChecks\n.TP\nsoquete\\-config\\-show(1)\n";
        assert_eq!(commands_below(page, "soquete-config"), ["check", "show"]);
    }
}
