//! A line of the head, or of the trailers: a name and a value (RFC 9112 section 5).

use crate::characters::{is_value, split_token};
use crate::refusal::Refusal;

/// A header as it was sent, its value without the white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// In the letters that were sent; names mean the same in both cases.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Where in the line it begins.
    pub value_at: usize,
}

impl<'a> Field<'a> {
    /// Reads a line without its end.
    pub fn read(line: &'a [u8]) -> Result<Self, Refusal> {
        if let [b' ' | b'\t', ..] = line {
            return Err(Refusal::LeadingSpace);
        }
        let (name, [b':', value @ ..]) = split_token(line) else { return Err(Refusal::FieldName) };
        if name.is_empty() {
            return Err(Refusal::FieldName);
        }
        if !is_value(value) {
            return Err(Refusal::FieldValue);
        }
        let spaces = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        Ok(Self { name, value: trimmed(value), value_at: name.len() + 1 + spaces })
    }

    /// Whether this is the header of that name, which is given in small letters.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The elements of a value that is a list.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> {
        self.value.split(|byte| *byte == b',').map(trimmed)
    }
}

/// Without the spaces and tabs around; Rust's own `trim_ascii` takes more for white space.
pub fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_value() {
        for (line, name, value) in [
            ("Host: a", "Host", "a"),
            ("a:", "a", ""),
            ("a: \t b c \t", "a", "b c"),
            ("a:b:c", "a", "b:c"),
            ("a: caf\u{e9}", "a", "caf\u{e9}"),
        ] {
            let field = Field::read(line.as_bytes()).expect(line);
            assert_eq!((field.name, field.value), (name.as_bytes(), value.as_bytes()), "{line}");
            assert!(line.as_bytes()[field.value_at..].starts_with(value.as_bytes()), "{line}");
        }
        assert!(Field::read(b"HOST:").is_ok_and(|field| field.is("host")));
    }

    #[test]
    fn what_is_none_is_refused() {
        for (line, refusal) in [
            (" a: b", Refusal::LeadingSpace),
            ("\ta: b", Refusal::LeadingSpace),
            ("a : b", Refusal::FieldName),
            ("a b: c", Refusal::FieldName),
            (": b", Refusal::FieldName),
            ("a", Refusal::FieldName),
            ("a\0: b", Refusal::FieldName),
            ("caf\u{e9}: b", Refusal::FieldName),
            ("a: b\0c", Refusal::FieldValue),
            ("a: b\rc", Refusal::FieldValue),
            ("a: \x7f", Refusal::FieldValue),
            ("a: b\r", Refusal::FieldValue),
            ("a: \x0b", Refusal::FieldValue),
        ] {
            assert_eq!(Field::read(line.as_bytes()), Err(refusal), "{line:?}");
        }
    }
}
