//! Lengths of files, examples and functions.

use super::code::is_word;
use super::finding::{Finding, Rule};
use super::source::{Source, block_in};
use super::workspace::Workspace;

/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 500;
/// Lines of a file that lies in a folder `examples`; what lies below it, such as the test that runs them, is none.
const EXAMPLE_LINES_MAX: usize = 60;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Finds what is longer than its limit.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let found = |source| file(source).into_iter().chain(functions(source));
    workspace.sources.iter().flat_map(found).collect()
}

fn file(source: &Source) -> Option<Finding> {
    let example = source.path.rsplit('/').nth(1) == Some("examples");
    let (rule, max, advice) = if example {
        (Rule::ExampleLength, EXAMPLE_LINES_MAX, "show one thing")
    } else {
        (Rule::FileLength, FILE_LINES_MAX, "split it where its words change")
    };
    let lines = source.text.lines().count();
    let message = format!("{lines} lines, the limit is {max}; {advice}");
    (lines > max).then(|| Finding::new(rule, &source.path, max + 1, message))
}

fn functions(source: &Source) -> Vec<Finding> {
    let long = functions_in(&source.code).into_iter().filter(|f| f.lines > FUNCTION_LINES_MAX);
    let finding = |f: Function| {
        let message = format!(
            "function `{}` has {} lines, the limit is {FUNCTION_LINES_MAX}; give a part of it a name of its own",
            f.name, f.lines
        );
        Finding::new(Rule::FunctionLength, &source.path, f.line, message).about(&f.name)
    };
    long.map(finding).collect()
}

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// Where its `fn` stands, from 1.
    line: usize,
    /// From `fn` to the closing brace, both included.
    lines: usize,
}

/// Every function of code without comments and literals, those inside others included.
fn functions_in(code: &str) -> Vec<Function> {
    let keywords = code.match_indices("fn").map(|(at, _)| at);
    keywords.filter_map(|at| function_at(code, at)).collect()
}

/// The function whose `fn` stands here; none for a part of a word, a pointer type or a function without a body.
fn function_at(code: &str, at: usize) -> Option<Function> {
    let after = &code[at + 2..];
    if code[..at].ends_with(is_word) || !after.starts_with(char::is_whitespace) {
        return None;
    }
    let name: String = after.trim_start().chars().take_while(|c| !matches!(c, '(' | '<' | ' ' | '\n')).collect();
    let (_, end) = block_in(code, at).filter(|_| !name.is_empty())?;
    let line = code[..at].matches('\n').count() + 1;
    Some(Function { name, line, lines: code[at..end].matches('\n').count() + 1 })
}

#[cfg(test)]
mod tests {
    use super::super::code::code_only;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(Rule, usize, String)> {
        let found = check(&Workspace::from_files(&[(path, text)]));
        found.into_iter().map(|f| (f.rule, f.line, f.subject)).collect()
    }

    fn function_of(lines: usize) -> String {
        format!("\nimpl X {{\n    pub fn long() {{{}}}\n}}", "\n".repeat(lines - 1))
    }

    #[test]
    fn a_file_of_500_lines_is_in_order_and_one_of_501_is_not() {
        assert_eq!(found("a/src/b.rs", &"\n".repeat(500)), []);
        let long = "\n".repeat(501);
        assert_eq!(found("a/src/b.rs", &long), [(Rule::FileLength, 501, String::new())]);
        assert_eq!(found("a/tests/b.rs", &long).len(), 1);
    }

    #[test]
    fn an_example_ends_at_60_lines() {
        assert_eq!(found("examples/b.rs", &"\n".repeat(60)), []);
        let long = "\n".repeat(61);
        assert_eq!(found("a/examples/b.rs", &long), [(Rule::ExampleLength, 61, String::new())]);
        assert_eq!(found("examples/tests/b.rs", &long), []);
    }

    #[test]
    fn a_function_of_70_lines_is_in_order_and_one_of_71_is_not() {
        assert_eq!(found("a.rs", &function_of(70)), []);
        let long = [(Rule::FunctionLength, 3, "long".to_owned())];
        assert_eq!(found("a.rs", &function_of(71)), long);
    }

    #[test]
    fn braces_in_literals_and_comments_do_not_count() {
        let text = "fn a<'x>(c: &'x str) {\n f('}', \"}\", r#\"}\"#); // }\n /* } */\n}\nfn b() {}";
        let lengths: Vec<_> = functions_in(&code_only(text)).iter().map(|f| f.lines).collect();
        assert_eq!(lengths, [4, 1]);
    }

    #[test]
    fn pointer_types_and_declarations_are_no_functions() {
        let text = "trait T { fn a(&self);\n fn b(x: [u8; 2]); }\ntype F = fn(u8) -> u8;\nconst fn c(f: fn ()) {\n}";
        let c = Function { name: "c".to_owned(), line: 4, lines: 2 };
        assert_eq!(functions_in(text), [c]);
    }
}
