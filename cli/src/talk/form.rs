//! How messages are written and shown: as text, as they are, or as hex.

use std::fmt;

/// How messages are written and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines.
    Text,
    /// Octets as they are.
    Raw,
    /// Two hex digits an octet.
    Hex,
}

/// Why a text is no octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotHex {
    /// Where, counted from 1 in octets.
    place: usize,
    /// What stands there; nothing where an octet lacks its second digit.
    found: Option<char>,
}

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "character {}: {found:?} is no hex digit", self.place)?,
            None => write!(f, "character {}: half an octet", self.place)?,
        }
        f.write_str("; expected two digits an octet, such as 4c 45 44")
    }
}

impl Form {
    /// Makes the octets of a message as it was written, without the end of its line.
    ///
    /// # Errors
    /// Hex that is none.
    pub(super) fn octets_of(self, written: &[u8]) -> Result<Vec<u8>, NotHex> {
        match self {
            Form::Text => Ok([written, b"\n"].concat()),
            Form::Raw => Ok(written.to_vec()),
            Form::Hex => octets(written),
        }
    }
}

/// Reads hex; spaces between octets mean nothing, and neither does one `0x` in front.
fn octets(hex: &[u8]) -> Result<Vec<u8>, NotHex> {
    let mut octets = Vec::with_capacity(hex.len() / 2);
    let mut first = None;
    let start = if hex.starts_with(b"0x") && hex.len() > 2 { 2 } else { 0 };
    for (place, &character) in (1..).zip(hex).skip(start) {
        let digit = char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        first = match (first, digit) {
            (None, None) if character.is_ascii_whitespace() => None,
            (Some(_), None) if character.is_ascii_whitespace() => return Err(NotHex { place: place - 1, found: None }),
            (_, None) => return Err(NotHex { place, found: Some(character_at(hex, place - 1)) }),
            (None, digit) => digit,
            (Some(high), Some(low)) => {
                octets.push(high << 4 | low);
                None
            }
        };
    }
    if first.is_some() { Err(NotHex { place: hex.len(), found: None }) } else { Ok(octets) }
}

/// Gives the whole character that begins at an octet.
fn character_at(text: &[u8], start: usize) -> char {
    String::from_utf8_lossy(&text[start..]).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Writes octets as hex, with a space between two.
pub(super) fn hex(octets: &[u8]) -> String {
    let mut hex = String::with_capacity(3 * octets.len());
    for octet in octets {
        let space = if hex.is_empty() { "" } else { " " };
        hex.push_str(&format!("{space}{octet:02x}"));
    }
    hex
}

/// Writes octets for a line of their own: nothing in them can move the cursor.
pub(super) fn quoted(octets: &[u8], form: Form) -> String {
    match form {
        Form::Hex => hex(octets),
        Form::Text | Form::Raw => format!("{:?}", String::from_utf8_lossy(octets)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_with_and_without_spaces_in_both_cases() {
        for text in ["0x4c45440a", "0x4c 45 44 0a", "4c45440a", "4C 45 44 0A", " 4c45\t44 0a\r"] {
            assert_eq!(octets(text.as_bytes()).unwrap(), b"LED\n", "{text}");
        }
        assert_eq!(octets(b""), Ok(vec![]));
        assert_eq!(hex(b"LED\n"), "4c 45 44 0a");
    }

    #[test]
    fn wrong_hex_is_shown_where_it_stands() {
        let wrong = |text: &str| octets(text.as_bytes()).unwrap_err().to_string();
        let expected = "expected two digits an octet, such as 4c 45 44";
        assert_eq!(wrong("4c 4g"), format!("character 5: 'g' is no hex digit; {expected}"));
        assert_eq!(wrong("0x4g"), format!("character 4: 'g' is no hex digit; {expected}"));
        assert_eq!(wrong("0x"), format!("character 2: 'x' is no hex digit; {expected}"));
        assert_eq!(wrong("4c é"), format!("character 4: 'é' is no hex digit; {expected}"));
        assert_eq!(wrong("4c 4"), format!("character 4: half an octet; {expected}"));
        assert_eq!(wrong("4 c"), format!("character 1: half an octet; {expected}"));
    }

    #[test]
    fn text_gets_its_line_end_and_raw_does_not() {
        assert_eq!(Form::Text.octets_of(b"LED").unwrap(), b"LED\n");
        assert_eq!(Form::Raw.octets_of(b"LED").unwrap(), b"LED");
    }
}
