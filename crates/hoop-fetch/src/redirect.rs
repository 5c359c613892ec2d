//! Where a redirect leads, and what becomes of the request on its way there: RFC 9110 section 15.4.

use url::Url;

/// Fields that are for the first origin alone.
const SECRETS: [&str; 4] = ["authorization", "cookie", "cookie2", "proxy-authorization"];
/// Fields that describe a body, which is no longer there.
const OF_THE_BODY: [&str; 8] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-type",
    "digest",
    "expect",
    "transfer-encoding",
];

/// The next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it goes.
    pub url: Url,
    /// Whether its method is GET now, and its body gone.
    pub becomes_get: bool,
    /// Whether it goes to another origin.
    pub leaves_origin: bool,
    /// Whether it leaves TLS.
    pub loses_tls: bool,
}

impl Step {
    /// Whether a field of the request, its name in lower case, stays behind. Cookie is always to be made anew.
    pub fn drops(&self, name: &str) -> bool {
        let is_of_origin = self.leaves_origin && (SECRETS.contains(&name) || name == "host");
        let describes = self.becomes_get && OF_THE_BODY.contains(&name);
        is_of_origin || describes || name == "cookie"
    }
}

/// A redirect that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectFault {
    /// Its Location is no URL.
    #[error("its Location is no URL: {0}")]
    BadLocation(String),
    /// Its URL is not one of HTTP.
    #[error("it leads to a URL of the scheme '{0}', and not to one of http or https")]
    OtherScheme(String),
}

/// Where an answer leads that came for `method` from `from`. `None` if it does not: its status is not one
/// of a redirect, or it has no Location. 300 and 304 are for the program.
pub fn redirect(
    status: u16,
    method: &str,
    from: &Url,
    location: Option<&[u8]>,
) -> Option<Result<Step, RedirectFault>> {
    let becomes_get = match status {
        // A POST became a GET in what browsers did, and RFC 9110 sections 15.4.2 and 15.4.3 allow it.
        301 | 302 => method == "POST",
        303 => !matches!(method, "GET" | "HEAD"),
        307 | 308 => false,
        _ => return None,
    };
    let location = location?;
    Some(resolve(from, location).map(|url| Step {
        becomes_get,
        leaves_origin: !is_same_origin(from, &url),
        loses_tls: from.scheme() == "https" && url.scheme() != "https",
        url,
    }))
}

/// Whether two URLs have the same scheme, host and port.
pub fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn resolve(from: &Url, location: &[u8]) -> Result<Url, RedirectFault> {
    // Some servers send UTF-8, some Latin-1; the URL parser escapes either.
    let text = match std::str::from_utf8(location) {
        Ok(text) => text.to_owned(),
        Err(_) => location.iter().copied().map(char::from).collect(),
    };
    let mut url = from
        .join(text.trim_matches([' ', '\t']))
        .map_err(|error| RedirectFault::BadLocation(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectFault::OtherScheme(url.scheme().to_owned()));
    }
    if url.fragment().is_none() {
        // RFC 9110 section 10.2.2: the fragment of the first one is inherited.
        url.set_fragment(from.fragment());
    }
    Ok(url)
}
