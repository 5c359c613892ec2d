//! The header `Forwarded` by its grammar (RFC 7239 section 4).

use std::borrow::Cow;

/// What one proxy has to say, its parameters still as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element<'a> {
    /// Who the request came from.
    pub client: Option<Cow<'a, [u8]>>,
    /// By which protocol.
    pub proto: Option<Cow<'a, [u8]>>,
    /// With which Host.
    pub host: Option<Cow<'a, [u8]>>,
    /// The proxy's own name: read so that it is there once.
    by: Option<Cow<'a, [u8]>>,
}

/// Reads one line of the header, the first proxy first; `None` if it breaks the grammar.
pub fn parse_line(line: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.first() == Some(&b',') {
            // RFC 9110 section 5.6.1.2: a list may have empty elements.
            rest = rest.get(1..)?;
            continue;
        }
        if rest.is_empty() {
            return Some(elements);
        }
        let (element, behind) = parse_element(rest)?;
        elements.push(element);
        rest = behind.trim_ascii_start();
        match rest {
            [] => return Some(elements),
            [b',', behind @ ..] => rest = behind,
            _ => return None,
        }
    }
}

/// Parameters between semicolons, without any space; returns what follows them.
fn parse_element(text: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let mut element = Element::default();
    let mut rest = text;
    loop {
        if !matches!(rest, [] | [b';' | b',' | b' ' | b'\t', ..]) {
            let (name, behind) = token(rest)?;
            let (value, behind) = value(behind.strip_prefix(b"=")?)?;
            let place = match name {
                name if name.eq_ignore_ascii_case(b"for") => Some(&mut element.client),
                name if name.eq_ignore_ascii_case(b"proto") => Some(&mut element.proto),
                name if name.eq_ignore_ascii_case(b"host") => Some(&mut element.host),
                name if name.eq_ignore_ascii_case(b"by") => Some(&mut element.by),
                // Section 5.5: there may be others.
                _ => None,
            };
            if place.is_some_and(|place| place.replace(value).is_some()) {
                return None;
            }
            rest = behind;
        }
        match rest {
            [b';', behind @ ..] => rest = behind,
            _ => return Some((element, rest)),
        }
    }
}

fn value(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    match text.strip_prefix(b"\"") {
        Some(quoted) => quoted_string(quoted),
        None => token(text).map(|(token, rest)| (Cow::Borrowed(token), rest)),
    }
}

/// RFC 9110 section 5.6.2.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 section 5.6.4, behind its first quote.
fn quoted_string(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    if text.get(end) == Some(&b'"') {
        let (string, rest) = text.split_at_checked(end)?;
        return string.iter().all(|byte| is_text(*byte)).then_some((Cow::Borrowed(string), rest.get(1..)?));
    }
    let mut string = Vec::new();
    let mut rest = text;
    loop {
        let (byte, behind) = match rest {
            [b'"', behind @ ..] => return Some((Cow::Owned(string), behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => (*byte, behind),
            [] => return None,
        };
        if !is_text(byte) {
            return None;
        }
        string.push(byte);
        rest = behind;
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(line: &str) -> Option<Vec<Option<String>>> {
        let text = |value: Cow<'_, [u8]>| String::from_utf8_lossy(&value).into_owned();
        Some(parse_line(line.as_bytes())?.into_iter().map(|element| element.client.map(text)).collect())
    }

    fn some(clients: &[&str]) -> Option<Vec<Option<String>>> {
        Some(clients.iter().map(|client| Some((*client).to_owned())).collect())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        assert_eq!(clients("for=\"_gazonk\""), some(&["_gazonk"]));
        assert_eq!(clients("For=\"[2001:db8:cafe::17]:4711\""), some(&["[2001:db8:cafe::17]:4711"]));
        assert_eq!(clients("for=192.0.2.60;proto=http;by=203.0.113.43"), some(&["192.0.2.60"]));
        assert_eq!(clients("for=192.0.2.43, for=198.51.100.17"), some(&["192.0.2.43", "198.51.100.17"]));
        assert_eq!(clients("for=_hidden, for=_SEVKISEK"), some(&["_hidden", "_SEVKISEK"]));
    }

    #[test]
    fn all_parameters_of_an_element_are_read_and_others_passed_over() {
        let line = b"proto=https;secret=x;;host=\"a:1\";for=1.2.3.4;";
        let elements = parse_line(line).expect("well formed");
        let [element] = elements.as_slice() else { panic!("{elements:?}") };
        assert_eq!(element.proto.as_deref(), Some(&b"https"[..]));
        assert_eq!(element.host.as_deref(), Some(&b"a:1"[..]));
        assert_eq!(element.client.as_deref(), Some(&b"1.2.3.4"[..]));
    }

    #[test]
    fn quotes_hold_what_would_end_an_element() {
        assert_eq!(clients(r#"for="a,b;c=\"d\"\\", for=e"#), some(&[r#"a,b;c="d"\"#, "e"]));
        assert_eq!(clients(" ,, for=a ,\t, for=b,"), some(&["a", "b"]));
        assert_eq!(clients("proto=http"), Some(vec![None]));
        assert_eq!(clients(""), Some(vec![]));
    }

    #[test]
    fn what_breaks_the_grammar_is_nothing_at_all() {
        for line in [
            "for",
            "for=",
            "=a",
            "for =a",
            "for= a",
            "for=a; proto=http",
            "for=a ;proto=http",
            "for=\"a",
            "for=\"a\\",
            "for=\"a\"b",
            "for=a b",
            "for=[::1]",
            "for=a;for=b",
            "by=a;BY=b",
            "for=a:80",
            "for=\"a\x01\"",
            "for=\"a\x7f\"",
            "for=\"\\\x01\"",
            "for=ä",
            "1.2.3.4, 5.6.7.8",
        ] {
            assert_eq!(parse_line(line.as_bytes()), None, "{line:?}");
        }
    }
}
