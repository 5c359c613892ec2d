//! A client's byte stream: a socket, bare or inside TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::transport::Socket;

enum Layer {
    Bare(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// Through a proxy that is reached by TLS itself.
    Nested(Box<TlsStream<TlsStream<Socket>>>),
}

/// A connection's bytes.
pub struct ClientStream(Layer);

impl ClientStream {
    pub(super) fn bare(socket: Socket) -> Self {
        Self(Layer::Bare(socket))
    }

    pub(super) fn tls(stream: TlsStream<Socket>) -> Self {
        Self(Layer::Tls(Box::new(stream)))
    }

    /// TLS within the TLS of a proxy.
    pub fn nested(stream: TlsStream<TlsStream<Socket>>) -> Self {
        Self(Layer::Nested(Box::new(stream)))
    }

    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.0 {
            Layer::Bare(socket) => Pin::new(socket),
            Layer::Tls(stream) => Pin::new(&mut **stream),
            Layer::Nested(stream) => Pin::new(&mut **stream),
        }
    }
}

/// Both ways.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A plain `send` costs the kernel less than a vectored write.
        match pieces {
            [only] => self.stream().poll_write(cx, only),
            several => self.stream().poll_write_vectored(cx, several),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Layer::Bare(socket) => socket.is_write_vectored(),
            Layer::Tls(stream) => stream.is_write_vectored(),
            Layer::Nested(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
