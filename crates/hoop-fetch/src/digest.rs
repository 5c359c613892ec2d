//! Digest authentication, RFC 7616: MD5, SHA-256 and SHA-512/256, with and without `-sess`, and qop `auth`.
//!
//! One [`Digest`] is what a server's nonce allows: it counts the requests that it was used for.

use data_encoding::HEXLOWER;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use crate::challenge::Challenge;

/// How the answer is computed. The order is that of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Old servers know no other.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512T256,
}

/// A challenge that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestFault {
    /// A parameter is missing.
    #[error("the challenge has no {0}")]
    Missing(&'static str),
    /// It wants to be answered in a way that is not known.
    #[error("the challenge asks for the {0} '{1}', which is not supported")]
    Unknown(&'static str, String),
}

/// A challenge, and how often it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    algorithm: Algorithm,
    is_session: bool,
    has_quality: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server wrote it, to be sent back.
    algorithm_name: Option<String>,
    hashes_name: bool,
    is_utf8: bool,
    /// Whether the nonce before was too old, and not the password wrong.
    pub is_stale: bool,
    count: u32,
}

impl Digest {
    /// What a challenge asks for.
    pub fn new(challenge: &Challenge) -> Result<Self, DigestFault> {
        let text = |name| challenge.parameter(name).map(str::to_owned);
        let is_true =
            |name| challenge.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let algorithm_name = text("algorithm");
        let (algorithm, is_session) = algorithm_of(algorithm_name.as_deref().unwrap_or("MD5"))?;
        let has_quality = match challenge.parameter("qop") {
            None => false,
            Some(offered) if offered.split(',').any(|each| each.trim().eq_ignore_ascii_case("auth")) => true,
            Some(other) => return Err(DigestFault::Unknown("qop", other.to_owned())),
        };
        Ok(Self {
            algorithm,
            is_session,
            has_quality,
            realm: text("realm").ok_or(DigestFault::Missing("realm"))?,
            nonce: text("nonce").ok_or(DigestFault::Missing("nonce"))?,
            opaque: text("opaque"),
            algorithm_name,
            hashes_name: is_true("userhash"),
            is_utf8: challenge.parameter("charset").is_some_and(|name| name.eq_ignore_ascii_case("utf-8")),
            is_stale: is_true("stale"),
            count: 0,
        })
    }

    /// The strongest of several challenges that can be answered, whatever their order.
    pub fn strongest(challenges: &[Challenge]) -> Option<Self> {
        let digests = challenges.iter().filter(|challenge| challenge.scheme == "digest");
        let known = digests.filter_map(|challenge| Self::new(challenge).ok());
        // Of equals the first, as the server prefers it: the last of the maxima is what is taken.
        known.rev().max_by_key(|digest| digest.algorithm)
    }

    /// The Authorization of the next request. `target` is its path and query, `client_nonce` is random.
    pub fn authorization(
        &mut self,
        name: &str,
        password: &str,
        method: &str,
        target: &str,
        client_nonce: &str,
    ) -> String {
        self.count += 1;
        let count = format!("{:08x}", self.count);
        let (nonce, realm) = (&self.nonce, &self.realm);
        let mut secret = self.hash_of(&[name, realm, password]);
        if self.is_session {
            secret = self.hash(&format!("{secret}:{nonce}:{client_nonce}"));
        }
        let request = self.hash(&format!("{method}:{target}"));
        let response = if self.has_quality {
            self.hash(&format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{request}"))
        } else {
            // RFC 2069, which RFC 7616 section 3.4.1 no longer has: some cameras and printers do.
            self.hash(&format!("{secret}:{nonce}:{request}"))
        };
        let mut fields = vec![self.name_field(name)];
        let mut quoted = |field: &str, value: &str| fields.push(format!("{field}=\"{}\"", escaped(value)));
        quoted("realm", realm);
        quoted("nonce", nonce);
        quoted("uri", target);
        quoted("response", &response);
        if let Some(opaque) = &self.opaque {
            quoted("opaque", opaque);
        }
        if self.has_quality || self.is_session {
            quoted("cnonce", client_nonce);
        }
        if self.has_quality {
            fields.push("qop=auth".to_owned());
            fields.push(format!("nc={count}"));
        }
        fields.extend(self.algorithm_name.as_ref().map(|name| format!("algorithm={}", escaped(name))));
        if self.hashes_name {
            fields.push("userhash=true".to_owned());
        }
        format!("Digest {}", fields.join(", "))
    }

    fn name_field(&self, name: &str) -> String {
        if self.hashes_name {
            return format!("username=\"{}\"", self.hash_of(&[name, &self.realm]));
        }
        if self.is_utf8 && !name.is_ascii() {
            // RFC 8187 section 3.2: as bytes of UTF-8, percent-encoded.
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            return format!("username*=UTF-8''{encoded}");
        }
        format!("username=\"{}\"", escaped(name))
    }

    fn hash_of(&self, parts: &[&str]) -> String {
        self.hash(&parts.join(":"))
    }

    fn hash(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        match self.algorithm {
            Algorithm::Md5 => HEXLOWER.encode(&Md5::digest(bytes)),
            Algorithm::Sha256 => HEXLOWER.encode(&Sha256::digest(bytes)),
            Algorithm::Sha512T256 => HEXLOWER.encode(&Sha512_256::digest(bytes)),
        }
    }
}

fn algorithm_of(name: &str) -> Result<(Algorithm, bool), DigestFault> {
    let upper = name.to_ascii_uppercase();
    let (plain, is_session) = match upper.strip_suffix("-SESS") {
        Some(plain) => (plain, true),
        None => (upper.as_str(), false),
    };
    let algorithm = match plain {
        "MD5" => Algorithm::Md5,
        "SHA-256" => Algorithm::Sha256,
        "SHA-512-256" => Algorithm::Sha512T256,
        _ => return Err(DigestFault::Unknown("algorithm", name.to_owned())),
    };
    Ok((algorithm, is_session))
}

/// The inside of a quoted string. What no header may have is left out, so that no name or nonce makes
/// two headers of one.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars().filter(|character| !character.is_ascii_control()) {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
