//! The cookies of a client: which are kept, and which go with a request (RFC 6265 sections 5.3 and 5.4).
//!
//! A server may set cookies for its own host and for domains above it, but for none under which anybody
//! may register: the list of public suffixes says which these are. The jar is bounded, and when it is
//! full, what has not been sent for longest goes.

use std::collections::{HashMap, HashSet};

use url::{Host, Url};

use crate::set_cookie::{CookieFault, SetCookie};

/// How many cookies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JarLimits {
    /// For one domain.
    pub of_a_domain: usize,
    /// In all.
    pub in_all: usize,
}

impl Default for JarLimits {
    /// Browsers keep about as many.
    fn default() -> Self {
        Self { of_a_domain: 150, in_all: 3000 }
    }
}

/// A cookie that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The host, or the domain, that it is sent to. Empty for one of the program's own, which is for
    /// whomever the program asks.
    pub domain: String,
    /// Whether it is sent to that host alone, and to none below.
    pub is_host_only: bool,
    /// The path below which it is sent.
    pub path: Vec<u8>,
    /// When it ends, in seconds since 1970. `None`: with the client.
    pub expires: Option<u64>,
    /// Whether it is for TLS alone.
    pub is_secure: bool,
    /// Whether scripts must not see it.
    pub is_http_only: bool,
    /// Its place in the order in which cookies were made, and were used.
    made: u64,
    used: u64,
}

impl Cookie {
    /// How it is sent. One without a name is its value alone.
    fn pair(&self) -> Vec<u8> {
        if self.name.is_empty() { self.value.clone() } else { [&*self.name, &*self.value].join(&b'=') }
    }

    fn is_over(&self, now: u64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    fn goes_to(&self, host: &str, path: &[u8], is_secure: bool, now: u64) -> bool {
        (!self.is_host_only || self.domain == host)
            && (is_secure || !self.is_secure)
            && path_matches(path, &self.path)
            && !self.is_over(now)
    }
}

/// All cookies of a client.
#[derive(Debug, Default)]
pub struct CookieJar {
    limits: JarLimits,
    by_domain: HashMap<String, Vec<Cookie>>,
    ticks: u64,
}

impl CookieJar {
    /// An empty one.
    pub fn new(limits: JarLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A response from `url` has this Set-Cookie.
    pub fn store(&mut self, url: &Url, set_cookie: &[u8], now: u64) -> Result<(), CookieFault> {
        self.keep(url, SetCookie::parse(set_cookie, now)?, now)
    }

    /// The same for a cookie that has been read, or that the program makes.
    pub fn keep(&mut self, url: &Url, set: SetCookie, now: u64) -> Result<(), CookieFault> {
        let host = url.host().ok_or(CookieFault::NoHost)?;
        let (domain, is_host_only) = domain_of(&host, set.domain.as_deref())?;
        let came_secure = is_secure(url);
        let has_root_path = set.path.as_deref() == Some(b"/");
        if set.is_secure && !came_secure {
            return Err(CookieFault::Insecure);
        }
        if !keeps_its_prefix(&set, is_host_only, has_root_path) {
            return Err(CookieFault::Prefix);
        }
        let path = set.path.unwrap_or_else(|| default_path(url.path()));
        if !came_secure && self.has_secure(&set.name, &domain, &path, now) {
            return Err(CookieFault::Insecure);
        }
        self.ticks += 1;
        let mut cookie = Cookie {
            name: set.name,
            value: set.value,
            domain,
            is_host_only,
            path,
            expires: set.expires,
            is_secure: set.is_secure,
            is_http_only: set.is_http_only,
            made: self.ticks,
            used: self.ticks,
        };
        let own = self.by_domain.entry(cookie.domain.clone()).or_default();
        let is_same = |old: &Cookie| {
            old.name == cookie.name && old.path == cookie.path && old.is_host_only == cookie.is_host_only
        };
        if let Some(at) = own.iter().position(is_same) {
            cookie.made = own.swap_remove(at).made;
        }
        if cookie.is_over(now) {
            // This is how a server takes one back.
            self.by_domain.retain(|_, cookies| !cookies.is_empty());
            return Ok(());
        }
        own.push(cookie);
        self.shrink(now);
        Ok(())
    }

    /// Keeps a cookie that the program sets itself: for a host or a domain with all below it, or, where that
    /// is empty, for whomever it asks. It takes the place of one with the same name, domain and path.
    pub fn put(&mut self, name: &[u8], value: &[u8], domain: &str, path: &[u8]) {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        self.remove(|old| old.name == name && old.domain == domain && old.path == path);
        self.ticks += 1;
        let cookie = Cookie {
            name: name.to_vec(),
            value: value.to_vec(),
            domain: domain.clone(),
            is_host_only: false,
            path: path.to_vec(),
            expires: None,
            is_secure: false,
            is_http_only: false,
            made: self.ticks,
            used: self.ticks,
        };
        // The program bounds its own.
        self.by_domain.entry(domain).or_default().push(cookie);
    }

    /// Keeps cookies of another jar as they are: for whom, how long and how. They take the place of those with
    /// the same name, domain and path.
    pub fn merge(&mut self, cookies: Vec<Cookie>, now: u64) {
        let place = |cookie: &Cookie| (cookie.name.clone(), cookie.domain.clone(), cookie.path.clone());
        let places: HashSet<_> = cookies.iter().map(place).collect();
        self.remove(|old| places.contains(&place(old)));
        for mut cookie in cookies.into_iter().filter(|cookie| !cookie.is_over(now)) {
            self.ticks += 1;
            (cookie.made, cookie.used) = (self.ticks, self.ticks);
            self.by_domain.entry(cookie.domain.clone()).or_default().push(cookie);
        }
        self.shrink(now);
    }

    /// The Cookie of a request to `url`; `None` if there is none to send.
    pub fn header(&mut self, url: &Url, now: u64) -> Option<Vec<u8>> {
        let pairs: Vec<Vec<u8>> = self.for_url(url, true, now).into_iter().map(Cookie::pair).collect();
        (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
    }

    /// The cookies of a request to `url`, in the order in which they are sent; those that are for whomever the
    /// program asks only if it `is_asked` for by the program, and not by another server's redirect.
    pub fn for_url(&mut self, url: &Url, is_asked: bool, now: u64) -> Vec<&Cookie> {
        let Some(host) = url.host_str() else { return Vec::new() };
        let (path, is_secure) = (url.path().as_bytes(), is_secure(url));
        let mut domains = domains_above(host, matches!(url.host(), Some(Host::Domain(_))));
        if is_asked {
            domains.push("");
        }
        let goes = |cookie: &Cookie| cookie.goes_to(host, path, is_secure, now);
        self.ticks += 1;
        for domain in &domains {
            let own = self.by_domain.get_mut(*domain).into_iter().flatten();
            own.filter(|cookie| goes(cookie)).for_each(|cookie| cookie.used = self.ticks);
        }
        let known = domains.iter().filter_map(|domain| self.by_domain.get(*domain)).flatten();
        let mut found: Vec<&Cookie> = known.filter(|cookie| goes(cookie)).collect();
        let servers: Vec<&[u8]> =
            found.iter().filter(|it| !it.domain.is_empty()).map(|it| it.name.as_slice()).collect();
        // What the program began with, a server may have said anew.
        found.retain(|it| !it.domain.is_empty() || !servers.contains(&it.name.as_slice()));
        found.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.made));
        found
    }

    /// All cookies, in the order in which they were made.
    pub fn cookies(&self) -> Vec<&Cookie> {
        let mut all: Vec<&Cookie> = self.by_domain.values().flatten().collect();
        all.sort_by_key(|cookie| cookie.made);
        all
    }

    /// Drops all cookies that this says yes to.
    pub fn remove(&mut self, mut which: impl FnMut(&Cookie) -> bool) {
        for cookies in self.by_domain.values_mut() {
            cookies.retain(|cookie| !which(cookie));
        }
        self.by_domain.retain(|_, cookies| !cookies.is_empty());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_domain.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_domain.values().all(Vec::is_empty)
    }

    /// Whether a Secure cookie is there that one of that name, domain and path would hide or replace (the
    /// revision, section 5.7, step 11).
    fn has_secure(&self, name: &[u8], domain: &str, path: &[u8], now: u64) -> bool {
        self.by_domain.values().flatten().any(|cookie| {
            cookie.is_secure
                && cookie.name == name
                && (is_within(domain, &cookie.domain) || is_within(&cookie.domain, domain))
                && path_matches(path, &cookie.path)
                && !cookie.is_over(now)
        })
    }

    /// Makes room: first what is over, then what has not been used for longest. No server drives out what the
    /// program has set for all.
    fn shrink(&mut self, now: u64) {
        let of_servers = |jar: &HashMap<String, Vec<Cookie>>| -> usize {
            jar.iter().filter(|(domain, _)| !domain.is_empty()).map(|(_, cookies)| cookies.len()).sum()
        };
        let most = self.limits.of_a_domain;
        let is_crowded =
            |(domain, cookies): (&String, &Vec<Cookie>)| !domain.is_empty() && cookies.len() > most;
        if of_servers(&self.by_domain) <= self.limits.in_all && !self.by_domain.iter().any(is_crowded) {
            return;
        }
        self.remove(|cookie| cookie.is_over(now));
        for (_, cookies) in self.by_domain.iter_mut().filter(|(domain, _)| !domain.is_empty()) {
            // The revision, section 5.7: those that are not Secure go before those that are.
            cookies.sort_by_key(|cookie| (!cookie.is_secure, std::cmp::Reverse(cookie.used)));
            cookies.truncate(most);
        }
        let surplus = of_servers(&self.by_domain).saturating_sub(self.limits.in_all);
        if let Some(last) = surplus.checked_sub(1) {
            let kept = self.by_domain.values().flatten().filter(|cookie| !cookie.domain.is_empty());
            let mut uses: Vec<u64> = kept.map(|cookie| cookie.used).collect();
            let (_, newest, _) = uses.select_nth_unstable(last);
            let newest = *newest;
            let mut left = surplus;
            self.remove(|cookie| {
                let goes = !cookie.domain.is_empty() && cookie.used <= newest && left > 0;
                left -= usize::from(goes);
                goes
            });
        }
    }
}

fn is_secure(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "wss")
}

/// The domain of a cookie, and whether it is for the host alone.
fn domain_of(host: &Host<&str>, attribute: Option<&str>) -> Result<(String, bool), CookieFault> {
    let own = host.to_string();
    let Some(attribute) = attribute else { return Ok((own, true)) };
    if attribute == own {
        // An address, or a public suffix that names itself, is a host and no domain.
        let is_domain = matches!(host, Host::Domain(_)) && !is_public_suffix(&own);
        return Ok((own, !is_domain));
    }
    let Ok(Host::Domain(domain)) = Host::parse(attribute) else { return Err(CookieFault::ForeignDomain) };
    if !matches!(host, Host::Domain(_)) || !is_within(&own, &domain) {
        return Err(CookieFault::ForeignDomain);
    }
    if is_public_suffix(&domain) {
        return Err(CookieFault::PublicSuffix);
    }
    Ok((domain, false))
}

/// Whether anybody may register below it; so may they below a top-level domain that nobody knows.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes())
}

/// Whether a host is that domain or below it.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// A host and the domains that it is below; an address is below none.
fn domains_above(host: &str, is_name: bool) -> Vec<&str> {
    let above = host.match_indices('.').filter_map(|(at, _)| host.get(at + 1..));
    std::iter::once(host).chain(above.filter(|_| is_name)).collect()
}

/// RFC 6265 section 5.1.4: the path of a cookie whose Set-Cookie names none.
fn default_path(path: &str) -> Vec<u8> {
    match path.rfind('/') {
        Some(at) if at > 0 && path.starts_with('/') => path.as_bytes().get(..at).unwrap_or(b"/").to_vec(),
        _ => b"/".to_vec(),
    }
}

/// RFC 6265 section 5.1.4: whether a cookie's path is that of a request, or above it.
fn path_matches(path: &[u8], of_cookie: &[u8]) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|below| below.is_empty() || of_cookie.ends_with(b"/") || below.starts_with(b"/"))
}

/// The revision, section 4.1.3. A cookie without a name must not look like one that has such a prefix.
fn keeps_its_prefix(set: &SetCookie, is_host_only: bool, has_root_path: bool) -> bool {
    let shown = if set.name.is_empty() { &set.value } else { &set.name };
    let begins =
        |prefix: &[u8]| shown.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if begins(b"__Host-") {
        return !set.name.is_empty()
            && set.is_secure
            && is_host_only
            && has_root_path
            && set.domain.is_none();
    }
    if begins(b"__Secure-") { !set.name.is_empty() && set.is_secure } else { true }
}
