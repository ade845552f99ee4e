//! Where files lie and what they are called.

use super::finding::{Finding, Rule};
use super::source::Source;
use super::workspace::Workspace;

/// Folders between `src` and a file.
const FOLDERS_MAX: usize = 2;

/// Names that say what kind of code is inside, not what it is about.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "misc", "trait", "traits", "type", "types", "util", "utils"];

/// Finds files that lie too deep, every `mod.rs`, and names that say nothing.
///
/// Folders of tests are free in this: there Cargo itself asks for `mod.rs`.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let sources = workspace.sources.iter().filter(|source| !source.is_test_file());
    sources.flat_map(|source| depth(source).into_iter().chain(name(source))).collect()
}

fn depth(source: &Source) -> Option<Finding> {
    let parts: Vec<&str> = source.path.split('/').collect();
    let src = parts.iter().position(|part| *part == "src")?;
    let folders = parts.len() - src - 2;
    let message = format!("lies {folders} folders below `src`, the limit is {FOLDERS_MAX}; flatten it or make a crate");
    (folders > FOLDERS_MAX).then(|| Finding::new(Rule::Depth, &source.path, 1, message))
}

fn name(source: &Source) -> Option<Finding> {
    let file = source.path.rsplit('/').next().unwrap_or_default();
    let stem = file.trim_end_matches(".rs");
    let message = if stem == "mod" {
        "`mod.rs` names nothing; use `foo.rs` beside `foo/`".to_owned()
    } else if EMPTY_NAMES.contains(&stem) {
        format!("`{stem}` says nothing; name the file after the thing it holds")
    } else {
        return None;
    };
    Some(Finding::new(Rule::FileName, &source.path, 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str) -> Vec<Rule> {
        let found = check(&Workspace::from_files(&[(path, "")]));
        found.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_third_folder_below_src_is_too_deep() {
        assert_eq!(rules("crates/a/src/b/c/d.rs"), []);
        assert_eq!(rules("crates/a/src/b/c/d/e.rs"), [Rule::Depth]);
    }

    #[test]
    fn names_that_say_nothing_are_found_outside_tests() {
        for path in ["src/a/mod.rs", "src/utils.rs", "src/a/types.rs", "examples/common.rs"] {
            assert_eq!(rules(path), [Rule::FileName], "{path}");
        }
        for path in ["src/frame.rs", "tests/common/mod.rs", "src/types_of_frame.rs"] {
            assert_eq!(rules(path), [], "{path}");
        }
    }
}
