//! Standard output, which may take its time: what waits for it holds up no other direction.

use std::io::{self, IsTerminal, stdout};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::form::{Form, hex};
pub(super) use crate::output::note;
use crate::output::{Failure, printed};

/// Octets that may wait for standard output before nothing more is received: 256 KiB.
const PENDING_MAX_BYTES: usize = 256 << 10;

/// Octets that a pipe which is ready takes without blocking: PIPE_BUF, a page.
const PIPE_CHUNK_BYTES: usize = 4096;

/// The longest line that is kept until its end comes, in octets: 64 KiB. A longer one is shown in pieces.
const LINE_MAX_BYTES: usize = 64 << 10;

/// Whether it has to be shown who said what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speakers {
    One,
    Many,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A part of a stream.
    Part,
    /// A datagram or packet, or the end of a stream.
    Whole,
}

/// Who speaks, and what of a line was heard.
#[derive(Debug)]
pub(super) struct Voice {
    name: String,
    partial: Vec<u8>,
}

/// Standard output, and what waits for it.
#[derive(Debug)]
pub(super) struct Output {
    form: Form,
    speakers: Speakers,
    pending: Vec<u8>,
    written: usize,
    chunk_max_bytes: usize,
    is_terminal: bool,
    /// The octet that was shown last.
    last: u8,
    is_gone: bool,
}

impl Voice {
    /// Makes the voice of a peer.
    pub(super) fn new(name: String) -> Self {
        Self { name, partial: Vec::new() }
    }
}

impl Output {
    /// Takes standard output.
    pub(super) fn new(form: Form, speakers: Speakers) -> Self {
        let is_file = fstat(stdout()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let chunk_max_bytes = if is_file { PENDING_MAX_BYTES } else { PIPE_CHUNK_BYTES };
        let is_terminal = stdout().is_terminal();
        Self { form, speakers, pending: Vec::new(), written: 0, chunk_max_bytes, is_terminal, last: 0, is_gone: false }
    }

    /// Says whether more may be received.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() - self.written < PENDING_MAX_BYTES
    }

    /// Says whether something waits.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.len() > self.written
    }

    /// Says whether whoever read it has gone.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Shows what was received.
    pub(super) fn show(&mut self, voice: &mut Voice, octets: &[u8], piece: Piece) {
        match (self.form, self.speakers) {
            (Form::Raw, _) => self.put(octets),
            (Form::Hex, _) => self.put_line(&voice.name, hex(octets).as_bytes()),
            (Form::Text, Speakers::One) => {
                self.put(octets);
                if piece == Piece::Whole && !octets.ends_with(b"\n") {
                    self.put(b"\n");
                }
            }
            (Form::Text, Speakers::Many) => {
                voice.partial.extend_from_slice(octets);
                let heard = std::mem::take(&mut voice.partial);
                for line in heard.split_inclusive(|octet| *octet == b'\n') {
                    match line.strip_suffix(b"\n") {
                        Some(line) => self.put_line(&voice.name, line),
                        None if piece == Piece::Whole || line.len() > LINE_MAX_BYTES => {
                            self.put_line(&voice.name, line);
                        }
                        None => voice.partial = line.to_vec(),
                    }
                }
            }
        }
    }

    /// Shows what is left of a line, where a stream has ended.
    pub(super) fn show_rest(&mut self, voice: &mut Voice) {
        if !voice.partial.is_empty() {
            self.show(voice, b"", Piece::Whole);
        }
    }

    fn put_line(&mut self, name: &str, line: &[u8]) {
        if self.speakers == Speakers::Many {
            self.put(name.as_bytes());
            self.put(b": ");
        }
        self.put(line);
        self.put(b"\n");
    }

    fn put(&mut self, octets: &[u8]) {
        if self.is_gone {
            return;
        }
        let start = self.pending.len();
        self.pending.extend_from_slice(octets);
        if self.is_terminal && self.form != Form::Raw {
            harmless(&mut self.pending[start..], &mut self.last);
        }
    }

    /// Writes a part of what waits, without blocking where poll has said that there is room.
    ///
    /// # Errors
    /// It takes no more; that nobody reads it any more is no error.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        let waiting = &self.pending[self.written..];
        match rustix::io::write(stdout(), &waiting[..waiting.len().min(self.chunk_max_bytes)]) {
            Ok(len) => self.written += len,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::PIPE) => self.leave(),
            Err(errno) => return printed(Err(io::Error::from(errno))),
        }
        // Taken off the front in large pieces, so that an octet is moved about once.
        if self.written >= self.pending.len().min(PENDING_MAX_BYTES) {
            self.pending.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Notes that nobody reads it any more: nothing is kept for it from now on.
    pub(super) fn leave(&mut self) {
        self.is_gone = true;
        self.pending.clear();
        self.written = 0;
    }
}

/// Keeps what the far end says from moving the cursor: neither the controls of ASCII go through nor those behind it, which
/// are two octets of UTF-8. `last` is the octet before these.
fn harmless(octets: &mut [u8], last: &mut u8) {
    for octet in octets {
        let is_control = octet.is_ascii_control() && !matches!(octet, b'\n' | b'\r' | b'\t');
        let is_late_control = *last == 0xC2 && (0x80..0xA0).contains(octet);
        *last = *octet;
        if is_control || is_late_control {
            *octet = b'?';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form, speakers: Speakers, pieces: &[(&str, Piece)]) -> String {
        let mut output = Output { is_terminal: false, ..Output::new(form, speakers) };
        let mut voice = Voice::new("me".into());
        pieces.iter().for_each(|(text, piece)| output.show(&mut voice, text.as_bytes(), *piece));
        output.show_rest(&mut voice);
        String::from_utf8(output.pending).unwrap()
    }

    #[test]
    fn a_stream_is_shown_as_it_comes_and_a_datagram_is_a_line() {
        let (part, whole) = (Piece::Part, Piece::Whole);
        assert_eq!(shown(Form::Text, Speakers::One, &[("a", part), ("b\nc", part)]), "ab\nc");
        assert_eq!(shown(Form::Text, Speakers::One, &[("a", whole), ("b\n", whole)]), "a\nb\n");
        assert_eq!(shown(Form::Raw, Speakers::Many, &[("a", whole), ("b\n", whole)]), "ab\n");
        assert_eq!(shown(Form::Hex, Speakers::One, &[("a\n", part), ("b", whole)]), "61 0a\n62\n");
    }

    #[test]
    fn among_many_each_line_has_its_speaker() {
        let pieces = [("a", Piece::Part), ("b\nc\nd", Piece::Part)];
        assert_eq!(shown(Form::Text, Speakers::Many, &pieces), "me: ab\nme: c\nme: d\n");
        assert_eq!(shown(Form::Hex, Speakers::Many, &[("a", Piece::Whole)]), "me: 61\n");
        let long = "x".repeat(LINE_MAX_BYTES + 1);
        assert_eq!(shown(Form::Text, Speakers::Many, &[(&long, Piece::Part)]), format!("me: {long}\n"));
    }

    #[test]
    fn nothing_received_moves_the_cursor_of_a_terminal() {
        let shown = |pieces: &[&[u8]]| {
            let mut last = 0;
            let mut pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
            pieces.iter_mut().for_each(|piece| harmless(piece, &mut last));
            pieces.concat()
        };
        assert_eq!(shown(&[b"a\x1b[2J\tb\r\n\x07"]), b"a?[2J\tb\r\n?");
        // U+009B is what ESC [ is, too; other letters of two octets are left alone, however they come.
        assert_eq!(shown(&["\u{9b}2J".as_bytes()]), b"\xc2?2J");
        assert_eq!(shown(&[b"\xc2", b"\x9b2J", b"\xc2", b"\xb5\xc3", b"\x9b"]), b"\xc2?2J\xc2\xb5\xc3\x9b");
    }
}
