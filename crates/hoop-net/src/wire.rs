//! The byte stream under hyper: short responses go out by `send`, and it is closed in stages.
//!
//! hyper hands over head and body as two pieces. For small ones, putting them together and calling
//! `send` costs the kernel less than a vectored write: it skips the file layer's own path. And they
//! go out in a row, once all connections that are ready were served (docs/adr/0013).
//!
//! A socket that is closed while its peer still sends is reset, and the reset may overtake the last
//! response. So where the peer may be sending, what it sends is read and thrown away for a while
//! (RFC 9112 section 9.6).

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What fits is joined: a few headers and a body of some kilobytes.
const JOIN_UP_TO: usize = 4096;
/// How long a peer that goes on sending is listened to after the last response.
const LINGER: Duration = Duration::from_secs(2);
const DISCARD_AT_ONCE: usize = 16 * 1024;

/// Whether the peer may be in the middle of sending something. Shared with whoever knows; atomic
/// only because hyper wants upgraded connections to be `Send`.
#[derive(Debug, Clone, Default)]
pub struct PeerSends(Arc<AtomicBool>);

impl PeerSends {
    pub fn set(&self, sends: bool) {
        self.0.store(sends, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far closing has come.
enum Closing {
    Not,
    WriteEnded(Pin<Box<Sleep>>),
}

/// A connection's stream.
pub struct Wire<S> {
    stream: S,
    /// Scratch memory for joining; its contents mean nothing between writes.
    joined: Vec<u8>,
    peer_sends: PeerSends,
    /// The next short write may go out: the others had their turn.
    gave_way: bool,
    closing: Closing,
}

impl<S> Wire<S> {
    pub fn new(stream: S, peer_sends: PeerSends) -> Self {
        Self { stream, joined: Vec::new(), peer_sends, gave_way: false, closing: Closing::Not }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
        if !std::mem::replace(&mut this.gave_way, true) {
            // The other connections that are ready are served first, then all answers go out in a
            // row: a peer that is woken once for many costs less than one that is woken for each.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.gave_way = false;
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
        let this = &mut *self;
        loop {
            match &mut this.closing {
                Closing::Not => {
                    std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    this.closing = Closing::WriteEnded(Box::pin(tokio::time::sleep(LINGER)));
                }
                Closing::WriteEnded(patience) => {
                    if patience.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    return match discard(&mut this.stream, cx, &this.peer_sends) {
                        Poll::Pending if !this.peer_sends.get() => Poll::Ready(Ok(())),
                        other => other,
                    };
                }
            }
        }
    }
}

/// Throws away what arrives; ready once the peer has ended its side, well or badly. A peer of whom
/// anything arrives is one that sends.
fn discard(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    peer_sends: &PeerSends,
) -> Poll<io::Result<()>> {
    let mut scrap = [0; DISCARD_AT_ONCE];
    loop {
        let mut buffer = ReadBuf::new(&mut scrap);
        std::task::ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        peer_sends.set(true);
    }
}
