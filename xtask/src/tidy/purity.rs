//! The pure cores touch neither sockets, files, clocks, threads nor chance.

use super::finding::{Finding, Rule};
use super::source::{Source, block_in};
use super::workspace::Workspace;

/// Where the pure cores lie.
const PURE_FOLDERS: &[&str] = &["crates/proto/src/", "crates/board/src/"];

/// Modules of the standard library that reach outside.
const STD_MODULES: &[&str] = &["fs", "io", "net", "thread"];

/// Names that reach outside wherever they come from.
const NAMES: &[&str] = &["Instant::now", "SystemTime", "rand", "fastrand", "getrandom"];

/// Finds what a pure core must be given as an argument and takes by itself.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let pure = |source: &&Source| PURE_FOLDERS.iter().any(|folder| source.path.starts_with(folder));
    workspace.sources.iter().filter(pure).flat_map(of_source).collect()
}

fn of_source(source: &Source) -> Vec<Finding> {
    let paths = STD_MODULES.iter().map(|module| format!("std::{module}"));
    let names = paths.chain(NAMES.iter().map(ToString::to_string));
    let mut found: Vec<(usize, String)> =
        names.flat_map(|name| source.occurrences(&name).into_iter().map(move |at| (at, name.clone()))).collect();
    found.extend(grouped(source));
    let finding = |(at, name): (usize, String)| {
        let message = format!("`{name}` in a pure core; take what you need as an argument");
        Finding::new(Rule::Purity, &source.path, source.line_at(at), message).about(&name)
    };
    found.into_iter().map(finding).collect()
}

/// The modules named in a list: `use std::{fmt, io}`.
fn grouped(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("std::{") {
        let Some((open, close)) = block_in(&source.code, at) else {
            continue;
        };
        for module in STD_MODULES {
            let inside = |use_at: &usize| {
                let before = source.code[..*use_at].trim_end();
                (open..close).contains(use_at) && before.ends_with(['{', ','])
            };
            let named = source.occurrences(module).into_iter().filter(inside);
            found.extend(named.map(|at| (at, format!("std::{module}"))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(path: &str, text: &str) -> Vec<String> {
        let found = check(&Workspace::from_files(&[(path, text)]));
        found.into_iter().map(|finding| finding.subject).collect()
    }

    #[test]
    fn each_way_outside_is_found() {
        let text = "use std::net::TcpStream;\nfn f() { std::fs::read(x); Instant::now(); SystemTime::now(); }\n\
                    use rand::Rng;";
        let wanted = ["std::fs", "std::net", "Instant::now", "SystemTime", "rand"];
        assert_eq!(subjects("crates/proto/src/a.rs", text), wanted);
    }

    #[test]
    fn a_list_of_modules_hides_nothing() {
        let text = "use std::{\n    fmt,\n    io::{self, Read},\n    thread,\n};";
        assert_eq!(subjects("crates/board/src/a.rs", text), ["std::io", "std::thread"]);
    }

    #[test]
    fn comments_addresses_and_other_crates_are_free() {
        let text = "// std::net\nuse core::net::IpAddr;\nuse std::{fmt, time::Instant};\nfn brand() {}";
        assert_eq!(subjects("crates/proto/src/a.rs", text), [""; 0]);
        assert_eq!(subjects("crates/soquete/src/a.rs", "use std::net;"), [""; 0]);
        assert_eq!(subjects("crates/proto/tests/a.rs", "use std::fs;"), [""; 0]);
    }
}
