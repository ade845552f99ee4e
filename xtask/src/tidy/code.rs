//! Rust text without its comments and literals, so that a search finds code only.

/// Replaces every comment and every string, byte string, raw string and character literal by blanks.
///
/// Line breaks stay, so that the lines of the result are those of the text. Lifetimes and loop labels stay too.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let (mut rest, mut previous) = (text, ' ');
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_len(rest, previous);
        if hidden == 0 {
            code.push(first);
            (rest, previous) = (&rest[first.len_utf8()..], first);
        } else {
            let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
            code.extend(rest[..hidden].chars().map(blank));
            (rest, previous) = (&rest[hidden..], ' ');
        }
    }
    code
}

/// True for a character that can be part of a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The bytes of the comment or literal that `rest` begins with; 0 when it begins with code.
fn hidden_len(rest: &str, previous: char) -> usize {
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_len(rest)
    } else if rest.starts_with('"') {
        string_len(rest)
    } else if rest.starts_with('\'') {
        char_len(rest)
    } else if !is_word(previous) {
        raw_string_len(rest)
    } else {
        0
    }
}

/// Block comments nest.
fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// 0 for a lifetime or a label, which have no closing quote.
fn char_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// `r"…"`, `r#"…"#` with any number of `#`, also after `b` or `c`; 0 for anything else, as for `r#name`.
fn raw_string_len(rest: &str) -> usize {
    let after_prefix = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let Some(after_r) = after_prefix.strip_prefix('r') else {
        return 0;
    };
    let body = after_r.trim_start_matches('#');
    let hashes = after_r.len() - body.len();
    if !body.starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let body_at = rest.len() - body.len() + 1;
    rest[body_at..].find(&closing).map_or(rest.len(), |at| body_at + at + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code with runs of blanks made one.
    fn squeezed(text: &str) -> String {
        code_only(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_vanish_and_lines_stay() {
        assert_eq!(code_only("a // {\nb /*\n/* } */ { */ c"), "a     \nb   \n             c");
        assert_eq!(squeezed("/// doc {\nfn f() {} //! }"), "fn f() {}");
    }

    #[test]
    fn strings_vanish_with_what_they_escape() {
        assert_eq!(squeezed(r#"f("{ \" { \\") g"#), "f( ) g");
        assert_eq!(squeezed("f(b\"{\", c\"}\", \"//\") g"), "f(b , c , ) g");
    }

    #[test]
    fn raw_strings_end_at_their_own_number_of_hashes() {
        assert_eq!(squeezed("f(r#\"{ \" { \\\"#) g"), "f( ) g");
        assert_eq!(squeezed("f(br##\"{ \"# {\"##, r\"\\\") g"), "f( , ) g");
    }

    #[test]
    fn raw_names_and_names_that_end_in_r_are_code() {
        assert_eq!(squeezed("r#type + for r in br { }"), "r#type + for r in br { }");
        assert_eq!(squeezed("bar\"{\""), "bar");
    }

    #[test]
    fn character_literals_vanish_and_lifetimes_stay() {
        assert_eq!(squeezed(r"f('{', '\'', '\u{7b}', b'}', 'é') g"), "f( , , , b , ) g");
        assert_eq!(squeezed("fn f<'a, 'b>(x: &'a T) { 'l: loop {} }").matches('\'').count(), 4);
    }

    #[test]
    fn what_is_never_closed_ends_with_the_text() {
        for text in ["a /* {", "a \"{", "a r#\"{\"", "a '", "a // {"] {
            assert!(!code_only(text).contains('{'), "{text}");
        }
    }
}
