//! Where one end of a connection is.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use socket2::SockAddr;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A Unix socket: its path, or nothing for the unnamed end of a client. An abstract name, which is
    /// no path, is written with `@` where its zero byte is, as other programs do.
    Unix(Option<PathBuf>),
}

impl Address {
    /// What a socket says of itself.
    pub(crate) fn of(address: &SockAddr) -> Self {
        if let Some(ip) = address.as_socket() {
            return Self::Ip(ip);
        }
        let abstract_name = || {
            let name = [b"@", address.as_abstract_namespace()?].concat();
            Some(PathBuf::from(OsStr::from_bytes(&name)))
        };
        Self::Unix(address.as_pathname().map(PathBuf::from).or_else(abstract_name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(formatter, "{address}"),
            Self::Unix(Some(path)) => write!(formatter, "unix:{}", path.display()),
            Self::Unix(None) => formatter.write_str("unix:"),
        }
    }
}
