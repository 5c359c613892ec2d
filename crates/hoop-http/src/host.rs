//! Hosts as requests name them.

/// What names consist of; a table, as each request has a name.
static IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        table[byte] = it.is_ascii_alphanumeric()
            || matches!(it, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
            || matches!(it, b'*' | b'+' | b';' | b'=');
        byte += 1;
    }
    table
};

/// RFC 3986 section 3.2.2: a name, an IPv4 address or [IPv6], then perhaps a port; no user, no path.
/// A comma is allowed there and refused here: it is what two Host headers look like to some.
pub fn is_host(value: &[u8]) -> bool {
    let Some((name, port)) = split(value) else { return false };
    let named = match name {
        [b'[', address @ .., b']'] => {
            !address.is_empty() && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        name => name.iter().all(|byte| IN_NAMES[usize::from(*byte)]),
    };
    named
        && match port {
            [] => true,
            [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

/// The same host at another port, which is left out where it is what everybody expects.
pub fn host_with_port(host: &str, port: u16, is_secure: bool) -> String {
    let name = split(host.as_bytes()).and_then(|(name, _)| host.get(..name.len())).unwrap_or(host);
    if port == (if is_secure { 443 } else { 80 }) { name.to_owned() } else { format!("{name}:{port}") }
}

/// The host and what follows it, the port's colon first; `None` for a bracket that stays open.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match value {
        [b'[', ..] => value.iter().position(|byte| *byte == b']')? + 1,
        _ => value.iter().position(|byte| *byte == b':').unwrap_or(value.len()),
    };
    value.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_hosts_are_hosts() {
        for host in ["example.org:8000", "[::1]:80", "[::1]", "a_b", "", "127.0.0.1", "a:", "%41"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_no_host() {
        for malformed in [
            "a b",
            "user@host",
            "a/b",
            "a\tb",
            "a:b",
            "a:80:80",
            "::1",
            "[::1",
            "::1]",
            "[::1]a",
            "[]",
            "[a/b]",
            "a,b",
            "[::1]80",
            "[g]",
            "a\0",
            "ä",
        ] {
            assert!(!is_host(malformed.as_bytes()), "{malformed:?}");
        }
    }

    #[test]
    fn a_port_takes_the_place_of_another() {
        for (host, port, secure, expected) in [
            ("a", 8080, false, "a:8080"),
            ("a:1", 8080, false, "a:8080"),
            ("a:1", 443, true, "a"),
            ("a:1", 443, false, "a:443"),
            ("a", 80, false, "a"),
            ("[::1]:5", 6, false, "[::1]:6"),
            ("[::1]", 80, true, "[::1]:80"),
        ] {
            assert_eq!(host_with_port(host, port, secure), expected);
        }
    }
}
