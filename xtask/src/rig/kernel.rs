//! The guest's kernel: built once from Debian's source, then found in the cache.

use std::path::PathBuf;

use super::Trouble;
use super::cache::{self, Tree};
use crate::command::Failure;

/// Debian's package of the source, that of the kernel which the patch is for.
const SOURCE: &str = "linux-source-6.12";

/// What builds it: programs, and the Debian packages that have them.
const TOOLS: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("xz", "xz-utils"),
    ("patch", "patch"),
    ("make", "make"),
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
];

const CONFIG: &str = include_str!("../../../rig/kernel.config");
const PATCH: &str = include_str!("../../../rig/kernel.patch");

/// Returns where the kernel is, after building it if it is not there.
///
/// # Errors
/// [`Failure::Impossible`] where this machine can have none, [`Failure::Failed`] where it was not built.
pub(crate) fn provide() -> Result<PathBuf, Failure> {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    if (system, machine) != ("linux", "x86_64") {
        return Err(Failure::Impossible(format!(
            "user-mode Linux needs linux on x86_64, and this is {system} on {machine}"
        )));
    }
    // Any version of the source that Debian has will do.
    cache::provide(&[SOURCE, CONFIG, PATCH], "linux.uml", build)
}

fn build(tree: &Tree) -> Result<PathBuf, Failure> {
    cache::have_tools(TOOLS)?;
    tree.say("downloading, 150 MB");
    tree.download(SOURCE, None)?;
    tree.say("unpacking, 1.5 GB");
    tree.sh(&format!(
        "mkdir source && dpkg-deb --fsys-tarfile {SOURCE}_*.deb | tar -xO ./usr/src/{SOURCE}.tar.xz \
         | tar -xJ -C source --strip-components=1 && rm {SOURCE}_*.deb"
    ))?;
    tree.say("patching and configuring");
    tree.write("kernel.patch", PATCH)?;
    tree.write("kernel.config", CONFIG)?;
    tree.sh("patch -d source -p1 < kernel.patch")?;
    tree.sh("make -s -C source ARCH=um tinyconfig")?;
    tree.sh("cat kernel.config >> source/.config && make -s -C source ARCH=um olddefconfig")?;
    let config = tree.read("source/.config")?;
    let dropped = dropped(CONFIG, &config);
    if !dropped.is_empty() {
        let dropped = dropped.join(", ");
        return Err(Trouble(format!("the kernel does not take {dropped}: see rig/kernel.config")).into());
    }
    tree.say("compiling, some minutes");
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    tree.sh(&format!("make -s -C source ARCH=um -j{jobs} linux"))?;
    tree.sh("strip -o linux.uml source/linux")?;
    Ok(tree.folder.join("linux.uml"))
}

/// The options that were asked for and are not in a configuration.
fn dropped<'a>(wanted: &'a str, config: &str) -> Vec<&'a str> {
    let options = wanted.lines().filter(|line| line.starts_with("CONFIG_"));
    options.filter(|option| !config.lines().any(|line| line == *option)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_the_kernel_dropped_is_named() {
        let wanted = "# why\nCONFIG_A=y\nCONFIG_B=5\n";
        assert_eq!(dropped(wanted, "CONFIG_A=y\nCONFIG_B=5\n"), [""; 0]);
        assert_eq!(dropped(wanted, "CONFIG_A=y\n# CONFIG_B is not set\n"), ["CONFIG_B=5"]);
    }
}
