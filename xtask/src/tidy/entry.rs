//! `lib.rs` is a table of contents, `main.rs` an exit code.

use super::code::is_word;
use super::finding::{Finding, Rule};
use super::source::{Source, block_in};
use super::workspace::Workspace;

/// Lines of a `main.rs`.
const MAIN_LINES_MAX: usize = 60;

/// Finds logic in `src/lib.rs` and `src/main.rs`.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let found = |source: &Source| match entry_name(&source.path) {
        Some("lib.rs") => library(source),
        Some("main.rs") => program(source).into_iter().collect(),
        _ => Vec::new(),
    };
    workspace.sources.iter().flat_map(found).collect()
}

/// The name of a file that lies directly in `src`.
fn entry_name(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    (folder == "src" || folder.ends_with("/src")).then_some(name)
}

fn program(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let message =
        format!("`main.rs` has {lines} lines, the limit is {MAIN_LINES_MAX}; parse, run, exit, and move the rest");
    (lines > MAIN_LINES_MAX).then(|| Finding::new(Rule::Entry, &source.path, MAIN_LINES_MAX + 1, message))
}

fn library(source: &Source) -> Vec<Finding> {
    let finding = |at: usize| {
        let item = source.code[at..].lines().next().unwrap_or_default().trim();
        let message = format!("`{item}` in `lib.rs`, which only has `mod` and `pub use`; move it");
        Finding::new(Rule::Entry, &source.path, source.line_at(at), message)
    };
    logic(&source.code, 0, source.code.len()).into_iter().map(finding).collect()
}

/// Where, between two bytes of the code, an item begins that is neither `mod` nor `pub use`.
fn logic(code: &str, begin: usize, end: usize) -> Vec<usize> {
    let (mut found, mut at, mut doctest) = (Vec::new(), begin, false);
    while let Some(skipped) = code[at..end].find(|c: char| !c.is_whitespace()) {
        at += skipped;
        if code[at..].starts_with('#') {
            let after = attribute_end(code, at).min(end);
            doctest |= code[at..after].contains("doctest");
            at = after;
            continue;
        }
        let item = Item::at(code, at, end);
        match item.block {
            Some((open, close)) if item.is_module => found.extend(logic(code, open + 1, close)),
            None if item.is_module || item.is_export || doctest => {}
            _ => found.push(at),
        }
        (at, doctest) = (item.end, false);
    }
    found
}

/// One item of a file, as far as this check needs it.
struct Item {
    is_module: bool,
    is_export: bool,
    /// Its braces; none for an item that ends in `;`, and none for `use`, whose braces are a list.
    block: Option<(usize, usize)>,
    /// The byte after it.
    end: usize,
}

impl Item {
    fn at(code: &str, at: usize, end: usize) -> Self {
        let mut words = code[at..end].split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        let public = code[at..].starts_with("pub");
        let keyword = words.find(|word| !matches!(*word, "pub" | "crate" | "super" | "in" | "self"));
        let (is_module, is_use) = (keyword == Some("mod"), keyword == Some("use"));
        let block = if is_use { None } else { block_in(code, at) };
        let semicolon = code[at..end].find(';').map_or(end, |found| at + found + 1);
        let item_end = block.map_or(semicolon, |(_, close)| close + 1);
        Self { is_module, is_export: public && is_use, block, end: item_end.min(end) }
    }
}

/// The byte after the `]` of the attribute that begins here.
fn attribute_end(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return offset + 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let found = check(&Workspace::from_files(&[(path, text)]));
        found.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_library_of_modules_and_exports_is_in_order() {
        let text = "//! Docs; with { braces.\n#![forbid(unsafe_code)]\n#![doc = include_str!(\"x\")]\n\
                    mod a;\npub(crate) mod b;\n#[cfg(x)]\npub mod c;\npub use a::{A, B as C};\n\
                    pub mod prelude {\n    pub use crate::c::D;\n}\n#[cfg(doctest)]\npub struct Readme;";
        assert_eq!(lines("crates/x/src/lib.rs", text), []);
    }

    #[test]
    fn each_item_of_logic_is_found_on_its_line() {
        let text = "mod a;\nuse a::A;\npub fn f() {\n    g();\n}\nmod t {\n    const X: u8 = 1;\n}\n\
                    pub struct S;\nimpl S {}\nm! { x }\npub use a::B;";
        assert_eq!(lines("src/lib.rs", text), [2, 3, 7, 9, 10, 11]);
    }

    #[test]
    fn a_library_that_is_not_the_root_of_a_crate_may_have_logic() {
        assert_eq!(lines("src/a/lib.rs", "fn f() {}"), []);
    }

    #[test]
    fn a_program_ends_at_60_lines() {
        assert_eq!(lines("cli/src/main.rs", &"\n".repeat(60)), []);
        assert_eq!(lines("cli/src/main.rs", &"\n".repeat(61)), [61]);
    }
}
