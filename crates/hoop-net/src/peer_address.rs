//! Socket addresses as the kernel writes them, read without trust in their length.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use rustix::net::AddressFamily;

/// Bytes ahead of the path in a `sockaddr_un`.
const FAMILY: usize = 2;

/// Who sent a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAddress<'a> {
    /// IPv4.
    V4(SocketAddrV4),
    /// IPv6; the flow information is in the host's order.
    V6(SocketAddrV6),
    /// A Unix socket that is bound to a path.
    Path(&'a [u8]),
    /// A Unix socket with an abstract name, its leading zero included.
    Abstract(&'a [u8]),
    /// A Unix socket without a name.
    Unnamed,
}

impl<'a> PeerAddress<'a> {
    /// Reads a `sockaddr`; `None` if it is cut short or of another family.
    ///
    /// A Unix path may fill its field to the last byte, without a zero behind it, and then the
    /// kernel's length is that of the field and one (unix(7), "Pathname sockets").
    pub fn read(raw: &'a [u8]) -> Option<Self> {
        let (family, rest) = raw.split_first_chunk::<FAMILY>()?;
        match AddressFamily::from_raw(u16::from_ne_bytes(*family)) {
            AddressFamily::INET => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                let ip: [u8; 4] = *rest.first_chunk()?;
                Some(Self::V4(SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_be_bytes(*port))))
            }
            AddressFamily::INET6 => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                let (flow, rest) = rest.split_first_chunk::<4>()?;
                let (ip, rest) = rest.split_first_chunk::<16>()?;
                let scope: [u8; 4] = *rest.first_chunk()?;
                Some(Self::V6(SocketAddrV6::new(
                    Ipv6Addr::from(*ip),
                    u16::from_be_bytes(*port),
                    u32::from_be_bytes(*flow),
                    u32::from_ne_bytes(scope),
                )))
            }
            AddressFamily::UNIX => Some(match rest {
                [] => Self::Unnamed,
                [0, ..] => Self::Abstract(rest),
                path => Self::Path(path.split(|byte| *byte == 0).next().unwrap_or(path)),
            }),
            _ => None,
        }
    }
}

/// The text of an IPv4 address, without memory of its own.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4Text {
    digits: [u8; 15],
    length: usize,
}

impl Ipv4Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.digits.get(..self.length).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
    }

    fn push(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.length) {
            *place = digit;
            self.length += 1;
        }
    }
}

/// An IPv4 address as `inet_ntop` writes it; quicker than std's, as every datagram has one.
pub fn ipv4_text(ip: Ipv4Addr) -> Ipv4Text {
    let mut text = Ipv4Text { digits: [0; 15], length: 0 };
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            text.push(b'.');
        }
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.push(b'0' + octet % 10);
    }
    text
}

/// An IPv6 address as `inet_ntop` writes it. std differs in one form: what ends in an IPv4 address
/// behind nothing but zeros (RFC 4291 section 2.5.5.1) it writes in hexadecimal.
pub fn ipv6_text(ip: Ipv6Addr) -> String {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            format!("::{}", Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(family: AddressFamily, rest: &[u8]) -> Vec<u8> {
        [&family.as_raw().to_ne_bytes(), rest].concat()
    }

    #[test]
    fn internet_addresses_are_read() {
        let v4 = raw(AddressFamily::INET, &[0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            PeerAddress::read(&v4),
            Some(PeerAddress::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080)))
        );
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let rest =
            [&[0, 53][..], &0x000a_bcde_u32.to_be_bytes(), &ip.octets(), &7_u32.to_ne_bytes()].concat();
        assert_eq!(
            PeerAddress::read(&raw(AddressFamily::INET6, &rest)),
            Some(PeerAddress::V6(SocketAddrV6::new(ip, 53, 0xabcde, 7)))
        );
    }

    #[test]
    fn unix_addresses_are_read() {
        let full = [b'p'; 108];
        let full_and_terminated = [&full[..], &[0]].concat();
        for (rest, expected) in [
            (&b""[..], PeerAddress::Unnamed),
            (b"/run/a\0", PeerAddress::Path(b"/run/a")),
            (b"/run/a", PeerAddress::Path(b"/run/a")),
            (&full, PeerAddress::Path(&full)),
            (&full_and_terminated, PeerAddress::Path(&full)),
            (b"\0name\0x", PeerAddress::Abstract(b"\0name\0x")),
            (b"\0", PeerAddress::Abstract(b"\0")),
        ] {
            assert_eq!(PeerAddress::read(&raw(AddressFamily::UNIX, rest)), Some(expected), "{rest:?}");
        }
    }

    #[test]
    fn what_is_cut_short_or_foreign_is_none() {
        let v6 = raw(AddressFamily::INET6, &[0; 26]);
        for length in 0..v6.len() {
            assert_eq!(PeerAddress::read(&v6[..length]), None, "{length}");
        }
        for length in 0..8 {
            assert_eq!(PeerAddress::read(&raw(AddressFamily::INET, &[0; 6])[..length]), None, "{length}");
        }
        assert_eq!(PeerAddress::read(&raw(AddressFamily::NETLINK, &[0; 26])), None);
    }

    #[test]
    fn ipv4_is_written_as_std_does() {
        for octet in 0..=u8::MAX {
            for ip in [[octet, 0, 0, octet], [255, octet, octet, 255]] {
                assert_eq!(ipv4_text(ip.into()).as_str(), Ipv4Addr::from(ip).to_string());
            }
        }
    }

    #[test]
    fn ipv6_is_written_as_inet_ntop_does() {
        // Right-hand sides: Python's socket.inet_ntop on glibc 2.36.
        for text in [
            "::",
            "::1",
            "::ffff",
            "::0.1.0.0",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "::ffff:0.0.0.0",
            "::fffe:102:304",
            "64:ff9b::102:304",
            "fe80::1",
            "1:0:0:2::3",
            "1:0:2:3:4:5:6:7",
            "2001:db8::1:0:0:1",
        ] {
            let ip: Ipv6Addr = text.parse().expect("an address");
            assert_eq!(ipv6_text(ip), text);
        }
    }
}
