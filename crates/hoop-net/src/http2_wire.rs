//! The byte stream under hyper's HTTP/2. A ledger follows the frames, and ends the connection over a flaw.
//!
//! hyper has the one handle on it, and whoever serves the connection has the other: after a flaw hyper is
//! given an error and is gone, and then the client is told why (RFC 9113 section 5.4.1).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hoop_http2::{Flaw, Ledger, goaway};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::passage::Passage;
use crate::wire::Wire;

/// How long a client may take to read why it is sent away.
const PARTING: Duration = Duration::from_secs(2);

struct Shared<S: AsyncWrite + Unpin> {
    wire: Wire<S>,
    ledger: Ledger,
    passage: Rc<Passage>,
    began: Instant,
    flaw: Option<Flaw>,
}

/// A handle on a connection's stream.
pub struct Http2Wire<S: AsyncWrite + Unpin>(Rc<RefCell<Shared<S>>>);

impl<S: AsyncWrite + Unpin> Clone for Http2Wire<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http2Wire<S> {
    pub fn new(wire: Wire<S>, passage: Rc<Passage>) -> Self {
        let (ledger, began) = (Ledger::default(), Instant::now());
        Self(Rc::new(RefCell::new(Shared { wire, ledger, passage, began, flaw: None })))
    }

    /// Ends the connection over a flaw, if it has one: this one, or what its frames had.
    pub async fn part(self, flaw: Option<Flaw>) {
        let Some(flaw) = flaw.or(self.0.borrow().flaw) else { return };
        let words = {
            let shared = self.0.borrow();
            if shared.ledger.may_speak() { goaway(shared.ledger.last_stream(), flaw) } else { Vec::new() }
        };
        let parting = poll_fn(|cx| {
            let wire = &mut self.0.borrow_mut().wire;
            // Before it is known whether it goes out whole: a part of it is as good as none.
            ready!(Pin::new(&mut *wire).poll_write(cx, &words))?;
            Poll::Ready(Ok::<_, io::Error>(()))
        });
        let closing = poll_fn(|cx| Pin::new(&mut self.0.borrow_mut().wire).poll_shutdown(cx));
        let _ = tokio::time::timeout(PARTING, async {
            parting.await?;
            closing.await
        })
        .await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(flaw) = self.flaw {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flaw)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if let Err(flaw) = self.ledger.received(arrived, self.began.elapsed()) {
            self.flaw = Some(flaw);
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flaw)));
        }
        Poll::Ready(Ok(()))
    }

    /// Follows what was taken of these.
    fn note_written(&mut self, pieces: &[IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(mut taken)) = *written else { return };
        for piece in pieces {
            let part = piece.get(..taken.min(piece.len())).unwrap_or_default();
            taken -= part.len();
            self.ledger.sent(part);
        }
    }

    /// Tells the other end how writing goes.
    fn note(&self, is_pending: bool) {
        // What hyper has taken whole and not sent waits for its client: for a window.
        let waits = self.ledger.unfinished() > self.passage.unanswered() as usize;
        self.passage.written(self.ledger.delivered(), is_pending || waits);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Http2Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Http2Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut shared = self.0.borrow_mut();
        let written = Pin::new(&mut shared.wire).poll_write_vectored(cx, pieces);
        shared.note_written(pieces, &written);
        shared.note(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().wire.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.borrow_mut();
        let flushed = Pin::new(&mut shared.wire).poll_flush(cx);
        shared.note(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.borrow_mut();
        Pin::new(&mut shared.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::wire::PeerSends;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SHORT_PING: &[u8] = &[0, 0, 7, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7];

    fn connected() -> (Http2Wire<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1024);
        (Http2Wire::new(Wire::new(near, PeerSends::default()), Rc::default()), far)
    }

    #[tokio::test]
    async fn a_flaw_is_an_error_to_hyper_and_a_goaway_to_the_client() {
        let (wire, mut far) = connected();
        far.write_all(PREFACE).await.expect("room");
        far.write_all(SHORT_PING).await.expect("room");
        let mut to_hyper = wire.clone();
        let mut taken = Vec::new();
        let error = to_hyper.read_to_end(&mut taken).await.expect_err("a flaw");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        to_hyper.read_u8().await.expect_err("it stays one");
        drop(to_hyper);
        let parting = wire.part(None);
        let told = async {
            let mut told = Vec::new();
            far.read_to_end(&mut told).await.expect("an orderly end");
            told
        };
        let ((), told) = tokio::join!(parting, told);
        assert_eq!(told.get(3).copied(), Some(7), "GOAWAY");
        assert_eq!(told.get(13..17), Some(&[0, 0, 0, 6][..]), "FRAME_SIZE_ERROR");
    }

    #[tokio::test]
    async fn nothing_is_said_in_the_middle_of_a_frame() {
        let (mut wire, mut far) = connected();
        let data = [0, 0, 10, 0, 0, 0, 0, 0, 1, b'h', b'a', b'l', b'f'];
        wire.write_all(&data).await.expect("room");
        let mut told = Vec::new();
        let ((), read) = tokio::join!(wire.part(Some(Flaw::GivenUp)), far.read_to_end(&mut told));
        read.expect("an orderly end");
        assert_eq!(told, data);
    }

    #[tokio::test]
    async fn who_has_no_flaw_is_told_nothing() {
        let (wire, mut far) = connected();
        wire.part(None).await;
        let mut told = Vec::new();
        far.read_to_end(&mut told).await.expect("an orderly end");
        assert_eq!(told, b"");
    }
}
