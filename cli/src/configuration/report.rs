//! Shows a mistake where it stands: `file:line:column: what is wrong; expected …`, the line, and carets under it.

use std::fmt::Write as _;
use std::ops::Range;

/// The most characters of a line that are shown, and of a sentence about it: it may be one of a megabyte.
const SHOWN_MAX: usize = 240;

/// The characters that are shown before a mistake far out in a long line.
const LEAD: usize = 60;

/// A text and what it is called in errors.
pub(super) struct Report<'a> {
    /// The file's path, or what stands in its place.
    pub(super) name: &'a str,
    /// What stands in it.
    pub(super) text: &'a str,
}

impl Report<'_> {
    /// Says what is wrong with the octets `span` of the text.
    pub(super) fn mistake(&self, span: Range<usize>, wrong: &str) -> String {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let line = self.text[line_start..line_end].trim_end_matches('\r');

        let number = self.text[..start].matches('\n').count() + 1;
        let before = self.text[line_start..start].chars().count();
        let end = floor(self.text, span.end).clamp(start, line_end);
        let width = self.text[start..end].trim_end().chars().count().max(1);

        let mut report = format!("{}:{number}:{}: {}", self.name, before + 1, shortened(wrong));
        let cut = if before > SHOWN_MAX - LEAD { before - LEAD } else { 0 };
        let shown: String = line.chars().skip(cut).take(SHOWN_MAX).map(printable).collect();
        let carets = "^".repeat(width.min(SHOWN_MAX - (before - cut)));
        let (margin, gap) = (" ".repeat(number.to_string().len()), " ".repeat(before - cut));
        // Writing to a string cannot fail.
        let _ = write!(report, "\n{margin} |\n{number} | {shown}\n{margin} | {gap}{carets}");
        report
    }
}

/// Returns the character boundary at or before an octet, for a place that comes from elsewhere.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Makes a character safe to print, and one column wide.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        control if control.is_control() => '\u{fffd}',
        character => character,
    }
}

/// Makes a sentence one printable line, and cuts the middle out of a long one: its end says what was expected.
fn shortened(sentence: &str) -> String {
    let characters: Vec<char> = sentence.chars().map(printable).collect();
    match characters.len() {
        len if len > 2 * SHOWN_MAX => {
            let (start, end) = (&characters[..SHOWN_MAX], &characters[len - SHOWN_MAX..]);
            start.iter().chain(&['…']).chain(end).collect()
        }
        _ => characters.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str, span: Range<usize>) -> String {
        Report { name: "a.toml", text }.mistake(span, "wrong; expected right")
    }

    #[test]
    fn a_mistake_is_shown_where_it_stands() {
        let expected = "a.toml:2:5: wrong; expected right\n  |\n2 | b = 22\n  |     ^^";
        assert_eq!(mistake("a = 1\nb = 22\nc = 3\n", 10..12), expected);
    }

    #[test]
    fn columns_are_characters_and_a_tab_is_one() {
        let expected = "a.toml:1:6: wrong; expected right\n  |\n1 |  é = 2\n  |      ^";
        assert_eq!(mistake("\té = 2", 6..7), expected);
    }

    #[test]
    fn the_end_of_the_text_is_a_place_too() {
        assert_eq!(mistake("a = [", 5..5), "a.toml:1:6: wrong; expected right\n  |\n1 | a = [\n  |      ^");
        assert_eq!(mistake("a = [\n", 6..6), "a.toml:2:1: wrong; expected right\n  |\n2 | \n  | ^");
        assert_eq!(mistake("", 7..9), "a.toml:1:1: wrong; expected right\n  |\n1 | \n  | ^");
    }

    #[test]
    fn a_mistake_of_many_lines_is_shown_at_its_first() {
        assert!(mistake("a = [\r\n1,\r\n]", 4..12).ends_with("1 | a = [\n  |     ^"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let text = format!("a = \"{}\" x{}", "y".repeat(10_000), "z".repeat(10_000));
        let report = mistake(&text, 10_007..20_008);
        assert!(report.starts_with("a.toml:1:10008: "));
        assert!(report.lines().all(|line| line.chars().count() <= SHOWN_MAX + 4), "{report}");
        let (line, carets) = (report.lines().nth(2).unwrap(), report.lines().nth(3).unwrap());
        assert_eq!(line.find('x'), carets.find('^'));
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let report = Report { name: "a", text: "\u{1b}[2J" }.mistake(0..1, "\u{1b}[2J");
        assert!(!report.contains('\u{1b}'));
    }

    #[test]
    fn a_long_sentence_keeps_both_its_ends() {
        let long = format!("begin {} end", "x".repeat(1_000_000));
        let report = Report { name: "a", text: "" }.mistake(0..0, &long);
        assert!(report.len() < 1_000 && report.contains("begin") && report.contains("end"));
    }
}
