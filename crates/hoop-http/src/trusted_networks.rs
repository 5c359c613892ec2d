//! The peers whose word about their clients counts.

// The types of addresses alone: nothing here opens a socket.
use core::net::IpAddr;

/// Addresses and networks, by which peers are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedNetworks {
    networks: Vec<Network>,
    unix: bool,
    all: bool,
}

/// An entry that is neither an address nor a network nor one of the two words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is no address, no network such as '10.0.0.0/8', not 'unix' and not '*'{}", hint(.has_host_bits))]
pub struct BadNetwork {
    entry: String,
    /// Its address lies inside the network that it seems to mean.
    has_host_bits: bool,
}

fn hint(has_host_bits: &bool) -> &'static str {
    if *has_host_bits { ": it has bits behind its prefix" } else { "" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl TrustedNetworks {
    /// Reads what a server is configured with: addresses, networks in CIDR notation, `unix` for
    /// whoever comes over a Unix socket, and `*` for everybody.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetwork> {
        let mut trusted = Self::default();
        for entry in entries {
            match entry {
                "*" => trusted.all = true,
                "unix" => trusted.unix = true,
                _ => trusted.networks.push(Network::parse(entry)?),
            }
        }
        Ok(trusted)
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        !self.all && !self.unix && self.networks.is_empty()
    }

    /// Whether an address is one of them. An IPv4 address inside an IPv6 one is itself.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.all || self.networks.iter().any(|network| network.holds(address))
    }

    /// Whether those are trusted who come over a Unix socket.
    pub fn trusts_unix(&self) -> bool {
        self.all || self.unix
    }
}

impl Network {
    fn parse(entry: &str) -> Result<Self, BadNetwork> {
        let bad = |has_host_bits| BadNetwork { entry: entry.to_owned(), has_host_bits };
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad(false))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            // `u32` would take "+8" too.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(|| bad(false))?
            }
            Some(_) => return Err(bad(false)),
        };
        // ::ffff:0:0/96 and what lies in it is how IPv6 writes IPv4 (RFC 4291 section 2.5.5.2).
        let network = match (address, address.to_canonical()) {
            (IpAddr::V6(_), v4 @ IpAddr::V4(_)) if prefix >= 96 => Self { address: v4, prefix: prefix - 96 },
            _ => Self { address, prefix },
        };
        let (bits, length) = bits(network.address);
        if network.prefix < length && bits << network.prefix << (128 - length) != 0 {
            return Err(bad(true));
        }
        Ok(network)
    }

    fn holds(&self, address: IpAddr) -> bool {
        let ((own, length), (other, other_length)) = (bits(self.address), bits(address));
        length == other_length && (self.prefix == 0 || (own ^ other) >> (length - self.prefix) == 0)
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(entries: &[&'static str]) -> TrustedNetworks {
        TrustedNetworks::parse(entries.iter().copied()).expect("networks")
    }

    fn trusts(entries: &[&'static str], address: &str) -> bool {
        trusted(entries).trusts(address.parse().expect("an address"))
    }

    #[test]
    fn an_address_trusts_itself_alone() {
        assert!(trusts(&["10.1.2.3"], "10.1.2.3") && trusts(&["::1"], "::1"));
        assert!(!trusts(&["10.1.2.3"], "10.1.2.4") && !trusts(&["::1"], "::2"));
        assert!(!trusts(&["0.0.0.1"], "::1"), "the families are apart");
    }

    #[test]
    fn a_network_trusts_what_lies_in_it() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::", "1.2.3.4"),
            ("10.0.0.1/32", "10.0.0.1", "10.0.0.0"),
        ] {
            assert!(trusts(&[network], inside), "{network} {inside}");
            assert!(!trusts(&[network], outside), "{network} {outside}");
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_ipv4() {
        assert!(trusts(&["127.0.0.1"], "::ffff:127.0.0.1"));
        assert!(trusts(&["::ffff:10.0.0.0/104"], "10.1.1.1"));
        assert!(!trusts(&["::/0"], "::ffff:127.0.0.1"), "as on a socket that takes both");
    }

    #[test]
    fn words_stand_for_unix_sockets_and_for_all() {
        assert!(trusted(&["unix"]).trusts_unix() && !trusts(&["unix"], "127.0.0.1"));
        assert!(trusted(&["*"]).trusts_unix() && trusts(&["*"], "::9"));
        assert!(!trusted(&["10.0.0.0/8"]).trusts_unix());
        assert!(trusted(&[]).is_empty() && !trusted(&["unix"]).is_empty() && !trusted(&["*"]).is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_an_error() {
        for entry in
            ["", "localhost", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "10.0.0", "1.2.3.4:80"]
        {
            let error = TrustedNetworks::parse([entry]).expect_err(entry).to_string();
            assert!(error.starts_with(&format!("{entry:?} is no address")), "{error}");
        }
        let error = TrustedNetworks::parse(["10.0.0.1/8"]).expect_err("host bits").to_string();
        assert!(error.ends_with("bits behind its prefix"), "{error}");
    }
}
