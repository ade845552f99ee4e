//! Standard input, cut into what is sent.

use std::io;

use rustix::io::{Errno, retry_on_intr};

use super::form::Form;
use crate::output::{Exit, Failure};

/// Octets read at once: 64 KiB, what a pipe holds.
const READ_MAX_BYTES: usize = 64 << 10;

/// Octets of one read that become one datagram or packet under `--raw`: 8 KiB. socat and both netcats take that whole; of
/// longer datagrams they lose the end in silence.
const RAW_PACKET_MAX_BYTES: usize = 8 << 10;

/// The longest line, in octets: 256 KiB. The longest datagram has fewer, also as hex with spaces.
const LINE_MAX_BYTES: usize = 256 << 10;

/// What becomes one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// What a read brings, up to so many octets.
    Reads(usize),
    /// A line, with its end.
    Lines,
    /// A line, without its end.
    BareLines,
}

/// Standard input.
#[derive(Debug)]
pub(super) struct Input {
    form: Form,
    cut: Cut,
    /// A line whose end has not come.
    partial: Vec<u8>,
    /// Lines before it.
    lines: u64,
    is_ended: bool,
    is_empty: bool,
}

impl Cut {
    /// Says how input becomes messages over a socket that keeps them apart, or does not.
    pub(super) fn of(form: Form, keeps_boundaries: bool) -> Self {
        match (form, keeps_boundaries) {
            (Form::Hex, _) => Cut::BareLines,
            (Form::Text, true) => Cut::Lines,
            (Form::Raw, true) => Cut::Reads(RAW_PACKET_MAX_BYTES),
            (Form::Text | Form::Raw, false) => Cut::Reads(READ_MAX_BYTES),
        }
    }
}

impl Input {
    /// Takes standard input, of which nothing was read yet.
    pub(super) fn new(form: Form, cut: Cut) -> Self {
        Self { form, cut, partial: Vec::new(), lines: 0, is_ended: false, is_empty: true }
    }

    /// Says whether it has ended.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Says whether nothing was read from it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Reads once, which does not block when poll says that it is ready; returns the messages that are complete.
    ///
    /// # Errors
    /// It cannot be read, a line is too long, or hex is none.
    pub(super) fn read(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut room = [0; READ_MAX_BYTES];
        let max_bytes = if let Cut::Reads(max_bytes) = self.cut { max_bytes } else { room.len() };
        let len = match retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut room[..max_bytes])) {
            Ok(len) => len,
            // Whoever shares it has made it non-blocking, and was faster.
            Err(Errno::AGAIN) => return Ok(vec![]),
            Err(errno) => return Err(failed(io::Error::from(errno))),
        };
        self.is_ended = len == 0;
        self.is_empty &= self.is_ended;
        self.take(&room[..len])
    }

    /// Takes what a read brought; nothing is the end.
    fn take(&mut self, read: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        if let Cut::Reads(_) = self.cut {
            return Ok(if read.is_empty() { vec![] } else { vec![read.to_vec()] });
        }
        let mut messages = Vec::new();
        for piece in read.split_inclusive(|octet| *octet == b'\n') {
            if self.partial.len() + piece.len() > LINE_MAX_BYTES {
                return Err(self.wrong(format!("longer than {LINE_MAX_BYTES} octets")));
            }
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                messages.extend(self.line()?);
            }
        }
        if read.is_empty() && !self.partial.is_empty() {
            messages.extend(self.line()?);
        }
        Ok(messages)
    }

    /// Makes a message of the line; none of a blank one in hex.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = std::mem::take(&mut self.partial);
        if self.cut == Cut::BareLines {
            line.truncate(bare(&line).len());
        }
        let message = match self.form {
            Form::Hex if line.is_empty() => None,
            Form::Hex => Some(self.form.octets_of(&line).map_err(|wrong| self.wrong(wrong))?),
            Form::Text | Form::Raw => Some(line),
        };
        self.lines += 1;
        Ok(message)
    }

    fn wrong(&self, wrong: impl std::fmt::Display) -> Failure {
        failed(format_args!("line {}: {wrong}", self.lines + 1))
    }
}

/// Takes LF or CRLF off the end of a line.
fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn failed(wrong: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::NotDone, format!("standard input: {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(form: Form, cut: Cut, reads: &[&str]) -> Vec<String> {
        let mut input = Input::new(form, cut);
        let messages = reads.iter().flat_map(|read| input.take(read.as_bytes()).unwrap());
        messages.map(|message| String::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn a_line_is_a_message_however_it_arrives() {
        let reads = ["LED O", "N\nLED", "\n\nlast", ""];
        assert_eq!(cut(Form::Text, Cut::Lines, &reads), ["LED ON\n", "LED\n", "\n", "last"]);
        assert_eq!(cut(Form::Text, Cut::BareLines, &["a\r\nb", "\n", ""]), ["a", "b"]);
        assert_eq!(cut(Form::Raw, Cut::Reads(8), &["a\nb", "c", ""]), ["a\nb", "c"]);
        assert_eq!(cut(Form::Hex, Cut::BareLines, &["4c 45", "\n\n44", ""]), ["LE", "D"]);
    }

    #[test]
    fn a_line_has_a_bound_and_a_mistake_its_place() {
        let mut input = Input::new(Form::Text, Cut::Lines);
        let line = vec![b'x'; LINE_MAX_BYTES];
        assert!(input.take(&line).unwrap().is_empty());
        let wrong = input.take(b"x").unwrap_err();
        assert_eq!(wrong, failed("line 1: longer than 262144 octets"));
        let mut input = Input::new(Form::Hex, Cut::BareLines);
        let wrong = input.take(b"4c\n4x\n").unwrap_err().to_string();
        assert!(wrong.starts_with("soquete: standard input: line 2: character 2: 'x' is no hex digit"), "{wrong}");
    }
}
