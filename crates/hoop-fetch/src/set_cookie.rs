//! A Set-Cookie, read as RFC 6265 section 5.2 says, with the stricter points of its revision
//! (draft-ietf-httpbis-rfc6265bis): no control characters, bounded sizes, at most 400 days.

use crate::cookie_date::cookie_date;

/// Octets of name and value, and of an attribute's value: the revision, section 5.6.
const LONGEST_PAIR: usize = 4096;
const LONGEST_ATTRIBUTE: usize = 1024;
/// The revision, section 5.5: 400 days.
const LONGEST_LIFE: u64 = 400 * 86_400;

/// Why a cookie is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieFault {
    /// It holds a control character.
    #[error("it holds a control character")]
    Control,
    /// It has neither a name nor a value.
    #[error("it is empty")]
    Empty,
    /// Its name and value are too long.
    #[error("its name and value are longer than 4096 bytes")]
    TooLong,
    /// It is for a domain that the server does not belong to.
    #[error("its Domain is not one of the server's")]
    ForeignDomain,
    /// It is for a domain under which anybody may register.
    #[error("its Domain is a public suffix")]
    PublicSuffix,
    /// It is Secure, or would replace one that is, and came without TLS.
    #[error("it is, or would replace, a Secure cookie, and came without TLS")]
    Insecure,
    /// Its name has a prefix whose promise it does not keep.
    #[error("its name begins with __Secure- or __Host- and it is not what that promises")]
    Prefix,
    /// Its URL has no host.
    #[error("its URL has no host")]
    NoHost,
}

/// What a Set-Cookie says, before anybody has asked whether its sender may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetCookie {
    /// Its name; empty if there is no `=`.
    pub name: Vec<u8>,
    /// Its value, with its quotes if it has any.
    pub value: Vec<u8>,
    /// Its Domain without the leading dot, in lower case; `None` if there is none or an empty one.
    pub domain: Option<String>,
    /// Its Path, if there is one that begins with a slash.
    pub path: Option<Vec<u8>>,
    /// When it expires, in seconds since 1970. `None`: with the client.
    pub expires: Option<u64>,
    /// Whether it is for TLS alone.
    pub is_secure: bool,
    /// Whether scripts must not see it; a client has none, and passes it on.
    pub is_http_only: bool,
}

impl SetCookie {
    /// Reads the value of a Set-Cookie that came now.
    pub fn parse(value: &[u8], now: u64) -> Result<Self, CookieFault> {
        if value.iter().any(|byte| (byte.is_ascii_control() && *byte != b'\t') || *byte == 0x7f) {
            return Err(CookieFault::Control);
        }
        let mut parts = value.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let (name, text) = match split_once(pair, b'=') {
            Some((name, text)) => (name.trim_ascii(), text.trim_ascii()),
            None => (&b""[..], pair.trim_ascii()),
        };
        if name.is_empty() && text.is_empty() {
            return Err(CookieFault::Empty);
        }
        if name.len() + text.len() > LONGEST_PAIR {
            return Err(CookieFault::TooLong);
        }
        let mut cookie = Self { name: name.to_vec(), value: text.to_vec(), ..Self::default() };
        let mut max_age = None;
        for part in parts {
            let (attribute, text) = split_once(part, b'=').unwrap_or((part, b""));
            let text = text.trim_ascii();
            if text.len() <= LONGEST_ATTRIBUTE {
                cookie.take(&attribute.trim_ascii().to_ascii_lowercase(), text, now, &mut max_age);
            }
        }
        // Max-Age counts, wherever it stands.
        cookie.expires = max_age.or(cookie.expires).map(|time| time.min(now.saturating_add(LONGEST_LIFE)));
        Ok(cookie)
    }

    /// Takes one attribute; of several of a kind the last counts.
    fn take(&mut self, attribute: &[u8], text: &[u8], now: u64, max_age: &mut Option<u64>) {
        match attribute {
            b"expires" => self.expires = cookie_date(text).or(self.expires),
            b"max-age" => *max_age = expiry_of(text, now).or(*max_age),
            b"domain" => {
                let text = text.strip_prefix(b".").unwrap_or(text);
                let text = String::from_utf8_lossy(text).to_ascii_lowercase();
                self.domain = (!text.is_empty()).then_some(text);
            }
            b"path" => self.path = text.starts_with(b"/").then(|| text.to_vec()),
            b"secure" => self.is_secure = true,
            b"httponly" => self.is_http_only = true,
            // SameSite is about pages that load others; a client has none.
            _ => {}
        }
    }
}

/// The time at which a Max-Age ends; `None` if it is malformed, which is as if it were not there.
fn expiry_of(text: &[u8], now: u64) -> Option<u64> {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(LONGEST_LIFE);
    Some(if is_negative || seconds == 0 { 0 } else { now.saturating_add(seconds) })
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}
