//! Where connections come from: a listening socket, once the runtime watches it.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::address::Address;
use crate::listen_socket::{ListenSocket, SocketFile};

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

/// A listening socket that connections are accepted from.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    address: Address,
    /// Goes with the listener.
    _file: Option<SocketFile>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Watches a socket. Needs a tokio runtime context.
    pub fn new(socket: ListenSocket) -> io::Result<Self> {
        let (socket, address, file) = socket.into_parts();
        let kind = match address {
            Address::Ip(_) => Kind::Tcp(TcpListener::from_std(socket.into())?),
            Address::Unix(_) => Kind::Unix(UnixListener::from_std(socket.into())?),
        };
        Ok(Self { kind, address, _file: file })
    }

    /// The address that is listened on.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Connected> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A peer that has gone already is found out by the first read.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr()?;
                Ok(Connected::Tcp { stream, peer, local })
            }
            Kind::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Connected::Unix { stream })
            }
        }
    }
}
