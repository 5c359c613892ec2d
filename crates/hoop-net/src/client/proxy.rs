//! Proxies: which one a connection goes through, and how it is asked for a connection to somebody else.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hoop_fetch::{ProxyAddress, ProxyScheme, Socks5, TunnelAnswer, basic, connect_request};
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::failure::{Failure, Fault, Phase};

/// A proxy, as connections are made through it.
pub struct Proxy {
    address: ProxyAddress,
    /// Its name or address.
    pub host: Arc<str>,
    /// Fields for the proxy alone; among them who we are.
    fields: HeaderMap,
}

/// As it may be shown: without a login.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}

impl Proxy {
    /// A proxy that is sent these fields. `None` if its login cannot be told in a header.
    pub fn new(address: ProxyAddress, mut fields: HeaderMap) -> Option<Self> {
        if let Some((name, password)) = &address.login
            && address.scheme != ProxyScheme::Socks5
        {
            let mut value = HeaderValue::from_str(&basic(name, password)?).ok()?;
            value.set_sensitive(true);
            fields.insert(PROXY_AUTHORIZATION, value);
        }
        Some(Self { host: address.host.as_str().into(), address, fields })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// Whether it is reached by TLS.
    pub fn is_secure(&self) -> bool {
        self.address.scheme == ProxyScheme::Https
    }

    /// Whether requests without TLS are sent to it whole, and not through a tunnel.
    pub fn forwards(&self) -> bool {
        self.address.scheme != ProxyScheme::Socks5
    }

    /// Its fault, and not the server's.
    pub(super) fn blamed(&self, failure: Failure) -> Failure {
        let fault = match failure.fault {
            Fault::Timeout | Fault::Deadline => failure.fault,
            _ => Fault::Proxy,
        };
        Failure::new(failure.phase, fault, format!("the proxy {}: {}", self.address, failure.detail))
    }

    fn refuses(&self, detail: impl fmt::Display) -> Failure {
        self.blamed(Failure::new(Phase::Proxy, Fault::Proxy, detail.to_string()))
    }

    /// Asks for a connection to a host and port: what is sent after that goes there.
    pub(super) async fn open<S>(&self, stream: &mut S, host: &str, port: u16) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.address.scheme {
            ProxyScheme::Socks5 => self.open_by_socks(stream, host, port).await,
            ProxyScheme::Http | ProxyScheme::Https => self.open_by_connect(stream, host, port).await,
        }
    }

    async fn open_by_connect<S>(&self, stream: &mut S, host: &str, port: u16) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = |error: std::io::Error| self.blamed(Failure::io(Phase::Proxy, &error));
        let fields: Vec<(&str, &[u8])> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        stream.write_all(&connect_request(host, port, &fields)).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut received = Vec::with_capacity(1024);
        loop {
            if stream.read_buf(&mut received).await.map_err(broken)? == 0 {
                return Err(self.refuses("it has closed the connection before its answer"));
            }
            let Some(answer) = TunnelAnswer::read(&received).map_err(|fault| self.refuses(fault))? else {
                continue;
            };
            return match answer.status {
                200..=299 => Ok(()),
                407 => Err(self.refuses(format!(
                    "it has answered 407 {}: it wants a name and a password, or others than it was given",
                    answer.reason
                ))),
                status => Err(self
                    .refuses(format!("it has answered {status} {} to CONNECT {host}:{port}", answer.reason))),
            };
        }
    }

    async fn open_by_socks<S>(&self, stream: &mut S, host: &str, port: u16) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = |error: std::io::Error| self.blamed(Failure::io(Phase::Proxy, &error));
        let login = self.address.login.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
        let (mut socks, greeting) = Socks5::begin(host, port, login).map_err(|fault| self.refuses(fault))?;
        stream.write_all(&greeting).await.map_err(broken)?;
        let mut received = Vec::new();
        while socks.needs() > 0 {
            received.resize(socks.needs(), 0);
            stream.read_exact(&mut received).await.map_err(broken)?;
            let answer = socks.take(&received).map_err(|fault| self.refuses(fault))?;
            stream.write_all(answer).await.map_err(broken)?;
        }
        Ok(())
    }
}

/// A proxy on the way to somewhere. One that stands in two places is two, and so are its connections.
#[derive(Clone, Debug)]
pub struct Via {
    /// Which.
    pub proxy: Arc<Proxy>,
    /// Whether it is sent the requests themselves, and not asked for a tunnel.
    pub forwards: bool,
}

impl Via {
    /// What the proxy itself is told in a request.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&http::HeaderName, &HeaderValue)> {
        self.proxy.fields.iter().filter(|_| self.forwards)
    }
}

impl PartialEq for Via {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.proxy, &other.proxy) && self.forwards == other.forwards
    }
}

impl Eq for Via {}

impl Hash for Via {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.proxy).hash(state);
        self.forwards.hash(state);
    }
}
