//! The texts that the checks read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::manifest::Manifest;
use super::markdown::Document;
use super::source::Source;

/// Every Rust file, manifest and Markdown page of the repository, and the names of all else.
pub(crate) struct Workspace {
    /// The Rust files.
    pub(crate) sources: Vec<Source>,
    /// The manifests, that of the workspace among them.
    pub(crate) manifests: Vec<Manifest>,
    /// The Markdown pages.
    pub(crate) documents: Vec<Document>,
    /// Every file and folder, relative to the root, with `/` between folders.
    pub(crate) paths: BTreeSet<String>,
}

impl Workspace {
    /// Reads the repository below `root`, without version control and what is built.
    ///
    /// # Errors
    /// The error of the first file or folder that cannot be read, with its path.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder)? {
                if path.is_symlink() || !path.is_dir() {
                    let name = relative(root, &path);
                    let text = if is_text(&name) { read_text(&path)? } else { String::new() };
                    files.push((name, text));
                } else if !is_foreign(&path) {
                    folders.push(path);
                }
            }
        }
        files.sort();
        let borrowed: Vec<_> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        Ok(Self::from_files(&borrowed))
    }

    /// Takes paths and texts, in any order.
    pub(crate) fn from_files(files: &[(&str, &str)]) -> Self {
        let mut workspace =
            Self { sources: Vec::new(), manifests: Vec::new(), documents: Vec::new(), paths: BTreeSet::new() };
        for (path, text) in files {
            workspace.add(path, text);
        }
        workspace
    }

    /// The manifest of the workspace itself.
    pub(crate) fn root_manifest(&self) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.path == "Cargo.toml")
    }

    fn add(&mut self, path: &str, text: &str) {
        let folders = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        self.paths.extend(folders);
        self.paths.insert(path.to_owned());
        if path.ends_with(".rs") {
            self.sources.push(Source::new(path, text));
        } else if is_manifest(path) {
            self.manifests.push(Manifest::parse(path, text));
        } else if path.ends_with(".md") {
            self.documents.push(Document::parse(path, text));
        }
    }
}

fn is_text(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".md") || is_manifest(path)
}

fn is_manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

/// True for folders that are not of the project: version control, build output, caches.
fn is_foreign(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name == ".git" || name == "target" || folder.join("CACHEDIR.TAG").exists()
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder).and_then(|entries| entries.map(|e| Ok(e?.path())).collect());
    paths.map_err(|error| with_path(&error, folder))
}

fn read_text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| with_path(&error, path))
}

fn with_path(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("read {}: {error}", path.display()))
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_is_read_as_what_it_is() {
        let files = [("a/b.rs", ""), ("a/Cargo.toml", ""), ("c.md", ""), ("xCargo.toml", "")];
        let workspace = Workspace::from_files(&files);
        assert_eq!(workspace.sources.len(), 1);
        assert_eq!(workspace.manifests.len(), 1);
        assert_eq!(workspace.documents.len(), 1);
        assert!(workspace.paths.contains("a") && workspace.paths.contains("xCargo.toml"));
        assert!(workspace.root_manifest().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_path() {
        let error = Workspace::read(Path::new("no/such/folder")).err().unwrap();
        assert!(error.to_string().starts_with("read no/such/folder: "));
    }
}
