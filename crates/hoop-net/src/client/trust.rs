//! Whom the client trusts, and who it says it is: the TLS configuration of its connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::tls::{TlsError, certificates, private_key};

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default)]
pub enum Authorities {
    /// The system's.
    #[default]
    System,
    /// Those in a file.
    File(PathBuf),
    /// These.
    These(Vec<CertificateDer<'static>>),
    /// Anybody's.
    Anybody,
}

/// What a client's TLS is made of.
#[derive(Debug, Clone, Default)]
pub struct TrustOptions {
    /// Whom it trusts.
    pub authorities: Authorities,
    /// The client's own certificate, and its key, which may be in the same file.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether a certificate need not be for the host.
    pub takes_any_name: bool,
    /// Whether TLS 1.2 is left out.
    pub without_tls12: bool,
    /// Whether TLS 1.3 is left out.
    pub without_tls13: bool,
}

/// TLS configurations: for servers, and for proxies, which are spoken to in HTTP/1.1.
#[derive(Debug)]
pub struct Trust {
    config: Arc<ClientConfig>,
    /// The same, and nothing but HTTP/1.1 is offered: to proxies, and for connections that become something else.
    http1: Arc<ClientConfig>,
}

impl Trust {
    /// Reads the files; the system's roots are read once in a process.
    pub fn new(options: &TrustOptions, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut versions = Vec::new();
        if !options.without_tls12 {
            versions.push(&TLS12);
        }
        if !options.without_tls13 {
            versions.push(&TLS13);
        }
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| unusable(Path::new(""), &error))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier(options, provider)?);
        let mut config = match &options.identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(certificates(chain)?, private_key(key)?)
                .map_err(|error| TlsError::UnusableKey { path: key.clone(), reason: error.to_string() })?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Self { config: Arc::new(config), http1 })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    pub(super) fn http1_config(&self) -> Arc<ClientConfig> {
        self.http1.clone()
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::UnusableCertificate { path: path.to_owned(), reason: error.to_string() }
}

/// What looks at certificates.
fn verifier(
    options: &TrustOptions,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let mut store = RootCertStore::empty();
    let (roots, path) = match &options.authorities {
        Authorities::Anybody => return Ok(Arc::new(Lenient { chain: None, provider })),
        Authorities::System => (system_roots()?, Path::new("")),
        Authorities::File(path) => {
            for certificate in certificates(path)? {
                store.add(certificate).map_err(|error| unusable(path, &error))?;
            }
            (Arc::new(store), path.as_path())
        }
        Authorities::These(given) => {
            // OpenSSL takes some that rustls does not; a store may have them and never need them.
            store.add_parsable_certificates(given.iter().cloned());
            (Arc::new(store), Path::new(""))
        }
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| unusable(path, &error))?;
    if options.takes_any_name {
        return Ok(Arc::new(Lenient { chain: Some(verifier), provider }));
    }
    Ok(verifier)
}

/// The certificates that the system trusts, SSL_CERT_FILE and SSL_CERT_DIR included.
fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots.clone());
    }
    let mut store = RootCertStore::empty();
    // One that cannot be read or used is one less; without any there is no TLS.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(ROOTS.get_or_init(|| Arc::new(store)).clone())
}

/// Asks less of a certificate than is usual. That who shows it has its key is proven in any case.
#[derive(Debug)]
struct Lenient {
    /// Who has to have signed it, whatever name it is for (`check_hostname = False`); without, it may be
    /// anybody's (`verify=False`).
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The chain is looked at first: who comes to the name has a certificate to be trusted.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
