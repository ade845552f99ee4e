//! The first octets of a connection, and what they say about the language it speaks.

use crate::fault::{Fault, Incompatible, Malformed};

/// The version of the layout, the last of the opening octets.
pub const LAYOUT_VERSION: u8 = 1;

/// What a client of frames sends before anything else.
///
/// An octet that no text starts with, `SOQ`, an end of line and a control-Z that a translation of text would damage,
/// and the version of the layout.
pub const OPENING: [u8; 8] = [0xD3, b'S', b'O', b'Q', 0x0D, 0x0A, 0x1A, LAYOUT_VERSION];

/// The answer to a TLS client on a port without TLS: the alert record *fatal, handshake failure* (RFC 8446, 6).
pub const TLS_ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];

/// A language that a connection can begin in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Frames, as in `PROTOCOL.md`.
    Frames,
    /// Lines of text; the first line may turn out to be HTTP.
    Text,
    /// A TLS handshake.
    Tls,
}

impl Language {
    /// Tells the language by the first octet alone, or nothing for an octet that begins none.
    ///
    /// ```
    /// use soquete_proto::opening::Language;
    /// assert_eq!(Language::of(b'L'), Some(Language::Text));
    /// assert_eq!(Language::of(0xD3), Some(Language::Frames));
    /// assert_eq!(Language::of(0x16), Some(Language::Tls));
    /// assert_eq!(Language::of(0xFF), None);
    /// ```
    pub fn of(octet: u8) -> Option<Self> {
        match octet {
            0xD3 => Some(Language::Frames),
            0x16 => Some(Language::Tls),
            // A blank line, an indented one, or the NUL of a client that ends its strings so, is text as well.
            b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0 => Some(Language::Text),
            _ => None,
        }
    }
}

/// Takes the opening octets off the front of `input`; says whether they were all there.
///
/// # Errors
/// A wrong octet is an error at once, whatever has not arrived yet.
pub fn take(input: &mut &[u8]) -> Result<bool, Fault> {
    for (offset, (&octet, expected)) in input.iter().zip(OPENING).enumerate() {
        if octet == expected {
            continue;
        }
        if offset == OPENING.len() - 1 {
            return Err(Incompatible::Layout { version: octet }.into());
        }
        return Err(Malformed::Opening { offset, octet }.into());
    }
    match input.split_at_checked(OPENING.len()) {
        Some((_, rest)) => {
            *input = rest;
            Ok(true)
        }
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_is_taken_whole_or_not_at_all() {
        for cut in 0..OPENING.len() {
            let mut input = &OPENING[..cut];
            assert_eq!(take(&mut input), Ok(false));
            assert_eq!(input.len(), cut);
        }
        let mut input = &OPENING[..];
        assert_eq!(take(&mut input), Ok(true));
        assert!(input.is_empty());
    }

    #[test]
    fn a_wrong_octet_is_told_at_once() {
        assert_eq!(take(&mut &[0xD3, b'S', b'X'][..]), Err(Malformed::Opening { offset: 2, octet: b'X' }.into()));
    }

    #[test]
    fn another_layout_is_incompatible_not_malformed() {
        let mut octets = OPENING;
        octets[7] = 2;
        assert_eq!(take(&mut &octets[..]), Err(Incompatible::Layout { version: 2 }.into()));
    }
}
