//! TLS by rustls: who the server is, whom it lets in, and what a handshake has shown.
//!
//! - `files`: certificates and keys from PEM files, with errors that name the file.
//! - `identity`: the configuration that new connections get, and its renewal.
//! - `facts`: what an established connection knows of its TLS.

mod facts;
mod files;
mod identity;

pub use facts::TlsFacts;
pub use files::TlsError;
pub(crate) use files::{certificates, private_key};
pub use identity::{ClientCertificates, Renewal, TlsFiles, TlsIdentity};
