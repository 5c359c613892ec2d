//! The configuration that new connections get, and its renewal when the files change.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::facts::pem;
use super::files::{TlsError, certificates, private_key};

/// How often the files are looked at, if connections come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether clients have to show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    None,
    /// They may; one that does not hold ends the handshake.
    Optional,
    /// They must.
    Required,
}

/// Where the server's identity lies.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate and those that vouch for it, as PEM.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Those who vouch for clients.
    pub authorities: Option<PathBuf>,
    /// Whether clients have to show a certificate.
    pub clients: ClientCertificates,
    /// Whether HTTP/2 is offered (ALPN).
    pub http2: bool,
}

/// What came of looking at the files.
#[derive(Debug)]
pub enum Renewal {
    /// They are as they were.
    Unchanged,
    /// New connections get what they say now.
    Renewed,
    /// They cannot be used; new connections get what there was before.
    Kept(TlsError),
}

/// When and as what a file was written.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

struct Current {
    config: Arc<ServerConfig>,
    certificate: Rc<str>,
}

/// Who the server is.
pub struct TlsIdentity {
    files: TlsFiles,
    current: RefCell<Current>,
    seen: Cell<[Stamp; 3]>,
    looked: Cell<Instant>,
}

impl TlsIdentity {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: what is written meanwhile is seen the next time.
        let seen = stamps(&files);
        let current = read(&files)?;
        Ok(Self {
            files,
            current: RefCell::new(current),
            seen: Cell::new(seen),
            looked: Cell::new(Instant::now()),
        })
    }

    /// Reads the files again if they have changed, and does not look more than once a second.
    pub fn renew_if_changed(&self) -> Renewal {
        let now = Instant::now();
        if now.duration_since(self.looked.get()) < LOOK_EVERY {
            return Renewal::Unchanged;
        }
        self.looked.set(now);
        if stamps(&self.files) == self.seen.get() { Renewal::Unchanged } else { self.renew() }
    }

    /// Reads the files again. Connections that are open keep what they have.
    pub fn renew(&self) -> Renewal {
        // Whatever comes of it: files that cannot be used are told of once, until they change again.
        self.seen.set(stamps(&self.files));
        match read(&self.files) {
            Ok(current) => {
                self.current.replace(current);
                Renewal::Renewed
            }
            Err(error) => Renewal::Kept(error),
        }
    }

    /// What the next connection gets: the configuration, and the certificate that is in it.
    pub(crate) fn current(&self) -> (Arc<ServerConfig>, Rc<str>) {
        let current = self.current.borrow();
        (current.config.clone(), current.certificate.clone())
    }
}

fn stamps(files: &TlsFiles) -> [Stamp; 3] {
    let stamp = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
    };
    [stamp(&files.certificate), stamp(&files.key), files.authorities.as_deref().and_then(stamp)]
}

fn read(files: &TlsFiles) -> Result<Current, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let certificate = chain.first().map_or_else(String::new, pem);
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() }
        }
        rustls::Error::InvalidCertificate(_) => {
            TlsError::UnusableCertificate { path: files.certificate.clone(), reason: error.to_string() }
        }
        other => TlsError::UnusableKey { path: files.key.clone(), reason: other.to_string() },
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match &files.authorities {
        Some(path) if files.clients != ClientCertificates::None => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider);
            let verifier = match files.clients {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let wrong = |error: VerifierBuilderError| TlsError::UnusableCertificate {
                path: path.clone(),
                reason: error.to_string(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(wrong)?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
    let protocols: &[&[u8]] = if files.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Current { config: Arc::new(config), certificate: certificate.into() })
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        let certificate: CertificateDer<'static> = certificate;
        store.add(certificate).map_err(|error| TlsError::UnusableCertificate {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(store)
}
