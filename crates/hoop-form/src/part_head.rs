//! The head of a part: what it is called, and whether it is a file (RFC 7578 section 4).

use crate::charset::{Charset, latin1};
use crate::flaw::{Flaw, Problem};
use crate::limits::Limits;
use crate::parameters::Parameterized;

/// Names in lower case, and values.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// The head of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// Of the field.
    pub name: String,
    /// Of the file, if it is one. It is what the client says, and may be a path.
    pub filename: Option<String>,
    /// Of a field.
    pub charset: Charset,
    /// All of them.
    pub headers: Headers,
    /// The byte of the body that its content begins with.
    pub content_at: u64,
}

impl PartHead {
    /// Reads a head with the empty line at its end; `at` is the byte of the body that it begins with.
    pub fn parse(head: &[u8], at: u64, charset: Charset, limits: &Limits) -> Result<Self, Flaw> {
        let headers = headers(head, at, limits)?;
        let mut found = headers.iter().filter(|(name, _)| name == b"content-disposition");
        let (Some((_, disposition)), None) = (found.next(), found.next()) else {
            return Err(Problem::Disposition.at(at));
        };
        let disposition = Parameterized::parse(disposition)
            .filter(|parsed| parsed.value == "form-data")
            .ok_or_else(|| Problem::Disposition.at(at))?;
        let name = disposition.text("name").ok_or_else(|| Problem::NoName.at(at))?;
        let filename = disposition.extended("filename*").or_else(|| disposition.text("filename"));
        refuse_encodings(&headers, &name, at)?;
        let charset = charset_of(&headers, charset, filename.is_some(), at)?;
        Ok(Self { name, filename, charset, headers, content_at: at + head.len() as u64 })
    }
}

fn headers(head: &[u8], at: u64, limits: &Limits) -> Result<Headers, Flaw> {
    let mut headers: Headers = Vec::with_capacity(4);
    let mut rest = head;
    while !rest.is_empty() {
        let begins = at + (head.len() - rest.len()) as u64;
        let end = memchr::memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 2..).unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        // Browsers send other control characters in file names as they are.
        if line.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
            return Err(Problem::ControlCharacters.at(begins));
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            // A line that goes on (RFC 5322 section 2.2.3): its break counts as a space.
            let Some((_, value)) = headers.last_mut() else { return Err(Problem::Header.at(begins)) };
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or_default();
        let name = line.get(..colon).unwrap_or_default();
        if name.is_empty() || !name.iter().all(|byte| is_token_character(*byte)) {
            return Err(Problem::Header.at(begins));
        }
        if headers.len() == limits.headers {
            return Err(Problem::TooManyHeaders(limits.headers).at(begins));
        }
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        headers.push((name.to_ascii_lowercase(), value.to_vec()));
    }
    Ok(headers)
}

/// RFC 9110 section 5.6.2.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn value<'a>(headers: &'a [(Vec<u8>, Vec<u8>)], name: &[u8]) -> Option<&'a [u8]> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

/// RFC 7578 section 4.7: nobody sends base64; whoever does is told, and not given what it is not.
fn refuse_encodings(headers: &[(Vec<u8>, Vec<u8>)], name: &str, at: u64) -> Result<(), Flaw> {
    let Some(encoding) = value(headers, b"content-transfer-encoding") else { return Ok(()) };
    let harmless = ["7bit", "8bit", "binary"];
    if harmless.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(encoding)) {
        return Ok(());
    }
    Err(Problem::TransferEncoding { name: name.to_owned(), encoding: latin1(encoding) }.at(at))
}

/// The charset of a field that says one (RFC 7578 section 4.4). A file's is its own business.
fn charset_of(
    headers: &[(Vec<u8>, Vec<u8>)],
    charset: Charset,
    is_file: bool,
    at: u64,
) -> Result<Charset, Flaw> {
    let kind = value(headers, b"content-type").filter(|_| !is_file).and_then(Parameterized::parse);
    match kind.as_ref().and_then(|kind| kind.bytes("charset")) {
        None => Ok(charset),
        Some(label) => Charset::named(label).ok_or_else(|| Problem::Charset(latin1(label)).at(at)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(lines: &str) -> Result<PartHead, Flaw> {
        let head = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
        PartHead::parse(head.as_bytes(), 100, Charset::Utf8, &Limits::default())
    }

    fn problem(lines: &str) -> (u64, Problem) {
        let flaw = head(lines).expect_err(lines);
        (flaw.at, flaw.problem)
    }

    #[test]
    fn a_field_has_a_name_and_a_file_has_two() {
        let field = head("content-DISPOSITION:form-data; name=a").expect("a field");
        assert_eq!((field.name.as_str(), field.filename), ("a", None));
        let file =
            head("Content-Type: text/plain\nContent-Disposition: form-data;\n  name=\"a\"; filename=\"b\"")
                .expect("a file");
        assert_eq!((file.name.as_str(), file.filename.as_deref()), ("a", Some("b")));
        assert_eq!(
            file.headers,
            [
                (b"content-type".to_vec(), b"text/plain".to_vec()),
                (b"content-disposition".to_vec(), b"form-data; name=\"a\"; filename=\"b\"".to_vec())
            ]
        );
        assert_eq!(file.content_at, 187);
    }

    #[test]
    fn an_extended_file_name_counts_for_more() {
        let line =
            "Content-Disposition: form-data; name=a; filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac.txt";
        assert_eq!(head(line).expect("a file").filename.as_deref(), Some("€.txt"));
        let line = "Content-Disposition: form-data; name=a; filename=\"e.txt\"; filename*=UTF-8''%ff";
        assert_eq!(head(line).expect("a file").filename.as_deref(), Some("e.txt"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let disposition = "Content-Disposition: form-data; name=a";
        for (lines, at, expected) in [
            ("Content-Type: x".to_owned(), 100, Problem::Disposition),
            (format!("{disposition}\n{disposition}"), 100, Problem::Disposition),
            ("Content-Disposition: attachment; name=a".into(), 100, Problem::Disposition),
            ("Content-Disposition: form-data; name=\"a".into(), 100, Problem::Disposition),
            ("Content-Disposition: form-data; filename=a".into(), 100, Problem::NoName),
            (format!("{disposition}\nno header"), 140, Problem::Header),
            (format!("{disposition}\n: x"), 140, Problem::Header),
            (format!("{disposition}\na b: x"), 140, Problem::Header),
            (" folded".into(), 100, Problem::Header),
            (format!("{disposition}\nx: \u{0}"), 140, Problem::ControlCharacters),
            (format!("x: a\rb\n{disposition}"), 100, Problem::ControlCharacters),
            (
                format!("{disposition}\nContent-Transfer-Encoding: base64"),
                100,
                Problem::TransferEncoding { name: "a".into(), encoding: "base64".into() },
            ),
            (
                format!("{disposition}\nContent-Type: text/plain; charset=utf-16"),
                100,
                Problem::Charset("utf-16".into()),
            ),
            (format!("{disposition}\n{}", "x: y\n".repeat(32)), 140 + 31 * 6, Problem::TooManyHeaders(32)),
        ] {
            assert_eq!(problem(lines.trim_end()), (at, expected), "{lines:?}");
        }
    }

    #[test]
    fn harmless_encodings_and_charsets_are_taken() {
        for line in ["Content-Transfer-Encoding: 8BIT", "Content-Type: text/plain; charset=UTF-8"] {
            assert!(head(&format!("Content-Disposition: form-data; name=a\n{line}")).is_ok(), "{line}");
        }
        let file =
            "Content-Disposition: form-data; name=a; filename=b\nContent-Type: text/plain; charset=utf-16";
        assert!(head(file).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_a_head(bytes: Vec<u8>) {
            let _ = PartHead::parse(&bytes, 0, Charset::Utf8, &Limits::default());
        }
    }
}
