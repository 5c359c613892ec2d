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
use hoop_http1::{Gate, Stop};
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
            received: 0,
        }
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
            self.inspect_held();
        }
        let before = buffer.filled().len();
        loop {
            if self.cleared > 0 {
                self.deliver(buffer);
                return Poll::Ready(Ok(()));
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
            if arrived == 0 || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
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
