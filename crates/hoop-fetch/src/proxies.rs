//! Which proxy the environment names for a URL: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.
//!
//! There is no standard; these are the rules that curl, Go and Python have in common. Names in lower case
//! count before those in upper case. `HTTP_PROXY` does not count where a web server runs the program as a
//! CGI, for there a client sets it with its header Proxy (CVE-2016-5385).

use core::net::IpAddr;

use url::{Host, Url};

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    all: Option<String>,
    without: Vec<Exception>,
}

/// For whom there is no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// `*`
    Everybody,
    /// A domain and all below it, at a port or at all.
    Domain(String, Option<u16>),
    /// An address at a port, or at all.
    Address(IpAddr, Option<u16>),
    /// A network: its address and the length of its prefix.
    Network(IpAddr, u8),
}

impl Proxies {
    /// Reads the environment, which tells the value of a variable.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let either = |lower: &str, upper: &str| is_set(lower).or_else(|| is_set(upper));
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let without = either("no_proxy", "NO_PROXY").unwrap_or_default();
        Self {
            http: if is_cgi { is_set("http_proxy") } else { either("http_proxy", "HTTP_PROXY") },
            https: either("https_proxy", "HTTPS_PROXY"),
            all: either("all_proxy", "ALL_PROXY"),
            without: without.split([',', ' ', '\t']).filter_map(exception).collect(),
        }
    }

    /// All proxies that it names.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        [&self.http, &self.https, &self.all].into_iter().flatten().map(String::as_str)
    }

    /// The proxy for a URL, as it is written; `None`: straight there.
    pub fn for_url(&self, url: &Url) -> Option<&str> {
        let of_scheme = match url.scheme() {
            "http" | "ws" => &self.http,
            "https" | "wss" => &self.https,
            _ => return None,
        };
        let proxy = of_scheme.as_ref().or(self.all.as_ref())?;
        if self.without.iter().any(|exception| exception.holds(url)) { None } else { Some(proxy) }
    }
}

impl Exception {
    fn holds(&self, url: &Url) -> bool {
        let at = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match self {
            Self::Everybody => true,
            Self::Domain(domain, port) => {
                let host = url.host_str().unwrap_or_default().trim_end_matches('.');
                let above = host.strip_suffix(domain.as_str());
                address.is_none()
                    && at(port)
                    && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Self::Address(own, port) => address == Some(*own) && at(port),
            Self::Network(network, prefix) => {
                address.is_some_and(|address| is_in(address, *network, *prefix))
            }
        }
    }
}

/// One entry of `no_proxy`; `None` for one that means nothing.
fn exception(entry: &str) -> Option<Exception> {
    let entry = entry.trim();
    if entry == "*" {
        return Some(Exception::Everybody);
    }
    if let Some((address, prefix)) = entry.split_once('/') {
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        return (prefix <= longest).then_some(Exception::Network(address, prefix));
    }
    if let Ok(address) = entry.trim_matches(['[', ']']).parse() {
        return Some(Exception::Address(address, None));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (entry, None),
    };
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Some(Exception::Address(address, port));
    }
    let host = host.strip_prefix("*.").unwrap_or(host).trim_matches('.').to_ascii_lowercase();
    // A name is written in its ASCII form in URLs, and so it is here.
    let host = Host::parse(&host).ok()?.to_string();
    Some(Exception::Domain(host, port))
}

fn is_in(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    (one ^ other).checked_shr(width - u32::from(prefix)).unwrap_or(0) == 0
}
