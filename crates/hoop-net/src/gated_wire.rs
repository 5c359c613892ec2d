//! The gate between a connection's wire and hyper: what is refused never reaches hyper's parser.
//!
//! hyper asks for bytes when it has used up what it has. What arrives goes straight into its buffer, and
//! the gate looks at it there. What may not pass yet, the beginning of a head for instance, is taken
//! back and held here until it may.
//!
//! In place of a head that is refused hyper gets a request of our own. So it comes to the service in
//! its turn, behind all that the client asked for before, and the service answers it with the refusal
//! (docs/adr/0018). In place of a body that is refused hyper gets an error.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hoop_http1::{Gate, Position, Stop};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::passage::Passage;
use crate::wire::Wire;

/// What hyper reads in place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
/// The same for a HEAD, whose response has no body.
const STAND_IN_FOR_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\n\r\n";
/// How much is read at once while something is held.
const READ_AT_ONCE: usize = 4 * 1024;

/// A connection's stream whose incoming bytes pass a gate.
pub struct GatedWire<S: AsyncWrite + Unpin> {
    wire: Wire<S>,
    gate: Gate,
    passage: Arc<Passage>,
    /// How many requests may have passed and not be answered.
    depth: u32,
    /// What has arrived and not been given to hyper.
    held: BytesMut,
    /// So much of it has passed.
    cleared: usize,
    /// Why the rest has not.
    stop: Stop,
    /// hyper has the stand-in for the head that was refused.
    stood_in: bool,
    /// The client has ended its side.
    ended: bool,
    /// Bytes that came since the other end was told.
    received: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GatedWire<S> {
    pub fn new(wire: Wire<S>, gate: Gate, passage: Arc<Passage>, depth: u32) -> Self {
        Self {
            wire,
            gate,
            passage,
            depth: depth.max(1),
            held: BytesMut::new(),
            cleared: 0,
            stop: Stop::Unfinished,
            stood_in: false,
            ended: false,
            received: 0,
        }
    }

    /// Gives back memory until the client says something. `ahead` is what hyper was given and has not used.
    pub fn rest(&mut self, ahead: &[u8]) {
        if !ahead.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.held = BytesMut::from(&[ahead, held.as_ref()].concat()[..]);
            self.cleared += ahead.len();
        }
        self.wire.rest();
    }

    /// Waits for the client to say something, or to leave.
    pub fn poll_stir(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.held.is_empty() {
            return Poll::Ready(());
        }
        let read = self.poll_read_held(cx);
        let received = if let Poll::Ready(Ok(received)) = &read { *received } else { 0 };
        self.passage.read(received, self.gate.position(), !self.held.is_empty(), read.is_pending());
        read.map(drop)
    }

    /// Looks at bytes that have arrived and not passed; how many may pass.
    fn inspect(gate: &mut Gate, passage: &Passage, depth: u32, bytes: &[u8]) -> (usize, Stop) {
        let room = depth.saturating_sub(passage.unanswered());
        let inspection = gate.inspect(bytes, room);
        if inspection.heads > 0 {
            passage.pass(inspection.heads, gate.awaits_decision());
        }
        if matches!(inspection.stop, Stop::RefusedHead(_) | Stop::RefusedBody(_)) {
            passage.stop(inspection.stop);
        }
        (inspection.passes, inspection.stop)
    }

    fn inspect_held(&mut self) {
        (self.cleared, self.stop) = Self::inspect(&mut self.gate, &self.passage, self.depth, &self.held);
    }

    /// Gives hyper what is held and has passed.
    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) {
        let bytes = self.cleared.min(buffer.remaining());
        buffer.put_slice(self.held.get(..bytes).unwrap_or_default());
        self.held.advance(bytes);
        self.cleared -= bytes;
        if self.held.is_empty() {
            // An idle connection keeps no memory for it.
            self.held = BytesMut::new();
        }
    }

    /// Reads into hyper's own buffer, and takes back what may not pass.
    fn poll_read_through(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        let length = arrived.len();
        let (passes, stop) = Self::inspect(&mut self.gate, &self.passage, self.depth, arrived);
        self.stop = stop;
        if passes < length {
            self.held.extend_from_slice(arrived.get(passes..).unwrap_or_default());
            buffer.set_filled(before + passes);
        }
        Poll::Ready(Ok(length))
    }

    /// Reads behind what is held; how much.
    fn poll_read_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [0; READ_AT_ONCE];
        let mut buffer = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.wire).poll_read(cx, &mut buffer))?;
        self.held.extend_from_slice(buffer.filled());
        if !buffer.filled().is_empty() {
            self.inspect_held();
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> GatedWire<S> {
    fn poll_read_gated(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(refusal) = self.passage.take_late(self.gate.position(), !self.held.is_empty()) {
            self.stop = self.gate.refuse(refusal);
            self.passage.stop(self.stop);
        }
        if let Some(leaves_http) = self.passage.take_decision() {
            self.gate.decide(leaves_http);
            if leaves_http {
                self.wire.keep_lean();
            }
            self.inspect_held();
        }
        let before = buffer.filled().len();
        loop {
            if self.cleared > 0 {
                self.deliver(buffer);
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                return self.poll_end(cx);
            }
            let arrived = match self.stop {
                Stop::RefusedHead(_) if self.stood_in => return Poll::Pending,
                Stop::RefusedHead(_) => {
                    self.stood_in = true;
                    let is_head = self.held.starts_with(b"HEAD ");
                    self.held = BytesMut::from(if is_head { STAND_IN_FOR_HEAD } else { STAND_IN });
                    self.cleared = self.held.len();
                    continue;
                }
                Stop::RefusedBody(refusal) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
                }
                // With something held, the peer is not listened to: hyper itself does the same.
                Stop::Answers if !self.held.is_empty() => {
                    self.passage.wait(cx.waker());
                    self.inspect_held();
                    if self.cleared == 0 && self.stop == Stop::Answers {
                        return Poll::Pending;
                    }
                    continue;
                }
                _ if self.held.is_empty() => ready!(self.poll_read_through(cx, buffer))?,
                _ => ready!(self.poll_read_held(cx))?,
            };
            self.received += arrived;
            if arrived == 0 && self.gate.position() == Position::Head {
                self.ended = true;
                self.passage.half_close();
                continue;
            }
            if arrived == 0 || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The client has sent all that it wanted to. hyper takes that for the end of everything, so it is told
    /// once all is answered. Who has not been begun with when the client ends its side has most likely been
    /// given up, and more likely so the more wait: that one leaves the queue.
    fn poll_end(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.passage.unanswered() == 0 || self.passage.is_queued() {
            return Poll::Ready(Ok(()));
        }
        self.passage.wait(cx.waker());
        Poll::Pending
    }

    /// Hands bytes to the system if nothing is in front of them; how many it has taken, and whether those
    /// are on their way.
    pub fn send_at_once(&mut self, bytes: &[u8]) -> (usize, bool) {
        self.wire.send_at_once(bytes)
    }

    /// Tells the other end how writing goes.
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.passage.written(self.wire.sent(), written.is_pending());
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GatedWire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll_read_gated(cx, buffer);
        let received = std::mem::take(&mut self.received);
        self.passage.read(received, self.gate.position(), !self.held.is_empty(), read.is_pending());
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GatedWire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write_vectored(cx, pieces);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use hoop_http1::{MessageLimits, Refusal};
    use hoop_limits::{Overdue, Stage};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::wire::PeerSends;

    const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

    #[tokio::test]
    async fn a_rest_ends_with_bytes_and_gives_back_what_was_read_ahead() {
        let mut connection = Connection::new(8);
        connection.gated.rest(b"ahead");
        assert_eq!(connection.read(), Some("ahead".to_owned()));

        let mut cx = Context::from_waker(Waker::noop());
        connection.gated.rest(b"");
        assert!(connection.gated.poll_stir(&mut cx).is_pending());
        assert!(connection.passage.sight().awaited);
        connection.send(HEAD).await;
        assert!(connection.gated.poll_stir(&mut cx).is_ready());
        assert_eq!(connection.read(), Some(HEAD.to_owned()));
        drop(connection.far);
        assert!(connection.gated.poll_stir(&mut cx).is_ready(), "it has left");
    }

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Connection {
        gated: GatedWire<DuplexStream>,
        far: DuplexStream,
        passage: Arc<Passage>,
        wakes: Arc<Counter>,
    }

    impl Connection {
        fn new(depth: u32) -> Self {
            let (near, far) = duplex(64 * 1024);
            let passage = Arc::new(Passage::default());
            let wire = Wire::new(near, PeerSends::default());
            let gate = Gate::new(MessageLimits::default());
            let gated = GatedWire::new(wire, gate, passage.clone(), depth);
            Self { gated, far, passage, wakes: Arc::default() }
        }

        async fn send(&mut self, text: &str) {
            self.far.write_all(text.as_bytes()).await.expect("room");
        }

        /// What hyper would read now; None if nothing.
        fn read_up_to(&mut self, most: usize) -> Option<io::Result<String>> {
            let mut room = vec![0; most];
            let mut buffer = ReadBuf::new(&mut room);
            let waker = Waker::from(self.wakes.clone());
            match Pin::new(&mut self.gated).poll_read(&mut Context::from_waker(&waker), &mut buffer) {
                Poll::Ready(read) => {
                    Some(read.map(|()| String::from_utf8(buffer.filled().to_vec()).expect("text")))
                }
                Poll::Pending => None,
            }
        }

        fn read(&mut self) -> Option<String> {
            self.read_up_to(1000).map(|read| read.expect("no error"))
        }
    }

    #[tokio::test]
    async fn heads_pass_whole_and_bodies_as_they_come() {
        let mut connection = Connection::new(9);
        for piece in ["GET / HT", "TP/1.1\r\nHost: a\r\n"] {
            connection.send(piece).await;
            assert_eq!(connection.read(), None);
            assert_eq!(connection.passage.sight().stage, Stage::Head);
        }
        connection.send("\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").await;
        assert_eq!(connection.read(), Some(format!("{HEAD}{UPLOAD}ab")));
        assert_eq!(connection.read(), None);
        assert_eq!(connection.passage.sight().stage, Stage::Body);
        assert!(connection.passage.sight().awaited);
        connection.send("cde").await;
        assert_eq!(connection.read().as_deref(), Some("cde"));
        assert_eq!(connection.passage.sight().stage, Stage::Between);
        assert_eq!(connection.passage.sight().received as usize, HEAD.len() + UPLOAD.len() + 5);
    }

    #[tokio::test]
    async fn a_head_that_was_held_is_given_in_pieces_if_need_be() {
        let mut connection = Connection::new(9);
        connection.send(HEAD.split_at(5).0).await;
        assert_eq!(connection.read(), None);
        connection.send(HEAD.split_at(5).1).await;
        let mut given = String::new();
        while let Some(piece) = connection.read_up_to(4) {
            given += &piece.expect("no error");
        }
        assert_eq!(given, HEAD);
    }

    #[tokio::test]
    async fn no_more_requests_pass_than_may_be_unanswered() {
        let mut connection = Connection::new(2);
        connection.send(&HEAD.repeat(4)).await;
        assert_eq!(connection.read(), Some(HEAD.repeat(2)));
        assert_eq!(connection.read(), None);
        connection.passage.answered();
        assert_eq!(connection.wakes.0.load(Ordering::Relaxed), 1, "its task is woken");
        assert_eq!(connection.read().as_deref(), Some(HEAD));
        assert_eq!(connection.read(), None);
        connection.passage.answered();
        connection.passage.answered();
        assert_eq!(connection.read().as_deref(), Some(HEAD));
    }

    #[tokio::test]
    async fn the_end_of_a_client_is_told_at_once_and_given_to_hyper_once_all_is_answered() {
        let mut connection = Connection::new(1);
        connection.send(HEAD).await;
        assert_eq!(connection.read().as_deref(), Some(HEAD));
        assert_eq!(connection.read(), None);
        connection.far.shutdown().await.expect("an end");
        assert_eq!(connection.read(), None);
        assert!(connection.passage.take_half_closed());
        assert_eq!(connection.read(), None);
        assert!(!connection.passage.take_half_closed(), "told once");
        let wakes = connection.wakes.0.load(Ordering::Relaxed);
        connection.passage.answered();
        assert_eq!(connection.wakes.0.load(Ordering::Relaxed), wakes + 1);
        assert_eq!(connection.read().as_deref(), Some(""));
    }

    #[tokio::test]
    async fn an_end_within_a_body_is_one_at_once() {
        let mut connection = Connection::new(1);
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nha").await;
        assert!(connection.read().is_some_and(|read| read.ends_with("ha")));
        connection.far.shutdown().await.expect("an end");
        assert_eq!(connection.read().as_deref(), Some(""));
    }

    #[tokio::test]
    async fn what_follows_a_handshake_waits_for_its_answer() {
        for leaves in [true, false] {
            let mut connection = Connection::new(9);
            connection.send(&format!("{HANDSHAKE}{HEAD}")).await;
            assert_eq!(connection.read().as_deref(), Some(HANDSHAKE));
            let number = connection.passage.begin().expect("one that passed");
            assert_eq!(connection.read(), None);
            connection.passage.decide(number, leaves);
            assert_eq!(connection.wakes.0.load(Ordering::Relaxed), 1);
            assert_eq!(connection.read().as_deref(), Some(HEAD));
            connection.send("\x01").await;
            assert_eq!(connection.read().as_deref(), leaves.then_some("\x01"));
        }
    }

    #[tokio::test]
    async fn a_stand_in_takes_the_turn_of_a_refused_head() {
        for (method, stand_in) in [("GET", STAND_IN), ("HEAD", STAND_IN_FOR_HEAD)] {
            let mut connection = Connection::new(9);
            connection.send(&format!("{HEAD}{method} / HTTP/1.1\r\nA : b\r\n\r\n{HEAD}")).await;
            assert_eq!(connection.read().as_deref(), Some(HEAD));
            assert_eq!(connection.read().as_deref().map(str::as_bytes), Some(stand_in));
            assert_eq!(connection.read(), None);
            assert!(connection.passage.begin().is_ok());
            assert_eq!(connection.passage.begin(), Err(Refusal::FieldName));
        }
    }

    #[tokio::test]
    async fn a_refused_body_is_an_error_that_concerns_the_last_request_alone() {
        let mut connection = Connection::new(9);
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.send(&format!("{HEAD}{chunked}x\r\n")).await;
        assert_eq!(connection.read(), Some(format!("{HEAD}{chunked}")));
        assert!(connection.read_up_to(9).is_some_and(|read| read.is_err()));
        let (first, last) = (connection.passage.begin(), connection.passage.begin());
        assert_eq!(connection.passage.refused_body(first.expect("passed")), None);
        assert_eq!(connection.passage.refused_body(last.expect("passed")), Some(Refusal::Chunk));
    }

    #[tokio::test]
    async fn who_is_late_is_refused_and_who_was_in_time_after_all_is_not() {
        let mut connection = Connection::new(9);
        connection.send("GET / HT").await;
        assert_eq!(connection.read(), None);
        connection.passage.tell(Overdue::Head);
        assert_eq!(connection.read().as_deref().map(str::as_bytes), Some(STAND_IN));
        assert_eq!(connection.passage.begin(), Err(Refusal::HeadTimeout));

        let mut connection = Connection::new(9);
        connection.passage.tell(Overdue::Head);
        connection.send(HEAD).await;
        assert_eq!(connection.read().as_deref(), Some(HEAD), "the head had not begun any more");
    }
}
