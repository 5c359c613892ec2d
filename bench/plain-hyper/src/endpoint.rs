//! Where an echo listens and its load connects: TCP, TLS over TCP, UDP, or a Unix socket.

use std::{
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

use crate::{datagrams::Datagrams, http::Version};

/// An address on this machine, and how it is spoken to.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    Tcp {
        port: u16,
    },
    Tls {
        port: u16,
        /// Has `chain.pem`, a self-signed certificate for localhost, and its `key.pem`.
        folder: PathBuf,
    },
    Udp {
        port: u16,
    },
    Unix {
        path: PathBuf,
    },
}

/// Bytes both ways, whatever carries them.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// A connection of any endpoint. The indirect call is nothing beside the system call behind it.
pub type Connection = Box<dyn Duplex>;

/// Connects to an endpoint, as often as it is asked.
pub enum Connector {
    Tcp(u16),
    Tls(u16, TlsConnector),
    Udp(u16),
    Unix(PathBuf),
}

impl Connector {
    /// Reads what the endpoint needs.
    pub fn new(endpoint: &Endpoint, version: Version) -> io::Result<Self> {
        Ok(match endpoint {
            Endpoint::Tcp { port } => Self::Tcp(*port),
            Endpoint::Tls { port, folder } => Self::Tls(*port, client_tls(folder, version)?),
            Endpoint::Udp { port } => Self::Udp(*port),
            Endpoint::Unix { path } => Self::Unix(path.clone()),
        })
    }

    /// Connects, and shakes hands where the endpoint wants that.
    pub async fn connect(&self) -> io::Result<Connection> {
        Ok(match self {
            Self::Tcp(port) => Box::new(connect_tcp(*port).await?),
            Self::Tls(port, tls) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                Box::new(tls.connect(name, connect_tcp(*port).await?).await?)
            }
            Self::Udp(port) => Box::new(Datagrams::connect(*port).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

/// Listens at an endpoint.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    Unix(UnixListener),
}

impl Listener {
    /// Begins to listen.
    pub async fn bind(endpoint: &Endpoint, version: Version) -> io::Result<Self> {
        Ok(match endpoint {
            Endpoint::Tcp { port } => Self::Tcp(listen(*port).await?),
            Endpoint::Tls { port, folder } => Self::Tls(listen(*port).await?, server_tls(folder, version)?),
            Endpoint::Udp { .. } => return Err(io::Error::other("nobody connects over UDP")),
            Endpoint::Unix { path } => Self::Unix(UnixListener::bind(path)?),
        })
    }

    /// The next connection; its handshake is still to be done, in a task of its own.
    pub async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => Accepted::Ready(Box::new(accept_tcp(listener).await?)),
            Self::Tls(listener, tls) => Accepted::Shaking(Box::new(tls.accept(accept_tcp(listener).await?))),
            Self::Unix(listener) => Accepted::Ready(Box::new(listener.accept().await?.0)),
        })
    }
}

/// A connection that was accepted.
pub enum Accepted {
    Ready(Connection),
    Shaking(Box<tokio_rustls::Accept<TcpStream>>),
}

impl Accepted {
    /// The connection, once bytes can be sent on it.
    pub async fn ready(self) -> io::Result<Connection> {
        match self {
            Self::Ready(connection) => Ok(connection),
            Self::Shaking(handshake) => Ok(Box::new(handshake.await?)),
        }
    }
}

/// Listens on loopback.
async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|fault| cannot_listen(port, &fault))
}

/// Says where it was that nobody can listen.
pub fn cannot_listen(port: u16, fault: &io::Error) -> io::Error {
    io::Error::new(fault.kind(), format!("cannot listen on 127.0.0.1:{port}: {fault}"))
}

async fn accept_tcp(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn client_tls(folder: &Path, version: Version) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(folder)? {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn(version);
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_tls(folder: &Path, version: Version) -> io::Result<TlsAcceptor> {
    let path = folder.join("key.pem");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|fault| unreadable(&path, fault))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain(folder)?, key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = alpn(version);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What is agreed on in the handshake: HTTP/2 has to be, and all else goes without saying.
fn alpn(version: Version) -> Vec<Vec<u8>> {
    match version {
        Version::Http1 => Vec::new(),
        Version::Http2 => vec![b"h2".to_vec()],
    }
}

fn chain(folder: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let path = folder.join("chain.pem");
    CertificateDer::pem_file_iter(&path).and_then(Iterator::collect).map_err(|fault| unreadable(&path, fault))
}

fn unreadable(path: &Path, fault: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {fault}", path.display()))
}
