//! Cuts what a process prints into lines, bounded, without anything that a terminal would obey.

use std::fmt::Write;

/// The longest line that is kept, in octets: more than a screen. What is longer is cut, and says by how much.
const LINE_MAX_BYTES: usize = 4096;

/// The beginning of a line that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    part: Vec<u8>,
    cut_bytes: usize,
}

impl Lines {
    /// Takes what a process printed, and gives each line that is complete by it.
    pub(super) fn take(&mut self, mut octets: &[u8], mut each: impl FnMut(String)) {
        while let Some(end) = octets.iter().position(|octet| *octet == b'\n') {
            self.keep(&octets[..end]);
            octets = &octets[end + 1..];
            each(self.line());
        }
        self.keep(octets);
    }

    /// Gives what was printed without an LF behind it, if anything.
    pub(super) fn end(&mut self) -> Option<String> {
        (!self.part.is_empty()).then(|| self.line())
    }

    fn keep(&mut self, octets: &[u8]) {
        let room = LINE_MAX_BYTES - self.part.len();
        let kept = octets.len().min(room);
        self.part.extend_from_slice(&octets[..kept]);
        self.cut_bytes += octets.len() - kept;
    }

    fn line(&mut self) -> String {
        let part = std::mem::take(&mut self.part);
        let text = String::from_utf8_lossy(part.strip_suffix(b"\r").unwrap_or(&part));
        let mut line = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() && character != '\t' {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
        }
        match std::mem::take(&mut self.cut_bytes) {
            0 => {}
            // Writing to a string cannot fail.
            cut => drop(write!(line, "… ({cut} more octets)")),
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        pieces.iter().for_each(|piece| lines.take(piece, |line| all.push(line)));
        all.extend(lines.end());
        all
    }

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        assert_eq!(
            lines(&[b"LED Sta", b"tus: On\nLED", b" Status: Off\r\n", b"half"]),
            ["LED Status: On", "LED Status: Off", "half"]
        );
        assert_eq!(lines(&[b"\n\n"]), ["", ""]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut_and_says_by_how_much() {
        let long = vec![b'x'; LINE_MAX_BYTES];
        let all = lines(&[&long, b"yyy\n", b"next\n"]);
        assert_eq!(all[0], "x".repeat(LINE_MAX_BYTES) + "… (3 more octets)");
        assert_eq!(all[1], "next");
    }

    #[test]
    fn nothing_in_a_line_moves_a_terminal() {
        assert_eq!(lines(&[b"a\x1b[2J\tb\x07\xff\n"]), ["a\\u{1b}[2J\tb\\u{7}\u{fffd}"]);
    }
}
