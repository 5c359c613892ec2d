//! What carries a connection's bytes: a TCP or Unix socket, bare or inside TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::traffic::Traffic;

/// A connected socket.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

enum Layer {
    Bare(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// A connection's bytes, and those that were looked at before anybody took them.
pub struct Transport {
    layer: Layer,
    ahead: Bytes,
    traffic: Rc<Traffic>,
}

/// Calls a method of whichever stream there is.
macro_rules! on_stream {
    ($layer:expr, $stream:ident => $call:expr) => {
        match $layer {
            Layer::Bare(Socket::Tcp($stream)) => $call,
            Layer::Bare(Socket::Unix($stream)) => $call,
            Layer::Tls($stream) => $call,
        }
    };
}

macro_rules! on_socket {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            Socket::Unix($stream) => $call,
        }
    };
}

impl Transport {
    /// A bare connection, of which `ahead` has been read already.
    pub fn bare(socket: Socket, ahead: Bytes, traffic: Rc<Traffic>) -> Self {
        traffic.received_more(ahead.len());
        Self { layer: Layer::Bare(socket), ahead, traffic }
    }

    /// A connection whose TLS handshake is done.
    pub fn tls(stream: TlsStream<Socket>, traffic: Rc<Traffic>) -> Self {
        Self { layer: Layer::Tls(Box::new(stream)), ahead: Bytes::new(), traffic }
    }

    /// Whether what is written goes to the system as it is.
    pub fn is_bare(&self) -> bool {
        matches!(self.layer, Layer::Bare(_))
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.traffic.sent_more(bytes);
        }
        written
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.ahead.is_empty() {
            let taken = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead.split_to(taken));
            if !this.ahead.has_remaining() {
                // Gives its memory back.
                this.ahead = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = on_stream!(&mut this.layer, stream => Pin::new(stream).poll_read(cx, buffer));
        this.traffic.received_more(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = on_stream!(&mut self.layer, stream => Pin::new(stream).poll_write(cx, bytes));
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = on_stream!(&mut self.layer, stream => Pin::new(stream).poll_write_vectored(cx, pieces));
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        on_stream!(&self.layer, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(&mut self.layer, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(&mut self.layer, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_socket!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_socket!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_socket!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        on_socket!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
