//! A connection of HTTP/1 and the exchange that is under way on it, driven by whoever awaits that (ADR 0048).
//!
//! There is no task behind it: the request's own poll writes and reads. So it costs what its system calls
//! cost, and little more, and a request that is dropped leaves nothing that runs.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut, Bytes, BytesMut};
use hoop_http1::{BodyFraming, BodyReader, Breach, Step, read_head};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::Instant;

use super::failure::{Failure, Fault, Phase};
use super::http1_output::{Output, Stop};
use super::request_body::RequestBody;
use super::request_head::Written;
use super::stream::ClientStream;

/// What is read at once where a head may come, and more than most responses have.
const READ: usize = 16 * 1024;
/// What is read at once of a long body; glibc would ask the kernel for more than that.
const READ_OF_BODY: usize = 120 * 1024;
/// The most that a head may have.
const LARGEST_HEAD: usize = 400 * 1024;
/// Responses that announce the one to come.
const MOST_INTERIM: usize = 100;

/// The connection. Its exchanges follow each other, each begun when [`Http1::can_serve`] says so.
pub struct Http1 {
    stream: ClientStream,
    output: Output,
    /// What has come; the first `taken` bytes of it are done with.
    input: Vec<u8>,
    taken: usize,
    /// Input that was looked at in vain for a head.
    looked_at: usize,
    block: BytesMut,
    body: BodyReader,
    answers_head: bool,
    keeps_alive: bool,
    /// The request has said that this is the last exchange.
    closes: bool,
    interim: usize,
    trailers: Option<HeaderMap>,
    /// A response may have come before the server stopped to listen.
    unsent: Option<io::Error>,
    /// Set while a task sends, and nobody who reads.
    apart: Option<Apart>,
}

/// What that task has to say to whoever reads.
#[derive(Default)]
struct Apart {
    failure: Option<Failure>,
    reader: Option<Waker>,
}

/// Why an exchange ended without an answer.
pub struct Broken {
    pub failure: Failure,
    /// Whether the connection ended in good order or was reset, and nothing of an answer had come.
    pub is_silent: bool,
    /// Whether nothing of the request had gone out.
    pub is_unsent: bool,
}

impl Http1 {
    pub fn new(stream: ClientStream) -> Self {
        Self {
            stream,
            output: Output::default(),
            input: Vec::new(),
            taken: 0,
            looked_at: 0,
            block: BytesMut::new(),
            body: BodyReader::new(BodyFraming::Length(0)),
            answers_head: false,
            keeps_alive: true,
            closes: false,
            interim: 0,
            trailers: None,
            unsent: None,
            apart: None,
        }
    }

    /// Begins an exchange.
    pub fn begin(&mut self, head: Written<'_>, wants_length: bool, answers_head: bool, body: RequestBody) {
        self.output.begin(head.text, wants_length, body);
        self.closes = head.closes;
        self.input.clear();
        (self.taken, self.looked_at, self.interim) = (0, 0, 0);
        (self.answers_head, self.trailers, self.apart) = (answers_head, None, None);
    }

    /// Sends the request as far as it goes, and reads the head of the answer.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Parts, Broken>> {
        if let Err(failure) = self.poll_send(cx) {
            return Poll::Ready(Err(self.broken(failure, false)));
        }
        loop {
            match self.take_head() {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(failure) => return Poll::Ready(Err(self.broken(failure, false))),
            }
            let came = ready!(self.poll_fill(cx));
            if !matches!(came, Ok(1..)) {
                let is_silent = self.input.is_empty() && self.interim == 0;
                let failure = self.ended(came, "the server closed the connection before its answer");
                return Poll::Ready(Err(self.broken(failure, is_silent)));
            }
        }
    }

    /// The next piece of the body as it came, all chunks that are there in one; `None` at its end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        self.poll_send_or_hear(cx)?;
        let mut piece = Vec::new();
        loop {
            let waiting = self.input.get(self.taken..).unwrap_or_default();
            let taken = match self.body.step(waiting).map_err(breach)? {
                Step::Content(length) => {
                    if piece.is_empty() {
                        // Once, for all chunks that are there: what is between them is little.
                        piece.reserve_exact(waiting.len());
                    }
                    piece.extend_from_slice(waiting.get(..length).unwrap_or_default());
                    length
                }
                Step::Framing(length) => length,
                Step::Trailer(length, field) => {
                    let name = HeaderName::from_bytes(field.name);
                    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
                        self.trailers.get_or_insert_default().append(name, value);
                    }
                    length
                }
                Step::Over | Step::More if !piece.is_empty() => {
                    return Poll::Ready(Ok(Some(piece.into())));
                }
                Step::Over => return Poll::Ready(Ok(None)),
                Step::More if waiting.is_empty() && self.is_long() => return self.poll_block(cx),
                Step::More => {
                    if !ready!(self.poll_more(cx))? {
                        return Poll::Ready(Ok(None));
                    }
                    0
                }
            };
            self.taken += taken;
        }
    }

    /// Puts the next bytes of a body whose length is known where it is to lie in the end; how many.
    pub fn poll_into(
        &mut self,
        cx: &mut Context<'_>,
        mut room: &mut dyn BufMut,
    ) -> Poll<Result<usize, Failure>> {
        self.poll_send_or_hear(cx)?;
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        if let Step::Content(length) = self.body.step(waiting).map_err(breach)? {
            room.put_slice(waiting.get(..length).unwrap_or_default());
            self.taken += length;
            return Poll::Ready(Ok(length));
        }
        let left = usize::try_from(self.body.length().unwrap_or(0)).unwrap_or(usize::MAX);
        let mut rest = (&mut room).limit(left);
        let came = ready!(pin!(self.stream.read_buf(&mut rest)).poll(cx));
        match came {
            Ok(read @ 1..) => {
                self.body.passed(read);
                Poll::Ready(Ok(read))
            }
            _ => Poll::Ready(Err(self.ended(came, BEFORE_THE_END))),
        }
    }

    /// How much is left of the body, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.body.length()
    }

    /// Whether all of the answer was read.
    pub fn is_over(&self) -> bool {
        self.body.is_over()
    }

    /// What followed the body.
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Whether the request is out, or the server does not want more of it.
    pub fn is_sent(&self) -> bool {
        self.output.is_done() || self.unsent.is_some()
    }

    /// When the server last took a part of a request that is not out yet.
    pub fn last_sent(&self) -> Option<Instant> {
        self.output.last
    }

    /// Whether both sides are through with the exchange, and another may begin.
    pub fn can_serve(&self) -> bool {
        let is_clean = self.taken == self.input.len() && self.unsent.is_none();
        self.keeps_alive && is_clean && self.output.is_done() && self.body.is_over()
    }

    /// Whether nothing has come that nobody asked for: the end of the connection, as a rule. From now on
    /// such a thing wakes who asks.
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Gives back what a connection does not need that waits.
    pub fn rest(&mut self) {
        self.block = BytesMut::new();
        self.output.rest();
        if self.input.capacity() > READ {
            self.input = Vec::new();
        }
    }

    /// From now on only [`Http1::poll_rest`] sends.
    pub fn send_apart(&mut self) {
        self.apart = Some(Apart::default());
    }

    /// Sends the rest of a request whose answer has begun; ready when there is no more to do.
    pub fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let outcome = self.poll_send(cx);
        let has_failed = outcome.is_err();
        if let (Err(failure), Some(apart)) = (outcome, &mut self.apart) {
            apart.failure = Some(failure);
            if let Some(reader) = apart.reader.take() {
                reader.wake();
            }
        }
        if has_failed || self.is_sent() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_send_or_hear(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let Some(apart) = &mut self.apart else { return self.poll_send(cx) };
        if let Some(failure) = apart.failure.take() {
            return Err(failure);
        }
        apart.reader = Some(cx.waker().clone());
        Ok(())
    }

    /// `Err` if the request cannot be sent as it is; what the network has to say is kept for later.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.output.is_done() || self.unsent.is_some() {
            return Ok(());
        }
        match self.output.poll(cx, &mut self.stream) {
            Poll::Pending | Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(Stop::Network(error))) => self.unsent = Some(error),
            Poll::Ready(Err(Stop::Body(failure))) => return Err(failure),
        }
        Ok(())
    }

    /// Whether so much of the body is to come that it is read in large blocks.
    fn is_long(&self) -> bool {
        self.body.may_end() || self.body.left().is_some_and(|left| left >= READ as u64)
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let left = self.body.left().map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if self.block.capacity() < READ.min(left) {
            self.block = BytesMut::with_capacity(READ_OF_BODY);
        }
        let mut room = (&mut self.block).limit(left);
        let came = ready!(pin!(self.stream.read_buf(&mut room)).poll(cx));
        match came {
            Ok(read @ 1..) => {
                self.body.passed(read);
                Poll::Ready(Ok(Some(self.block.split().freeze())))
            }
            Ok(_) if self.body.may_end() => {
                self.body = BodyReader::new(BodyFraming::Length(0));
                Poll::Ready(Ok(None))
            }
            _ => Poll::Ready(Err(self.ended(came, BEFORE_THE_END))),
        }
    }

    /// Whether more of the body came; else it has ended with the connection.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Failure>> {
        match ready!(self.poll_fill(cx)) {
            Ok(1..) => Poll::Ready(Ok(true)),
            Ok(_) if self.body.may_end() => {
                self.body = BodyReader::new(BodyFraming::Length(0));
                Poll::Ready(Ok(false))
            }
            came => Poll::Ready(Err(self.ended(came, BEFORE_THE_END))),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
        if self.input.capacity() - self.input.len() < READ / 4 {
            self.input.drain(..std::mem::take(&mut self.taken));
            self.input.reserve(READ);
        }
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    fn take_head(&mut self) -> Result<Option<Parts>, Failure> {
        loop {
            let bytes = self.input.get(self.taken..).unwrap_or_default();
            if bytes.is_empty() || !is_worth_a_look(bytes, self.looked_at) {
                return Ok(None);
            }
            let mut shared = Bytes::new();
            let mut fields = HeaderMap::new();
            let read = read_head(bytes, self.answers_head, |length, name, value| {
                if shared.is_empty() {
                    // All values are parts of one block.
                    shared = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
                    fields.reserve(8);
                }
                let value = HeaderValue::from_maybe_shared(shared.slice(value));
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                    fields.append(name, value);
                }
            });
            let Some(head) = read.map_err(breach)? else {
                self.looked_at = bytes.len();
                if bytes.len() > LARGEST_HEAD {
                    let words = format!("the head of the response is larger than {LARGEST_HEAD} bytes");
                    return Err(Failure::new(Phase::Read, Fault::Remote, words));
                }
                return Ok(None);
            };
            let reason = bytes.get(head.reason).unwrap_or_default();
            let (mut parts, ()) = Response::new(()).into_parts();
            parts.status = StatusCode::from_u16(head.status).map_err(|_| no_status(head.status))?;
            let known = parts.status.canonical_reason().unwrap_or_default();
            if reason != known.as_bytes()
                && let Ok(reason) = ReasonPhrase::try_from(reason)
            {
                parts.extensions.insert(reason);
            }
            self.taken += head.length;
            self.looked_at = 0;
            if head.status / 100 == 1 && head.status != 101 {
                self.interim += 1;
                if self.interim > MOST_INTERIM {
                    let words = "the server announces its answer again and again";
                    return Err(Failure::new(Phase::Read, Fault::Remote, words));
                }
                continue;
            }
            parts.version = if head.is_old { Version::HTTP_10 } else { Version::HTTP_11 };
            parts.headers = fields;
            self.body = BodyReader::new(head.framing);
            self.keeps_alive = head.keeps_alive && !self.closes;
            return Ok(Some(parts));
        }
    }

    /// What a connection's end means to an exchange that is not over.
    fn ended(&mut self, came: io::Result<usize>, words: &str) -> Failure {
        self.keeps_alive = false;
        match (self.unsent.take(), came) {
            (Some(error), _) => Failure::io(Phase::Write, &error),
            // rustls says so of a connection that ends without its goodbye.
            (None, Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Failure::io(Phase::Read, &error)
            }
            _ => Failure::new(Phase::Read, Fault::Remote, words),
        }
    }

    fn broken(&self, failure: Failure, is_silent: bool) -> Broken {
        Broken { failure, is_silent, is_unsent: self.output.is_untouched() }
    }
}

const BEFORE_THE_END: &str = "the server closed the connection before the end of the body";

/// Whether there may be a head now. What comes drop by drop is not read anew for each of them.
fn is_worth_a_look(bytes: &[u8], looked_at: usize) -> bool {
    let since = bytes.get(looked_at.saturating_sub(3)..).unwrap_or_default();
    looked_at == 0
        || bytes.len() >= looked_at.saturating_mul(2)
        || since.windows(2).any(|pair| pair == b"\n\n")
        || since.windows(3).any(|three| three == b"\n\r\n")
}

fn no_status(status: u16) -> Failure {
    Failure::new(Phase::Read, Fault::Remote, format!("the server's status {status} is none"))
}

fn breach(breach: Breach) -> Failure {
    Failure::new(Phase::Read, Fault::Remote, breach.to_string())
}
