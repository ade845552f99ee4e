//! Where a rule does not hold, and why. An entry that nothing needs any more is a finding.

use super::finding::{Finding, Rule};

/// One place where one rule does not hold.
pub(crate) struct Exception {
    rule: Rule,
    /// The file, relative to the root of the workspace.
    path: &'static str,
    /// The function or dependency meant; empty for the file itself.
    subject: &'static str,
    /// Why this is better than keeping the rule.
    reason: &'static str,
}

/// Every exception. `unsafe` is allowed in the files that stand here with [`Rule::Unsafe`], and nowhere else.
pub(crate) const EXCEPTIONS: &[Exception] = &[];

const THIS_FILE: &str = "xtask/src/tidy/exceptions.rs";

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        (self.rule, self.path, self.subject) == (finding.rule, finding.path.as_str(), finding.subject.as_str())
    }
}

/// Drops the findings that an exception covers; adds one for each exception without a reason or a finding.
pub(crate) fn apply(exceptions: &[Exception], findings: Vec<Finding>) -> Vec<Finding> {
    let complaint = |exception: &Exception, message: String| {
        Finding::new(Rule::Exception, THIS_FILE, line_of(exception.path), message)
    };
    let mut kept: Vec<Finding> = Vec::new();
    for exception in exceptions {
        let (rule, path, subject) = (exception.rule, exception.path, exception.subject);
        if !findings.iter().any(|finding| exception.covers(finding)) {
            let message = format!("{rule:?} for {path} {subject} is no longer needed; remove it");
            kept.push(complaint(exception, message));
        }
        if exception.reason.trim().is_empty() {
            let message = format!("{rule:?} for {path} {subject} has no reason; write it down");
            kept.push(complaint(exception, message));
        }
    }
    let covered = |finding: &Finding| exceptions.iter().any(|e| e.covers(finding));
    kept.extend(findings.into_iter().filter(|finding| !covered(finding)));
    kept
}

/// The line of this file that names the path, or 1.
fn line_of(path: &str) -> usize {
    let quoted = format!("\"{path}\"");
    let position = include_str!("exceptions.rs").lines().position(|line| line.contains(&quoted));
    position.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Exception = Exception {
        rule: Rule::FunctionLength,
        path: "a.rs",
        subject: "parse",
        reason: "one table, read top to bottom",
    };

    fn long(function: &str) -> Finding {
        Finding::new(Rule::FunctionLength, "a.rs", 3, "too long").about(function)
    }

    #[test]
    fn an_exception_covers_its_own_subject_only() {
        let kept = apply(&[LONG], vec![long("parse"), long("print")]);
        assert_eq!(kept, [long("print")]);
    }

    #[test]
    fn an_exception_that_covers_nothing_is_a_finding_on_its_line() {
        let kept = apply(&[LONG], Vec::new());
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].rule, kept[0].path.as_str()), (Rule::Exception, THIS_FILE));
        let line = include_str!("exceptions.rs").lines().nth(kept[0].line - 1);
        assert!(line.is_some_and(|text| text.contains("path: \"a.rs\"")));
    }

    #[test]
    fn an_exception_without_a_reason_is_a_finding() {
        let silent = Exception { reason: " ", ..LONG };
        let kept = apply(&[silent], vec![long("parse")]);
        assert_eq!(kept.len(), 1);
        assert!(kept[0].message.contains("no reason"));
    }
}
