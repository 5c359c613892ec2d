//! A request's body on its way to the application. In HTTP/2 it is held to its limits here; in HTTP/1 its
//! connection has seen to that.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hoop_http1::Refusal;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};

use crate::http1::InflowReader;
use crate::limits::Limits;

/// Who is late gets so much more: after a pause of this thread, what came meanwhile was not read yet.
const SECOND_CHANCE: Duration = Duration::from_millis(100);

/// Why a body breaks off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Its client has left, or broken the protocol.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// Its client has left in the middle of it.
    #[error("the client has left in the middle of its request")]
    Incomplete,
    /// It is not what the server takes.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What a body tells whoever answers its request.
pub struct Verdict {
    refusal: Cell<Option<Refusal>>,
    answering: RefCell<Option<Waker>>,
    tell: Box<dyn Fn(Refusal)>,
}

impl Verdict {
    /// Calls `tell` with why the body is refused, should it be.
    pub fn new(tell: impl Fn(Refusal) + 'static) -> Rc<Self> {
        Rc::new(Self { refusal: Cell::default(), answering: RefCell::default(), tell: Box::new(tell) })
    }

    fn refuse(&self, refusal: Refusal) -> Refusal {
        if self.refusal.replace(Some(refusal)).is_none() {
            (self.tell)(refusal);
            if let Some(answering) = self.answering.take() {
                answering.wake();
            }
        }
        refusal
    }

    /// Awaits an answer; `Err` if the body is refused before there is one.
    pub async fn unless_refused<T>(
        &self,
        mut answering: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Refusal> {
        poll_fn(|cx| {
            // First: an application that is told that its client has gone may answer something too.
            if let Some(refusal) = self.refusal.get() {
                return Poll::Ready(Err(refusal));
            }
            let answer = answering.as_mut().poll(cx).map(Ok);
            if answer.is_pending() {
                *self.answering.borrow_mut() = Some(cx.waker().clone());
            }
            answer
        })
        .await
    }
}

/// What one body is held to.
struct Watch {
    verdict: Rc<Verdict>,
    /// Bytes that may still come.
    left: u64,
    rate: Option<u64>,
    grace: Duration,
    came: u64,
    /// For how long it was waited for, and since when it is.
    waited: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    is_last_chance: bool,
}

impl Watch {
    fn arrived(&mut self, bytes: usize) -> Result<(), Refusal> {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
            self.timer = None;
            self.is_last_chance = false;
        }
        let bytes = bytes as u64;
        self.came += bytes;
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.verdict.refuse(Refusal::BodyTooLarge)),
        }
    }

    /// Nothing has come. Ready once that has been so for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        let Some(rate) = self.rate else { return Poll::Pending };
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.timer.is_none() {
            if Handle::try_current().is_err() {
                // Whoever asks from elsewhere only has a look.
                return Poll::Pending;
            }
            // What has come at the least rate is worth this much time.
            let worth = Duration::from_secs(self.came / rate.max(1));
            let left = (self.grace + worth).saturating_sub(self.waited + since.elapsed());
            self.timer = Some(Box::pin(sleep(left)));
        }
        while self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            if std::mem::replace(&mut self.is_last_chance, true) {
                return Poll::Ready(self.verdict.refuse(Refusal::BodyTimeout));
            }
            self.timer = Some(Box::pin(sleep(SECOND_CHANCE)));
        }
        Poll::Pending
    }
}

/// Where a body comes from.
enum Source {
    /// There is none.
    Nowhere,
    Http1(InflowReader),
    Http2(Incoming, Option<Box<Watch>>),
}

/// A request's body.
pub struct IncomingBody(Source);

impl IncomingBody {
    /// None at all.
    pub(crate) fn empty() -> Self {
        Self(Source::Nowhere)
    }

    /// What a connection of HTTP/1 reads.
    pub(crate) fn http1(reader: InflowReader) -> Self {
        Self(Source::Http1(reader))
    }

    /// One of HTTP/2 that has passed its limits already.
    pub(crate) fn passed(incoming: Incoming) -> Self {
        Self(Source::Http2(incoming, None))
    }

    /// One of HTTP/2 that is held to these limits.
    pub(crate) fn watched(incoming: Incoming, limits: &Limits, verdict: Rc<Verdict>) -> Self {
        let watch = (!incoming.is_end_stream()).then(|| {
            Box::new(Watch {
                verdict,
                left: limits.message.body,
                rate: limits.pace.body_rate,
                grace: limits.pace.body_grace,
                came: 0,
                waited: Duration::ZERO,
                since: None,
                timer: None,
                is_last_chance: false,
            })
        });
        Self(Source::Http2(incoming, watch))
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

fn poll_http2(incoming: &mut Incoming, watch: Option<&mut Box<Watch>>, cx: &mut Context<'_>) -> Polled {
    let polled = Pin::new(incoming).poll_frame(cx);
    let Some(watch) = watch else { return polled.map_err(BodyError::from) };
    match polled {
        Poll::Pending => watch.poll_late(cx).map(|refusal| Some(Err(refusal.into()))),
        Poll::Ready(Some(Ok(frame))) => match watch.arrived(frame.data_ref().map_or(0, Bytes::len)) {
            Ok(()) => Poll::Ready(Some(Ok(frame))),
            Err(refusal) => Poll::Ready(Some(Err(refusal.into()))),
        },
        ended => ended.map_err(BodyError::from),
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match &mut self.0 {
            Source::Nowhere => Poll::Ready(None),
            Source::Http1(reader) => reader.poll_frame(cx),
            Source::Http2(incoming, watch) => poll_http2(incoming, watch.as_mut(), cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Nowhere => true,
            Source::Http1(reader) => reader.is_end(),
            Source::Http2(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Nowhere => SizeHint::with_exact(0),
            Source::Http1(reader) => reader.size_hint(),
            Source::Http2(incoming, _) => incoming.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn watch(rate: u64, left: u64) -> (Watch, Rc<Cell<u32>>) {
        let told = Rc::new(Cell::new(0));
        let seen = told.clone();
        let watch = Watch {
            verdict: Verdict::new(move |_| seen.set(seen.get() + 1)),
            left,
            rate: Some(rate),
            grace: Duration::from_secs(10),
            came: 0,
            waited: Duration::ZERO,
            since: None,
            timer: None,
            is_last_chance: false,
        };
        (watch, told)
    }

    async fn late(watch: &mut Watch) -> Refusal {
        poll_fn(|cx| watch.poll_late(cx)).await
    }

    async fn is_late_within(watch: &mut Watch, seconds: u64) -> bool {
        tokio::time::timeout(Duration::from_secs(seconds), late(watch)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_nothing_has_the_grace_and_no_more() {
        let (mut watch, told) = watch(100, 1000);
        assert!(!is_late_within(&mut watch, 10).await);
        assert!(is_late_within(&mut watch, 1).await);
        assert_eq!(told.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_buys_time_at_the_rate_and_every_wait_counts() {
        let (mut watch, _) = watch(100, 10_000);
        assert!(!is_late_within(&mut watch, 9).await);
        assert_eq!(watch.arrived(500), Ok(()));
        // 9 seconds are gone, of 10 and the 5 that 500 bytes are worth.
        assert!(!is_late_within(&mut watch, 6).await);
        assert!(is_late_within(&mut watch, 1).await);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_told_once_to_whoever_answers() {
        let (mut watch, told) = watch(100, 10);
        let verdict = watch.verdict.clone();
        let answering = pin!(std::future::pending::<()>());
        let mut refused = pin!(verdict.unless_refused(answering));
        assert!(refused.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(watch.arrived(10), Ok(()));
        assert_eq!(watch.arrived(1), Err(Refusal::BodyTooLarge));
        assert_eq!(watch.arrived(1), Err(Refusal::BodyTooLarge));
        assert_eq!(refused.await, Err(Refusal::BodyTooLarge));
        assert_eq!(told.get(), 1);
    }
}
