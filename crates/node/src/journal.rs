//! How many presses were under way, for the next start to tell if this one is killed.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// A file with one number. It costs one write where the number changes, and none in between.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<(File, PathBuf)>,
    noted: u64,
    /// What an earlier run left.
    forgotten: u64,
}

impl Journal {
    /// Opens the journal at `path`, where there is one to be kept; what cannot be opened is not kept.
    pub(crate) fn open(path: Option<PathBuf>) -> Self {
        let open = |path: PathBuf| {
            let options = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            options.ok().map(|file| (file, path))
        };
        let file = path.and_then(open);
        let mut octets = [0; 8];
        let is_there = file.as_ref().is_some_and(|(file, _)| file.read_exact_at(&mut octets, 0).is_ok());
        let forgotten = if is_there { u64::from_le_bytes(octets) } else { 0 };
        let mut journal = Journal { file, noted: u64::MAX, forgotten };
        journal.note(0);
        journal
    }

    /// Returns how many presses an earlier run had not finished when it was killed.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Notes how many presses are under way.
    pub(crate) fn note(&mut self, presses: u64) {
        if presses != self.noted {
            self.noted = presses;
            if let Some((file, _)) = &self.file {
                // Without it the next start says less, and nothing else is worse.
                let _ = file.write_all_at(&presses.to_le_bytes(), 0);
            }
        }
    }

    /// Removes it: everything has ended.
    pub(crate) fn close(self) {
        if let Some((_, path)) = self.file {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_told_once() {
        let path = std::env::temp_dir().join(format!("soquete-journal-{}", std::process::id()));
        let mut killed = Journal::open(Some(path.clone()));
        assert_eq!(killed.forgotten(), 0);
        killed.note(3);
        drop(killed);
        assert_eq!(Journal::open(Some(path.clone())).forgotten(), 3);
        let last = Journal::open(Some(path.clone()));
        assert_eq!(last.forgotten(), 0);
        last.close();
        assert!(!path.exists());
    }

    #[test]
    fn a_journal_that_cannot_be_kept_is_no_error() {
        assert_eq!(Journal::open(Some("/nonexistent/journal".into())).forgotten(), 0);
    }
}
