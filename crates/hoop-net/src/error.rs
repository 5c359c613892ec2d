//! What can go wrong before a server listens.

use std::io;

/// A listener that could not be opened: which address, and whose fault.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("{address} is in use by another program; stop that one or choose another port or path")]
    InUse {
        /// What was to be listened on.
        address: String,
    },
    /// The operating system forbids it.
    #[error("not permitted to listen on {address} (ports below 1024 need privileges)")]
    NotPermitted {
        /// What was to be listened on.
        address: String,
    },
    /// The host name leads nowhere.
    #[error("cannot find an address for host {host:?}: {source}")]
    UnknownHost {
        /// The name as given.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A descriptor that was to be inherited is of no use.
    #[error("cannot listen on fd:{number}: descriptor {number} {reason}")]
    Descriptor {
        /// Its number.
        number: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// What was to be listened on.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ListenError {
    pub(crate) fn new(address: String, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            _ => Self::Other { address, source },
        }
    }
}
