//! The first line of a request: method, target, version (RFC 9112 section 3).

use memchr::{memchr, memmem};

use crate::characters::{split_target, split_token};
use crate::limits::MessageLimits;
use crate::refusal::Refusal;

/// No registered method has more than 16 letters.
const LONGEST_METHOD: usize = 32;
/// What follows a target: a space, the version, and the line's carriage return.
const BEHIND_TARGET: usize = " HTTP/1.1\r".len();

/// What of the first line decides about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLine {
    /// The length of the method, which begins the line.
    pub method: usize,
    /// The length of the target, which follows behind a space.
    pub target: usize,
    /// HTTP/1.0, not 1.1.
    pub is_old: bool,
    /// CONNECT, after which the connection may become a tunnel.
    pub is_connect: bool,
}

/// Checks the length of a first line that begins at `begin` of the head, as far as it has come.
pub fn check_length(line: &[u8], begin: usize, limits: &MessageLimits) -> Result<(), Refusal> {
    if line.len() <= LONGEST_METHOD.min(limits.target) {
        return Ok(());
    }
    let method = match memchr(b' ', line.get(..=LONGEST_METHOD).unwrap_or(line)) {
        Some(length) => length,
        None if line.len() > LONGEST_METHOD => return Err(Refusal::RequestLine),
        None => line.len(),
    };
    let room = limits.target.saturating_add(method + 1 + BEHIND_TARGET);
    // Whichever limit would be met first, if the line came byte by byte.
    if limits.head.saturating_sub(begin) <= room {
        return Ok(());
    }
    if line.len() > room { Err(Refusal::TargetTooLong) } else { Ok(()) }
}

impl RequestLine {
    /// Reads a first line without its end.
    pub fn read(line: &[u8], limits: &MessageLimits) -> Result<Self, Refusal> {
        let (method, [b' ', rest @ ..]) = split_token(line) else { return Err(Refusal::RequestLine) };
        let (target, version) = split_target(rest);
        if method.is_empty() || target.is_empty() {
            return Err(Refusal::RequestLine);
        }
        let is_old = match version {
            b" HTTP/1.1" => false,
            b" HTTP/1.0" => true,
            other if is_some_version(other) => return Err(Refusal::Version),
            [] | [b' ', ..] => return Err(Refusal::RequestLine),
            _ => return Err(Refusal::Target),
        };
        if target.len() > limits.target {
            return Err(Refusal::TargetTooLong);
        }
        if !has_a_form_of_its_method(target, method) {
            return Err(Refusal::Target);
        }
        Ok(Self { method: method.len(), target: target.len(), is_old, is_connect: method == b"CONNECT" })
    }
}

/// HTTP/2.0, HTTP/1.7 and the like.
fn is_some_version(version: &[u8]) -> bool {
    matches!(version.strip_prefix(b" HTTP/"), Some([major, b'.', minor])
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// RFC 9112 section 3.2: the asterisk is for OPTIONS, an authority for CONNECT, and nothing else for
/// that.
fn has_a_form_of_its_method(target: &[u8], method: &[u8]) -> bool {
    match (target, method) {
        (_, b"CONNECT") => is_authority_with_port(target),
        ([b'/', ..], _) => true,
        (b"*", _) => method == b"OPTIONS",
        _ => is_absolute(target),
    }
}

/// RFC 3986 section 4.3, with an authority that names a host and no user (RFC 9110 section 4.2.4).
fn is_absolute(target: &[u8]) -> bool {
    let Some((scheme, rest)) =
        memmem::find(target, b"://").and_then(|at| target.split_at_checked(at)).filter(|(scheme, _)| {
            scheme.first().is_some_and(u8::is_ascii_alphabetic)
                && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        })
    else {
        return false;
    };
    let authority = rest.get(3..).unwrap_or_default().split(|byte| b"/?".contains(byte)).next();
    !scheme.is_empty() && authority.is_some_and(|host| !host.is_empty() && !host.contains(&b'@'))
}

fn is_authority_with_port(target: &[u8]) -> bool {
    let mut parts = target.rsplitn(2, |byte| *byte == b':');
    let (port, host) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    !port.is_empty()
        && port.iter().all(u8::is_ascii_digit)
        && !host.is_empty()
        && !host.iter().any(|byte| b"/?@".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<RequestLine, Refusal> {
        RequestLine::read(line.as_bytes(), &MessageLimits { target: 40, ..MessageLimits::default() })
    }

    #[test]
    fn proper_lines_are_read() {
        for line in [
            "GET / HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "PROPFIND /a?b=c%20d HTTP/1.1",
            "GET http://example.org/a HTTP/1.1",
            "GET HTTP://example.org?b HTTP/1.1",
            "get //a HTTP/1.1",
        ] {
            let read = read(line).expect(line);
            assert_eq!((read.is_old, read.is_connect), (false, false), "{line}");
            let (method, rest) = line.split_at(read.method);
            let (target, version) = rest[1..].split_at(read.target);
            assert_eq!(format!("{method} {target}{version}"), line);
            assert_eq!(version, " HTTP/1.1");
        }
        let line = RequestLine { method: 3, target: 1, is_old: true, is_connect: false };
        assert_eq!(read("GET / HTTP/1.0"), Ok(line));
        for target in ["example.org:443", "[::1]:443"] {
            let line = RequestLine { method: 7, target: target.len(), is_old: false, is_connect: true };
            assert_eq!(read(&format!("CONNECT {target} HTTP/1.1")), Ok(line));
        }
    }

    #[test]
    fn lines_of_another_shape_are_refused() {
        for line in [
            "",
            " ",
            "GET",
            "GET /",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1",
            "GET / HTTP/11.1",
            "GET / HTTP/1.1\r",
            "GET /a b HTTP/1.1",
            "G(T / HTTP/1.1",
            "GE\tT / HTTP/1.1",
            "G\u{e9}T / HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "GET / FTP/1.1",
        ] {
            assert_eq!(read(line), Err(Refusal::RequestLine), "{line:?}");
        }
        for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "PRI * HTTP/2.0"] {
            assert_eq!(read(line), Err(Refusal::Version), "{line:?}");
        }
    }

    #[test]
    fn a_target_has_the_form_of_its_method() {
        for line in [
            "GET * HTTP/1.1",
            "GET example.org:80 HTTP/1.1",
            "GET relative HTTP/1.1",
            "GET ?a HTTP/1.1",
            "GET http:///a HTTP/1.1",
            "GET http://user@host/ HTTP/1.1",
            "GET ://a/ HTTP/1.1",
            "GET 1http://a/ HTTP/1.1",
            "CONNECT /a HTTP/1.1",
            "CONNECT example.org HTTP/1.1",
            "CONNECT :80 HTTP/1.1",
            "CONNECT http://a:80 HTTP/1.1",
            "GET /a\0 HTTP/1.1",
            "GET /a#b HTTP/1.1",
        ] {
            assert_eq!(read(line), Err(Refusal::Target), "{line:?}");
        }
    }

    #[test]
    fn a_target_has_its_length() {
        assert!(read(&format!("GET /{} HTTP/1.1", "a".repeat(39))).is_ok());
        let long = format!("GET /{} HTTP/1.1", "a".repeat(40));
        assert_eq!(read(&long), Err(Refusal::TargetTooLong));
    }

    #[test]
    fn a_line_that_goes_on_is_cut_short() {
        let limits = MessageLimits { target: 10, head: 1000, ..MessageLimits::default() };
        let line = "GET /123456789 HTTP/1.1\r";
        assert_eq!(check_length(line.as_bytes(), 0, &limits), Ok(()));
        let longer = format!("{line}x");
        assert_eq!(check_length(longer.as_bytes(), 0, &limits), Err(Refusal::TargetTooLong));
        assert_eq!(check_length(&[b'A'; 32], 0, &limits), Ok(()));
        assert_eq!(check_length(&[b'A'; 33], 0, &limits), Err(Refusal::RequestLine));
    }
}
