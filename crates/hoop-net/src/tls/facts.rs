//! What an established connection knows of its TLS: the names of the ASGI TLS extension.

use std::rc::Rc;

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::name::Name;

/// Of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The server's own certificate, as PEM.
    pub server_certificate: Rc<str>,
    /// The client's certificates, its own first, each as PEM; none if it sent none.
    pub client_certificates: Vec<String>,
    /// The subject of the client's own certificate, as RFC 4514 writes it.
    pub client_name: Option<String>,
    /// As on the wire: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
    pub version: u16,
    /// As IANA numbers it.
    pub cipher_suite: u16,
    /// Whether HTTP/2 was agreed on (ALPN).
    pub http2: bool,
}

impl TlsFacts {
    /// What a finished handshake has shown.
    pub fn new(connection: &ServerConnection, server_certificate: Rc<str>) -> Self {
        let chain = connection.peer_certificates().unwrap_or_default();
        Self {
            server_certificate,
            client_certificates: chain.iter().map(|certificate| pem(certificate)).collect(),
            client_name: chain.first().and_then(|certificate| subject(certificate)),
            version: connection.protocol_version().map_or(0, u16::from),
            cipher_suite: connection.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite())),
            http2: connection.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// A certificate as PEM (RFC 7468); empty for one that is too large for its format.
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    encode_string("CERTIFICATE", LineEnding::LF, certificate).unwrap_or_default()
}

/// The subject of a certificate; `None` for one that rustls accepted and this cannot read.
fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    // RFC 5280 section 4.1: the subject is the sixth field of what is signed, after the version
    // (which may be left out), serial number, algorithm, issuer and validity.
    let mut outer = SliceReader::new(certificate).ok()?;
    let name = outer.sequence(|certificate| {
        certificate
            .sequence(|signed| {
                if signed.peek_tag()?.is_context_specific() {
                    signed.tlv_bytes()?;
                }
                for _ in 0..4 {
                    signed.tlv_bytes()?;
                }
                let name = Name::decode(signed)?;
                // The rest is of no interest, but a reader wants to be read to the end.
                signed.read_slice(signed.remaining_len())?;
                Ok(name)
            })
            .and_then(|name| {
                certificate.read_slice(certificate.remaining_len())?;
                Ok(name)
            })
    });
    name.ok().map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_subject() {
        for broken in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x03\x30\x01\x00", &[0x30; 64]] {
            assert_eq!(subject(&CertificateDer::from(broken.to_vec())), None);
        }
    }
}
