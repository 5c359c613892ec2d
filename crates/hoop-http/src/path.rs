//! A path below a prefix, as names that are safe to look up in a folder.

use std::borrow::Cow;

/// Why there can be no file of that path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// A `%` without two hexadecimal digits.
    Malformed,
    /// A name that no file is looked up by.
    Unsafe,
    /// A name that begins with a dot.
    Hidden,
}

/// Takes a percent-encoded path, without the `/` that it begins with, to a relative path of names: each
/// decoded once, none of them empty, `.` or `..`, none with a slash, a backslash or a control character in it.
/// A `/` at its end is left out.
pub fn relative_path(encoded: &str, takes_hidden: bool) -> Result<Cow<'_, [u8]>, PathFault> {
    if encoded.is_empty() {
        return Ok(Cow::Borrowed(&[]));
    }
    let encoded = encoded.strip_suffix('/').unwrap_or(encoded);
    if encoded.bytes().all(|byte| byte != b'%') {
        for name in encoded.as_bytes().split(|byte| *byte == b'/') {
            check(name, takes_hidden)?;
        }
        return Ok(Cow::Borrowed(encoded.as_bytes()));
    }
    let mut path = Vec::with_capacity(encoded.len());
    for name in encoded.split('/') {
        if !path.is_empty() {
            path.push(b'/');
        }
        let begin = path.len();
        decode(name, &mut path)?;
        check(path.get(begin..).unwrap_or_default(), takes_hidden)?;
    }
    Ok(Cow::Owned(path))
}

fn check(name: &[u8], takes_hidden: bool) -> Result<(), PathFault> {
    let is_unsafe = |byte: &u8| matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f);
    if matches!(name, b"" | b"." | b"..") || name.iter().any(is_unsafe) {
        return Err(PathFault::Unsafe);
    }
    if name.starts_with(b".") && !takes_hidden { Err(PathFault::Hidden) } else { Ok(()) }
}

fn decode(name: &str, onto: &mut Vec<u8>) -> Result<(), PathFault> {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            onto.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(PathFault::Malformed) };
        onto.push((high * 16 + low) as u8);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(encoded: &str) -> Result<String, PathFault> {
        relative_path(encoded, false).map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn ordinary_names_are_decoded_once() {
        assert_eq!(taken("a/b.css").as_deref(), Ok("a/b.css"));
        assert_eq!(taken("").as_deref(), Ok(""));
        assert_eq!(taken("a/b/").as_deref(), Ok("a/b"));
        assert_eq!(taken("a%20b/%c3%A9.txt").as_deref(), Ok("a b/é.txt"));
        assert_eq!(taken("100%2525").as_deref(), Ok("100%25"));
        assert_eq!(taken("a..b/c...").as_deref(), Ok("a..b/c..."));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for path in [
            "..",
            "a/../b",
            "%2e%2e/b",
            ".%2E",
            "a/.",
            "./a",
            "/a",
            "a//b",
            "a//",
            "//",
            "/",
            "a%2fb",
            "%2fetc/passwd",
            "a%5cb",
            "..%5c..%5cb",
            "a\\b",
            "a%00.txt",
            "a%0ab",
            "%7f",
            "..;/a/%2e%2e",
        ] {
            assert!(taken(path).is_err(), "{path}");
        }
        for path in ["%", "a%2", "a%zz", "%%41", "a%+1"] {
            assert_eq!(taken(path), Err(PathFault::Malformed), "{path}");
        }
    }

    #[test]
    fn hidden_names_are_taken_where_asked_for() {
        for path in [".git/config", "a/.env", "%2eenv", "...", ".well-known/x"] {
            assert_eq!(taken(path), Err(PathFault::Hidden), "{path}");
            assert!(relative_path(path, true).is_ok(), "{path}");
        }
        assert_eq!(relative_path("a/..", true), Err(PathFault::Unsafe));
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in r"([a-z./\\]|%2[eEfF]|%5[cC]|%00|%25|[^%]|%){0,12}", takes_hidden: bool) {
            if let Ok(taken) = relative_path(&path, takes_hidden) {
                for name in taken.split(|byte| *byte == b'/') {
                    prop_assert!(taken.is_empty() || !name.is_empty());
                    prop_assert!(name != b".." && name != b".");
                    prop_assert!(!name.contains(&0) && !name.contains(&b'\\'));
                    prop_assert!(takes_hidden || !name.starts_with(b"."));
                }
            }
        }
    }
}
