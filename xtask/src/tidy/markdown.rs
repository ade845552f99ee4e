//! What the checks need of a Markdown page: its links and its anchors.

/// A Markdown page.
pub(crate) struct Document {
    /// Relative to the root of the workspace, with `/` between folders.
    pub(crate) path: String,
    /// Each link's line, from 1, and where it leads, as written.
    pub(crate) links: Vec<(usize, String)>,
    /// What a link may name after `#`.
    pub(crate) anchors: Vec<String>,
}

impl Document {
    /// Reads a page's text; what stands in code is neither link nor heading.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut document = Self { path: path.to_owned(), links: Vec::new(), anchors: Vec::new() };
        let mut fence = None;
        for (index, line) in text.lines().enumerate() {
            let marker = fence_marker(line);
            match (fence, marker) {
                (None, Some(_)) => fence = marker,
                (Some(open), Some(found)) if line.trim_start().starts_with(open) => {
                    fence = if line.trim().trim_start_matches(found).is_empty() { None } else { fence };
                }
                (None, None) => document.take_line(index + 1, line),
                _ => {}
            }
        }
        document
    }

    fn take_line(&mut self, number: usize, line: &str) {
        let hashes = line.len() - line.trim_start_matches('#').len();
        if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
            self.add_heading(&line[hashes..]);
        }
        let line = without_code_spans(line);
        self.anchors.extend(html_anchors(&line));
        self.links.extend(links(&line).into_iter().map(|target| (number, target)));
    }

    /// A heading that comes again gets `-1`, `-2` and so on.
    fn add_heading(&mut self, heading: &str) {
        let slug = slug(heading);
        let mut anchor = slug.clone();
        let mut count = 0;
        while self.anchors.contains(&anchor) {
            count += 1;
            anchor = format!("{slug}-{count}");
        }
        self.anchors.push(anchor);
    }
}

/// The character run that opens or closes a block of code.
fn fence_marker(line: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|marker| line.trim_start().starts_with(marker))
}

/// The anchor that hosts of Markdown give a heading.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text = link_text_only(heading.trim());
    text.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// `[text](target)` becomes `text`.
fn link_text_only(heading: &str) -> String {
    let mut text = heading.to_owned();
    while let Some(at) = text.find("](") {
        let end = text[at..].find(')').map_or(text.len(), |close| at + close + 1);
        text.replace_range(at..end, "");
    }
    text
}

/// Blanks what stands between backticks.
fn without_code_spans(line: &str) -> String {
    let mut parts = line.split('`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let (Some(code), after) = (parts.next(), parts.next()) {
        match after {
            Some(after) => text = text + " " + after,
            None => text = text + "`" + code,
        }
    }
    text
}

fn html_anchors(line: &str) -> Vec<String> {
    let after = |attribute| line.split(attribute).skip(1);
    let values = after(" id=\"").chain(after(" name=\""));
    values.filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect()
}

/// The targets of `[text](target "title")`, `[text](<target>)` and `[name]: target`.
fn links(line: &str) -> Vec<String> {
    let inline = line.match_indices("](").map(|(at, _)| inline_target(&line[at + 2..]));
    let mut found: Vec<&str> = inline.collect();
    if line.starts_with('[') && !line.starts_with("[^") {
        found.extend(line.split_once("]: ").map(|(_, rest)| rest));
    }
    let bare = |target: &str| target.trim().trim_matches(['<', '>']).to_owned();
    found.into_iter().filter_map(|target| target.split_whitespace().next()).map(bare).collect()
}

/// Up to the parenthesis that closes the link.
fn inline_target(rest: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return &rest[..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<(usize, String)> {
        Document::parse("a.md", text).links
    }

    fn anchors(text: &str) -> Vec<String> {
        Document::parse("a.md", text).anchors
    }

    #[test]
    fn every_form_of_a_link_is_read() {
        let text = "[a](b.md) ![c](d.png \"t\")\n[`e`](<f.md>) [g](h_(i).md)\n[j]: k.md\n[^1]: no";
        let wanted = [(1, "b.md"), (1, "d.png"), (2, "f.md"), (2, "h_(i).md"), (3, "k.md")];
        assert_eq!(targets(text), wanted.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn code_has_neither_links_nor_headings() {
        let text = "`[a](b)` ``x`` c\n```sh\n# no [d](e)\n~~~\n```\n~~~\n[f](g)\n~~~\n# yes";
        assert_eq!(targets(text), []);
        assert_eq!(anchors(text), ["yes"]);
    }

    #[test]
    fn a_heading_becomes_its_anchor() {
        let text = "# The `soquete up` command!\n## Wire, byte_by-byte\n## A [b](c.md) d\n## A b d\n#hash";
        let wanted = ["the-soquete-up-command", "wire-byte_by-byte", "a-b-d", "a-b-d-1"];
        assert_eq!(anchors(text), wanted);
        assert_eq!(anchors("<a id=\"here\"></a>"), ["here"]);
    }
}
