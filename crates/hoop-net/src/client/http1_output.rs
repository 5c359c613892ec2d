//! A request of HTTP/1 on its way out: head and body, framed, with as few system calls as that takes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hoop_http1::write_chunk_size;
use http_body::Body;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::failure::{Failure, Fault, Phase};
use super::request_body::RequestBody;
use super::stream::ClientStream;

/// Shorter pieces are joined with what goes before them.
const JOINED: usize = 16 * 1024;

/// What is to be sent.
#[derive(Default)]
pub struct Output {
    /// Head, sizes of chunks and short pieces; the first `sent` bytes are out.
    joined: Vec<u8>,
    sent: usize,
    /// A long piece, which follows.
    piece: Bytes,
    body: Option<RequestBody>,
    /// What is left of a length that was promised; `None` for chunks.
    left: Option<u64>,
    /// The end of a chunk that was a long piece.
    owes_chunk_end: bool,
    /// Whether a layer below may have something left.
    owes_flush: bool,
    is_untouched: bool,
    /// When the last part went out of a request that did not go out at once.
    pub last: Option<Instant>,
}

/// Why no more is sent.
pub enum Stop {
    /// The network, or the server.
    Network(io::Error),
    /// Whoever makes the body.
    Body(Failure),
}

impl Output {
    /// The next request.
    pub fn begin(&mut self, head: &[u8], wants_length: bool, body: RequestBody) {
        self.joined.clear();
        (self.sent, self.piece, self.last) = (0, Bytes::new(), None);
        (self.owes_chunk_end, self.is_untouched) = (false, true);
        self.joined.extend_from_slice(head);
        self.left = body.size_hint().exact();
        match self.left {
            Some(0) if !wants_length => {}
            Some(length) => {
                self.joined.extend_from_slice(b"content-length: ");
                self.joined.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                self.joined.extend_from_slice(b"\r\n");
            }
            None => self.joined.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        self.joined.extend_from_slice(b"\r\n");
        self.body = (self.left.is_none() || !body.is_end_stream()).then_some(body);
    }

    /// Whether all of it is out.
    pub fn is_done(&self) -> bool {
        self.is_written() && self.body.is_none() && !self.owes_flush
    }

    /// Whether nothing of it has gone out.
    pub fn is_untouched(&self) -> bool {
        self.is_untouched
    }

    /// Gives back what a connection does not need that waits.
    pub fn rest(&mut self) {
        if self.joined.capacity() > JOINED {
            self.joined = Vec::new();
        }
    }

    /// Sends as much as there is.
    pub fn poll(&mut self, cx: &mut Context<'_>, stream: &mut ClientStream) -> Poll<Result<(), Stop>> {
        loop {
            self.gather(cx).map_err(Stop::Body)?;
            if self.is_written() {
                if self.owes_flush {
                    ready!(Pin::new(stream).poll_flush(cx)).map_err(Stop::Network)?;
                    self.owes_flush = false;
                }
                return if self.body.is_none() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let written = ready!(self.poll_write(cx, stream)).map_err(Stop::Network)?;
            if written == 0 {
                return Poll::Ready(Err(Stop::Network(io::ErrorKind::WriteZero.into())));
            }
            self.advance(written);
            if !self.is_done() {
                self.last = Some(Instant::now());
            }
        }
    }

    fn is_written(&self) -> bool {
        self.sent == self.joined.len() && self.piece.is_empty()
    }

    /// Takes of the body what there is, so that it leaves together with what is before it.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while self.piece.is_empty() && self.joined.len() - self.sent < JOINED {
            let Some(body) = &mut self.body else { return Ok(()) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.add(data)?;
                    }
                }
                Poll::Ready(Some(Err(aborted))) => {
                    return Err(Failure::new(Phase::Write, Fault::Upload, aborted.to_string()));
                }
                Poll::Ready(None) => {
                    self.body = None;
                    match self.left {
                        Some(0) => {}
                        None => self.joined.extend_from_slice(b"0\r\n\r\n"),
                        Some(left) => {
                            let words = format!("the body is {left} bytes shorter than its Content-Length");
                            return Err(Failure::new(Phase::Write, Fault::Local, words));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, data: Bytes) -> Result<(), Failure> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.left {
            Some(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => *left = rest,
                None => {
                    let words = "the body is longer than its Content-Length";
                    return Err(Failure::new(Phase::Write, Fault::Local, words));
                }
            },
            None => write_chunk_size(&mut self.joined, data.len()),
        }
        let is_chunk = self.left.is_none();
        if data.len() < JOINED {
            self.joined.extend_from_slice(&data);
            if is_chunk {
                self.joined.extend_from_slice(b"\r\n");
            }
        } else {
            self.piece = data;
            self.owes_chunk_end = is_chunk;
        }
        if self.left == Some(0) {
            // Nobody is to wait for the word that this was the last piece.
            self.body = None;
        }
        Ok(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut ClientStream) -> Poll<io::Result<usize>> {
        let joined = self.joined.get(self.sent..).unwrap_or_default();
        let stream = Pin::new(stream);
        if self.piece.is_empty() {
            stream.poll_write(cx, joined)
        } else if joined.is_empty() {
            stream.poll_write(cx, &self.piece)
        } else {
            stream.poll_write_vectored(cx, &[IoSlice::new(joined), IoSlice::new(&self.piece)])
        }
    }

    fn advance(&mut self, written: usize) {
        (self.is_untouched, self.owes_flush) = (false, true);
        let of_joined = written.min(self.joined.len() - self.sent);
        self.sent += of_joined;
        if self.sent == self.joined.len() {
            self.joined.clear();
            self.sent = 0;
        } else if self.sent >= JOINED {
            // A server that takes less at a time than is joined meanwhile would have all of it kept.
            self.joined.drain(..std::mem::take(&mut self.sent));
        }
        self.piece.advance((written - of_joined).min(self.piece.len()));
        if self.piece.is_empty() && self.joined.is_empty() && std::mem::take(&mut self.owes_chunk_end) {
            self.joined.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::client::Payload;

    #[test]
    fn what_has_gone_out_is_not_kept_however_little_goes_at_a_time() {
        let total = 4 * 1024 * 1024;
        let (sender, mut payload) = Payload::stream(Some(total));
        let piece = Bytes::from(vec![b'a'; 1000]);
        let mut output = Output::default();
        output.begin(b"POST / HTTP/1.1\r\n", true, payload.begin().expect("it is there once"));
        let mut cx = Context::from_waker(Waker::noop());
        let (mut pushed, mut most) = (0, 0);
        while !output.is_written() || output.body.is_some() {
            while pushed < total && sender.buffered() < JOINED as u64 {
                let length = piece.len().min(usize::try_from(total - pushed).expect("it is short"));
                sender.push(piece.slice(..length));
                pushed += length as u64;
            }
            assert!(output.gather(&mut cx).is_ok(), "the body is as long as it says");
            most = most.max(output.joined.capacity());
            output.advance(7000_usize.min(output.joined.len() - output.sent));
        }
        assert_eq!(pushed, total);
        assert!(most <= 8 * JOINED, "{most} bytes were kept");
    }
}
