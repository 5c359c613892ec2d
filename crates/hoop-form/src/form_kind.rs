//! What a Content-Type says of the form that it announces.

use crate::charset::{Charset, latin1};
use crate::flaw::{Flaw, Problem};
use crate::parameters::Parameterized;

/// RFC 2046 section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// A form, as its Content-Type announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormKind {
    /// multipart/form-data, with its boundary.
    Multipart {
        /// What stands between the parts, without the dashes before it.
        boundary: Vec<u8>,
        /// Of fields that do not say otherwise.
        charset: Charset,
    },
    /// application/x-www-form-urlencoded
    Urlencoded(Charset),
}

impl FormKind {
    /// Reads a Content-Type; `None` if it announces no form.
    pub fn of(content_type: &[u8]) -> Result<Option<Self>, Flaw> {
        let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
        let essence = content_type.get(..end).unwrap_or_default().trim_ascii();
        let is_multipart = essence.eq_ignore_ascii_case(b"multipart/form-data");
        if !is_multipart && !essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Ok(None);
        }
        let parsed = Parameterized::parse(content_type);
        let charset = match parsed.as_ref().and_then(|parsed| parsed.bytes("charset")) {
            None => Charset::default(),
            Some(label) => Charset::named(label).ok_or_else(|| Problem::Charset(latin1(label)).at(0))?,
        };
        if !is_multipart {
            return Ok(Some(Self::Urlencoded(charset)));
        }
        let boundary = parsed.as_ref().and_then(|parsed| parsed.bytes("boundary")).filter(|boundary| {
            (1..=LONGEST_BOUNDARY).contains(&boundary.len())
                && boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))
                && !boundary.ends_with(b" ")
        });
        match boundary {
            Some(boundary) => Ok(Some(Self::Multipart { boundary: boundary.to_vec(), charset })),
            None => Err(Problem::Boundary.at(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multipart(boundary: &str, charset: Charset) -> Result<Option<FormKind>, Flaw> {
        Ok(Some(FormKind::Multipart { boundary: boundary.into(), charset }))
    }

    #[test]
    fn content_types_name_the_kind_of_form() {
        let kind = |text: &str| FormKind::of(text.as_bytes());
        assert_eq!(kind("application/json"), Ok(None));
        assert_eq!(kind("application/json; charset=x; boundary"), Ok(None));
        assert_eq!(kind(""), Ok(None));
        assert_eq!(
            kind("Application/x-www-form-urlencoded; charset=utf-8"),
            Ok(Some(FormKind::Urlencoded(Charset::Utf8)))
        );
        assert_eq!(kind("multipart/form-data;boundary=\"a b\""), multipart("a b", Charset::Utf8));
        assert_eq!(
            kind("multipart/Form-Data; charset=latin-1; Boundary=----x"),
            multipart("----x", Charset::Latin1)
        );
    }

    #[test]
    fn a_boundary_has_to_be_there_and_to_be_one() {
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for text in [
            "multipart/form-data",
            "multipart/form-data; boundary",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=\"a\u{e9}\"",
            long.as_str(),
        ] {
            assert_eq!(FormKind::of(text.as_bytes()), Err(Problem::Boundary.at(0)), "{text}");
        }
        let charset = FormKind::of(b"application/x-www-form-urlencoded; charset=utf-16");
        assert_eq!(charset, Err(Problem::Charset("utf-16".into()).at(0)));
    }
}
