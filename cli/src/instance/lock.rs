//! The lock of an instance: only one `up` at a time, exactly.
//!
//! It belongs to the open file, which the processes of `up` inherit without using it. So it ends when `up` and all of them
//! have ended, whatever ended them: a new `up` never meets what an earlier one has left, and no file says who holds it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::Instance;
use crate::output::{Exit, Failure};

/// How often to try again when file or folder go while they are taken: each time another `up` has just ended.
const TRIES_MAX: u32 = 100;

/// The lock on an instance, held.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Instance {
    /// Takes the lock, and makes the folder where it is not there; nothing where somebody holds it.
    ///
    /// # Errors
    /// The folder or the file cannot be had.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Failure> {
        let path = self.folder.join(".lock");
        for _ in 0..TRIES_MAX {
            self.create()?;
            match lock(&path) {
                Ok(Some(file)) if is_at(&file, &path) => return Ok(Some(Lock { path, _file: file })),
                // Who held it has removed the file since it was opened here.
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // The folder has gone since it was made here.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::new(Exit::NotDone, format!("lock {}: {error}", path.display()))),
            }
        }
        Err(Failure::new(Exit::NotDone, format!("lock {}: it is removed again and again", path.display())))
    }
}

impl Lock {
    /// Removes the file; who has opened it already starts again with a new one.
    pub(crate) fn remove_file(&self) {
        // What cannot be removed is in nobody's way: only the lock on it counts.
        let _ = fs::remove_file(&self.path);
    }
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    // Bits of flags are the same number with and without a sign.
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)?;
    match rustix::io::retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => {
            // For the processes to inherit.
            fcntl_setfd(&file, FdFlags::empty())?;
            Ok(Some(file))
        }
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Says whether an open file is the one that has this path now.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |found: Metadata| (found.dev(), found.ino());
    let here = file.metadata().map(id).ok();
    here.is_some() && here == fs::symlink_metadata(path).map(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_none_through_a_file_that_is_gone() {
        let base = std::env::temp_dir().join(format!("soquete-lock-{}", std::process::id()));
        let instance = Instance::below(&base, &"home".parse().unwrap()).unwrap();
        let first = instance.lock().unwrap().unwrap();
        assert!(instance.lock().unwrap().is_none());
        // Somebody has opened the file, and takes the lock on it when it is no longer to be found.
        let late = File::open(&first.path).unwrap();
        first.remove_file();
        drop(first);
        let second = instance.lock().unwrap().unwrap();
        assert!(!is_at(&late, &second.path) && is_at(&second._file, &second.path));
        second.remove_file();
        instance.remove_folder();
        assert!(!base.exists());
    }
}
