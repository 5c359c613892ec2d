//! Where a request goes: an origin, and what is asked of it.

use std::fmt;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use url::{Host, Url};

use super::proxy::{Proxy, Via};

/// A scheme, host and port: connections to one serve all requests to it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether it is reached by TLS.
    pub secure: bool,
    /// A name, or an address without brackets.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
    /// The proxy on the way, if there is one.
    pub via: Option<Via>,
    /// The name that TLS is to be with, where that is another than the host.
    pub tls_name: Option<Arc<str>>,
}

impl Origin {
    /// Whether it is a proxy that is sent whole requests.
    pub fn forwards(&self) -> bool {
        self.via.as_ref().is_some_and(|via| via.forwards)
    }

    /// The name that its certificate has to be for.
    pub fn certified_name(&self) -> &Arc<str> {
        self.tls_name.as_ref().unwrap_or(&self.host)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.secure { "https" } else { "http" }, self.host, self.port)
    }
}

/// What is made of a URL once, for all requests to it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Whom to connect to.
    pub origin: Origin,
    /// The whole of it, as HTTP/2 sends it.
    pub absolute: Uri,
    /// What HTTP/1 sends: path and query, or all of it to a proxy that forwards.
    pub relative: Uri,
    /// The Host header.
    pub host: HeaderValue,
    /// The way and the path of what a proxy cannot forward, where it would forward requests.
    tunnel: Option<(Origin, Uri)>,
}

/// A URL that no request can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlFault(pub String);

impl Destination {
    /// Where this URL leads, through a proxy if there is one.
    pub fn of(url: &Url, proxy: Option<&Arc<Proxy>>) -> Result<Self, UrlFault> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(UrlFault(format!(
                    "the scheme '{other}' is none that a request can be sent by: use http:// or https://"
                )));
            }
        };
        let (host, shown) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), name.to_owned()),
            Some(Host::Ipv4(address)) => (address.to_string(), address.to_string()),
            Some(Host::Ipv6(address)) => (address.to_string(), format!("[{address}]")),
            None => return Err(UrlFault("it has no host".to_owned())),
        };
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        let authority = match url.port() {
            Some(port) => format!("{shown}:{port}"),
            None => shown,
        };
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        let unfit = |error: &dyn fmt::Display| UrlFault(format!("it cannot be sent: {error}"));
        let host_header = HeaderValue::from_str(&authority).map_err(|error| unfit(&error))?;
        let path = PathAndQuery::try_from(target).map_err(|error| unfit(&error))?;
        let authority = Authority::try_from(authority).map_err(|error| unfit(&error))?;
        let absolute = Uri::builder()
            .scheme(if secure { Scheme::HTTPS } else { Scheme::HTTP })
            .authority(authority)
            .path_and_query(path.clone())
            .build()
            .map_err(|error| unfit(&error))?;
        let direct = Origin { secure, host: host.into(), port, via: None, tls_name: None };
        let tunnel = |proxy: &Arc<Proxy>, direct: Origin| {
            let via = Via { proxy: proxy.clone(), forwards: false };
            Origin { via: Some(via), ..direct }
        };
        let (origin, relative, tunnel) = match proxy {
            None => (direct, Uri::from(path), None),
            // All that a proxy forwards may go over the same connections: they are its own.
            Some(proxy) if !secure && proxy.forwards() => (
                Origin {
                    secure: proxy.is_secure(),
                    host: proxy.host.clone(),
                    port: proxy.port(),
                    via: Some(Via { proxy: proxy.clone(), forwards: true }),
                    tls_name: None,
                },
                absolute.clone(),
                Some((tunnel(proxy, direct), Uri::from(path))),
            ),
            Some(proxy) => (tunnel(proxy, direct), Uri::from(path), None),
        };
        Ok(Self { origin, absolute, relative, host: host_header, tunnel })
    }

    /// The same, where TLS asks for this name and for a certificate of it (RFC 6066 section 3). Without TLS
    /// to the server there is nothing to ask for.
    pub fn with_tls_name(&self, name: &str) -> Self {
        let mut named = self.clone();
        if self.absolute.scheme() == Some(&Scheme::HTTPS) && *self.origin.host != *name {
            named.origin.tls_name = Some(name.into());
        }
        named
    }

    /// Whom to connect to, and what to ask for, where it is to be the server itself: for a WebSocket a proxy
    /// is asked for a tunnel (RFC 6455 section 4.1).
    pub fn end_to_end(&self) -> (&Origin, &Uri) {
        match &self.tunnel {
            Some((origin, path)) => (origin, path),
            None => (&self.origin, &self.relative),
        }
    }
}

#[cfg(test)]
mod tests {
    use hoop_fetch::ProxyAddress;

    use super::*;

    fn destination(url: &str) -> Result<Destination, UrlFault> {
        Destination::of(&Url::parse(url).expect("a URL"), None)
    }

    #[test]
    fn what_is_sent_has_no_fragment_and_no_credentials() {
        let it =
            destination("https://user:secret@Example.com:8443/a b?q=1#part").expect("it leads somewhere");
        assert_eq!(format!("{:?}", it.origin), "https://example.com:8443");
        assert_eq!(it.absolute, "https://example.com:8443/a%20b?q=1");
        assert_eq!(it.relative, "/a%20b?q=1");
        assert_eq!(it.host, "example.com:8443");
    }

    #[test]
    fn default_ports_are_not_told_and_ipv6_keeps_its_brackets_where_it_is_shown() {
        let it = destination("http://[::1]:80").expect("it leads somewhere");
        assert_eq!((&*it.origin.host, it.origin.port), ("::1", 80));
        assert_eq!((it.host.as_bytes(), it.relative.path()), (&b"[::1]"[..], "/"));
    }

    #[test]
    fn another_name_for_tls_makes_it_another_origin() {
        let it = destination("https://[::1]/").expect("it leads somewhere");
        let [one, other] = ["one.example", "other.example"].map(|name| it.with_tls_name(name).origin);
        assert!(one != it.origin && one != other);
        assert_eq!((&*one.host, &**one.certified_name()), ("::1", "one.example"));
        assert_eq!(&**it.origin.certified_name(), "::1");
        assert!(it.with_tls_name("::1").origin == it.origin, "it is the name that it has");
        let plain = destination("http://[::1]/").expect("it leads somewhere");
        assert!(plain.with_tls_name("one.example").origin == plain.origin, "it has no TLS");
        let address = ProxyAddress::parse("https://proxy.example").expect("a proxy");
        let proxy = Arc::new(Proxy::new(address, http::HeaderMap::new()).expect("a login that fits"));
        let url = Url::parse("http://one.example/").expect("a URL");
        let forwarded = Destination::of(&url, Some(&proxy)).expect("it leads somewhere");
        assert!(forwarded.with_tls_name("x.example").origin == forwarded.origin, "that is the proxy's TLS");
    }

    #[test]
    fn other_schemes_lead_nowhere() {
        assert!(destination("ftp://example.com/").is_err());
        assert!(destination("data:text/plain,hello").is_err());
    }
}
