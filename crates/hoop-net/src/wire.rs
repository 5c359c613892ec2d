//! The byte stream under hyper: short responses go out in a row, and it is closed in stages.
//!
//! hyper hands over head and body as two pieces. Short ones are put together and wait for the flush,
//! and that lets all connections that are ready be served before it sends (docs/adr/0013). One `send`
//! costs the kernel less than a vectored write: it skips the file layer's own path.
//!
//! A socket that is closed while its peer still sends is reset, and the reset may overtake the last
//! response. So where the peer may be sending, what it sends is read and thrown away for a while
//! (RFC 9112 section 9.6).

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::interim::InterimResponses;

/// What a connection that never rests keeps of the memory for what is pending.
const KEPT_LEAN: usize = 4096;

/// What fits is joined: a few headers and a body of some kilobytes.
const JOIN_UP_TO: usize = 16 * 1024;
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
pub struct Wire<S: AsyncWrite + Unpin> {
    stream: S,
    /// Short output that was accepted and waits for `poll_flush`, but for the first `sent` bytes.
    pending: Vec<u8>,
    sent: usize,
    /// Bytes that the system has taken, of all output.
    taken: u64,
    peer_sends: PeerSends,
    interim: Option<InterimResponses>,
    /// What is pending may go out: the others had their turn.
    gave_way: bool,
    is_lean: bool,
    closing: Closing,
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S, peer_sends: PeerSends) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            sent: 0,
            taken: 0,
            peer_sends,
            interim: None,
            gave_way: false,
            is_lean: false,
            closing: Closing::Not,
        }
    }

    /// From now on keeps little memory while nothing is pending: the connection never rests.
    pub fn keep_lean(&mut self) {
        self.is_lean = true;
    }

    /// Bytes that the system has taken.
    pub fn sent(&self) -> u64 {
        self.taken
    }

    /// Sends these too.
    pub fn with_interim(mut self, interim: InterimResponses) -> Self {
        self.interim = Some(interim);
        self
    }

    /// Gives back memory that a quiet connection has no use for.
    pub fn rest(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// Sends what is pending, whoever else is ready.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.pending.get(self.sent..).filter(|left| !left.is_empty()) {
            match std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => {
                    self.sent += sent;
                    self.taken += sent as u64;
                }
            }
        }
        if self.is_lean && self.pending.capacity() > KEPT_LEAN {
            self.pending = Vec::new();
        }
        self.pending.clear();
        self.sent = 0;
        self.gave_way = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Drop for Wire<S> {
    /// A connection that ends before its next flush still sends what it accepted, if the socket
    /// takes it at once.
    fn drop(&mut self) {
        let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer)?;
        if read.is_pending() && !self.pending.is_empty() {
            // Who only waits for the peer may not flush: hyper hands an upgraded stream over with
            // its last response still pending.
            let _ = self.poll_flush(cx)?;
        }
        read.map(Ok)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if this.pending.len() + length > JOIN_UP_TO {
            std::task::ready!(this.poll_send(cx))?;
        }
        if length > JOIN_UP_TO {
            let sent = std::task::ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, pieces))?;
            this.taken += sent as u64;
            return Poll::Ready(Ok(sent));
        }
        for piece in pieces {
            this.pending.extend_from_slice(piece);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // hyper flushes only when it has nothing left to write, so this lies between two responses.
        if let Some(interim) = &this.interim {
            interim.take(&mut this.pending);
        }
        if !this.pending.is_empty() && !std::mem::replace(&mut this.gave_way, true) {
            // The other connections that are ready are served first, then all answers go out in a
            // row: a peer that is woken once for many costs less than one that is woken for each.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        std::task::ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.closing {
                Closing::Not => {
                    std::task::ready!(this.poll_send(cx))?;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    fn connected(room: usize) -> (Wire<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(room);
        (Wire::new(near, PeerSends::default()), far)
    }

    fn write(wire: &mut Wire<DuplexStream>, pieces: &[&[u8]]) -> Poll<io::Result<usize>> {
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        Pin::new(wire).poll_write_vectored(&mut Context::from_waker(Waker::noop()), &slices)
    }

    fn flush(wire: &mut Wire<DuplexStream>) -> Poll<io::Result<()>> {
        Pin::new(wire).poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    fn arrived(far: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        let _ = Pin::new(far).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        buffer.filled().to_vec()
    }

    #[test]
    fn short_writes_are_joined_and_go_out_after_giving_way_once() {
        let (mut wire, mut far) = connected(1024);
        assert!(matches!(write(&mut wire, &[b"head ", b"body"]), Poll::Ready(Ok(9))));
        assert!(matches!(write(&mut wire, &[b", more"]), Poll::Ready(Ok(6))));
        assert!(flush(&mut wire).is_pending());
        assert_eq!(arrived(&mut far), b"");
        assert!(flush(&mut wire).is_ready());
        assert_eq!(arrived(&mut far), b"head body, more");
        assert!(flush(&mut wire).is_ready(), "with nothing pending there is nothing to give way for");
    }

    #[test]
    fn a_long_write_goes_out_behind_the_short_one_before_it() {
        let (mut wire, mut far) = connected(64 * 1024);
        assert!(write(&mut wire, &[b"short"]).is_ready());
        let long = [b'x'; 20_000];
        assert!(matches!(write(&mut wire, &[&long]), Poll::Ready(Ok(20_000))));
        assert_eq!(arrived(&mut far), [b"short".as_slice(), &long].concat());
    }

    #[test]
    fn a_socket_that_is_full_keeps_the_rest_for_later() {
        let (mut wire, mut far) = connected(10);
        assert!(write(&mut wire, &[b"twelve bytes"]).is_ready());
        assert!(flush(&mut wire).is_pending());
        assert!(flush(&mut wire).is_pending());
        assert_eq!(arrived(&mut far), b"twelve byt");
        assert!(flush(&mut wire).is_ready());
        assert_eq!(arrived(&mut far), b"es");
    }

    #[test]
    fn who_only_reads_on_sends_what_is_pending_too() {
        let (mut wire, mut far) = connected(1024);
        assert!(write(&mut wire, &[b"switching protocols"]).is_ready());
        for _ in 0..2 {
            let mut scrap = [0; 10];
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut wire).poll_read(&mut cx, &mut ReadBuf::new(&mut scrap)).is_pending());
        }
        assert_eq!(arrived(&mut far), b"switching protocols");
    }

    #[tokio::test]
    async fn a_connection_that_is_dropped_or_shut_down_sends_what_it_accepted() {
        let (mut wire, mut far) = connected(1024);
        assert!(write(&mut wire, &[b"last words"]).is_ready());
        drop(wire);
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.expect("an orderly end");
        assert_eq!(received, b"last words");

        let (mut wire, mut far) = connected(1024);
        assert!(write(&mut wire, &[b"last words"]).is_ready());
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut wire).poll_shutdown(&mut cx);
        assert_eq!(arrived(&mut far), b"last words");
    }
}
