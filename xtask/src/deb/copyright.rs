//! The file `copyright`: whose work the program is, other people's crates in it included.

use std::fs;
use std::path::{Path, PathBuf};

use super::{failed, text};
use crate::command::{Failure, cargo, workspace_root};
use crate::release;

const FORMAT: &str =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: soquete\n";

/// Where the crates' own words about their copyright are.
const FILES: [&str; 3] = ["LICENSE-MIT", "LICENSE", "COPYING"];

/// A crate that is in the program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    /// Name and version, as its folder is called.
    folder: String,
    licence: String,
}

/// Writes the file for the program of a target.
///
/// Every crate in it may be had under the MIT licence, which asks for its copyright line; one that may not is an error.
pub(super) fn copyright(target: &str) -> Result<String, Failure> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", "soquete-cli", "--target", target, "--prefix", "none"]);
    tree.args(["--edges", "normal,no-proc-macro", "--format", "{p}|{l}"]).current_dir(workspace_root());
    let mit = fs::read_to_string(workspace_root().join("LICENSE-MIT")).map_err(failed)?;
    let (_, terms) = mit.split_once("\n\n").and_then(|(_, rest)| rest.split_once("\n\n")).unwrap_or_default();
    let mut file = format!("{FORMAT}\n{}", paragraph("*", &holders(&mit), "MIT or Apache-2.0"));
    file += &paragraph("library/*", &["The Rust Project Developers".to_owned()], "MIT");
    if target.ends_with("-musl") {
        file += &paragraph("musl/*", &["2005-2020 Rich Felker, et al.".to_owned()], "MIT");
    }
    for found in crates(&text(&mut tree, "cargo")?) {
        if !found.licence.contains("MIT") {
            return Err(failed(format!(
                "{} is under {}: say in copyright.rs what that asks",
                found.folder, found.licence
            )));
        }
        let said = words(&found.folder)?;
        file += &paragraph(&format!("crates/{}/*", found.folder), &holders(&said), "MIT");
    }
    let comment = "On Debian the licence is in /usr/share/common-licenses/Apache-2.0.";
    file += &format!("License: MIT or Apache-2.0\n MIT as below, or Apache-2.0.\n .\n {comment}\n\nLicense: MIT\n");
    file.extend(terms.lines().map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") }));
    Ok(file)
}

/// Reads `name vVERSION (…)|LICENCE` a line, as `cargo tree` lists what is not ours, each once.
fn crates(tree: &str) -> Vec<Crate> {
    let row = |line: &str| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        let is_ours = words.next().is_some_and(|place| place.starts_with("(/"));
        let licence = licence.trim_end_matches(" (*)").to_owned();
        (!is_ours).then(|| Crate { folder: format!("{name}-{version}"), licence })
    };
    let mut crates: Vec<Crate> = tree.lines().filter_map(row).collect();
    crates.sort();
    crates.dedup();
    crates
}

/// What a crate says about its copyright; nothing where it has no such file.
fn words(folder: &str) -> Result<String, Failure> {
    let mut places = release::registries().into_iter().map(|registry: PathBuf| registry.join(folder));
    let place = places.find(|place| place.is_dir());
    let place = place.ok_or_else(|| failed(format!("the sources of {folder} are not there: cargo fetch")))?;
    let read = |file: &&str| fs::read_to_string(Path::new(&place).join(file)).ok();
    Ok(FILES.iter().find_map(read).unwrap_or_default())
}

/// The names behind `Copyright (c)`.
fn holders(licence: &str) -> Vec<String> {
    let lines = licence.lines().filter_map(|line| line.trim().strip_prefix("Copyright (c) "));
    lines.map(|line| line.trim_end_matches('.').to_owned()).collect()
}

fn paragraph(files: &str, holders: &[String], licence: &str) -> String {
    // Some crates name nobody.
    let holders = if holders.is_empty() { "its contributors".to_owned() } else { holders.join("\n           ") };
    format!("Files: {files}\nCopyright: {holders}\nLicense: {licence}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_others_are_listed_once_each() {
        let tree = "soquete-cli v0.1.0 (/home/a/cli)|MIT\nslab v0.4.12|MIT\nclap v4.6.7|MIT OR Apache-2.0\nslab v0.4.12|MIT (*)\n";
        let found = crates(tree);
        let folders: Vec<&str> = found.iter().map(|found| found.folder.as_str()).collect();
        assert_eq!(folders, ["clap-4.6.7", "slab-0.4.12"]);
        assert_eq!(found[1].licence, "MIT");
    }

    #[test]
    fn holders_are_named_as_they_name_themselves() {
        let licence = "MIT\n\nCopyright (c) 2015 A\nCopyright (c) 2016 B.\n\nPermission";
        assert_eq!(holders(licence), ["2015 A", "2016 B"]);
        assert_eq!(paragraph("x/*", &[], "MIT"), "Files: x/*\nCopyright: its contributors\nLicense: MIT\n\n");
    }
}
