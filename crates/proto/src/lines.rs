//! Cuts a stream of text into lines.

use std::fmt;

/// The longest line, in octets without its end. Default 1,024: a command for every line of a large board.
pub const LINE_MAX_BYTES: usize = 1024;

/// A line longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The limit, in octets.
    pub max_bytes: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line longer than {} octets", self.max_bytes)
    }
}

impl std::error::Error for TooLong {}

/// Takes one line off the front of `input`, without its end: LF, CRLF or NUL. Nothing while there is no end.
///
/// ```
/// use soquete_proto::lines::take;
/// let mut input = &b"LED ON\r\nLED OFF\0LED"[..];
/// assert_eq!(take(&mut input, 1024), Ok(Some(&b"LED ON"[..])));
/// assert_eq!(take(&mut input, 1024), Ok(Some(&b"LED OFF"[..])));
/// assert_eq!(take(&mut input, 1024), Ok(None));
/// assert_eq!(input, b"LED");
/// ```
///
/// # Errors
/// [`TooLong`] as soon as more than `max_bytes` have come without an end; `input` is left as it is.
#[inline]
pub fn take<'a>(input: &mut &'a [u8], max_bytes: usize) -> Result<Option<&'a [u8]>, TooLong> {
    // One more for the CR of a line that is just as long as it may be.
    let looked_at = &input[..input.len().min(max_bytes.saturating_add(2))];
    let end = looked_at.iter().position(|octet| matches!(octet, b'\n' | 0));
    let Some(end) = end else {
        let is_full = input.len() > max_bytes + 1 || (input.len() > max_bytes && !input.ends_with(b"\r"));
        return if is_full { Err(TooLong { max_bytes }) } else { Ok(None) };
    };
    let line = &input[..end];
    let line = if input[end] == b'\n' { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
    if line.len() > max_bytes {
        return Err(TooLong { max_bytes });
    }
    *input = &input[end + 1..];
    Ok(Some(line))
}

/// Takes what the orderly end of the stream ended: the last line, where it has octets.
pub fn take_last<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let line = std::mem::take(input);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunking_gives_the_same_lines() {
        let stream = b"LED ON\nLED OFF\r\nLED TOGGLE\0\n\0x";
        let expected = [&b"LED ON"[..], b"LED OFF", b"LED TOGGLE", b"", b""];
        for cut in 0..stream.len() {
            let mut lines = Vec::new();
            let mut kept = Vec::new();
            for chunk in [&stream[..cut], &stream[cut..]] {
                kept.extend_from_slice(chunk);
                let mut input = &kept[..];
                while let Some(line) = take(&mut input, 10).unwrap() {
                    lines.push(line.to_vec());
                }
                kept = input.to_vec();
            }
            assert_eq!(lines, expected, "cut at {cut}");
            assert_eq!(kept, b"x");
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        assert_eq!(take(&mut &b"abc\r\n"[..], 3), Ok(Some(&b"abc"[..])));
        assert_eq!(take(&mut &b"abc\r"[..], 3), Ok(None));
        assert_eq!(take(&mut &b"abcd"[..], 3), Err(TooLong { max_bytes: 3 }));
        assert_eq!(take(&mut &b"abcd\n"[..], 3), Err(TooLong { max_bytes: 3 }));
        assert_eq!(take(&mut &b"abc\rd"[..], 3), Err(TooLong { max_bytes: 3 }));
    }

    #[test]
    fn the_end_of_the_stream_ends_a_line() {
        assert_eq!(take_last(&mut &b"LED ON"[..]), Some(&b"LED ON"[..]));
        assert_eq!(take_last(&mut &b"\r"[..]), None);
        assert_eq!(take_last(&mut &b""[..]), None);
    }
}
