//! The body of a response on its way out, framed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hoop_http1::write_chunk_size;
use http::HeaderMap;
use http_body::{Body as _, Frame};

use super::response_head::{Framing, write_trailers};
use super::stream::Stream;
use crate::body::ResponseBody;

/// A body that could not be sent as it was promised: the connection must not be used again.
#[derive(Debug)]
pub struct Broken;

/// What is left of a response.
pub struct Outgoing {
    /// None once the application has nothing more to give.
    body: Option<ResponseBody>,
    framing: Framing,
    /// What was given and is not on its way.
    data: Bytes,
    /// A chunk's data needs its end.
    owes_chunk_end: bool,
    takes_trailers: bool,
}

impl Outgoing {
    /// `takes_trailers` says whether the client does.
    pub fn new(body: ResponseBody, framing: Framing, takes_trailers: bool) -> Self {
        let is_over = matches!(framing, Framing::Bodyless | Framing::Length(0));
        let body = (!is_over).then_some(body);
        Self { body, framing, data: Bytes::new(), owes_chunk_end: false, takes_trailers }
    }

    /// Hands over what there is. Ready once that was all.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<Result<(), Broken>> {
        loop {
            // The last time also where there is none: what was queued must not grow while nobody takes it.
            if !self.data.is_empty() || self.body.is_none() {
                ready!(stream.poll_queue_data(cx, &mut self.data)).map_err(|_| Broken)?;
            }
            if std::mem::take(&mut self.owes_chunk_end) {
                stream.queue(|out| out.extend_from_slice(b"\r\n"));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => self.take(frame, stream),
                Some(Err(_)) => return Poll::Ready(Err(Broken)),
                None => {
                    self.body = None;
                    match self.framing {
                        Framing::Chunked => stream.queue(|out| out.extend_from_slice(b"0\r\n\r\n")),
                        // What is missing the client waits for.
                        Framing::Length(1..) => return Poll::Ready(Err(Broken)),
                        Framing::Bodyless | Framing::Length(0) | Framing::Close => {}
                    }
                }
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>, stream: &mut Stream) {
        let mut data = match frame.into_data() {
            Ok(data) if data.is_empty() => return,
            Ok(data) => data,
            Err(frame) => return self.take_trailers(frame.into_trailers().unwrap_or_default(), stream),
        };
        match &mut self.framing {
            Framing::Chunked => {
                stream.queue(|out| write_chunk_size(out, data.len()));
                self.owes_chunk_end = true;
            }
            Framing::Length(left) => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                if *left == 0 {
                    self.body = None;
                }
            }
            Framing::Bodyless | Framing::Close => {}
        }
        self.data = data;
    }

    fn take_trailers(&mut self, trailers: HeaderMap, stream: &mut Stream) {
        if self.framing == Framing::Chunked && self.takes_trailers {
            self.body = None;
            stream.queue(|out| write_trailers(out, &trailers));
        }
    }
}
