//! What a Cookie header says (RFC 6265 section 5.4), read as leniently as browsers write it.

use std::borrow::Cow;

/// The cookies of one header line, in their order; what has no name has an empty one.
pub fn cookies(line: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    line.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty() || !value.is_empty()).then(|| (name, unquoted(value)))
    })
}

/// Takes a value out of its quotes, in which a backslash stands before a character or before the
/// three octal digits of its code: so Python's `http.cookies` writes what is no token.
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let octal =
            after.get(..3).filter(|digits| digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit)));
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                text.push(char::from(code));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                let mut characters = after.chars();
                text.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str) -> Vec<(String, String)> {
        cookies(line).map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_are_parted_by_semicolons() {
        assert_eq!(all("a=1; b=2;c = 3"), [pair("a", "1"), pair("b", "2"), pair("c", "3")]);
        assert_eq!(all("a=b=c; d="), [pair("a", "b=c"), pair("d", "")]);
    }

    #[test]
    fn what_has_no_name_is_kept_and_nothing_is_not() {
        assert_eq!(all("lonely; ; =x;"), [pair("", "lonely"), pair("", "x")]);
    }

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(
            all(r#"a="b c"; d="\"\054\\"; e="f"#),
            [pair("a", "b c"), pair("d", "\",\\"), pair("e", "\"f")]
        );
        assert_eq!(all(r#"a="\999\"; b="\777x""#), [pair("a", "999"), pair("b", "777x")]);
    }
}
