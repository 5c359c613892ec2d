//! Response bodies: whole, or streamed through a channel that tells its writer to slow down.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::compression::CompressedBody;
use crate::file_part::FilePart;
use crate::line::{Straight, StraightLine};
use crate::websocket::SharedMessage;

/// A longer chunk takes its turn: what the system does not take of one that goes straight is kept with its
/// connection, where nothing tells whoever sends to wait.
const LONGEST_STRAIGHT: usize = 16 * 1024;

/// The stream ended before it was complete, so the connection must not be used again.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the response was aborted before it was complete")]
pub struct BodyAborted;

/// A piece of a streamed body.
#[derive(Debug)]
pub enum Piece {
    /// Bytes as they are.
    Bytes(Bytes),
    /// A part of a file, read as the peer takes it.
    File(FilePart),
}

impl Piece {
    /// How many bytes it makes.
    #[expect(clippy::len_without_is_empty, reason = "an empty piece is as good as any")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(part) => part.len(),
        }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<FilePart> for Piece {
    fn from(part: FilePart) -> Self {
        Self::File(part)
    }
}

type Wakeup = Box<dyn FnOnce()>;

#[derive(Default)]
struct Channel {
    pieces: VecDeque<Piece>,
    buffered: u64,
    /// The exact length, where it is known, so that the response is not chunked.
    remaining: Option<u64>,
    finished: bool,
    /// What follows the last chunk.
    trailers: Option<HeaderMap>,
    aborted: bool,
    waited_before_abort: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    /// The way past the reader while it waits, where the body is chunked by HTTP/1.1.
    straight: Option<Rc<dyn StraightLine>>,
    on_drained: Option<Wakeup>,
    on_gone: Option<Wakeup>,
}

/// The writing end of a streamed body.
pub struct BodySender {
    channel: Rc<RefCell<Channel>>,
}

impl BodySender {
    /// Queues a piece; pieces for a reader that is gone are dropped.
    pub fn push(&self, piece: impl Into<Piece>) {
        let piece = piece.into();
        let mut channel = self.channel.borrow_mut();
        if piece.len() > 0 && !channel.reader_gone {
            channel.buffered = channel.buffered.saturating_add(piece.len());
            channel.pieces.push_back(piece);
        }
        wake(channel);
    }

    /// Sends what many are sent: at once, where nothing is in front of it and the connection allows it, else
    /// in its turn.
    pub fn push_shared(&self, message: &SharedMessage) {
        match self.send_straight(message) {
            Straight::Sent => {}
            Straight::Stuck => wake(self.channel.borrow_mut()),
            Straight::Refused => self.push(message.payload().clone()),
        }
    }

    fn send_straight(&self, message: &SharedMessage) -> Straight {
        let channel = self.channel.borrow();
        let Some(line) = &channel.straight else { return Straight::Refused };
        // The reader has taken all there was, and waits: what it had is written once its line is flushed.
        let is_waiting = channel.reader.is_some() && channel.pieces.is_empty();
        let chunk = message.chunk();
        if !is_waiting || chunk.is_empty() || chunk.len() > LONGEST_STRAIGHT {
            return Straight::Refused;
        }
        line.send_straight(chunk)
    }

    /// Ends the body with trailers.
    pub fn finish_with(&self, trailers: HeaderMap) {
        self.channel.borrow_mut().trailers = Some(trailers);
        self.finish();
    }

    /// Ends the body; what is queued still goes out.
    pub fn finish(&self) {
        let mut channel = self.channel.borrow_mut();
        channel.finished = true;
        wake(channel);
    }

    /// Breaks the body off, so that the peer can tell that it is not complete.
    pub fn abort(&self) {
        let mut channel = self.channel.borrow_mut();
        channel.aborted = true;
        wake(channel);
    }

    /// Bytes queued and not yet taken by the connection.
    pub fn buffered(&self) -> u64 {
        self.channel.borrow().buffered
    }

    /// Whether the connection has let go of the body.
    pub fn is_reader_gone(&self) -> bool {
        self.channel.borrow().reader_gone
    }

    /// Calls back once nothing is queued any more or the reader is gone.
    pub fn when_drained(&self, callback: impl FnOnce() + 'static) {
        self.channel.borrow_mut().on_drained = Some(Box::new(callback));
    }

    /// Calls back once the connection lets go of the body, complete or not.
    pub fn when_gone(&self, callback: impl FnOnce() + 'static) {
        self.channel.borrow_mut().on_gone = Some(Box::new(callback));
    }
}

fn wake(mut channel: std::cell::RefMut<'_, Channel>) {
    let reader = channel.reader.take();
    drop(channel);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Drop for BodySender {
    /// A writer that goes away without finishing has failed.
    fn drop(&mut self) {
        if !self.channel.borrow().finished {
            self.abort();
        }
    }
}

/// The reading end of a streamed body.
pub struct BodyStream(Rc<RefCell<Channel>>);

impl BodyStream {
    /// Lets what many are sent go past the reader. It has to be one that puts the pieces into chunks and
    /// keeps nothing back behind a flush.
    pub fn may_go(&self, straight: Rc<dyn StraightLine>) {
        self.0.borrow_mut().straight = Some(straight);
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        let (drained, gone) = {
            let mut channel = self.0.borrow_mut();
            channel.reader_gone = true;
            channel.straight = None;
            channel.pieces.clear();
            channel.buffered = 0;
            (channel.on_drained.take(), channel.on_gone.take())
        };
        for callback in [drained, gone].into_iter().flatten() {
            callback();
        }
    }
}

/// What a response carries.
pub enum ResponseBody {
    /// All of it.
    Whole(Bytes),
    /// Chunk by chunk.
    Stream(BodyStream),
    /// Another body, compressed.
    Compressed(Box<CompressedBody>),
}

impl ResponseBody {
    /// A streamed body and its writing end; `length` is its exact size where that is known.
    pub fn stream(length: Option<u64>) -> (BodySender, Self) {
        let channel = Rc::new(RefCell::new(Channel { remaining: length, ..Channel::default() }));
        (BodySender { channel: channel.clone() }, Self::Stream(BodyStream(channel)))
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Self::Whole(Bytes::from_static(text.as_bytes()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => poll_stream(&stream.0, cx),
            Self::Compressed(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(stream) => {
                let channel = stream.0.borrow();
                channel.finished
                    && channel.pieces.is_empty()
                    && channel.trailers.is_none()
                    && !channel.aborted
            }
            Self::Compressed(body) => body.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => {
                stream.0.borrow().remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Self::Compressed(_) => SizeHint::default(),
        }
    }
}

fn poll_stream(
    shared: &Rc<RefCell<Channel>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
    let mut channel = shared.borrow_mut();
    if let Some(piece) = channel.pieces.pop_front() {
        let chunk = match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::File(mut part) => {
                let read = part.poll_read(cx);
                // What is not there yet is the first thing that is wanted again.
                if read.is_pending() || part.len() > 0 {
                    channel.pieces.push_front(Piece::File(part));
                }
                match std::task::ready!(read) {
                    Ok(bytes) => bytes,
                    Err(_) => return Poll::Ready(Some(Err(BodyAborted))),
                }
            }
        };
        let length = chunk.len() as u64;
        channel.buffered = channel.buffered.saturating_sub(length);
        if let Some(remaining) = &mut channel.remaining {
            *remaining = remaining.saturating_sub(length);
        }
        let drained = if channel.pieces.is_empty() { channel.on_drained.take() } else { None };
        drop(channel);
        if let Some(drained) = drained {
            drained();
        }
        return Poll::Ready(Some(Ok(Frame::data(chunk))));
    }
    if channel.aborted {
        // Over HTTP/2 hyper drops what it has buffered when a body fails, and writes it out when one has to be
        // waited for: so the chunks before the failure still reach the peer.
        if std::mem::replace(&mut channel.waited_before_abort, true) {
            return Poll::Ready(Some(Err(BodyAborted)));
        }
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    if channel.finished {
        return Poll::Ready(channel.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
    }
    channel.reader = Some(cx.waker().clone());
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::*;

    fn frame(body: &mut ResponseBody) -> Poll<Option<Result<Bytes, BodyAborted>>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(body).poll_frame(&mut cx).map(|frame| {
            frame.map(|result| result.map(|frame| frame.into_data().expect("no trailers are ever sent")))
        })
    }

    #[test]
    fn chunks_arrive_in_order_and_then_the_end() {
        let (sender, mut body) = ResponseBody::stream(None);
        assert!(frame(&mut body).is_pending());
        sender.push(Bytes::from_static(b"one"));
        sender.push(Bytes::from_static(b"two"));
        assert_eq!(sender.buffered(), 6);
        sender.finish();
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "one"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "two"));
        assert!(matches!(frame(&mut body), Poll::Ready(None)));
    }

    #[test]
    fn a_sender_that_goes_away_early_aborts() {
        let (sender, mut body) = ResponseBody::stream(None);
        sender.push(Bytes::from_static(b"half"));
        drop(sender);
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(frame(&mut body).is_pending(), "what came before gets its chance to be written");
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Err(BodyAborted)))));
    }

    #[test]
    fn draining_and_leaving_are_told_once() {
        let (sender, mut body) = ResponseBody::stream(None);
        let told = Rc::new(Cell::new((0, 0)));
        sender.push(Bytes::from_static(b"x"));
        let seen = told.clone();
        sender.when_drained(move || seen.set((seen.get().0 + 1, seen.get().1)));
        let seen = told.clone();
        sender.when_gone(move || seen.set((seen.get().0, seen.get().1 + 1)));
        assert!(frame(&mut body).is_ready());
        assert_eq!(told.get(), (1, 0));
        drop(body);
        assert_eq!(told.get(), (1, 1));
        assert!(sender.is_reader_gone());
        sender.push(Bytes::from_static(b"too late"));
        assert_eq!(sender.buffered(), 0);
    }

    #[test]
    fn trailers_come_after_the_last_chunk() {
        let (sender, mut body) = ResponseBody::stream(None);
        sender.push(Bytes::from_static(b"body"));
        sender.finish_with(HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("x"))]));
        assert!(!body.is_end_stream());
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "body"));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(last))) = Pin::new(&mut body).poll_frame(&mut cx) else { panic!("a frame") };
        assert_eq!(last.into_trailers().expect("trailers")["etag"], "x");
        assert!(matches!(frame(&mut body), Poll::Ready(None)));
    }

    /// A connection that takes what it is given, or answers as it is told to.
    struct Taking(RefCell<(Straight, Vec<u8>)>);

    impl Taking {
        fn answer(&self, answer: Straight) {
            self.0.borrow_mut().0 = answer;
        }

        fn taken(&self) -> String {
            String::from_utf8(self.0.borrow_mut().1.clone()).expect("text")
        }
    }

    impl StraightLine for Taking {
        fn send_straight(&self, bytes: &[u8]) -> Straight {
            let mut inside = self.0.borrow_mut();
            if inside.0 != Straight::Refused {
                inside.1.extend_from_slice(bytes);
            }
            inside.0
        }
    }

    fn straight_body() -> (BodySender, ResponseBody, Rc<Taking>) {
        let (sender, body) = ResponseBody::stream(None);
        let line = Rc::new(Taking(RefCell::new((Straight::Sent, Vec::new()))));
        let ResponseBody::Stream(stream) = &body else { unreachable!() };
        stream.may_go(line.clone());
        (sender, body, line)
    }

    fn said(text: &str) -> SharedMessage {
        SharedMessage::text(text.to_owned())
    }

    #[test]
    fn what_many_are_sent_goes_straight_only_past_a_reader_that_waits() {
        let (sender, mut body, line) = straight_body();
        sender.push_shared(&said("first"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "first"));
        sender.push_shared(&said("second"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "second"));
        assert!(frame(&mut body).is_pending());
        assert_eq!(line.taken(), "");
        sender.push_shared(&said("third is straight"));
        assert_eq!(line.taken(), "11\r\nthird is straight\r\n");
        assert_eq!(sender.buffered(), 0);
        sender.push(Bytes::from_static(b"fourth"));
        sender.push_shared(&said("fifth"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "fourth"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "fifth"));
        assert!(frame(&mut body).is_pending());
        line.answer(Straight::Refused);
        sender.push_shared(&said("sixth"));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "sixth"));
        sender.finish();
        sender.push_shared(&said("too late"));
        assert_eq!(line.taken().len(), 23, "one went straight");
    }

    #[test]
    fn a_chunk_that_is_stuck_has_the_reader_look_after_it_and_the_next_takes_its_turn() {
        let (sender, mut body, line) = straight_body();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert!(Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker)).is_pending());
        line.answer(Straight::Stuck);
        sender.push_shared(&said("a"));
        assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed));
        line.answer(Straight::Sent);
        sender.push_shared(&said("b"));
        assert_eq!(line.taken(), "1\r\na\r\n");
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == "b"));
    }

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[test]
    fn nothing_goes_straight_that_is_empty_or_long_or_for_nobody() {
        let (sender, mut body, line) = straight_body();
        assert!(frame(&mut body).is_pending());
        sender.push_shared(&said(""));
        assert!(frame(&mut body).is_pending(), "an empty chunk would be the end");
        let long = "x".repeat(LONGEST_STRAIGHT);
        sender.push_shared(&said(&long));
        assert!(matches!(frame(&mut body), Poll::Ready(Some(Ok(chunk))) if chunk == long));
        assert!(frame(&mut body).is_pending());
        drop(body);
        sender.push_shared(&said("gone"));
        assert_eq!(line.taken(), "");
    }

    #[test]
    fn a_known_length_is_told_to_the_connection() {
        let (sender, body) = ResponseBody::stream(Some(5));
        assert_eq!(body.size_hint().exact(), Some(5));
        sender.finish();
        drop(sender);
        assert_eq!(ResponseBody::from("four").size_hint().exact(), Some(4));
    }

    #[test]
    fn an_empty_whole_body_has_no_frames() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let collected = runtime.block_on(ResponseBody::Whole(Bytes::new()).collect());
        assert!(collected.expect("no error").to_bytes().is_empty());
    }
}
