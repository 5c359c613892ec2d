//! A connection's byte stream: short responses go out in a row, and it is closed in stages.
//!
//! Short pieces are put together and wait for the flush, and that lets all connections that are ready be
//! served before it sends (docs/adr/0013): it leaves what is pending to the outbox, or gives way once where
//! there is none. One `send` costs the kernel less than a vectored write: it skips the file layer's own path.
//!
//! A socket that is closed while its peer still sends is reset, and the reset may overtake the last
//! response. So where the peer may be sending, what it sends is read and thrown away for a while
//! (RFC 9112 section 9.6).

use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::arrivals::poll_arrivals;
use crate::interim::InterimResponses;
use crate::line::{SharedLine, StraightLine, gone};
use crate::outbox::{Holding, Outbox};

/// What fits is joined: a few headers and a body of some kilobytes.
const JOIN_UP_TO: usize = 16 * 1024;
/// How long a peer that goes on sending is listened to after the last response.
const LINGER: Duration = Duration::from_secs(2);

/// Whether the peer may be in the middle of sending something. Shared with whoever knows.
#[derive(Debug, Clone, Default)]
pub struct PeerSends(Rc<Cell<bool>>);

impl PeerSends {
    pub fn set(&self, sends: bool) {
        self.0.set(sends);
    }

    fn get(&self) -> bool {
        self.0.get()
    }
}

/// How far closing has come.
enum Closing {
    Not,
    WriteEnded(Pin<Box<Sleep>>),
}

/// A connection's stream.
pub struct Wire<S: AsyncWrite + Unpin> {
    line: Rc<SharedLine<S>>,
    peer_sends: PeerSends,
    interim: Option<InterimResponses>,
    /// Where short output goes, and the line as it is known there.
    outbox: Option<(Rc<Outbox>, Rc<dyn Holding>)>,
    /// Without an outbox: what is pending may go out, as the others had their turn.
    gave_way: bool,
    closing: Closing,
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S, peer_sends: PeerSends) -> Self {
        Self {
            line: Rc::new(SharedLine::new(stream)),
            peer_sends,
            interim: None,
            outbox: None,
            gave_way: false,
            closing: Closing::Not,
        }
    }

    /// From now on keeps little memory while nothing is pending: the connection never rests. It sends by
    /// itself too: who writes may not look after the connection again once all is written.
    pub fn keep_lean(&mut self) {
        self.outbox = None;
        let mut line = self.line.borrow_mut();
        line.is_lean = true;
        // Who drives it from now on is another task.
        (line.is_held, line.task) = (false, None);
    }

    /// Hands bytes to the system if nothing is in front of them; how many were taken, and whether there is
    /// nothing to flush, as there may be with TLS.
    pub fn send_at_once(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut line = self.line.borrow_mut();
        let sent = line.send_at_once(bytes);
        let cx = &mut Context::from_waker(Waker::noop());
        (sent, line.pending.is_empty() && line.poll_flush_stream(cx).is_ready())
    }

    /// Whether all that was to be sent is, and its end: the peer alone is waited for.
    pub fn has_ended_writing(&self) -> bool {
        matches!(self.closing, Closing::WriteEnded(_))
    }

    /// Bytes that the system has taken.
    pub fn sent(&self) -> u64 {
        self.line.borrow_mut().taken
    }

    /// Sends these too.
    pub fn with_interim(mut self, interim: InterimResponses) -> Self {
        self.interim = Some(interim);
        self
    }

    /// Adds short output, which the next flush sends.
    pub fn queue<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut line = self.line.borrow_mut();
        line.is_flushed = false;
        write(&mut line.pending)
    }

    /// Adds the interim responses that wait: a response is about to follow.
    pub fn queue_interim(&mut self) {
        if let Some(interim) = &self.interim {
            interim.take(&mut self.line.borrow_mut().pending);
        }
    }

    /// Drops the interim responses that wait.
    pub fn forget_interim(&mut self) {
        if let Some(interim) = &self.interim {
            interim.forget();
        }
    }

    /// Adds data if it is short; else sends it behind what is pending, in one go with that. Ready once no data
    /// is left.
    pub fn poll_queue_data(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<io::Result<()>> {
        let mut line = self.line.borrow_mut();
        line.is_flushed = false;
        if line.pending.len() + data.len() > JOIN_UP_TO {
            return line.poll_send_with(cx, data);
        }
        line.pending.extend_from_slice(data);
        data.clear();
        Poll::Ready(Ok(()))
    }

    /// Gives back memory that a quiet connection has no use for.
    pub fn rest(&mut self) {
        let mut line = self.line.borrow_mut();
        if line.pending.is_empty() {
            line.pending = Vec::new();
            line.task = None;
        }
    }
}

impl<S: AsyncWrite + Unpin + 'static> Wire<S> {
    /// The way past whoever writes.
    pub fn straight(&self) -> Rc<dyn StraightLine> {
        self.line.clone()
    }

    /// Has short output sent through there. Whoever writes has to flush again whenever the connection's task
    /// is woken.
    pub fn through(mut self, outbox: Rc<Outbox>) -> Self {
        self.outbox = Some((outbox, self.line.clone()));
        self
    }
}

impl<S: AsyncWrite + Unpin> Drop for Wire<S> {
    /// A connection that ends before its next flush still sends what it accepted, if the socket
    /// takes it at once. The outbox may have its line for some moments yet.
    fn drop(&mut self) {
        let mut line = self.line.borrow_mut();
        let _ = line.poll_send(&mut Context::from_waker(Waker::noop()));
        line.pending = Vec::new();
        let stream = line.stream.take();
        drop(line);
        drop(stream);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (read, is_waiting) = {
            let mut line = self.line.borrow_mut();
            let Some(stream) = &mut line.stream else { return Poll::Ready(Err(gone())) };
            let read = Pin::new(stream).poll_read(cx, buffer)?;
            (read, self.outbox.is_none() && !line.pending.is_empty())
        };
        if read.is_pending() && is_waiting {
            // Who has left HTTP may only wait for the peer: a WebSocket begins with its handshake's response still
            // pending.
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
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.line.borrow_mut();
        line.is_flushed = false;
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if line.pending.len() + length > JOIN_UP_TO {
            std::task::ready!(line.poll_send(cx))?;
        }
        if length > JOIN_UP_TO {
            let Some(stream) = &mut line.stream else { return Poll::Ready(Err(gone())) };
            let sent = std::task::ready!(Pin::new(stream).poll_write_vectored(cx, pieces))?;
            line.taken += sent as u64;
            return Poll::Ready(Ok(sent));
        }
        for piece in pieces {
            line.pending.extend_from_slice(piece);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.line.borrow_mut().stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut line = this.line.borrow_mut();
        line.is_flushed = true;
        // Whoever writes a response sees to it that there are none once it has begun.
        if let Some(interim) = &this.interim {
            interim.take(&mut line.pending);
        }
        if !line.pending.is_empty() && !line.is_stuck {
            // The other connections that are ready are served first, then all answers go out in a
            // row: a peer that is woken once for many costs less than one that is woken for each.
            if let Some((outbox, holding)) = &this.outbox
                && (line.is_held || outbox.put(holding))
            {
                line.is_held = true;
                if !line.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                    line.task = Some(cx.waker().clone());
                }
                return Poll::Ready(Ok(()));
            }
            if !std::mem::replace(&mut this.gave_way, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        std::task::ready!(line.poll_send(cx))?;
        this.gave_way = false;
        line.poll_flush_stream(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut line = this.line.borrow_mut();
        loop {
            match &mut this.closing {
                Closing::Not => {
                    std::task::ready!(line.poll_send(cx))?;
                    let Some(stream) = &mut line.stream else { return Poll::Ready(Err(gone())) };
                    std::task::ready!(Pin::new(stream).poll_shutdown(cx))?;
                    this.closing = Closing::WriteEnded(Box::pin(tokio::time::sleep(LINGER)));
                }
                Closing::WriteEnded(patience) => {
                    if patience.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    let Some(stream) = &mut line.stream else { return Poll::Ready(Ok(())) };
                    return match discard(stream, cx, &this.peer_sends) {
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
    while std::task::ready!(poll_arrivals(stream, cx, |_| ()))? > 0 {
        peer_sends.set(true);
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;
    use crate::line::Straight;

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

    /// What the outbox does in a turn.
    fn send_all(serving: &mut Pin<Box<impl Future<Output = ()>>>) {
        assert!(serving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    fn with_outbox(room: usize) -> (Wire<DuplexStream>, DuplexStream, Pin<Box<impl Future<Output = ()>>>) {
        let outbox = Rc::new(Outbox::default());
        let mut serving = Box::pin(outbox.clone().serve());
        send_all(&mut serving);
        let (wire, far) = connected(room);
        (wire.through(outbox), far, serving)
    }

    #[test]
    fn with_an_outbox_a_flush_is_done_at_once_and_the_bytes_go_out_later() {
        let (mut wire, mut far, mut serving) = with_outbox(1024);
        assert!(write(&mut wire, &[b"one, "]).is_ready());
        assert!(flush(&mut wire).is_ready());
        assert!(write(&mut wire, &[b"two"]).is_ready());
        assert!(flush(&mut wire).is_ready());
        assert_eq!(arrived(&mut far), b"");
        send_all(&mut serving);
        assert_eq!(arrived(&mut far), b"one, two");
        assert_eq!(wire.sent(), 8);
    }

    #[test]
    fn what_an_outbox_cannot_send_is_the_connections_own_again() {
        let (mut wire, mut far, mut serving) = with_outbox(10);
        assert!(write(&mut wire, &[b"twelve bytes"]).is_ready());
        assert!(flush(&mut wire).is_ready());
        send_all(&mut serving);
        assert!(flush(&mut wire).is_pending(), "the socket is full");
        assert_eq!(arrived(&mut far), b"twelve byt");
        assert!(flush(&mut wire).is_ready());
        assert_eq!(arrived(&mut far), b"es");
        assert!(write(&mut wire, &[b"more"]).is_ready());
        assert!(flush(&mut wire).is_ready());
        assert_eq!(arrived(&mut far), b"");
        send_all(&mut serving);
        assert_eq!(arrived(&mut far), b"more", "and it goes through the outbox once more");
    }

    #[test]
    fn what_goes_straight_waits_for_whoever_writes_to_flush() {
        let (mut wire, mut far, mut serving) = with_outbox(1024);
        let straight = wire.straight();
        assert_eq!(straight.send_straight(b"too early"), Straight::Refused);
        assert!(write(&mut wire, &[b"head, "]).is_ready());
        assert_eq!(straight.send_straight(b"too early"), Straight::Refused);
        assert!(flush(&mut wire).is_ready());
        assert_eq!(straight.send_straight(b"the outbox has the head"), Straight::Refused);
        send_all(&mut serving);
        assert_eq!(straight.send_straight(b"straight, "), Straight::Sent);
        assert!(write(&mut wire, &[b"in turn"]).is_ready());
        assert_eq!(straight.send_straight(b"too early"), Straight::Refused);
        assert!(flush(&mut wire).is_ready());
        send_all(&mut serving);
        assert_eq!(arrived(&mut far), b"head, straight, in turn");
        assert_eq!(wire.sent(), 23);
        drop(wire);
        assert_eq!(straight.send_straight(b"too late"), Straight::Refused);
    }

    #[test]
    fn what_the_socket_does_not_take_of_it_goes_before_all_that_follows() {
        let (mut wire, mut far, mut serving) = with_outbox(10);
        let straight = wire.straight();
        assert!(flush(&mut wire).is_ready());
        assert_eq!(straight.send_straight(b"twelve bytes"), Straight::Stuck);
        assert_eq!(straight.send_straight(b"too early"), Straight::Refused);
        assert!(write(&mut wire, &[b", more"]).is_ready());
        assert!(flush(&mut wire).is_pending(), "the socket is full");
        assert_eq!(arrived(&mut far), b"twelve byt");
        assert!(flush(&mut wire).is_ready());
        send_all(&mut serving);
        assert_eq!(arrived(&mut far), b"es, more");
        assert_eq!(straight.send_straight(b"again"), Straight::Sent);
        assert_eq!(arrived(&mut far), b"again");
        assert_eq!(straight.send_straight(b"ten bytes."), Straight::Sent);
        assert_eq!(straight.send_straight(b"not one"), Straight::Refused, "the socket takes nothing");
    }

    #[test]
    fn a_connection_hears_of_an_error_that_the_outbox_came_upon() {
        let (mut wire, far, mut serving) = with_outbox(10);
        drop(far);
        assert!(write(&mut wire, &[b"to nobody"]).is_ready());
        assert!(flush(&mut wire).is_ready());
        send_all(&mut serving);
        assert!(matches!(flush(&mut wire), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn a_connection_that_goes_sends_and_closes_though_the_outbox_has_it() {
        let (mut wire, mut far, mut serving) = with_outbox(1024);
        assert!(write(&mut wire, &[b"last words"]).is_ready());
        assert!(flush(&mut wire).is_ready());
        drop(wire);
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.expect("an orderly end");
        assert_eq!(received, b"last words");
        send_all(&mut serving);
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
