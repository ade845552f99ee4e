//! What the next start has to know if this one is killed: how many presses were under way, and which FIFOs it made.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// Numbers that are read of a journal at the most: one, and one for each FIFO of the largest board.
const NUMBERS_MAX: usize = 1 + soquete_board::LINES_MAX;

/// A file of numbers of 64 bits: how many presses are under way, then the inodes of FIFOs. It costs one write where the
/// first changes, and none in between.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<(File, PathBuf)>,
    noted: u64,
    /// What an earlier run left.
    forgotten: u64,
    made: Vec<u64>,
}

impl Journal {
    /// Opens the journal at `path`, where there is one to be kept; what cannot be opened is not kept.
    pub(crate) fn open(path: Option<PathBuf>) -> Self {
        let open = |path: PathBuf| {
            let options = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            options.ok().map(|file| (file, path))
        };
        let file = path.and_then(open);
        let mut numbers = file.as_ref().map(|(file, _)| read_numbers(file)).unwrap_or_default().into_iter();
        let forgotten = numbers.next().unwrap_or(0);
        let mut journal = Journal { file, noted: u64::MAX, forgotten, made: numbers.collect() };
        journal.note(0);
        journal
    }

    /// Returns how many presses an earlier run had not finished when it was killed.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns the inodes of the FIFOs that an earlier run made and had to leave behind.
    pub(crate) fn made(&self) -> &[u64] {
        &self.made
    }

    /// Notes the inodes of the FIFOs that this run has to remove.
    pub(crate) fn note_made(&mut self, inodes: &[u64]) {
        if let Some((file, _)) = &self.file {
            let octets: Vec<u8> = inodes.iter().flat_map(|inode| inode.to_le_bytes()).collect();
            let _ = file.set_len(8).and_then(|()| file.write_all_at(&octets, 8));
        }
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

fn read_numbers(file: &File) -> Vec<u64> {
    let mut octets = [0; 8 * NUMBERS_MAX];
    let len = file.read_at(&mut octets, 0).unwrap_or(0);
    octets[..len].as_chunks().0.iter().map(|number| u64::from_le_bytes(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_told_once() {
        let path = std::env::temp_dir().join(format!("soquete-journal-{}", std::process::id()));
        let mut killed = Journal::open(Some(path.clone()));
        assert_eq!(killed.forgotten(), 0);
        killed.note_made(&[7, 1 << 40]);
        killed.note(3);
        drop(killed);
        let next = Journal::open(Some(path.clone()));
        assert_eq!((next.forgotten(), next.made()), (3, &[7, 1 << 40][..]));
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
