//! Fixed fields and length-prefixed text of control payloads, little-endian.

/// Reads fields off the front of a payload; every read is `None` once the payload has ended early.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Starts at the front of `payload`.
    pub fn new(payload: &'a [u8]) -> Self {
        Fields(payload)
    }

    /// Takes `N` octets.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*octets)
    }

    /// Takes an octet.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// Takes 16 bits.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes 32 bits.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes 64 bits.
    #[inline]
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes 128 bits.
    pub fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// Takes text behind its length in 16 bits.
    pub fn text(&mut self) -> Option<&'a str> {
        let len_bytes = self.u16()?;
        let (text, rest) = self.0.split_at_checked(usize::from(len_bytes))?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// Takes text of at most `max_bytes` octets and without control characters, so that a log can print it.
    pub fn line(&mut self, max_bytes: usize) -> Option<&'a str> {
        self.text().filter(|text| text.len() <= max_bytes && !text.contains(char::is_control))
    }

    /// Returns what is left.
    #[inline]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Returns `value` if nothing is left over.
    pub fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// Appends text behind its length in 16 bits, cut at a character where it is longer than that can say.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends what [`Fields::line`] can read: `text`, cut at a character, with spaces for control characters.
pub fn put_line(out: &mut Vec<u8>, text: &str, max_bytes: usize) {
    let text = &text[..text.floor_char_boundary(max_bytes)];
    if text.contains(char::is_control) {
        put_text(out, text.replace(char::is_control, " ").trim_end());
    } else {
        put_text(out, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_went() {
        let mut out = Vec::new();
        put_text(&mut out, "não");
        assert_eq!(out, [4, 0, b'n', 0xC3, 0xA3, b'o']);
        let mut fields = Fields::new(&out);
        assert_eq!(fields.text(), Some("não"));
        assert_eq!(fields.end(()), Some(()));
    }

    #[test]
    fn text_too_long_to_say_is_cut_at_a_character() {
        let mut out = Vec::new();
        put_text(&mut out, &"ã".repeat(40_000));
        assert_eq!(Fields::new(&out).text().map(str::len), Some(65_534));
    }

    #[test]
    fn what_ends_early_is_none() {
        assert_eq!(Fields::new(&[1, 0]).u32(), None);
        assert_eq!(Fields::new(&[9, 0, b'a']).text(), None);
    }
}
