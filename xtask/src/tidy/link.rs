//! Links of Markdown pages lead to files and headings that are there.

use super::finding::{Finding, Rule};
use super::markdown::Document;
use super::workspace::Workspace;

/// Finds relative links that lead nowhere, or out of the repository.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let of_document = |document: &Document| {
        let wrong = |(line, target): &(usize, String)| {
            let message = complaint(document, target, workspace)?;
            Some(Finding::new(Rule::Link, &document.path, *line, message).about(target))
        };
        document.links.iter().filter_map(wrong).collect::<Vec<_>>()
    };
    workspace.documents.iter().flat_map(of_document).collect()
}

/// What is wrong with a link, if anything.
fn complaint(document: &Document, target: &str, workspace: &Workspace) -> Option<String> {
    if target.is_empty() || is_absolute(target) {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = resolve(&document.path, file) else {
        return Some(format!("`{target}` leads out of the repository; copy what matters, or drop it"));
    };
    if !path.is_empty() && !workspace.paths.contains(&path) {
        return Some(format!("`{path}` is not there; mend the link or write the file"));
    }
    let page = workspace.documents.iter().find(|page| page.path == path)?;
    let missing = !anchor.is_empty() && !page.anchors.iter().any(|found| found == anchor);
    missing.then(|| format!("`{path}` has no heading `#{anchor}`; mend the link"))
}

/// True for a link with a scheme, such as `https:` or `mailto:`.
fn is_absolute(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// The path from the root that a link on this page means; none when it leaves the repository.
fn resolve(page: &str, file: &str) -> Option<String> {
    if file.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about a page `doc/a.md` with this text, beside `doc/b.md` (heading `Two`) and `c.rs`.
    fn found(text: &str) -> Vec<String> {
        let files = [("doc/a.md", text), ("doc/b.md", "## Two"), ("c.rs", "")];
        let found = check(&Workspace::from_files(&files));
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_in_order() {
        let text = "# One\n[a](b.md) [b](b.md#two) [c](../c.rs#L7) [d](#one) [e](../doc/) [f](..) \
                    [g](https://example.org/x) [h](mailto:a@b)";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn a_missing_file_is_found() {
        assert_eq!(found("[a](d.md)"), ["`doc/d.md` is not there; mend the link or write the file"]);
    }

    #[test]
    fn a_missing_heading_is_found_here_and_there() {
        assert_eq!(found("[a](b.md#three)"), ["`doc/b.md` has no heading `#three`; mend the link"]);
        assert_eq!(found("[a](#three)"), ["`doc/a.md` has no heading `#three`; mend the link"]);
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        assert!(found("[a](../../x.md)")[0].contains("leads out of the repository"));
    }
}
