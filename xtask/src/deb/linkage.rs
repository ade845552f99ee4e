//! What a program needs of the machine that it runs on, as its own headers say.

use std::path::Path;
use std::process::Command;

use super::{failed, text};
use crate::command::Failure;

/// The glibc of Debian 12, the oldest that packages are for.
pub(super) const GLIBC_MAX: Version = (2, 36);

/// Which package of Debian has a library, and since which version all of it that compilers ask for.
const PACKAGES: [(&str, &str); 2] = [("libc.so.6", "libc6"), ("libgcc_s.so.1", "libgcc-s1")];

/// The version of a library's symbols.
pub(super) type Version = (u32, u32);

/// What a program is linked with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Linkage {
    /// The machine, as readelf calls it.
    pub(super) machine: String,
    /// Whether something has to load it.
    pub(super) has_interpreter: bool,
    /// The shared libraries.
    pub(super) libraries: Vec<String>,
    /// The newest symbols that it takes of glibc.
    pub(super) glibc: Option<Version>,
}

/// Reads what a program is linked with.
pub(super) fn read(program: &Path) -> Result<Linkage, Failure> {
    let mut readelf = Command::new("readelf");
    text(readelf.env("LC_ALL", "C").args(["-hldVW"]).arg(program), "binutils").map(|told| parse(&told))
}

fn parse(told: &str) -> Linkage {
    let behind = |mark: &str| told.lines().find_map(|line| line.split_once(mark)).map(|(_, rest)| rest.trim());
    let needed = told.lines().filter(|line| line.contains("(NEEDED)"));
    let library = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
    let versions = told.lines().filter_map(|line| version(line.split_once("Name: GLIBC_")?.1));
    Linkage {
        machine: behind("Machine:").unwrap_or_default().to_owned(),
        has_interpreter: told.contains("[Requesting program interpreter"),
        libraries: needed.filter_map(library).collect(),
        glibc: versions.max(),
    }
}

/// Reads `2.34` in front of whatever.
fn version(text: &str) -> Option<Version> {
    let (major, minor) = text.split_whitespace().next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

/// The packages that have to be there, as the field `Depends` says it.
///
/// dpkg-shlibdeps would say the same for this machine; for another it wants that one's libraries as packages.
pub(super) fn depends(linkage: &Linkage) -> Result<String, Failure> {
    let package = |library: &String| {
        let loader = library.starts_with("ld-linux");
        let found = PACKAGES.iter().find(|(name, _)| name == library || (loader && *name == "libc.so.6"));
        found.ok_or_else(|| failed(format!("no package is known for {library}: xtask/src/deb/linkage.rs")))
    };
    let mut depends = Vec::new();
    for library in &linkage.libraries {
        let depend = match (package(library)?.1, linkage.glibc) {
            ("libc6", Some((major, minor))) => format!("libc6 (>= {major}.{minor})"),
            // Since 4.2 it has all that Rust asks of it, as its own list of symbols says.
            ("libgcc-s1", _) => "libgcc-s1 (>= 4.2)".to_owned(),
            (name, _) => name.to_owned(),
        };
        depends.push(depend);
    }
    depends.sort();
    depends.dedup();
    Ok(depends.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "  Machine:                           AArch64\n \
        [Requesting program interpreter: /lib/ld-linux-aarch64.so.1]\n \
        0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]\n \
        0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]\n \
        0x0020:   Name: GLIBC_2.9  Flags: none  Version: 8\n \
        0x0030:   Name: GLIBC_2.34  Flags: none  Version: 4\n \
        0x0040:   Name: GLIBC_2.2.5  Flags: none  Version: 3\n";

    #[test]
    fn the_newest_symbols_say_which_glibc_is_needed() {
        let linkage = parse(TOLD);
        assert_eq!(linkage.machine, "AArch64");
        assert_eq!((linkage.has_interpreter, linkage.glibc), (true, Some((2, 34))));
        assert_eq!(depends(&linkage).unwrap(), "libc6 (>= 2.34), libgcc-s1 (>= 4.2)");
    }

    #[test]
    fn a_library_without_a_known_package_is_refused() {
        let unknown = parse("(NEEDED) Shared library: [libssl.so.3]");
        assert!(matches!(depends(&unknown), Err(Failure::Failed(why)) if why.contains("libssl.so.3")));
    }

    #[test]
    fn a_static_program_needs_nothing() {
        let linkage = parse("  Machine:      AArch64\n");
        assert!(linkage.libraries.is_empty() && !linkage.has_interpreter);
        assert_eq!(depends(&linkage).unwrap(), "");
    }
}
