//! A connection's stream and what waits to be sent on it, which its wire and the outbox share.
//!
//! What many clients are sent goes past the wire and whoever writes to it, where nothing is in front of it
//! (docs/adr/0049).

use std::cell::{RefCell, RefMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::outbox::Holding;

/// What a connection that never rests keeps of the memory for what is pending.
const KEPT_LEAN: usize = 4096;

/// What a connection and its server's outbox both reach.
pub struct Line<S> {
    /// None once the connection is gone.
    pub stream: Option<S>,
    /// Short output that was accepted and waits for `poll_flush`, but for the first `sent` bytes.
    pub pending: Vec<u8>,
    sent: usize,
    /// Bytes that the system has taken, of all output.
    pub taken: u64,
    pub is_lean: bool,
    /// The outbox will send what is pending.
    pub is_held: bool,
    /// Not all of it could be sent by another than the connection's task.
    pub is_stuck: bool,
    /// Whoever writes has handed over all that it had.
    pub is_flushed: bool,
    /// The connection's task, where the outbox may have to tell it something.
    pub task: Option<Waker>,
}

impl<S: AsyncWrite + Unpin> Line<S> {
    /// Sends what is pending, whoever else is ready.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send_with(cx, &mut Bytes::new())
    }

    /// The same, and what is to follow it.
    pub fn poll_send_with(&mut self, cx: &mut Context<'_>, rest: &mut Bytes) -> Poll<io::Result<()>> {
        loop {
            let left = self.pending.get(self.sent..).unwrap_or_default();
            if left.is_empty() {
                self.all_sent();
            }
            let left = self.pending.get(self.sent..).unwrap_or_default();
            let Some(stream) = &mut self.stream else {
                let is_done = left.is_empty() && rest.is_empty();
                return Poll::Ready(if is_done { Ok(()) } else { Err(gone()) });
            };
            let stream = Pin::new(stream);
            let written = match (left, rest.as_ref()) {
                ([], []) => return Poll::Ready(Ok(())),
                (left, []) => stream.poll_write(cx, left),
                ([], rest) => stream.poll_write(cx, rest),
                (left, rest) => stream.poll_write_vectored(cx, &[IoSlice::new(left), IoSlice::new(rest)]),
            };
            let written = std::task::ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += written as u64;
            let of_pending = written.min(left.len());
            self.sent += of_pending;
            rest.advance(written - of_pending);
        }
    }

    /// Nothing is pending any more.
    fn all_sent(&mut self) {
        if self.is_lean && self.pending.capacity() > KEPT_LEAN {
            self.pending = Vec::new();
        }
        self.pending.clear();
        self.sent = 0;
        self.is_stuck = false;
    }

    /// Hands bytes to the system if nothing is in front of them; how many it has taken.
    pub fn send_at_once(&mut self, bytes: &[u8]) -> usize {
        let (true, Some(stream)) = (self.pending.is_empty(), &mut self.stream) else { return 0 };
        let cx = &mut Context::from_waker(Waker::noop());
        // What is wrong with the stream, the connection's task comes upon by itself.
        let Poll::Ready(Ok(sent)) = Pin::new(stream).poll_write(cx, bytes) else { return 0 };
        self.taken += sent as u64;
        sent
    }

    pub fn poll_flush_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream
            .as_mut()
            .map_or_else(|| Poll::Ready(Err(gone())), |stream| Pin::new(stream).poll_flush(cx))
    }
}

pub fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// A line that its connection shares with the outbox.
pub struct SharedLine<S>(RefCell<Line<S>>);

impl<S> SharedLine<S> {
    pub fn new(stream: S) -> Self {
        Self(RefCell::new(Line {
            stream: Some(stream),
            pending: Vec::new(),
            sent: 0,
            taken: 0,
            is_lean: false,
            is_held: false,
            is_stuck: false,
            is_flushed: false,
            task: None,
        }))
    }

    pub fn borrow_mut(&self) -> RefMut<'_, Line<S>> {
        self.0.borrow_mut()
    }
}

/// What came of bytes that were to go past whoever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Straight {
    /// They have gone.
    Sent,
    /// They will go, once the connection's task is woken.
    Stuck,
    /// Something is in front of them: they have to take their turn.
    Refused,
}

/// A line that may be written to past whoever writes.
pub trait StraightLine {
    fn send_straight(&self, bytes: &[u8]) -> Straight;
}

impl<S: AsyncWrite + Unpin> StraightLine for SharedLine<S> {
    fn send_straight(&self, bytes: &[u8]) -> Straight {
        let mut line = self.borrow_mut();
        if !line.is_flushed {
            return Straight::Refused;
        }
        match bytes.get(line.send_at_once(bytes)..) {
            Some([]) => Straight::Sent,
            Some(rest) if rest.len() < bytes.len() => {
                line.pending.extend_from_slice(rest);
                line.is_stuck = true;
                Straight::Stuck
            }
            _ => Straight::Refused,
        }
    }
}

impl<S: AsyncWrite + Unpin> Holding for SharedLine<S> {
    fn send_held(&self) {
        let mut line = self.borrow_mut();
        if !std::mem::take(&mut line.is_held) {
            // Somebody else drives it by now.
            return;
        }
        let task = line.task.take();
        let cx = &mut Context::from_waker(task.as_ref().unwrap_or(Waker::noop()));
        let sent = line.poll_send(cx);
        let is_stuck = !matches!(sent, Poll::Ready(Ok(())));
        if is_stuck || !matches!(line.poll_flush_stream(cx), Poll::Ready(Ok(()))) {
            // The connection goes on by itself, and hears what is wrong, if anything is.
            line.is_stuck = is_stuck;
            if let Some(task) = &task {
                task.wake_by_ref();
            }
        }
        line.task = task;
    }
}
