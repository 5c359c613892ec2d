//! What carries a WebSocket's bytes: the connection's own wire, or a stream that hyper has made of one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;
use crate::wire::Wire;

/// Where a WebSocket's frames come from and go to.
pub enum Carrier {
    /// A whole connection, and what has come of the WebSocket already.
    Wire(Box<Wire<Transport>>, Bytes),
    /// One stream of many.
    Stream(TokioIo<Upgraded>),
}

impl From<Upgraded> for Carrier {
    fn from(upgraded: Upgraded) -> Self {
        Self::Stream(TokioIo::new(upgraded))
    }
}

impl Carrier {
    /// Hands bytes to the system without waiting for anything; how many were taken, and whether nothing has
    /// to be flushed. Where others share the connection none are taken: they have their turns.
    pub fn send_at_once(&mut self, bytes: &[u8]) -> (usize, bool) {
        match self {
            Self::Wire(wire, _) => wire.send_at_once(bytes),
            Self::Stream(_) => (0, false),
        }
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Wire(_, ahead) if !ahead.is_empty() => {
                let taken = ahead.len().min(buffer.remaining());
                buffer.put_slice(ahead.get(..taken).unwrap_or_default());
                ahead.advance(taken);
                if ahead.is_empty() {
                    // Gives its memory back.
                    *ahead = Bytes::new();
                }
                Poll::Ready(Ok(()))
            }
            Self::Wire(wire, _) => Pin::new(&mut **wire).poll_read(cx, buffer),
            Self::Stream(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Wire(wire, _) => Pin::new(&mut **wire).poll_write(cx, bytes),
            Self::Stream(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Wire(wire, _) => Pin::new(&mut **wire).poll_write_vectored(cx, pieces),
            Self::Stream(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Wire(wire, _) => wire.is_write_vectored(),
            Self::Stream(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Wire(wire, _) => Pin::new(&mut **wire).poll_flush(cx),
            Self::Stream(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Wire(wire, _) => Pin::new(&mut **wire).poll_shutdown(cx),
            Self::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
