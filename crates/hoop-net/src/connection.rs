//! The beginning of a connection: its TLS handshake, and which protocol it speaks.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_rustls::TlsAcceptor;

use crate::address::Address;
use crate::application::{Application, Executor};
use crate::http1::serve_http1;
use crate::http2::{Http2Options, serve_http2};
use crate::interim::InterimResponses;
use crate::limiter::Limiter;
use crate::limits::Limits;
use crate::shutdown::OpenConnection;
use crate::tls::{Renewal, TlsFacts, TlsIdentity};
use crate::transport::{Socket, Transport};

/// What a client of HTTP/2 sends first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// So much is read before it is known what it is.
const LOOK_AT: usize = 4096;
/// A TLS record that carries a handshake begins with these (RFC 8446 section 5.1).
const TLS_RECORD: &[u8] = &[0x16, 0x03];

/// What all connections of a server have in common.
pub struct Serving<A, E> {
    /// Who answers.
    pub application: Rc<A>,
    /// Where tasks run.
    pub executor: E,
    /// How it is done.
    pub settings: ServeSettings,
}

/// How connections are served.
#[derive(Clone)]
pub struct ServeSettings {
    /// Who the server is, if it speaks TLS.
    pub tls: Option<Rc<TlsIdentity>>,
    /// How HTTP/2 is spoken beside HTTP/1.1, if it is.
    pub http2: Option<Http2Options>,
    /// How long a client may take for its TLS handshake, and for the first bytes of a request.
    pub handshake_timeout: Duration,
    /// What clients may have, and what they have; servers that share it share its limits.
    pub limiter: Rc<Limiter>,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            tls: None,
            http2: Some(Http2Options::default()),
            handshake_timeout: Duration::from_secs(10),
            limiter: Limiter::new(Limits::default()),
        }
    }
}

/// What is known of a connection before its first request.
#[derive(Debug, Clone)]
pub struct ConnectionFacts {
    /// The client's end.
    pub peer: Address,
    /// The server's end.
    pub local: Address,
    /// What its handshake has shown, if it is over TLS.
    pub tls: Option<TlsFacts>,
    /// Where interim responses go, over HTTP/1.
    pub interim: Option<InterimResponses>,
}

/// Why a connection ended before its first request.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeFailure {
    /// The client took too long.
    #[error("it took longer than {0:?} to begin")]
    TooSlow(Duration),
    /// The handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    /// It wants TLS where there is none.
    #[error("it speaks TLS, and this address has none")]
    TlsToPlainAddress,
}

enum Protocol {
    Http1,
    Http2(Http2Options),
}

/// Serves a connection from its first byte to its last.
pub async fn serve_connection<A: Application, E: Executor>(
    socket: Socket,
    mut facts: Box<ConnectionFacts>,
    serving: Rc<Serving<A, E>>,
    open: OpenConnection,
) {
    let patience = serving.settings.handshake_timeout;
    let watched = serving.settings.limiter.watch();
    let beginning = tokio::time::timeout(patience, begin(socket, &mut facts, &serving));
    let beginning = watched.unless_ending(beginning);
    let Some(Some(begun)) = open.unless_stopping(beginning).await else { return };
    let application = &serving.application;
    match begun {
        Ok(Ok(None)) => {}
        Ok(Ok(Some((transport, Protocol::Http1)))) => {
            let interim = InterimResponses::default();
            facts.interim = Some(interim.clone());
            let remembered = Rc::new(application.connected(&facts));
            drop(facts);
            serve_http1(transport, remembered, application.clone(), interim, open, watched).await;
        }
        Ok(Ok(Some((transport, Protocol::Http2(options))))) => {
            let remembered = Rc::new(application.connected(&facts));
            drop(facts);
            // Apart, as is all that few connections need: tens of thousands of the others may be idle.
            Box::pin(serve_http2(transport, remembered, &serving, &options, open, watched)).await;
        }
        Ok(Err(failure)) => application.handshake_failed(&facts.peer, &failure),
        // A client that has not said anything has done no wrong: browsers open connections ahead.
        Err(_) => application.handshake_failed(&facts.peer, &HandshakeFailure::TooSlow(patience)),
    }
}

/// Finds out what the client speaks; `None` if it has left.
async fn begin<A: Application, E: Executor>(
    socket: Socket,
    facts: &mut ConnectionFacts,
    serving: &Serving<A, E>,
) -> Result<Option<(Transport, Protocol)>, HandshakeFailure> {
    let settings = &serving.settings;
    if let Some(identity) = &settings.tls {
        match identity.renew_if_changed() {
            Renewal::Unchanged => {}
            renewal => serving.application.certificates_renewed(&renewal),
        }
        let (config, certificate) = identity.current();
        let handshake = Box::pin(TlsAcceptor::from(config).accept(socket));
        let stream = handshake.await.map_err(HandshakeFailure::Tls)?;
        let tls = TlsFacts::new(stream.get_ref().1, certificate);
        let protocol = protocol(settings, tls.http2);
        facts.tls = Some(tls);
        return Ok(Some((Transport::tls(stream, settings.limiter.traffic().clone()), protocol)));
    }
    let mut socket = socket;
    let Some(ahead) = first_bytes(&mut socket).await else { return Ok(None) };
    if ahead.starts_with(TLS_RECORD) {
        return Err(HandshakeFailure::TlsToPlainAddress);
    }
    let protocol = protocol(settings, ahead.starts_with(PREFACE));
    Ok(Some((Transport::bare(socket, ahead, settings.limiter.traffic().clone()), protocol)))
}

fn protocol(settings: &ServeSettings, begins_http2: bool) -> Protocol {
    settings.http2.clone().filter(|_| begins_http2).map_or(Protocol::Http1, Protocol::Http2)
}

/// Reads until it is clear whether HTTP/2 begins here; `None` if the client has left.
async fn first_bytes(socket: &mut Socket) -> Option<Bytes> {
    let mut first = read_some(socket).await.ok().filter(|bytes| !bytes.is_empty())?;
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let more = read_some(socket).await.ok()?;
        if more.is_empty() {
            break;
        }
        let mut joined = BytesMut::from(first);
        joined.extend_from_slice(&more);
        first = joined.freeze();
    }
    Some(first)
}

async fn read_some(socket: &mut Socket) -> io::Result<Bytes> {
    poll_fn(|cx| {
        // Not kept while it waits: there may be many such connections.
        let mut space = [0; LOOK_AT];
        let mut buffer = ReadBuf::new(&mut space);
        std::task::ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    })
    .await
}
