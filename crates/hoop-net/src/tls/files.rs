//! Certificates and keys from PEM files, with errors that name the file and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// TLS files that cannot be used: which, and why.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not there, or not readable.
    #[error("cannot read the TLS file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its PEM is broken.
    #[error("{path} is not well-formed PEM: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It has no certificate.
    #[error("{path} has no certificate; give a PEM file with a '-----BEGIN CERTIFICATE-----' section")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// It has no private key.
    #[error("{path} has no private key; name the PEM file that has it with ssl_keyfile (--ssl-keyfile)")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Its key needs a password.
    #[error("the private key in {path} is encrypted; decrypt it first: openssl pkey -in {path} -out key.pem")]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind, or so weak, that rustls does not use it.
    #[error("the private key in {path} cannot be used: {reason}")]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// Key and certificate are not a pair.
    #[error("the private key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate is one that rustls cannot use.
    #[error("the certificate in {path} cannot be used: {reason}")]
    UnusableCertificate {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The system has no certificates that could be trusted.
    #[error("this system has no root certificates: install them (ca-certificates), or name a file of them")]
    NoSystemRoots,
}

/// All certificates of a file, in its order; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(path, &error))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

/// The first private key of a file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    // PKCS #8 says so in its label, the older form in a header.
    let is_encrypted = [b"BEGIN ENCRYPTED PRIVATE KEY".as_slice(), b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| text.windows(mark.len()).any(|window| window == *mark));
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted => Err(TlsError::EncryptedKey { path: path.to_owned() }),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path: path.to_owned() }),
        Err(error) => Err(malformed(path, &error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn malformed(path: &Path, error: &pem::Error) -> TlsError {
    TlsError::Malformed { path: path.to_owned(), reason: error.to_string() }
}
