//! One Rust file: its text, its code, and questions about both.

use super::code::{code_only, is_word};

/// A Rust file.
pub(crate) struct Source {
    /// Relative to the root of the workspace, with `/` between folders.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// The text with comments and literals blanked, line by line the same.
    pub(crate) code: String,
}

impl Source {
    /// Takes a file's text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: code_only(text) }
    }

    /// The line, from 1, on which this byte of the code stands.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    /// Where the code has `needle` as a whole word or path: `todo` is not in `todo_list`.
    pub(crate) fn occurrences(&self, needle: &str) -> Vec<usize> {
        let whole = |at: &usize| {
            let before = self.code[..*at].chars().next_back();
            let after = self.code[at + needle.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        };
        self.code.match_indices(needle).map(|(at, _)| at).filter(whole).collect()
    }

    /// The first and last byte of the `{…}` that ends the item or statement at `from`; none when a `;` ends it.
    pub(crate) fn block_after(&self, from: usize) -> Option<(usize, usize)> {
        block_in(&self.code, from)
    }

    /// True when the line, or the comment directly above it, contains the remark.
    pub(crate) fn has_remark(&self, line: usize, remark: &str) -> bool {
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        let Some((own, above)) = lines.split_last() else {
            return false;
        };
        let comment = above.iter().rev().take_while(|text| text.trim_start().starts_with("//"));
        own.contains(remark) || comment.into_iter().any(|text| text.contains(remark))
    }

    /// True for a file that holds nothing but tests: in a folder `tests`, or named so.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// First and last line of each item under `#[cfg(test)]`, or of the whole file when all of it is tests.
    pub(crate) fn test_regions(&self) -> Vec<(usize, usize)> {
        if self.is_test_file() {
            return vec![(1, usize::MAX)];
        }
        let attributes = self.code.match_indices("#[cfg(").filter(|(at, _)| {
            let condition = self.code[*at..].split(']').next().unwrap_or_default();
            condition.split(|c| !is_word(c)).any(|word| word == "test") && !condition.contains("not(test")
        });
        let blocks = attributes.filter_map(|(at, _)| self.block_after(at));
        blocks.map(|(begin, end)| (self.line_at(begin), self.line_at(end))).collect()
    }
}

/// [`Source::block_after`] over any code.
pub(crate) fn block_in(code: &str, from: usize) -> Option<(usize, usize)> {
    let (mut nested, mut braces, mut begin) = (0_usize, 0_usize, None);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' if begin.is_none() => nested += 1,
            b')' | b']' if begin.is_none() => nested = nested.saturating_sub(1),
            b';' if begin.is_none() && nested == 0 => return None,
            b'{' if begin.is_some() || nested == 0 => {
                begin = begin.or(Some(at));
                braces += 1;
            }
            b'}' if begin.is_some() => {
                braces -= 1;
                if braces == 0 {
                    return begin.map(|begin| (begin, at));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occurrence_is_a_whole_word_of_code() {
        let source = Source::new("a.rs", "rand // rand\nbrand rand_core x::rand::y \"rand\"");
        let lines: Vec<_> = source.occurrences("rand").iter().map(|at| source.line_at(*at)).collect();
        assert_eq!(lines, [1, 2]);
    }

    #[test]
    fn a_block_is_found_past_arrays_and_ends_at_its_own_brace() {
        let code = "fn f(a: [u8; 4]) -> u8 { { } } }";
        let (begin, end) = block_in(code, 0).unwrap();
        assert_eq!(&code[begin..=end], "{ { } }");
        assert_eq!(block_in("fn f(a: [u8; 4]); fn g() {}", 0), None);
    }

    #[test]
    fn a_remark_stands_on_the_line_or_in_the_comment_above() {
        let source = Source::new("a.rs", "// why: so\n// and so\nf();\ng(); // why: not\nh();");
        let lines: Vec<_> = (1..=5).filter(|line| source.has_remark(*line, "why:")).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }

    #[test]
    fn the_regions_of_tests_are_test_modules_and_test_files() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n#[cfg(not(test))]\nmod b {}";
        assert_eq!(Source::new("src/a.rs", text).test_regions(), [(4, 5)]);
        assert_eq!(Source::new("src/a.rs", "#[cfg(test)]\nmod tests;").test_regions(), []);
        assert_eq!(Source::new("tests/a.rs", "").test_regions(), [(1, usize::MAX)]);
        assert_eq!(Source::new("src/a/tests.rs", "").test_regions(), [(1, usize::MAX)]);
    }
}
