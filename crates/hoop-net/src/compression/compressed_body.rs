//! A body that is compressed on its way: a piece at a time, and at once where its client waits for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoop_http::Coding;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::encoder::{Encoder, Levels};
use crate::body::{BodyAborted, ResponseBody};

/// So much is compressed before others have their turn. The runtime looks at its sockets once in 61 turns:
/// after about ten milliseconds of gzip.
const TURN: usize = 8 * 1024;
/// So much has to come out before it is sent while there is more to compress.
const WORTH_SENDING: usize = 16 * 1024;

/// A compressed body.
pub struct CompressedBody {
    inner: ResponseBody,
    coding: Coding,
    levels: Levels,
    /// How much there will be, if that is known.
    size: Option<u64>,
    /// Made when there is something to compress; gone at the end.
    encoder: Option<Encoder>,
    /// Of what was taken from the body, what is not compressed yet.
    rest: Bytes,
    /// Something was compressed that the client may not be able to read yet.
    holds: bool,
    /// Bytes compressed in this turn.
    compressed: usize,
    stage: Stage,
}

enum Stage {
    Body,
    /// The body has ended; its trailers, if any, are left.
    Trailers(Option<HeaderMap>),
    End,
}

type Answer = Poll<Option<Result<Frame<Bytes>, BodyAborted>>>;

impl CompressedBody {
    /// Compresses a body.
    pub fn new(inner: ResponseBody, coding: Coding, levels: Levels) -> Self {
        Self {
            size: inner.size_hint().exact(),
            inner,
            coding,
            levels,
            encoder: None,
            rest: Bytes::new(),
            holds: false,
            compressed: 0,
            stage: Stage::Body,
        }
    }

    /// Whether nothing is left.
    pub fn is_end(&self) -> bool {
        matches!(self.stage, Stage::End)
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Answer {
        match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Body => {
                self.stage = Stage::Body;
                // An encoder fails for want of memory alone; then the body breaks off.
                self.poll_body(cx).unwrap_or(Poll::Ready(Some(Err(BodyAborted))))
            }
            Stage::Trailers(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
            Stage::End => Poll::Ready(None),
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> io::Result<Answer> {
        loop {
            if !self.rest.is_empty() {
                if self.compressed >= TURN {
                    self.compressed = 0;
                    cx.waker().wake_by_ref();
                    return Ok(Poll::Pending);
                }
                let piece = self.rest.split_to(self.rest.len().min(TURN));
                let encoder = self.encoder()?;
                encoder.write(&piece)?;
                let ready = encoder.ready();
                self.compressed += piece.len();
                self.holds = true;
                if ready >= WORTH_SENDING {
                    return Ok(self.send());
                }
                continue;
            }
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return self.end(frame.into_trailers().ok()),
                },
                Poll::Ready(Some(Err(aborted))) => return Ok(Poll::Ready(Some(Err(aborted)))),
                Poll::Ready(None) => return self.end(None),
                Poll::Pending => {
                    self.compressed = 0;
                    if !std::mem::replace(&mut self.holds, false) {
                        return Ok(Poll::Pending);
                    }
                    // Nothing more for now: what there is is not to wait for what comes.
                    let encoder = self.encoder()?;
                    encoder.flush()?;
                    return Ok(if encoder.ready() == 0 { Poll::Pending } else { self.send() });
                }
            }
        }
    }

    fn encoder(&mut self) -> io::Result<&mut Encoder> {
        let encoder = match self.encoder.take() {
            Some(encoder) => encoder,
            None => Encoder::new(self.coding, &self.levels, self.size)?,
        };
        Ok(self.encoder.insert(encoder))
    }

    fn send(&mut self) -> Answer {
        let ready = self.encoder.as_mut().map(Encoder::take).unwrap_or_default();
        Poll::Ready(Some(Ok(Frame::data(ready))))
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> io::Result<Answer> {
        self.encoder()?;
        let last = self.encoder.take().map(Encoder::finish).transpose()?.unwrap_or_default();
        self.stage = Stage::Trailers(trailers);
        Ok(Poll::Ready(Some(Ok(Frame::data(last)))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::task::Waker;

    use http::{HeaderValue, header};

    use super::*;

    fn inflated(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut inflated = Vec::new();
        // What is not complete is an error at its end, and gives what is there before.
        let _ = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut inflated),
            Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut inflated),
            Coding::Zstd => zstd::Decoder::new(bytes).expect("zstd").read_to_end(&mut inflated),
        };
        inflated
    }

    fn poll(body: &mut ResponseBody) -> Answer {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    fn compressed(inner: ResponseBody, coding: Coding) -> ResponseBody {
        ResponseBody::Compressed(Box::new(CompressedBody::new(inner, coding, Levels::default())))
    }

    #[test]
    fn each_message_can_be_read_as_soon_as_it_was_sent() {
        for coding in Coding::ALL {
            let (sender, body) = ResponseBody::stream(None);
            let mut body = compressed(body, coding);
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            for message in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
                sender.push(Bytes::from(message));
                sent.extend_from_slice(message.as_bytes());
                while let Poll::Ready(frame) = poll(&mut body) {
                    received.extend_from_slice(
                        &frame.expect("a frame").expect("no error").into_data().expect("data"),
                    );
                }
                assert_eq!(inflated(coding, &received), sent, "{coding:?}");
            }
            sender.finish();
            let Poll::Ready(Some(Ok(last))) = poll(&mut body) else { panic!("the end of it") };
            received.extend_from_slice(&last.into_data().expect("data"));
            assert!(matches!(poll(&mut body), Poll::Ready(None)) && body.is_end_stream());
            assert_eq!(inflated(coding, &received), sent);
        }
    }

    #[test]
    fn a_large_body_gives_way_while_it_is_compressed() {
        let content: Vec<u8> = (0..500_000_u32).flat_map(|number| (number / 3).to_le_bytes()).collect();
        for coding in Coding::ALL {
            let mut body = compressed(ResponseBody::Whole(content.clone().into()), coding);
            let (mut received, mut turns) = (Vec::new(), 0);
            loop {
                match poll(&mut body) {
                    Poll::Pending => turns += 1,
                    Poll::Ready(None) => break,
                    Poll::Ready(Some(frame)) => {
                        received.extend_from_slice(&frame.expect("no error").into_data().expect("data"));
                    }
                }
            }
            assert!(turns >= content.len() / TURN - 1, "{coding:?} gave way {turns} times");
            assert!(received.len() < content.len());
            assert!(inflated(coding, &received) == content, "{coding:?}");
        }
    }

    #[test]
    fn trailers_follow_and_what_breaks_off_is_not_ended() {
        let (sender, body) = ResponseBody::stream(None);
        let mut body = compressed(body, Coding::Gzip);
        sender.push(Bytes::from("body"));
        sender.finish_with(HeaderMap::from_iter([(header::EXPIRES, HeaderValue::from_static("0"))]));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(frame))) if frame.is_trailers()));
        assert!(matches!(poll(&mut body), Poll::Ready(None)));

        let (sender, body) = ResponseBody::stream(None);
        let mut body = compressed(body, Coding::Gzip);
        sender.push(Bytes::from("half"));
        drop(sender);
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(BodyAborted)))));
    }
}
