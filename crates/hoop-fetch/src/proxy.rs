//! What the URL of a proxy says, and which URLs go through it.

use core::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyScheme {
    /// HTTP: requests in absolute form, and tunnels by CONNECT.
    Http,
    /// The same inside TLS.
    Https,
    /// SOCKS 5, which is told names and resolves them itself.
    Socks5,
}

impl ProxyScheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
        }
    }
}

/// Where a proxy is, and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Name and password.
    pub login: Option<(String, String)>,
}

/// As it may be shown: without the login.
impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name();
        if self.host.contains(':') {
            return write!(f, "{scheme}://[{}]:{}", self.host, self.port);
        }
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a proxy's URL is none. What it says is not shown: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It cannot be read.
    #[error("a proxy's URL cannot be read: {0}")]
    Malformed(String),
    /// It is no scheme of proxies.
    #[error("a proxy is reached by http://, https:// or socks5://, not by '{0}://'")]
    OtherScheme(String),
}

impl ProxyAddress {
    /// Reads a proxy's URL; without a scheme it is one of HTTP. `socks5h` is `socks5`, and so is
    /// `socks`, which desktops put into the environment.
    pub fn parse(text: &str) -> Result<Self, ProxyFault> {
        let text = text.trim();
        let malformed = |reason: &dyn fmt::Display| ProxyFault::Malformed(reason.to_string());
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        // Only the schemes of the web have a host that is read as one.
        let (name, rest) = whole.split_once("://").unwrap_or(("http", ""));
        let name = name.to_ascii_lowercase();
        let (scheme, port) = match name.as_str() {
            "http" => (ProxyScheme::Http, 80),
            "https" => (ProxyScheme::Https, 443),
            "socks5" | "socks5h" | "socks" => (ProxyScheme::Socks5, 1080),
            _ => return Err(ProxyFault::OtherScheme(name)),
        };
        // By the scheme of which no port is left out.
        let read = |scheme: &str| Url::parse(&format!("{scheme}://{rest}"));
        let url = read("http").map_err(|error| malformed(&error))?;
        let is_port_80 = read("https").is_ok_and(|url| url.port() == Some(80));
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(malformed(&"it has no host")),
        };
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let has_login = !url.username().is_empty() || url.password().is_some();
        let login = has_login.then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        let port = url.port().unwrap_or(if is_port_80 { 80 } else { port });
        Ok(Self { scheme, host, port, login })
    }
}

/// A pattern for URLs: `all://`, `https://`, `all://example.com`, `http://*.example.com:8080`. The order is
/// that in which patterns are asked: a port, then a longer host, then a scheme come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UrlPattern {
    has_any_port: bool,
    shorter_by: usize,
    has_any_scheme: bool,
    scheme: String,
    host: Option<HostPattern>,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum HostPattern {
    /// `example.com`
    Exactly(String),
    /// `*.example.com`: below it.
    Below(String),
    /// `*example.com`: it, and below it.
    Within(String),
}

/// Text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern for URLs: it is like 'all://', 'https://' or 'all://*.example.com'")]
pub struct PatternFault(String);

impl UrlPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        let fault = || PatternFault(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(fault)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "all" | "http" | "https") || rest.contains(['/', '?', '#', '@']) {
            return Err(fault());
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| fault())?)),
            _ => (rest, None),
        };
        let ascii = |name: &str| Host::parse(name).map(|host| host.to_string()).map_err(|_| fault());
        let host = match (host, host.strip_prefix("*.")) {
            ("" | "*", _) => None,
            (_, Some(above)) => Some(HostPattern::Below(ascii(above)?)),
            (_, None) => Some(match host.strip_prefix('*') {
                Some(above) => HostPattern::Within(ascii(above)?),
                None => HostPattern::Exactly(ascii(host)?),
            }),
        };
        let length = match &host {
            None => 0,
            Some(HostPattern::Exactly(name) | HostPattern::Below(name) | HostPattern::Within(name)) => {
                name.len() + 1
            }
        };
        Ok(Self {
            has_any_port: port.is_none(),
            shorter_by: usize::MAX - length,
            has_any_scheme: scheme == "all",
            scheme,
            host,
            port,
        })
    }

    /// Whether a URL is meant.
    pub fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_below =
            |name: &str| host.strip_suffix(name).is_some_and(|above| above.ends_with('.') && above.len() > 1);
        (self.has_any_scheme || self.scheme == url.scheme())
            && (self.port.is_none() || self.port == url.port_or_known_default())
            && match &self.host {
                None => true,
                Some(HostPattern::Exactly(name)) => host == name,
                Some(HostPattern::Below(name)) => is_below(name),
                Some(HostPattern::Within(name)) => host == name || is_below(name),
            }
    }
}
