//! A connection that writes short responses by `send` instead of `writev`.
//!
//! hyper hands over head and body as two pieces. For small ones, putting them together and calling
//! `send` costs the kernel less than a vectored write: it skips the file layer's own path.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What fits is joined: a few small headers and a body of some kilobytes.
const JOIN_UP_TO: usize = 4096;

/// A stream whose short vectored writes become plain ones.
#[derive(Debug)]
pub struct SmallWrites<S> {
    stream: S,
    /// Empty between writes; kept for its memory.
    joined: Vec<u8>,
}

impl<S> SmallWrites<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, joined: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SmallWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SmallWrites<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() > JOIN_UP_TO {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        }
        let this = &mut *self;
        this.joined.clear();
        for piece in pieces {
            this.joined.extend_from_slice(piece);
        }
        Pin::new(&mut this.stream).poll_write(cx, &this.joined)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
