//! New connections: names resolved, addresses tried side by side, proxies asked, TLS on top.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::destination::Origin;
use super::failure::{Failure, Fault, Phase};
use super::names::Names;
use super::patience::Patience;
use super::proxy::Proxy;
use super::stream::ClientStream;
use super::trust::Trust;
use crate::transport::Socket;

/// When the next address is tried beside one that has not answered (RFC 8305 section 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Makes connections.
pub struct Dialer {
    pub names: Names,
    pub trust: Rc<Trust>,
    /// Where all connections go, whatever the URL says.
    pub unix_socket: Option<PathBuf>,
}

/// A connection, and what its TLS agreed to.
pub struct Dialed {
    pub stream: ClientStream,
    pub speaks_http2: bool,
    pub descriptor: RawFd,
}

impl Dialer {
    /// Connects to an origin.
    pub async fn dial(&self, origin: &Origin, patience: &mut Patience) -> Result<Dialed, Failure> {
        let forwards = origin.via.as_ref().is_some_and(|via| via.forwards);
        self.dial_with(self.trust.config(), forwards, origin, patience).await
    }

    /// Connects to an origin, to speak HTTP/1.1 and then something else: through proxies all the way.
    pub async fn dial_http1(&self, origin: &Origin, patience: &mut Patience) -> Result<Dialed, Failure> {
        self.dial_with(self.trust.http1_config(), false, origin, patience).await
    }

    async fn dial_with(
        &self,
        trust: Arc<ClientConfig>,
        forwards: bool,
        origin: &Origin,
        patience: &mut Patience,
    ) -> Result<Dialed, Failure> {
        if let Some(via) = &origin.via {
            return self.dial_through(&via.proxy, trust, forwards, origin, patience).await;
        }
        let (socket, descriptor) = self.reach(&origin.host, origin.port, patience).await?;
        if !origin.secure {
            return Ok(Dialed { stream: ClientStream::bare(socket), speaks_http2: false, descriptor });
        }
        let stream = handshake(trust, origin.certified_name(), socket, patience).await?;
        let speaks_http2 = agreed_on_http2(&stream);
        Ok(Dialed { stream: ClientStream::tls(stream), speaks_http2, descriptor })
    }

    /// Connects to a proxy, and has it connect to the origin unless it forwards requests.
    async fn dial_through(
        &self,
        proxy: &Proxy,
        trust: Arc<ClientConfig>,
        forwards: bool,
        origin: &Origin,
        patience: &mut Patience,
    ) -> Result<Dialed, Failure> {
        let blamed = |failure| proxy.blamed(failure);
        let (mut socket, descriptor) =
            self.reach(&proxy.host, proxy.port(), patience).await.map_err(blamed)?;
        let done = |stream, speaks_http2| Dialed { stream, speaks_http2, descriptor };
        let Origin { secure, host, port, .. } = origin;
        if !proxy.is_secure() {
            if forwards {
                return Ok(done(ClientStream::bare(socket), false));
            }
            patience.within(Phase::Proxy, proxy.open(&mut socket, host, *port)).await.map_err(blamed)??;
            if !secure {
                return Ok(done(ClientStream::bare(socket), false));
            }
            let stream = handshake(trust, origin.certified_name(), socket, patience).await?;
            let speaks_http2 = agreed_on_http2(&stream);
            return Ok(done(ClientStream::tls(stream), speaks_http2));
        }
        let config = self.trust.http1_config();
        let mut outer = handshake(config, &proxy.host, socket, patience).await.map_err(blamed)?;
        if forwards {
            return Ok(done(ClientStream::tls(outer), false));
        }
        patience.within(Phase::Proxy, proxy.open(&mut outer, host, *port)).await.map_err(blamed)??;
        if !secure {
            return Ok(done(ClientStream::tls(outer), false));
        }
        let stream = handshake(trust, origin.certified_name(), outer, patience).await?;
        let speaks_http2 = agreed_on_http2(&stream);
        Ok(done(ClientStream::nested(stream), speaks_http2))
    }

    /// A socket that is connected, and its descriptor.
    async fn reach(
        &self,
        host: &Arc<str>,
        port: u16,
        patience: &mut Patience,
    ) -> Result<(Socket, RawFd), Failure> {
        let socket = patience
            .within(Phase::Connect, self.connect(host, port))
            .await?
            .map_err(|error| Failure::io(Phase::Connect, &error))?;
        let descriptor = match &socket {
            Socket::Tcp(stream) => stream.as_raw_fd(),
            Socket::Unix(stream) => stream.as_raw_fd(),
        };
        Ok((socket, descriptor))
    }

    async fn connect(&self, host: &Arc<str>, port: u16) -> io::Result<Socket> {
        if let Some(path) = &self.unix_socket {
            return Ok(Socket::Unix(UnixStream::connect(path).await?));
        }
        let addresses = self.names.resolve(host, port).await?;
        let connected = match &*addresses {
            [only] => TcpStream::connect(*only).await,
            several => race(several).await,
        };
        let stream = connected.inspect_err(|_| self.names.forget(host, port))?;
        // Requests are written whole: nothing is won by waiting for more.
        stream.set_nodelay(true)?;
        Ok(Socket::Tcp(stream))
    }
}

/// Agrees on TLS with whoever has a certificate for that host.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    host: &Arc<str>,
    stream: S,
    patience: &mut Patience,
) -> Result<TlsStream<S>, Failure> {
    let name = ServerName::try_from(host.to_string()).map_err(|_| {
        Failure::new(Phase::Tls, Fault::Local, format!("'{host}' is no name for a certificate"))
    })?;
    let connecting = TlsConnector::from(config).connect(name, stream);
    patience.within(Phase::Tls, connecting).await?.map_err(|error| Failure::io(Phase::Tls, &error))
}

fn agreed_on_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// Tries addresses one after the other, the next a moment later or when one has failed; the first
/// connection wins. The error is that of the first address.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut left = addresses.iter().copied();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut first_error = None;
    let mut pause = Box::pin(sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let mut failed = false;
            let mut index = 0;
            while let Some(attempt) = attempts.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    std::task::Poll::Pending => index += 1,
                    std::task::Poll::Ready(Ok(stream)) => return std::task::Poll::Ready(Ok(stream)),
                    std::task::Poll::Ready(Err(error)) => {
                        drop(attempts.remove(index));
                        first_error.get_or_insert(error);
                        failed = true;
                    }
                }
            }
            let is_next_due = failed || attempts.is_empty() || pause.as_mut().poll(cx).is_ready();
            if !is_next_due {
                return std::task::Poll::Pending;
            }
            match left.next() {
                Some(address) => {
                    attempts.push(Box::pin(TcpStream::connect(address)));
                    pause = Box::pin(sleep(NEXT_ADDRESS_AFTER));
                }
                None if attempts.is_empty() => {
                    let none = || io::Error::new(io::ErrorKind::NotFound, "no address");
                    return std::task::Poll::Ready(Err(first_error.take().unwrap_or_else(none)));
                }
                None => return std::task::Poll::Pending,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_costs_no_waiting_and_one_that_is_silent_little() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let good = listener.local_addr().expect("bound");
        // A socket that is bound and does not listen refuses.
        let refusing = tokio::net::TcpSocket::new_v4().expect("a socket");
        refusing.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let bad = refusing.local_addr().expect("bound");
        let stream = race(&[bad, good]).await.expect("the second");
        assert_eq!(stream.peer_addr().expect("connected"), good);
        let error = race(&[bad, bad]).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
