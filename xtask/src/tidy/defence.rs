//! Every dependency has a line that says why it is there.

use super::finding::{Finding, Rule};
use super::manifest::{Dependency, Manifest};
use super::workspace::Workspace;

/// Finds dependencies from outside without a comment directly above, wherever their version is written.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.manifests.iter().flat_map(undefended).collect()
}

fn undefended(manifest: &Manifest) -> Vec<Finding> {
    let bare = |d: &&Dependency| !d.has_comment && !d.is_inherited && !d.is_local;
    let finding = |dependency: &Dependency| {
        let key = &dependency.key;
        let message = format!("nothing says why `{key}` is here; write what it is for in a comment above");
        Finding::new(Rule::Defence, &manifest.path, dependency.line, message).about(key)
    };
    manifest.dependencies.iter().filter(bare).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(path: &str, text: &str) -> Vec<String> {
        let found = check(&Workspace::from_files(&[(path, text)]));
        found.into_iter().map(|finding| finding.subject).collect()
    }

    #[test]
    fn a_dependency_without_a_comment_directly_above_is_found() {
        let text = "[workspace.dependencies]\n# sockets\nsocket2 = \"0.6\"\nslab = \"0.4\"\nx = { path = \"x\" }";
        assert_eq!(subjects("Cargo.toml", text), ["slab"]);
    }

    #[test]
    fn a_dependency_declared_in_a_crate_is_found_and_an_inherited_one_is_not() {
        let text = "[dependencies]\nslab.workspace = true\n[dev-dependencies]\nproptest = \"1\"";
        assert_eq!(subjects("crates/a/Cargo.toml", text), ["proptest"]);
    }
}
