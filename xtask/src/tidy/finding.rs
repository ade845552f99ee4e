//! What a check says: where, what is wrong, what to do.

use std::fmt;

/// The rule that a finding breaks, as the list of exceptions names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A source file is too long.
    FileLength,
    /// An example is too long.
    ExampleLength,
    /// A function is too long.
    FunctionLength,
    /// `lib.rs` or `main.rs` has logic.
    Entry,
    /// A crate depends on a crate it must not know.
    Arrow,
    /// A manifest does not take the lints of the workspace.
    Lints,
    /// A file lies too deep below `src`.
    Depth,
    /// A file has a name that says nothing.
    FileName,
    /// A dependency has no line of defence.
    Defence,
    /// A test sleeps.
    Sleep,
    /// A test or an example is ignored.
    Ignored,
    /// Code is left to be written.
    Unfinished,
    /// `unsafe` outside the modules that may use it.
    Unsafe,
    /// A link leads nowhere.
    Link,
    /// A pure core touches the outside.
    Purity,
    /// An exception that nothing needs.
    Exception,
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The broken rule.
    pub(crate) rule: Rule,
    /// The file, relative to the root of the workspace, with `/` between folders.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The thing in the file that an exception must name: a function, a dependency; empty for the file itself.
    pub(crate) subject: String,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Finding {
    /// A finding about a file as a whole; [`Finding::about`] narrows it.
    pub(crate) fn new(rule: Rule, path: &str, line: usize, message: impl Into<String>) -> Self {
        let (path, message) = (path.to_owned(), message.into());
        Self { rule, path, line, subject: String::new(), message }
    }

    /// Names the thing in the file that breaks the rule.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{:?}]", self.path, self.line, self.message, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_prints_as_place_what_and_rule() {
        let finding = Finding::new(Rule::Link, "README.md", 7, "`x.md` is not there; mend the link");
        assert_eq!(finding.to_string(), "README.md:7: `x.md` is not there; mend the link [Link]");
    }
}
