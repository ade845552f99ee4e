//! An input that is pressed by writing `0` to a FIFO.

use crate::error::ProcessError;
use rustix::fs::{CWD, FileType, Mode, OFlags, inotify};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Octets read ahead at the most; what does not fit stays in the FIFO, whose writers wait.
const AHEAD_MAX_BYTES: usize = 4096;

/// The longest line that is looked at, in octets; a longer one is none of ours, whatever it is.
const LINE_MAX_BYTES: usize = 64;

/// A FIFO and what was read from it.
#[derive(Debug)]
pub(crate) struct Fifo {
    file: File,
    path: PathBuf,
    /// Whether this process made it, so that it has to go with it.
    is_ours: bool,
    input: Vec<u8>,
    mode: u32,
    /// Tells when the file is removed or renamed.
    guard: OwnedFd,
    /// Within a line that is too long, until its end.
    is_skipping: bool,
}

/// What one line of a FIFO is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A press.
    Press,
    /// Something else, as far as it can be shown.
    Other(String),
}

impl Fifo {
    /// Opens the FIFO at `path`; makes it with `mode` where there is none.
    ///
    /// It is opened for writing too, so that it never ends when a writer goes. One that is there already is used, and
    /// stays when this process goes, unless its inode is among those that an earlier run has `made`.
    pub(crate) fn open(path: &Path, mode: u32, made: &[u64]) -> Result<Self, ProcessError> {
        let is_new = match rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(mode), 0) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed("make", path, errno)),
        };
        if is_new {
            // Whatever the umask took away; who may press is said by the configuration.
            rustix::fs::chmod(path, Mode::from_raw_mode(mode)).map_err(|errno| failed("make", path, errno))?;
        } else {
            check(path)?;
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd: OwnedFd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed("open", path, errno))?;
        let is_fifo = rustix::fs::fstat(&fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if !is_fifo {
            check(path)?;
        }
        let file = File::from(fd);
        let is_ours = is_new || file.metadata().is_ok_and(|data| made.contains(&data.ino()));
        let guard = guard(path).map_err(|errno| failed("watch over", path, errno))?;
        Ok(Fifo { file, path: path.into(), is_ours, input: Vec::new(), mode, guard, is_skipping: false })
    }

    /// Returns a descriptor that is readable once the file may have been removed or renamed.
    pub(crate) fn guard(&self) -> BorrowedFd<'_> {
        self.guard.as_fd()
    }

    /// Says whether the path is still that of this FIFO: what is written there arrives here.
    pub(crate) fn is_there(&self) -> bool {
        let there = std::fs::symlink_metadata(&self.path).map(|data| (data.dev(), data.ino()));
        let ours = self.file.metadata().map(|data| (data.dev(), data.ino()));
        there.is_ok_and(|there| ours.is_ok_and(|ours| ours == there))
    }

    /// Takes note of what the guard told; returns the FIFO that has to take this one's place, if it is gone.
    pub(crate) fn renewed(&self) -> Option<Result<Fifo, ProcessError>> {
        let mut room = [std::mem::MaybeUninit::uninit(); 1024];
        let mut told = rustix::fs::inotify::Reader::new(&self.guard, &mut room);
        while told.next().is_ok() {}
        (!self.is_there()).then(|| Fifo::open(&self.path, self.mode, &[]))
    }

    /// Returns the inode, if this process has to remove it.
    pub(crate) fn made(&self) -> Option<u64> {
        self.file.metadata().ok().filter(|_| self.is_ours).map(|data| data.ino())
    }

    /// Takes the next line, read or to be read; nothing while no whole line has come.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads what is there; false where there is nothing.
    fn fill(&mut self) -> bool {
        let start = self.input.len();
        self.input.resize(AHEAD_MAX_BYTES.max(start + 1), 0);
        let read = self.file.read(&mut self.input[start..]);
        self.input.truncate(start + read.as_ref().copied().unwrap_or(0));
        matches!(read, Ok(1..))
    }

    fn take_line(&mut self) -> Option<Line> {
        let Some(end) = self.input.iter().position(|octet| *octet == b'\n') else {
            if self.input.len() <= LINE_MAX_BYTES {
                return None;
            }
            let line = shown(&self.input);
            self.input.clear();
            let was_skipping = std::mem::replace(&mut self.is_skipping, true);
            return (!was_skipping).then_some(Line::Other(line));
        };
        let line: Vec<u8> = self.input.drain(..=end).take(end).collect();
        if std::mem::replace(&mut self.is_skipping, false) {
            return self.take_line();
        }
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        Some(if text == b"0" { Line::Press } else { Line::Other(shown(text)) })
    }
}

impl AsFd for Fifo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Whatever somebody put in its place since is not ours to remove.
        if self.is_ours && self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Watches over a path: an unlinked file changes its attributes, a renamed one moves.
fn guard(path: &Path) -> rustix::io::Result<OwnedFd> {
    let guard = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&guard, path, inotify::WatchFlags::ATTRIB | inotify::WatchFlags::MOVE_SELF)?;
    Ok(guard)
}

/// Says what is in the way where it is no FIFO. Nothing is removed.
fn check(path: &Path) -> Result<(), ProcessError> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| failed("open", path, error))?;
    if metadata.file_type().is_fifo() {
        return Ok(());
    }
    let what = format!("open fifo:{}: a file that is no FIFO is in the way", path.display());
    let act = if metadata.is_file() && is_only_presses(path) {
        format!("it holds what `echo 0` wrote while nothing ran; remove it: rm {}", path.display())
    } else {
        "look what it is, and move it or choose another path".to_owned()
    };
    Err(ProcessError { what, act: Some(act) })
}

/// Says whether a file is empty or holds only lines `0`, as `echo` makes it while no process reads the FIFO.
fn is_only_presses(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(AHEAD_MAX_BYTES as u64).read_to_end(&mut start));
    read.is_ok() && start.split(|octet| *octet == b'\n').all(|line| line.is_empty() || line == b"0")
}

fn failed(what: &str, path: &Path, error: impl Into<std::io::Error>) -> ProcessError {
    let error = error.into();
    let act = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Some("another user's FIFO or folder: choose another path".to_owned()),
        std::io::ErrorKind::NotFound => Some("make its folder first".to_owned()),
        _ => None,
    };
    ProcessError { what: format!("{what} fifo:{}: {}", path.display(), error_words(&error)), act }
}

fn error_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::NotFound => "no such folder".into(),
        _ => error.to_string(),
    }
}

fn shown(octets: &[u8]) -> String {
    octets[..octets.len().min(LINE_MAX_BYTES)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("soquete-fifo-{name}-{}", std::process::id()))
    }

    #[test]
    fn writers_come_and_go_and_each_line_0_is_a_press() {
        let path = path("presses");
        let mut fifo = Fifo::open(&path, 0o600, &[]).unwrap();
        for text in ["0\n", "0\n0\n", "0\r\nON\n0\n"] {
            File::options().write(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let lines: Vec<Line> = std::iter::from_fn(|| fifo.next_line()).collect();
        let other = Line::Other("ON".into());
        assert_eq!(lines, [Line::Press, Line::Press, Line::Press, Line::Press, other, Line::Press]);
        drop(fifo);
        assert!(!path.exists(), "it goes with who made it");
    }

    #[test]
    fn half_a_line_waits_and_a_line_without_end_is_one_warning() {
        let path = path("half");
        let mut fifo = Fifo::open(&path, 0o600, &[]).unwrap();
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.write_all(b"0").unwrap();
        assert_eq!(fifo.next_line(), None);
        writer.write_all(b"\n").unwrap();
        assert_eq!(fifo.next_line(), Some(Line::Press));
        writer.write_all(&[b'x'; 10_000]).unwrap();
        assert_eq!(fifo.next_line(), Some(Line::Other("x".repeat(64))));
        writer.write_all(b"x\n0\n").unwrap();
        assert_eq!(fifo.next_line(), Some(Line::Press));
        assert_eq!(fifo.next_line(), None);
    }

    #[test]
    fn a_fifo_that_is_there_is_used_and_stays() {
        let path = path("there");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        drop(Fifo::open(&path, 0o600, &[]).unwrap());
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn one_that_was_removed_is_made_anew() {
        let path = path("removed");
        let fifo = Fifo::open(&path, 0o600, &[]).unwrap();
        assert!(fifo.renewed().is_none());
        std::fs::remove_file(&path).unwrap();
        let mut renewed = fifo.renewed().unwrap().unwrap();
        drop(fifo);
        File::options().write(true).open(&path).unwrap().write_all(b"0\n").unwrap();
        assert_eq!(renewed.next_line(), Some(Line::Press));
        std::fs::rename(&path, path.with_extension("moved")).unwrap();
        std::fs::write(&path, "0\n").unwrap();
        assert!(renewed.renewed().unwrap().unwrap_err().act.unwrap().starts_with("it holds"));
        std::fs::remove_file(path.with_extension("moved")).unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn one_that_an_earlier_run_made_goes_with_this_one() {
        let path = path("earlier");
        let killed = Fifo::open(&path, 0o600, &[]).unwrap();
        let made = killed.made().unwrap();
        std::mem::forget(killed);
        drop(Fifo::open(&path, 0o600, &[made]).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_the_way_is_named_and_never_removed() {
        for (text, act) in [("", "rm "), ("0\n0\n", "rm "), ("important", "look what it is")] {
            let path = path(&format!("file-{}", text.len()));
            std::fs::write(&path, text).unwrap();
            let error = Fifo::open(&path, 0o600, &[]).unwrap_err();
            assert!(error.what.contains("no FIFO"), "{error}");
            assert!(error.act.unwrap().contains(act), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
