//! Which crate may know which, and that each takes the lints of the workspace.

use super::finding::{Finding, Rule};
use super::manifest::{Dependency, Manifest};
use super::workspace::Workspace;

/// Each crate of the workspace, and the crates of the workspace it may depend on, for tests too.
const ARROWS: &[(&str, &[&str])] = &[
    ("soquete-proto", &[]),
    ("soquete-board", &[]),
    ("soquete", &["soquete-proto"]),
    ("soquete-node", &["soquete", "soquete-proto", "soquete-board"]),
    ("soquete-cli", &["soquete-node", "soquete", "soquete-proto", "soquete-board"]),
    ("soquete-examples", &["soquete"]),
    ("xtask", &[]),
];

/// Finds arrows that must not be, and manifests without the workspace's lints.
///
/// A manifest that is the root of another workspace, as that of the fuzzing targets, can keep neither rule.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let members = workspace.manifests.iter().filter(|manifest| !manifest.is_workspace_root);
    members.flat_map(|member| lints(member).into_iter().chain(arrows(member, workspace))).collect()
}

fn lints(manifest: &Manifest) -> Option<Finding> {
    let message = "does not take the lints of the workspace; add `[lints]` with `workspace = true`";
    (!manifest.takes_lints).then(|| Finding::new(Rule::Lints, &manifest.path, 1, message))
}

fn arrows(member: &Manifest, workspace: &Workspace) -> Vec<Finding> {
    let Some((name, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.package) else {
        let message = format!(
            "crate `{}` has no line in the table of arrows; give it one in xtask/src/tidy/arrow.rs",
            member.package
        );
        return vec![Finding::new(Rule::Arrow, &member.path, 1, message)];
    };
    let finding = |dependency: &Dependency| {
        let target = package_of(dependency, workspace);
        let is_member = workspace.manifests.iter().any(|other| other.package == target);
        let message = format!("`{name}` must not know `{target}`; move what they share to a crate both may know");
        (is_member && !allowed.contains(&target))
            .then(|| Finding::new(Rule::Arrow, &member.path, dependency.line, message).about(target))
    };
    member.dependencies.iter().filter_map(finding).collect()
}

/// The package meant, through the table of the workspace when the entry refers to it.
fn package_of<'a>(dependency: &'a Dependency, workspace: &'a Workspace) -> &'a str {
    let shared = workspace
        .root_manifest()
        .filter(|_| dependency.is_inherited)
        .and_then(|root| root.dependencies.iter().find(|entry| entry.key == dependency.key));
    shared.unwrap_or(dependency).package()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn package(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{LINTS}{dependencies}")
    }

    /// The findings about one crate, beside a `soquete-node` and a workspace that renames it `renamed`.
    fn found(name: &str, dependencies: &str) -> Vec<(Rule, usize)> {
        let root = "[workspace.dependencies]\nrenamed = { package = \"soquete-node\", path = \"n\" }";
        let (crate_text, node) = (package(name, dependencies), package("soquete-node", ""));
        let files = [("Cargo.toml", root), ("a/Cargo.toml", &crate_text), ("n/Cargo.toml", &node)];
        let found = check(&Workspace::from_files(&files));
        found.into_iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn an_arrow_that_points_up_is_found_on_its_line() {
        let up = "[dependencies]\nsoquete-node.workspace = true";
        assert_eq!(found("soquete-proto", up), [(Rule::Arrow, 6)]);
        assert_eq!(found("xtask", up), [(Rule::Arrow, 6)]);
        assert_eq!(found("soquete-cli", up), []);
    }

    #[test]
    fn a_test_may_not_know_more_than_its_crate() {
        let up = "[dev-dependencies]\nsoquete-node = { path = \"../n\" }";
        assert_eq!(found("soquete", up), [(Rule::Arrow, 6)]);
    }

    #[test]
    fn a_rename_hides_nothing() {
        let up = "[dependencies]\nrenamed.workspace = true\nx = { package = \"soquete-node\", path = \"n\" }";
        assert_eq!(found("soquete-board", up), [(Rule::Arrow, 6), (Rule::Arrow, 7)]);
    }

    #[test]
    fn a_crate_outside_the_table_is_found_and_foreign_crates_are_free() {
        assert_eq!(found("soquete-new", ""), [(Rule::Arrow, 1)]);
        assert_eq!(found("soquete-proto", "[dependencies]\nslab = \"1\""), []);
    }

    #[test]
    fn a_manifest_without_the_lints_is_found() {
        let files = [("a/Cargo.toml", "[package]\nname = \"xtask\"\n[lints.rust]\nx = \"warn\"")];
        let found = check(&Workspace::from_files(&files));
        assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), [Rule::Lints]);
    }
}
