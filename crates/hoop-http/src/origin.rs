//! Who a request comes from, and how: what a trusted proxy says of it, or nothing.
//!
//! A proxy adds itself at the right of a list; what stands further left was there when the request came
//! to it. So the list is read from the right, for as long as those who wrote it are trusted: the first
//! address that is not trusted is the client, and what stands left of it is the client's own invention
//! and not looked at. If what is looked at is malformed, nothing of it counts (docs/adr/0026).

use core::net::IpAddr;

use crate::forwarded::parse_line;
use crate::host::is_host;
use crate::node::{Node, parse_node, parse_port};
use crate::trusted_networks::TrustedNetworks;

/// The longest path that a proxy may mount an application at.
const LONGEST_PREFIX: usize = 256;

/// Which headers the proxies write. The others are the client's own, and are never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyWriting {
    /// `X-Forwarded-For` and its like.
    XForwarded,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// What is taken over of what they write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProxyParts {
    /// Who the client is.
    pub client: bool,
    /// Whether it uses TLS.
    pub proto: bool,
    /// Which host it asks for.
    pub host: bool,
    /// At which port, where the host does not say (`X-Forwarded-Port`).
    pub port: bool,
    /// Under which path the proxy has mounted the application (`X-Forwarded-Prefix`).
    pub prefix: bool,
}

/// A header that proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyField {
    /// `Forwarded`
    Forwarded,
    /// `X-Forwarded-For`
    For,
    /// `X-Forwarded-Proto`
    Proto,
    /// `X-Forwarded-Host`
    Host,
    /// `X-Forwarded-Port`
    Port,
    /// `X-Forwarded-Prefix`
    Prefix,
}

/// Whose word counts, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRules {
    /// The proxies.
    pub trusted: TrustedNetworks,
    /// Where they write.
    pub writing: ProxyWriting,
    /// What is taken over.
    pub parts: ProxyParts,
}

/// Who sent a request, as far as its proxies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Client {
    /// Whoever holds the connection.
    #[default]
    Peer,
    /// Somebody whom the proxy does not name.
    Unknown,
    /// This address, and its port if that was told.
    Address(IpAddr, Option<u16>),
}

/// Whether the client uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http` or `ws`.
    Plain,
    /// `https` or `wss`.
    Secure,
}

/// What trusted proxies say of a request; what they do not say is as the connection has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Who sent it.
    pub client: Client,
    /// Over what.
    pub scheme: Option<Scheme>,
    /// The Host that it was sent with, well formed.
    pub host: Option<String>,
    /// The port that it was sent to.
    pub port: Option<u16>,
    /// The path that was taken off in front of its own: begins with a slash, and does not end with one.
    pub prefix: Option<String>,
}

impl ProxyRules {
    /// What a request's headers say, which came from a trusted peer; `lines` has the lines of a header
    /// in their order. `None` if they say nothing, or anything that is malformed.
    pub fn origin<'a>(&self, lines: impl Fn(ProxyField) -> Vec<&'a [u8]>) -> Option<Origin> {
        match self.writing {
            ProxyWriting::Forwarded => self.by_forwarded(&lines(ProxyField::Forwarded)),
            ProxyWriting::XForwarded => self.by_x_forwarded(&lines),
        }
    }

    fn by_forwarded(&self, lines: &[&[u8]]) -> Option<Origin> {
        let mut walk = Walk::new(&self.trusted);
        let mut origin = Origin::default();
        let mut found = false;
        'lines: for line in lines.iter().rev() {
            for element in parse_line(line)?.into_iter().rev() {
                found = true;
                // What an element says besides is of the one whom it names.
                origin.scheme = Self::read(self.parts.proto, element.proto.as_deref(), scheme)?;
                origin.host = Self::read(self.parts.host, element.host.as_deref(), host)?;
                // Who does not say whom it had the request from is the last that is known.
                let Some(client) = element.client else { break 'lines };
                if !walk.step(parse_node(&client, false)?) {
                    break 'lines;
                }
            }
        }
        if self.parts.client {
            origin.client = walk.client;
        }
        found.then_some(origin)
    }

    fn by_x_forwarded<'a>(&self, lines: &impl Fn(ProxyField) -> Vec<&'a [u8]>) -> Option<Origin> {
        let mut walk = Walk::new(&self.trusted);
        for text in from_the_right(&lines(ProxyField::For)) {
            if !walk.step(parse_node(text, true)?) {
                break;
            }
        }
        let told = |wanted: bool, field| if wanted { walk.told(&lines(field)) } else { None };
        let origin = Origin {
            client: if self.parts.client { walk.client } else { Client::Peer },
            scheme: Self::read(self.parts.proto, told(self.parts.proto, ProxyField::Proto), scheme)?,
            host: Self::read(self.parts.host, told(self.parts.host, ProxyField::Host), host)?,
            port: Self::read(self.parts.port, told(self.parts.port, ProxyField::Port), parse_port)?,
            prefix: match lines(ProxyField::Prefix).as_slice() {
                [only] if self.parts.prefix => Some(prefix(only)?),
                [_, _, ..] if self.parts.prefix => return None,
                _ => None,
            },
        };
        (origin != Origin::default()).then_some(origin)
    }

    /// `None` for what is malformed, `Some(None)` for what was not said or is not wanted.
    fn read<T>(wanted: bool, text: Option<&[u8]>, parse: impl Fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
        match text.filter(|_| wanted) {
            Some(text) => parse(text).map(Some),
            None => Some(None),
        }
    }
}

/// The way from the server back to the client, one proxy after the other.
struct Walk<'a> {
    trusted: &'a TrustedNetworks,
    client: Client,
    /// How many have been looked at.
    steps: usize,
}

impl<'a> Walk<'a> {
    fn new(trusted: &'a TrustedNetworks) -> Self {
        Self { trusted, client: Client::Peer, steps: 0 }
    }

    /// Goes on to the next; whether that one's own word counts too.
    fn step(&mut self, node: Node) -> bool {
        self.steps += 1;
        self.client = match node {
            Node::Address(address, port) => Client::Address(address.to_canonical(), port),
            Node::Hidden => Client::Unknown,
        };
        matches!(node, Node::Address(address, _) if self.trusted.trusts(address))
    }

    /// What a list says of the one where the way has ended, or of the one nearest to it.
    fn told<'b>(&self, lines: &[&'b [u8]]) -> Option<&'b [u8]> {
        from_the_right(lines).take(self.steps.max(1)).last()
    }
}

/// The elements of a list, the last first; empty ones are none.
fn from_the_right<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    if is(b"https") || is(b"wss") {
        Some(Scheme::Secure)
    } else if is(b"http") || is(b"ws") {
        Some(Scheme::Plain)
    } else {
        None
    }
}

fn host(text: &[u8]) -> Option<String> {
    let text = Some(text).filter(|text| is_host(text) && !text.is_empty() && !text.starts_with(b":"))?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// A path that can stand in front of any other: no `//`, which would begin another host's URL, and no
/// dots, which would lead elsewhere.
fn prefix(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Some(String::new());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+=:@".contains(&byte);
    let segments = text.strip_prefix('/')?.split('/');
    let proper = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(fits);
    let is_path = text.len() <= LONGEST_PREFIX && segments.into_iter().all(proper);
    is_path.then(|| text.to_owned())
}
