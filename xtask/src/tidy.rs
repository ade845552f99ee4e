//! `cargo xtask tidy`: the rules of CONTRIBUTING.md that a program can check.
//!
//! Each check is a function from the texts of the [`Workspace`] to its [`Finding`]s; only [`Workspace::read`]
//! touches the disk. What the list in `exceptions` covers is dropped, and what in that list covers nothing is a
//! finding itself.

mod arrow;
mod code;
mod defence;
mod entry;
mod exceptions;
mod finding;
mod forbidden;
mod layout;
mod link;
mod manifest;
mod markdown;
mod purity;
mod size;
mod source;
mod workspace;

use crate::command::{Failure, no_arguments, workspace_root};
use finding::Finding;
use workspace::Workspace;

/// One check: reads the texts, says what breaks its rule.
type Check = fn(&Workspace) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    size::check,
    entry::check,
    arrow::check,
    layout::check,
    defence::check,
    forbidden::check,
    link::check,
    purity::check,
];

/// Prints every finding, one a line.
///
/// # Errors
/// [`Failure::Failed`] when there is a finding, or when a file cannot be read.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    let workspace = Workspace::read(&workspace_root()).map_err(|error| Failure::Failed(format!("tidy: {error}")))?;
    let findings = findings(&workspace);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(Failure::Failed(format!("tidy: {count} to mend"))),
    }
}

/// What every check finds, less the exceptions, in the order of files and lines.
fn findings(workspace: &Workspace) -> Vec<Finding> {
    let found = CHECKS.iter().flat_map(|check| check(workspace)).collect();
    let mut findings = exceptions::apply(exceptions::EXCEPTIONS, found);
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_tidy() {
        let workspace = Workspace::read(&workspace_root()).unwrap();
        let lines: Vec<String> = findings(&workspace).iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "`cargo xtask tidy` finds:\n{}", lines.join("\n"));
    }

    #[test]
    fn findings_come_in_the_order_of_files_and_lines() {
        let long = "\n".repeat(600);
        let files = [("b.rs", long.as_str()), ("a.rs", "fn f() { todo!() }\nfn g() { todo!() }")];
        let found = findings(&Workspace::from_files(&files));
        let places: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(places, [("a.rs", 1), ("a.rs", 2), ("b.rs", 501)]);
    }
}
