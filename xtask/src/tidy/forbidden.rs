//! Words that must not stand in the code.

use super::finding::{Finding, Rule};
use super::source::Source;
use super::workspace::Workspace;

/// What lets a test sleep: the whole remark goes on to say why.
const SLEEP_REMARK: &str = "// sleep is the thing under test:";

const SLEEPS: &[&str] = &["sleep", "sleep_ms", "sleep_until", "nanosleep"];

/// Finds tests that sleep, what is ignored or unfinished, and `unsafe`.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.sources.iter().flat_map(of_source).collect()
}

fn of_source(source: &Source) -> Vec<Finding> {
    let mut found = sleeps(source);
    found.extend(ignored(source));
    found.extend(unfinished(source));
    found.extend(unsafe_code(source));
    found
}

fn sleeps(source: &Source) -> Vec<Finding> {
    let regions = source.test_regions();
    let in_tests = |line: &usize| regions.iter().any(|(first, last)| (*first..=*last).contains(line));
    let message =
        format!("a test that sleeps is slow or flaky; wait for the event, or say why not: `{SLEEP_REMARK} …`");
    let mut lines: Vec<usize> = SLEEPS.iter().flat_map(|word| lines_with(source, word)).collect();
    lines.dedup();
    let bare = lines.into_iter().filter(in_tests).filter(|l| !source.has_remark(*l, SLEEP_REMARK));
    bare.map(|line| Finding::new(Rule::Sleep, &source.path, line, message.clone())).collect()
}

fn ignored(source: &Source) -> Vec<Finding> {
    let attributes = source.occurrences("ignore").into_iter().filter(|at| {
        let before = source.code[..*at].lines().next_back().unwrap_or_default().trim_end();
        before.ends_with("#[") || before.ends_with(',') && before.contains("#[cfg_attr(")
    });
    let fences = source.text.lines().enumerate().filter(|(_, line)| is_ignored_fence(line));
    let mut lines: Vec<usize> = attributes.map(|at| source.line_at(at)).collect();
    lines.extend(fences.map(|(index, _)| index + 1));
    let message = "ignored, so nobody knows whether it holds; make it run or remove it";
    lines.into_iter().map(|l| Finding::new(Rule::Ignored, &source.path, l, message)).collect()
}

/// True for a line of documentation that opens an example which is never compiled.
fn is_ignored_fence(line: &str) -> bool {
    let line = line.trim_start();
    let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    let info = doc.and_then(|doc| doc.trim_start().strip_prefix("```"));
    info.is_some_and(|info| info.split([',', ' ']).any(|word| word == "ignore"))
}

fn unfinished(source: &Source) -> Vec<Finding> {
    let lines = ["todo!", "unimplemented!"].into_iter().flat_map(|word| lines_with(source, word));
    let message = "left to be written; write it, or return an error that says so";
    lines.map(|line| Finding::new(Rule::Unfinished, &source.path, line, message)).collect()
}

/// One finding a file, for the exceptions name files.
fn unsafe_code(source: &Source) -> Option<Finding> {
    let message = "`unsafe` here; use the safe function of a library, or the small module made for it";
    let line = lines_with(source, "unsafe").into_iter().next()?;
    Some(Finding::new(Rule::Unsafe, &source.path, line, message))
}

fn lines_with(source: &Source, word: &str) -> Vec<usize> {
    source.occurrences(word).into_iter().map(|at| source.line_at(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(Rule, usize)> {
        let found = check(&Workspace::from_files(&[(path, text)]));
        found.into_iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn a_sleep_in_a_test_is_found_and_one_outside_is_not() {
        let text = "fn f() { thread::sleep(T); }\n#[cfg(test)]\nmod tests {\n    fn g() { time::sleep(T); }\n}";
        assert_eq!(found("src/a.rs", text), [(Rule::Sleep, 4)]);
        assert_eq!(found("tests/a.rs", "use std::thread::sleep;"), [(Rule::Sleep, 1)]);
    }

    #[test]
    fn a_sleep_that_is_the_thing_under_test_says_so() {
        let above = format!("{SLEEP_REMARK} the deadline\n// passes\nthread::sleep(T);");
        let beside = format!("thread::sleep(T); {SLEEP_REMARK} the deadline");
        assert_eq!(found("tests/a.rs", &above), []);
        assert_eq!(found("tests/a.rs", &beside), []);
        assert_eq!(found("tests/a.rs", "// settle\nthread::sleep(T);"), [(Rule::Sleep, 2)]);
    }

    #[test]
    fn what_is_ignored_is_found() {
        assert_eq!(found("a.rs", "#[test]\n#[ignore]\nfn f() {}"), [(Rule::Ignored, 2)]);
        assert_eq!(found("a.rs", "#[ignore = \"slow\"]\nfn f() {}"), [(Rule::Ignored, 1)]);
        assert_eq!(found("a.rs", "#[cfg_attr(x, ignore)]\nfn f() {}"), [(Rule::Ignored, 1)]);
        assert_eq!(found("a.rs", "//! ```rust,ignore\n//! ```"), [(Rule::Ignored, 1)]);
        assert_eq!(found("a.rs", "/// ```no_run\n#[cfg_attr(a, b)]\nfn ignore() { f(a, ignore) }"), []);
    }

    #[test]
    fn what_is_unfinished_is_found_in_code_only() {
        assert_eq!(found("a.rs", "// todo!()\nfn f() { todo!(\"x\") }"), [(Rule::Unfinished, 2)]);
        assert_eq!(found("a.rs", "fn f() { unimplemented!() }"), [(Rule::Unfinished, 1)]);
    }

    #[test]
    fn the_first_unsafe_of_a_file_is_found_and_the_lint_is_not() {
        assert_eq!(found("a.rs", "#![forbid(unsafe_code)]\n// unsafe"), []);
        assert_eq!(found("a.rs", "fn f() {\n    unsafe { g() };\n    unsafe { g() }\n}"), [(Rule::Unsafe, 2)]);
    }
}
