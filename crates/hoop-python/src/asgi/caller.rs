//! Who sent a request: the peer, or whom a trusted proxy names in its place (docs/adr/0026).

use hoop_http::{
    Client, Origin, ProxyField, ProxyParts, ProxyRules, ProxyWriting, Scheme, TrustedNetworks, host_with_port,
};
use hoop_net::Address;
use http::header::{FORWARDED, HOST, HeaderName};
use http::request::Parts;
use pyo3::prelude::*;

use super::request_id::RequestIds;
use super::scope::Ends;
use crate::errors::server_error;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What of a `hoopsnake.ServerConfig` concerns where requests come from.
#[derive(FromPyObject)]
pub struct CallerSettings {
    forwarded_allow_ips: Vec<String>,
    forwarded_header: String,
    forwarded_parts: Vec<String>,
    request_id_header: Option<String>,
}

/// How a server finds out who its clients are, and what it calls their requests.
pub struct CallerRules {
    proxies: Option<ProxyRules>,
    ids: Option<RequestIds>,
}

/// Who sent a request.
pub struct Caller {
    /// As scopes have it: host and port, or None.
    pub client: Py<PyAny>,
    /// Whether its own connection is over TLS.
    pub is_secure: bool,
    /// What a trusted proxy has changed of its request.
    pub changed: Option<Box<Changed>>,
}

/// What was different in a request when it came to the proxy.
pub struct Changed {
    /// The Host that the client asked for, if that was told.
    pub host: Option<String>,
    /// The path that the proxy has taken off.
    pub prefix: String,
}

impl CallerRules {
    pub fn new(py: Python<'_>, settings: &CallerSettings) -> PyResult<Self> {
        let trusted = TrustedNetworks::parse(settings.forwarded_allow_ips.iter().map(String::as_str))
            .map_err(|error| server_error(py, &error.to_string()))?;
        let wants = |part: &str| settings.forwarded_parts.iter().any(|each| each == part);
        let proxies = ProxyRules {
            trusted,
            writing: match settings.forwarded_header.as_str() {
                "forwarded" => ProxyWriting::Forwarded,
                _ => ProxyWriting::XForwarded,
            },
            parts: ProxyParts {
                client: wants("for"),
                proto: wants("proto"),
                host: wants("host"),
                port: wants("port"),
                prefix: wants("prefix"),
            },
        };
        Ok(Self {
            proxies: Some(proxies).filter(|proxies| !proxies.trusted.is_empty()),
            ids: settings.request_id_header.as_deref().map(|name| RequestIds::new(py, name)).transpose()?,
        })
    }

    /// Whether a peer's word about its clients counts.
    pub fn trusts(&self, peer: &Address) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| match peer {
            Address::Ip(address) => proxies.trusted.trusts(address.ip()),
            Address::Unix(_) => proxies.trusted.trusts_unix(),
        })
    }

    /// What requests are called, if they are called anything.
    pub fn ids(&self) -> Option<&RequestIds> {
        self.ids.as_ref()
    }

    /// Who sent a request.
    pub fn caller(&self, py: Python<'_>, parts: &Parts, ends: &Ends) -> Caller {
        let origin = if ends.is_trusted { self.origin(parts) } else { None };
        let Some(origin) = origin else {
            return Caller { client: ends.client.clone_ref(py), is_secure: ends.is_secure(), changed: None };
        };
        let is_secure = origin.scheme.map_or(ends.is_secure(), |scheme| scheme == Scheme::Secure);
        let client = match origin.client {
            Client::Peer => ends.client.clone_ref(py),
            Client::Unknown => py.None(),
            // ASGI wants a number; 0 is what other servers say where none is known.
            Client::Address(address, port) => (address.to_string(), port.unwrap_or(0))
                .into_pyobject(py)
                .map_or_else(|_| py.None(), |pair| pair.into_any().unbind()),
        };
        let host = host_of(&origin, parts, is_secure);
        let changed = Changed { host, prefix: origin.prefix.unwrap_or_default() };
        Caller { client, is_secure, changed: Some(Box::new(changed)) }
    }

    fn origin(&self, parts: &Parts) -> Option<Origin> {
        self.proxies.as_ref()?.origin(|field| {
            let name = match field {
                ProxyField::Forwarded => FORWARDED,
                ProxyField::For => X_FORWARDED_FOR,
                ProxyField::Proto => X_FORWARDED_PROTO,
                ProxyField::Host => X_FORWARDED_HOST,
                ProxyField::Port => X_FORWARDED_PORT,
                ProxyField::Prefix => X_FORWARDED_PREFIX,
            };
            parts.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect()
        })
    }
}

/// The Host as the client sent it, and at the port that it sent it to.
fn host_of(origin: &Origin, parts: &Parts, is_secure: bool) -> Option<String> {
    let Some(port) = origin.port else { return origin.host.clone() };
    let host =
        origin.host.as_deref().or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()))?;
    Some(host_with_port(host, port, is_secure))
}

/// What is wrong with an entry of `forwarded_allow_ips`, if anything.
#[pyfunction]
#[pyo3(name = "_network_problem")]
pub fn network_problem(entry: &str) -> Option<String> {
    TrustedNetworks::parse([entry]).err().map(|error| error.to_string())
}
