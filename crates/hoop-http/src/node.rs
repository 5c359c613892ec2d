//! A party on a request's way, as a proxy names it (RFC 7239 section 6).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who handed a request on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// An address, and a port if one was told.
    Address(IpAddr, Option<u16>),
    /// Somebody whom the proxy does not know, or does not name.
    Hidden,
}

/// Reads a node; `None` if it is malformed. `bare_ipv6` takes what RFC 7239 has in brackets without
/// them too, as `X-Forwarded-For` is written.
pub fn parse_node(text: &[u8], bare_ipv6: bool) -> Option<Node> {
    let text = str::from_utf8(text).ok()?;
    if bare_ipv6 && let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(Node::Address(address.into(), None));
    }
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (Node::Address(address.parse::<Ipv6Addr>().ok()?.into(), None), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at_checked(end)?;
            (if is_hidden(name) { Node::Hidden } else { ipv4(name)? }, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        Some(hidden) if is_obfuscated(hidden) => None,
        Some(digits) => Some(parse_port(digits.as_bytes())?),
    };
    Some(match name {
        Node::Address(address, _) => Node::Address(address, port),
        Node::Hidden => Node::Hidden,
    })
}

/// A port number, but 0, which nobody can have connected from.
pub fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok().filter(|port| *port > 0)
}

fn ipv4(text: &str) -> Option<Node> {
    text.parse::<Ipv4Addr>().ok().map(|address| Node::Address(address.into(), None))
}

fn is_hidden(name: &str) -> bool {
    name.eq_ignore_ascii_case("unknown") || is_obfuscated(name)
}

/// RFC 7239 section 6.3.
fn is_obfuscated(name: &str) -> bool {
    name.strip_prefix('_').is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, port: Option<u16>) -> Option<Node> {
        Some(Node::Address(address.parse().expect("an address"), port))
    }

    #[test]
    fn addresses_are_read_with_and_without_ports() {
        assert_eq!(parse_node(b"192.0.2.43", false), node("192.0.2.43", None));
        assert_eq!(parse_node(b"192.0.2.43:47011", false), node("192.0.2.43", Some(47011)));
        assert_eq!(parse_node(b"[2001:db8:cafe::17]:4711", false), node("2001:db8:cafe::17", Some(4711)));
        assert_eq!(parse_node(b"[::1]", true), node("::1", None));
        assert_eq!(parse_node(b"1.2.3.4:_secret", false), node("1.2.3.4", None));
        assert_eq!(parse_node(b"2001:db8::1", true), node("2001:db8::1", None));
        assert_eq!(parse_node(b"2001:db8::1", false), None);
    }

    #[test]
    fn the_nameless_are_hidden() {
        for text in ["unknown", "Unknown", "_gazonk", "_a.b-c_d", "_x:80", "unknown:_y"] {
            assert_eq!(parse_node(text.as_bytes(), true), Some(Node::Hidden), "{text}");
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        for text in [
            "",
            "_",
            "example.org",
            "1.2.3",
            "1.2.3.4:",
            "1.2.3.4:0",
            "1.2.3.4:65536",
            "1.2.3.4:123456",
            "1.2.3.4:+80",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "[::1]:",
            "fe80::1%eth0",
            "01.2.3.4",
            " 1.2.3.4",
            "1.2.3.4\0",
            "_ä",
            "1.2.3.4:80:80",
            "[]",
        ] {
            assert_eq!(parse_node(text.as_bytes(), true), None, "{text:?}");
        }
    }
}
