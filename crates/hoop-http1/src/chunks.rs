//! The line ahead of a chunk: its size, and when read, extensions that nobody needs (RFC 9112 section 7.1).

use crate::characters::is_value;
use crate::fields::trimmed;
use crate::refusal::Refusal;

/// A size, its extensions and the line's end.
pub const LONGEST_LINE: usize = 256;
/// Extensions of a whole body, in bytes.
pub const LONGEST_EXTENSIONS: usize = 8 * 1024;
const MOST_DIGITS: usize = 16;

/// Reads a line without its end: the chunk's size, and how long its extensions are.
pub fn read(line: &[u8]) -> Result<(u64, usize), Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extensions) = line.split_at_checked(digits).ok_or(Refusal::Chunk)?;
    if number.is_empty() || number.len() > MOST_DIGITS {
        return Err(Refusal::Chunk);
    }
    let size = number.iter().try_fold(0u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(size.checked_mul(16)? + u64::from(digit))
    });
    let size = size.filter(|size| *size <= i64::MAX.cast_unsigned()).ok_or(Refusal::Chunk)?;
    // White space is allowed ahead of the semicolon (section 7.1.1), and nowhere else.
    let is_extension = trimmed(extensions).starts_with(b";") && is_value(extensions);
    if !extensions.is_empty() && !is_extension {
        return Err(Refusal::Chunk);
    }
    Ok((size, extensions.len()))
}

/// Writes the line ahead of a chunk of so many bytes.
pub fn write_chunk_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (size >> (4 * place) & 0xf) as u8;
        out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_it_is_read() {
        for size in [0, 1, 9, 10, 15, 16, 255, 256, 65_536, 0xfedc_ba98] {
            let mut out = Vec::new();
            write_chunk_size(&mut out, size);
            assert_eq!(out, format!("{size:x}\r\n").as_bytes());
        }
    }

    #[test]
    fn sizes_are_read() {
        for (line, size, extensions) in [
            ("0", 0, 0),
            ("a", 10, 0),
            ("00Ff", 255, 0),
            ("1;a=b", 1, 4),
            ("1 ; a=\"b c\"", 1, 10),
            ("7fffffffffffffff", i64::MAX.cast_unsigned(), 0),
        ] {
            assert_eq!(read(line.as_bytes()), Ok((size, extensions)), "{line}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for line in [
            "",
            " 1",
            "+1",
            "-1",
            "0x1",
            "1 ",
            "1\t",
            "1 1",
            "xyz",
            "1,",
            "8000000000000000",
            "00000000000000001",
            "1;a\0b",
            "1;a\rb",
            "1\r",
            ";a",
            "1_0",
        ] {
            assert_eq!(read(line.as_bytes()), Err(Refusal::Chunk), "{line:?}");
        }
    }
}
