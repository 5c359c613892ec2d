//! Where connections come from: a TCP port or a Unix socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::error::ListenError;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A Unix socket: its path, or nothing for the unnamed end of a client.
    Unix(Option<PathBuf>),
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

/// A new connection and both its ends.
#[derive(Debug)]
pub enum Connected {
    /// Over TCP, with Nagle's algorithm off.
    Tcp {
        /// The connection.
        stream: TcpStream,
        /// The peer's address.
        peer: SocketAddr,
        /// This end's address.
        local: SocketAddr,
    },
    /// Over a Unix socket.
    Unix {
        /// The connection.
        stream: UnixStream,
    },
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, whose file is removed when the listener goes.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Its file.
        path: PathBuf,
        /// Device and inode of the file that this listener made.
        identity: (u64, u64),
    },
}

impl Listener {
    /// Listens on a TCP port; port 0 lets the system choose. Needs a tokio runtime context.
    pub fn tcp(host: &str, port: u16, backlog: i32) -> Result<Self, ListenError> {
        let unknown = |source| ListenError::UnknownHost { host: host.to_owned(), source };
        let mut last = None;
        for address in (host, port).to_socket_addrs().map_err(unknown)? {
            match listen(address, backlog) {
                Ok(listener) => return Ok(Self::Tcp(listener)),
                Err(error) => last = Some(ListenError::new(address.to_string(), error)),
            }
        }
        Err(last.unwrap_or_else(|| unknown(io::ErrorKind::NotFound.into())))
    }

    /// Listens on a Unix socket. A socket file that nobody listens on any more is replaced; any
    /// other file is left alone and reported. Needs a tokio runtime context.
    pub fn unix(path: &Path, backlog: i32) -> Result<Self, ListenError> {
        let failed = |error| ListenError::new(path.display().to_string(), error);
        if is_abandoned_socket(path) {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = listen_unix(path, backlog).map_err(failed)?;
        let made = std::fs::metadata(path).map_err(failed)?;
        Ok(Self::Unix { listener, path: path.to_owned(), identity: (made.dev(), made.ino()) })
    }

    /// The address that is listened on.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Ip(listener.local_addr()?),
            Self::Unix { path, .. } => Address::Unix(Some(path.clone())),
        })
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Connected> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A peer that has gone already is found out by the first read.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr()?;
                Ok(Connected::Tcp { stream, peer, local })
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok(Connected::Unix { stream })
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { path, identity, .. } = self
            && std::fs::metadata(&*path).is_ok_and(|found| (found.dev(), found.ino()) == *identity)
        {
            // Only the file that this listener made: a successor may have replaced it.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

fn listen_unix(path: &Path, backlog: i32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog)?;
    UnixListener::from_std(socket.into())
}

fn is_abandoned_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
    }

    #[test]
    fn a_taken_port_is_named() {
        in_runtime(async {
            let first = Listener::tcp("127.0.0.1", 0, 16).expect("any port");
            let Address::Ip(address) = first.address().expect("address") else { panic!("not TCP") };
            let error = Listener::tcp("127.0.0.1", address.port(), 16).expect_err("taken");
            assert!(matches!(&error, ListenError::InUse { .. }), "{error}");
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        });
    }

    #[test]
    fn an_abandoned_socket_file_is_replaced_and_a_live_one_is_not() {
        in_runtime(async {
            let folder = std::env::temp_dir().join(format!("hoop-net-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("folder");
            let path = folder.join("socket");
            drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
            let first = Listener::unix(&path, 16).expect("the abandoned file is replaced");
            assert!(matches!(Listener::unix(&path, 16), Err(ListenError::InUse { .. })));
            drop(first);
            assert!(!path.exists(), "the file goes with its listener");
            std::fs::write(&path, "precious").expect("write");
            assert!(matches!(Listener::unix(&path, 16), Err(ListenError::InUse { .. })));
            assert_eq!(std::fs::read_to_string(&path).expect("kept"), "precious");
            std::fs::remove_dir_all(&folder).expect("clean up");
        });
    }
}
