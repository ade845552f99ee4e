//! Lines as they come, and the wait for one.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// What somebody prints, line by line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    /// Sources that have not ended.
    open: usize,
    /// Lines before it were waited for.
    cursor: usize,
}

impl Log {
    /// Reads lines in a thread of its own until the source ends.
    pub(crate) fn read(&self, source: impl Read + Send + 'static) {
        let log = self.clone();
        log.change(|lines| lines.open += 1);
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(1..)) {
                log.put(String::from_utf8_lossy(&line).trim_end_matches('\n'));
                line.clear();
            }
            log.change(|lines| lines.open -= 1);
        });
    }

    /// Adds a line.
    pub(crate) fn put(&self, line: &str) {
        self.change(|lines| lines.lines.push(line.to_owned()));
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits for the next line that contains `text`, behind the one that was waited for last.
    #[track_caller]
    pub(crate) fn next(&self, text: &str) -> String {
        self.find(text).unwrap_or_else(|| panic!("no further line with {text:?} in:\n{}", self.text()))
    }

    /// Waits as [`next`](Log::next), and says whether the line came.
    pub(crate) fn comes(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    fn find(&self, text: &str) -> Option<String> {
        self.wait(|lines| {
            let place = lines.lines[lines.cursor..].iter().position(|line| line.contains(text))?;
            lines.cursor += place + 1;
            Some(lines.lines[lines.cursor - 1].clone())
        })
    }

    /// Waits until `count` lines contain `text`; more are too many.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, count: usize) {
        let is_enough = self.wait(|lines| (lines.count(text) >= count).then_some(()));
        assert!(is_enough.is_some(), "{} of {count} lines with {text:?} in:\n{}", self.count(text), self.text());
        assert_eq!(self.count(text), count, "lines with {text:?} in:\n{}", self.text());
    }

    /// Waits until every source has ended.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        assert!(self.wait(|lines| (lines.open == 0).then_some(())).is_some(), "no end of:\n{}", self.text());
    }

    /// Says whether the line that was waited for last is the last.
    pub(crate) fn is_read(&self) -> bool {
        let lines = self.0.0.lock().unwrap();
        lines.cursor == lines.lines.len()
    }

    /// Counts the lines so far that contain `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.0.0.lock().unwrap().count(text)
    }

    /// Returns the lines so far that contain `text`.
    pub(crate) fn with(&self, text: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(text)).collect()
    }

    /// Returns the lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// Returns everything so far.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits until `look` finds something; nothing where it does not in time, or everything has ended without it.
    fn wait<T>(&self, mut look: impl FnMut(&mut Lines) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.0.0.lock().unwrap();
        loop {
            if let Some(found) = look(&mut lines) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.open == 0 {
                return None;
            }
            lines = self.0.1.wait_timeout(lines, left).unwrap().0;
        }
    }
}

impl Lines {
    fn count(&self, text: &str) -> usize {
        self.lines.iter().filter(|line| line.contains(text)).count()
    }
}
