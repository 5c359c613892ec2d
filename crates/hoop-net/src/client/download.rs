//! A response's body on its way in: unpacked, bounded, and its connection given back at its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::decode::Decoding;
use super::failure::{Failure, Fault, Phase};
use super::lease::{ExclusiveLease, SharedLease};
use super::patience::Patience;
use super::sending::SendingLease;
use super::surroundings::Surroundings;

/// Shorter pieces are put together.
const PIECE: usize = 16 * 1024;
/// So many bytes, unpacked ones too, or so much time, and others have their turn.
const LONGEST_TURN: (usize, Duration) = (256 * 1024, Duration::from_millis(1));

/// A body that was read whole, in the pieces in which it came: whoever wants it in one copies it once.
#[derive(Debug, Default)]
pub struct Whole {
    pieces: Vec<Bytes>,
    /// Short pieces, which come after all of those.
    tail: Vec<u8>,
    length: u64,
}

impl Whole {
    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All of them, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &**piece).chain([&*self.tail])
    }

    /// That is there already.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { length: bytes.len() as u64, pieces: vec![bytes], tail: Vec::new() }
    }

    fn push(&mut self, piece: Bytes, most: u64) -> Result<(), Failure> {
        self.length += piece.len() as u64;
        if self.length > most {
            let words =
                format!("the body is larger than {most} bytes, which is all that is read into memory");
            return Err(Failure::new(Phase::Read, Fault::TooLarge, words));
        }
        // The first is as a rule the only one.
        if piece.len() < PIECE && self.length > piece.len() as u64 {
            self.tail.extend_from_slice(&piece);
            return Ok(());
        }
        if !self.tail.is_empty() {
            self.pieces.push(std::mem::take(&mut self.tail).into());
        }
        self.pieces.push(piece);
        Ok(())
    }
}

/// Where a body comes from.
pub enum Flow {
    /// A connection that the exchange has for itself.
    Alone(ExclusiveLease),
    /// One like that, on which the request is still being sent.
    Sending(SendingLease),
    /// A stream of one that it shares.
    Shared(Incoming, #[expect(dead_code, reason = "dropped with the stream")] SharedLease),
    /// Nowhere: all of it is there.
    Over,
}

/// A response's body. Dropped before its end, it closes its connection, or resets its stream.
pub struct Download {
    flow: Flow,
    patience: Patience,
    decoding: Option<Box<Decoding>>,
    trailers: Option<HeaderMap>,
    received: u64,
    answers_head: bool,
    /// What has come since the reader last waited, and since when: of more than one piece only.
    turn: Option<(usize, Instant)>,
}

impl Download {
    pub(super) fn new(flow: Flow, patience: Patience, answers_head: bool) -> Self {
        let decoding = None;
        let mut download =
            Self { flow, patience, decoding, trailers: None, received: 0, answers_head, turn: None };
        download.end_if_over();
        download
    }

    /// From now on undoes the codings that the response's headers name.
    pub fn decode(&mut self, headers: &HeaderMap) -> Result<(), Failure> {
        if !self.answers_head {
            self.decoding = Decoding::of(headers)?;
        }
        Ok(())
    }

    /// Bytes that came, before they were unpacked.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What followed the body, once all of it was read.
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// How long the exchange has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.patience.elapsed()
    }

    /// Whether nothing more comes.
    pub fn is_over(&self) -> bool {
        self.is_at_end() && self.decoding.is_none()
    }

    /// The next piece, unpacked; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if self.decoding.is_some() {
                self.give_way().await;
            }
            if let Some(decoding) = &mut self.decoding
                && let Some(bytes) = decoding.pull()?
            {
                self.count(bytes.len());
                return Ok(Some(bytes));
            }
            match self.raw_chunk().await? {
                Some(bytes) => match &mut self.decoding {
                    Some(decoding) => decoding.push(bytes),
                    None => return Ok(Some(bytes)),
                },
                None => {
                    let Some(mut decoding) = self.decoding.take() else { return Ok(None) };
                    let last = decoding.finish()?;
                    return Ok((!last.is_empty()).then_some(last));
                }
            }
        }
    }

    /// The next piece as it came.
    pub async fn raw_chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.patience.renew();
        while !self.is_at_end() {
            self.go_on().await?;
            let Self { flow, patience, trailers, turn, .. } = self;
            let piece = poll_fn(|cx| match flow.poll_piece(cx, trailers) {
                Poll::Ready(piece) => Poll::Ready(piece),
                Poll::Pending => {
                    *turn = None;
                    patience.poll_expired(cx, Phase::Read, None, None).map(Err)
                }
            })
            .await;
            let piece = piece.inspect_err(|_| self.flow = Flow::Over)?;
            // Now, not when it is asked once more: whoever has all of it may not ask.
            self.end_if_over();
            self.count(piece.as_ref().map_or(0, Bytes::len));
            match piece {
                Some(bytes) if !bytes.is_empty() => {
                    self.received += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Some(_) => {}
                None => self.flow = Flow::Over,
            }
        }
        Ok(None)
    }

    /// How long the body is, if that is known, none of it has been read, and it is not packed.
    pub fn length(&self) -> Option<u64> {
        match &self.flow {
            _ if self.decoding.is_some() || self.received > 0 => None,
            Flow::Alone(lease) => lease.known_length(),
            Flow::Sending(lease) => lease.with(|lease| lease.known_length()),
            Flow::Shared(incoming, _) => incoming.size_hint().exact().filter(|length| *length == 0),
            Flow::Over => Some(0),
        }
    }

    /// Reads a body of a known length to its end, straight to where it is to lie.
    pub async fn fill(&mut self, room: &mut dyn BufMut) -> Result<(), Failure> {
        self.patience.renew();
        loop {
            self.go_on().await?;
            let Self { flow, patience, turn, .. } = self;
            if !matches!(flow, Flow::Alone(_) | Flow::Sending(_)) {
                return Ok(());
            }
            let came = poll_fn(|cx| match flow.poll_into(cx, room) {
                Poll::Ready(came) => Poll::Ready(came),
                Poll::Pending => {
                    *turn = None;
                    patience.poll_expired(cx, Phase::Read, None, None).map(Err)
                }
            })
            .await;
            let came = came.inspect_err(|_| self.flow = Flow::Over)?;
            self.received += came as u64;
            self.patience.renew();
            self.end_if_over();
            self.count(came);
        }
    }

    /// All of it, up to a limit.
    pub async fn whole(&mut self, most: u64) -> Result<Whole, Failure> {
        let mut whole = Whole::default();
        while let Some(chunk) = self.chunk().await? {
            whole.push(chunk, most)?;
            if self.is_over() {
                break;
            }
        }
        Ok(whole)
    }

    /// Before more of it is read: a server that always has more keeps nobody longer than the time that
    /// the exchange has.
    async fn go_on(&mut self) -> Result<(), Failure> {
        self.give_way().await;
        match self.patience.overdue(Phase::Read) {
            Some(failure) if !self.is_at_end() => {
                self.flow = Flow::Over;
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// Waits once where much has come without a wait. The loop's tasks have no budget of tokio's, and a body
    /// that is always ready would have its thread for itself, also by many reads that are short.
    async fn give_way(&mut self) {
        let (most, longest) = LONGEST_TURN;
        if self.turn.is_none_or(|(bytes, since)| bytes < most && since.elapsed() < longest) {
            return;
        }
        self.turn = None;
        let mut has_waited = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            // Not tokio's `yield_now`: it forgets whom to wake when the loop stops.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// So much came without a wait. Nothing is to be kept where it was the last.
    fn count(&mut self, bytes: usize) {
        if !self.is_over() {
            let (before, since) = self.turn.unwrap_or_else(|| (0, Instant::now()));
            self.turn = Some((before.saturating_add(bytes), since));
        }
    }

    fn is_at_end(&self) -> bool {
        matches!(self.flow, Flow::Over)
    }

    /// Gives the connection back in the moment that the exchange is complete.
    fn end_if_over(&mut self) {
        let Self { flow, trailers, .. } = self;
        let is_over = match flow {
            Flow::Alone(lease) => is_complete(lease, trailers),
            Flow::Sending(lease) => lease.with(|lease| is_complete(lease, trailers)),
            Flow::Shared(incoming, _) => incoming.is_end_stream(),
            Flow::Over => false,
        };
        if is_over {
            self.flow = Flow::Over;
        }
    }
}

impl Flow {
    /// Has what is left of the request sent while nobody reads: a program may have it made first.
    pub(super) fn send_on(self, surroundings: &Rc<dyn Surroundings>) -> Self {
        match self {
            Self::Alone(mut lease) => match lease.connection() {
                Some(connection) if !connection.http1.is_sent() && !connection.http1.is_over() => {
                    Self::Sending(SendingLease::begin(lease, surroundings))
                }
                _ => Self::Alone(lease),
            },
            other => other,
        }
    }

    fn poll_into(&mut self, cx: &mut Context<'_>, room: &mut dyn BufMut) -> Poll<Result<usize, Failure>> {
        match self {
            Self::Alone(lease) => lease.poll_into(cx, room),
            Self::Sending(lease) => lease.with(|lease| lease.poll_into(cx, room)),
            Self::Shared(..) | Self::Over => Poll::Ready(Ok(0)),
        }
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        trailers: &mut Option<HeaderMap>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        match self {
            Self::Alone(lease) => poll_alone(lease, cx),
            Self::Sending(lease) => lease.with(|lease| poll_alone(lease, cx)),
            Self::Shared(incoming, _) => Poll::Ready(match ready!(Pin::new(incoming).poll_frame(cx)) {
                Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_else(|frame| {
                    *trailers = frame.into_trailers().ok();
                    Bytes::new()
                }))),
                Some(Err(error)) => Err(told(&error)),
                None => Ok(None),
            }),
            Self::Over => Poll::Ready(Ok(None)),
        }
    }
}

fn poll_alone(lease: &mut ExclusiveLease, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
    match lease.connection() {
        Some(connection) => connection.http1.poll_piece(cx),
        None => Poll::Ready(Ok(None)),
    }
}

/// Whether all of the answer was read. The connection can then be given back, if its request is out too.
fn is_complete(lease: &mut ExclusiveLease, trailers: &mut Option<HeaderMap>) -> bool {
    let Some(connection) = lease.connection() else { return true };
    if !connection.http1.is_over() {
        return false;
    }
    *trailers = connection.http1.trailers();
    connection.is_at_work.set(!connection.http1.can_serve());
    true
}

fn told(error: &hyper::Error) -> Failure {
    let mut failure = Failure::http(Phase::Read, error);
    if error.is_incomplete_message()
        || (failure.fault == Fault::Remote && failure.detail.contains("end of file"))
    {
        failure.detail = "the server closed the connection before the end of the body".to_owned();
    }
    failure
}
