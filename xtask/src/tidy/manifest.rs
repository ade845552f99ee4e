//! What the checks need of a `Cargo.toml`: its dependencies, their lines and comments, its lints.
//!
//! Read line by line rather than by a TOML library, because the comments and the lines are what is asked for.

/// A `Cargo.toml`.
pub(crate) struct Manifest {
    /// Relative to the root of the workspace.
    pub(crate) path: String,
    /// The package's name; empty when there is no package.
    pub(crate) package: String,
    /// Has a `[workspace]` of its own.
    pub(crate) is_workspace_root: bool,
    /// Has `[lints] workspace = true`.
    pub(crate) takes_lints: bool,
    /// Of every kind and for every target, those of `[workspace.dependencies]` included.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a table of dependencies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The name it has in this manifest.
    pub(crate) key: String,
    /// The package it means, when that is not the key.
    pub(crate) renamed_from: Option<String>,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// Refers to `[workspace.dependencies]`.
    pub(crate) is_inherited: bool,
    /// Lies at a path.
    pub(crate) is_local: bool,
    /// Has a comment directly above.
    pub(crate) has_comment: bool,
}

impl Dependency {
    /// The package's name, unless the workspace's manifest says otherwise.
    pub(crate) fn package(&self) -> &str {
        self.renamed_from.as_deref().unwrap_or(&self.key)
    }

    fn take(&mut self, suffix_and_value: &str) {
        let parts: Vec<&str> = suffix_and_value.split_whitespace().collect();
        let dense = parts.concat().replace('\'', "\"");
        self.is_inherited |= dense.contains("workspace=true");
        self.is_local |= dense.contains("path=\"");
        if let Some((_, rest)) = dense.split_once("package=\"") {
            self.renamed_from = rest.split('"').next().map(str::to_owned);
        }
    }
}

impl Manifest {
    /// Reads a manifest's text.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut manifest = Self {
            path: path.to_owned(),
            package: String::new(),
            is_workspace_root: false,
            takes_lints: false,
            dependencies: Vec::new(),
        };
        let (mut section, mut open, mut above) = (Vec::new(), 0_isize, "");
        for (index, raw) in text.lines().enumerate() {
            let line = without_comment(raw).trim();
            let has_comment = above.trim_start().starts_with('#') && above.trim().len() > 1;
            let place = Place { line: index + 1, has_comment };
            if open > 0 {
                manifest.continue_entry(line);
            } else if line.starts_with('[') {
                section = header(line);
                manifest.open_section(&section, place);
            } else if let Some((key, value)) = line.split_once('=') {
                manifest.entry(&section, key, value, place);
            }
            open += if open > 0 || !line.starts_with('[') { opened(line) } else { 0 };
            above = raw;
        }
        manifest
    }

    fn open_section(&mut self, section: &[String], place: Place) {
        self.is_workspace_root |= section.first().is_some_and(|first| first == "workspace");
        if let [.., table, name] = section
            && is_dependencies(table)
        {
            self.dependencies.push(place.dependency(name));
        }
    }

    fn entry(&mut self, section: &[String], key: &str, value: &str, place: Place) {
        let names: Vec<&str> = section.iter().map(String::as_str).collect();
        match names[..] {
            ["package"] if key.trim() == "name" => self.package = unquoted(value),
            ["lints"] if key.trim() == "workspace" => self.takes_lints = value.trim() == "true",
            [.., table] if is_dependencies(table) => self.dependency(key, value, place),
            [.., table, _] if is_dependencies(table) => {
                self.continue_entry(&assignment(key, value));
            }
            _ => {}
        }
    }

    /// `name = …`, or `name.part = …`, which adds to an entry of that name just before.
    fn dependency(&mut self, key: &str, value: &str, place: Place) {
        let (name, part) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
        let name = unquoted(name);
        if self.dependencies.last().is_none_or(|last| part.is_empty() || last.key != name) {
            self.dependencies.push(place.dependency(&name));
        }
        self.continue_entry(&assignment(part, value));
    }

    fn continue_entry(&mut self, text: &str) {
        if let Some(last) = self.dependencies.last_mut() {
            last.take(text);
        }
    }
}

/// Where an entry begins.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    has_comment: bool,
}

impl Place {
    fn dependency(self, key: &str) -> Dependency {
        Dependency {
            key: key.to_owned(),
            renamed_from: None,
            line: self.line,
            is_inherited: false,
            is_local: false,
            has_comment: self.has_comment,
        }
    }
}

fn is_dependencies(table: &str) -> bool {
    matches!(table, "dependencies" | "dev-dependencies" | "build-dependencies")
}

/// The parts of `[a.'b.c'.d]` and of `[[a]]`.
fn header(line: &str) -> Vec<String> {
    let inner = line.trim_matches(['[', ']']);
    let (mut parts, mut quote) = (vec![String::new()], None);
    for c in inner.chars() {
        match c {
            '"' | '\'' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            '.' if quote.is_none() => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part: &mut String| part.push(c)),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// Brackets and braces that the line opens, less those it closes.
fn opened(line: &str) -> isize {
    let (mut depth, mut quoted) = (0, false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

fn assignment(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(text: &str) -> Vec<Dependency> {
        Manifest::parse("Cargo.toml", text).dependencies
    }

    #[test]
    fn a_manifest_tells_its_package_and_its_lints() {
        let text = "[package]\nname = \"soquete\" # yes\n[[bin]]\nname = \"x\"\n[lints]\nworkspace = true";
        let manifest = Manifest::parse("a/Cargo.toml", text);
        assert_eq!(manifest.package, "soquete");
        assert!(manifest.takes_lints && !manifest.is_workspace_root);
        assert!(Manifest::parse("Cargo.toml", "[workspace]").is_workspace_root);
        assert!(!Manifest::parse("Cargo.toml", "[lints.rust]\nworkspace = true").takes_lints);
    }

    #[test]
    fn every_table_of_dependencies_is_read() {
        let text = "[workspace.dependencies]\na = \"1\"\n[dev-dependencies]\nb = \"1\"\n\
                    [target.'cfg(target.os)'.build-dependencies]\nc = \"1\"\n[dependencies.d]\nversion = \"1\"\n\
                    [features]\ne = []";
        let found: Vec<_> = dependencies(text).into_iter().map(|d| (d.key, d.line)).collect();
        let wanted = [("a", 2), ("b", 4), ("c", 6), ("d", 7)].map(|(key, l)| (key.to_owned(), l));
        assert_eq!(found, wanted);
    }

    #[test]
    fn an_entry_tells_where_it_comes_from() {
        let text = "[dependencies]\na.workspace = true\nb = { workspace = true }\nc = { path = '../c' }\n\
                    d = { package = \"e\", version = \"1\" }\nf.version = \"1\"\nf.path = \"../f\"";
        let found = dependencies(text);
        let flags: Vec<_> = found.iter().map(|d| (d.package(), d.is_inherited, d.is_local)).collect();
        let wanted =
            [("a", true, false), ("b", true, false), ("c", false, true), ("e", false, false), ("f", false, true)];
        assert_eq!(flags, wanted);
    }

    #[test]
    fn an_entry_of_several_lines_is_one_entry() {
        let text = "[dependencies]\na = { version = \"1\", features = [\n  \"x=y\",\n], path = \"p\" }\nb = \"1\"";
        let found = dependencies(text);
        assert_eq!(found.iter().map(|d| d.line).collect::<Vec<_>>(), [2, 5]);
        assert!(found[0].is_local && !found[1].is_local);
    }

    #[test]
    fn a_comment_counts_only_directly_above() {
        let text = "[dependencies]\n# why\na = \"1\"\nb = \"1\" # no\n# why\n\nc = \"1\"\n#\nd = \"1\"";
        let found: Vec<_> = dependencies(text).iter().map(|d| d.has_comment).collect();
        assert_eq!(found, [true, false, false, false]);
    }
}
