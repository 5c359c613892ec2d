//! The charsets of forms: UTF-8, and the one that HTTP had before.

/// How bytes are read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// UTF-8, and ASCII with it.
    #[default]
    Utf8,
    /// ISO-8859-1: each byte is the character of its number.
    Latin1,
}

impl Charset {
    /// The charset of a label, if it is read here.
    pub fn named(label: &[u8]) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(label));
        if is(&["utf-8", "utf8", "us-ascii", "ascii"]) {
            Some(Self::Utf8)
        } else {
            is(&["iso-8859-1", "latin-1", "latin1"]).then_some(Self::Latin1)
        }
    }

    /// The text; or the first byte that is none.
    pub fn decode(self, bytes: Vec<u8>) -> Result<String, usize> {
        match self {
            Self::Utf8 => String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to()),
            Self::Latin1 => Ok(latin1(&bytes)),
        }
    }
}

pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_known_in_any_case() {
        assert_eq!(Charset::named(b"UTF-8"), Some(Charset::Utf8));
        assert_eq!(Charset::named(b"Latin-1"), Some(Charset::Latin1));
        assert_eq!(Charset::named(b"utf-16"), None);
    }

    #[test]
    fn what_is_no_text_says_where() {
        assert_eq!(Charset::Utf8.decode(b"ab\xff".to_vec()), Err(2));
        assert_eq!(Charset::Latin1.decode(b"ab\xff".to_vec()).as_deref(), Ok("abÿ"));
    }
}
