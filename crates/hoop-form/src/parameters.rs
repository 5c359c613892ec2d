//! Header values with parameters, as Content-Type and Content-Disposition are.
//!
//! Quoted texts are read as forms are written: browsers put `%22`, `%0D` and `%0A` for what would end them
//! (WHATWG HTML, multipart/form-data encoding algorithm) and leave backslashes as they are; others put a
//! backslash before a quote or a backslash (RFC 9110 section 5.6.4).

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::charset::{Charset, latin1};

/// A value, and the parameters behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameterized {
    /// In lower case.
    pub value: String,
    /// Names in lower case, and values.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Parameterized {
    /// Reads a field's value; `None` if it is malformed.
    pub fn parse(field: &[u8]) -> Option<Self> {
        let end = field.iter().position(|byte| *byte == b';').unwrap_or(field.len());
        let (value, mut rest) = field.split_at_checked(end)?;
        let value = lowered(value.trim_ascii());
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Some(Self { value, parameters });
            }
            rest = rest.strip_prefix(b";")?.trim_ascii_start();
            if rest.is_empty() || rest.starts_with(b";") {
                continue;
            }
            let equals = rest.iter().position(|byte| *byte == b'=')?;
            let (name, behind) = rest.split_at_checked(equals)?;
            let (value, after) = parameter_value(behind.get(1..)?.trim_ascii_start())?;
            let name = name.trim_ascii();
            if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
                return None;
            }
            parameters.push((lowered(name), value.into_owned()));
            rest = after;
        }
    }

    /// The bytes of a parameter; of several with a name the first.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// The text of a parameter, UTF-8 if it is that and else Latin-1. What browsers have for quotes and line
    /// breaks in names becomes those again.
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.bytes(name)?;
        let text = match str::from_utf8(value) {
            Ok(text) => text.to_owned(),
            Err(_) => latin1(value),
        };
        if !text.contains('%') {
            return Some(text);
        }
        Some(text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
    }

    /// The text of a parameter that says its charset and is percent-encoded (RFC 8187, before that 5987).
    pub fn extended(&self, name: &str) -> Option<String> {
        let mut pieces = self.bytes(name)?.splitn(3, |byte| *byte == b'\'');
        let (charset, _language, encoded) = (pieces.next()?, pieces.next()?, pieces.next()?);
        Charset::named(charset)?.decode(percent_decode(encoded).collect()).ok()
    }
}

fn lowered(bytes: &[u8]) -> String {
    latin1(bytes).to_ascii_lowercase()
}

/// A token or a quoted text, and what follows it.
fn parameter_value(from: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let Some(mut rest) = from.strip_prefix(b"\"") else {
        let end = from.iter().position(|byte| *byte == b';').unwrap_or(from.len());
        let (value, rest) = from.split_at_checked(end)?;
        return Some((Cow::Borrowed(value.trim_ascii_end()), rest));
    };
    let mut text: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    loop {
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (plain, behind) = rest.split_at_checked(at)?;
        append(&mut text, plain);
        let (mark, behind) = behind.split_first()?;
        if *mark == b'"' {
            return Some((text, behind));
        }
        rest = behind;
        match behind.split_first() {
            // The name ends with a backslash, as browsers write it: no other quote could end it.
            Some((b'"', after)) if ends_here(after) => append(&mut text, b"\\"),
            Some((escaped @ (b'"' | b'\\'), after)) => {
                append(&mut text, &[*escaped]);
                rest = after;
            }
            _ => append(&mut text, b"\\"),
        }
    }
}

fn ends_here(after: &[u8]) -> bool {
    let after = after.trim_ascii_start();
    (after.is_empty() || after.starts_with(b";")) && !after.contains(&b'"')
}

fn append<'a>(text: &mut Cow<'a, [u8]>, bytes: &[u8]) {
    if !bytes.is_empty() {
        text.to_mut().extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(field: &str, name: &str) -> Option<String> {
        Parameterized::parse(field.as_bytes())?.text(name)
    }

    #[test]
    fn tokens_and_quoted_texts_are_values() {
        let field = r#"Form-Data ; NAME = "a b";filename=x.txt ; ; last="""#;
        let parsed = Parameterized::parse(field.as_bytes()).expect("well formed");
        assert_eq!(parsed.value, "form-data");
        assert_eq!(parsed.bytes("name"), Some(&b"a b"[..]));
        assert_eq!(parsed.bytes("filename"), Some(&b"x.txt"[..]));
        assert_eq!(parsed.bytes("last"), Some(&b""[..]));
        assert_eq!(parsed.bytes("other"), None);
    }

    #[test]
    fn quotes_are_written_in_two_ways() {
        assert_eq!(text(r#"x; name="a%22b%0D%0A%41""#, "name").as_deref(), Some("a\"b\r\n%41"));
        assert_eq!(text(r#"x; name="a\"b\\c""#, "name").as_deref(), Some(r#"a"b\c"#));
        assert_eq!(text(r#"x; name="C:\dir\file""#, "name").as_deref(), Some(r"C:\dir\file"));
        assert_eq!(text(r#"x; name="dir\"; y=z"#, "name").as_deref(), Some(r"dir\"));
        assert_eq!(text(r#"x; name="dir\""#, "name").as_deref(), Some(r"dir\"));
        assert_eq!(text(r#"x; name="a\"; b"; y=z"#, "name").as_deref(), Some(r#"a"; b"#));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin1() {
        let parsed = Parameterized::parse(b"x; a=\"\xc3\xbc\"; b=\"\xfc\"").expect("well formed");
        assert_eq!((parsed.text("a"), parsed.text("b")), (Some("ü".into()), Some("ü".into())));
    }

    #[test]
    fn extended_values_name_their_charset() {
        let extended = |value: &str| {
            Parameterized::parse(format!("x; filename*={value}").as_bytes())?.extended("filename*")
        };
        assert_eq!(extended("UTF-8''%e2%82%ac%20rates").as_deref(), Some("€ rates"));
        assert_eq!(extended("iso-8859-1'en'%A3").as_deref(), Some("£"));
        for value in ["UTF-8''%ff", "x", "utf-16''a", "UTF-8'a"] {
            assert_eq!(extended(value), None, "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_none() {
        for field in ["x; name", r#"x; name="a"#, r#"x; name="a"b"#, "x; =a", "x; a\u{e9}=b"] {
            assert_eq!(Parameterized::parse(field.as_bytes()), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(field: Vec<u8>) {
            if let Some(parsed) = Parameterized::parse(&field) {
                let _ = (parsed.text("name"), parsed.extended("filename*"));
            }
        }

        #[test]
        fn names_come_back_as_browsers_wrote_them(name in "[^%]{0,12}") {
            let written = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            // Two backslashes may stand for one: that cannot be told.
            prop_assume!(!name.contains(r"\\") && !name.contains("\\\""));
            prop_assert_eq!(text(&format!("x; name=\"{written}\""), "name"), Some(name));
        }
    }
}
