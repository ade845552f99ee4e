//! The log of what `up` runs: the latest lines, in memory.

use std::collections::VecDeque;

/// Octets of lines that are kept: some ten thousand lines, a day of a board that is used.
const KEPT_MAX_BYTES: usize = 1 << 20;

/// The latest lines, each with its number; they are counted from 0.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: VecDeque<Box<str>>,
    /// The number of the oldest line that is kept.
    first: u64,
    len_bytes: usize,
}

impl Log {
    /// Adds a line; the oldest go where there is no room for it.
    pub(super) fn push(&mut self, line: &str) {
        self.len_bytes += line.len() + 1;
        self.lines.push_back(line.into());
        while self.len_bytes > KEPT_MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.len_bytes -= oldest.len() + 1;
            self.first += 1;
        }
    }

    /// Returns the number that the next line will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// Returns the first line from number `from` on that is still kept, and its number.
    pub(super) fn line_from(&self, from: u64) -> Option<(u64, &str)> {
        let number = from.max(self.first);
        let place = usize::try_from(number - self.first).ok()?;
        self.lines.get(place).map(|line| (number, &**line))
    }

    /// Returns lines from number `from` on, each with its LF, and the number behind the last of them. There is at least one
    /// where one is kept; more as long as they fit into `max_bytes`.
    pub(super) fn chunk(&self, from: u64, max_bytes: usize) -> (u64, String) {
        let mut chunk = String::new();
        let mut next = from;
        while let Some((number, line)) = self.line_from(next) {
            if !chunk.is_empty() && chunk.len() + line.len() + 1 > max_bytes {
                break;
            }
            chunk.push_str(line);
            chunk.push('\n');
            next = number + 1;
        }
        (next, chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_chunks_that_follow_each_other() {
        let mut log = Log::default();
        ["one", "two", "three"].iter().for_each(|line| log.push(line));
        assert_eq!(log.chunk(0, 8), (2, "one\ntwo\n".into()));
        assert_eq!(log.chunk(2, 1), (3, "three\n".into()), "one line goes whatever its length");
        assert_eq!(log.chunk(3, 8), (3, String::new()));
        assert_eq!(log.end(), 3);
    }

    #[test]
    fn the_oldest_go_and_the_numbers_stay() {
        let mut log = Log::default();
        let line = "x".repeat(1023);
        for _ in 0..1025 {
            log.push(&line);
        }
        assert_eq!((log.len_bytes, log.first, log.end()), (KEPT_MAX_BYTES, 1, 1025));
        assert_eq!(log.line_from(0).map(|(number, _)| number), Some(1));
        assert_eq!(log.line_from(1025), None);
    }
}
