//! A request's body between its connection, which reads it, and the application, which asks for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::incoming_body::BodyError;

/// How a body ends.
enum End {
    Complete,
    Broken(BodyError),
}

#[derive(Default)]
struct Shared {
    /// What came and was not taken.
    data: Option<Bytes>,
    end: Option<End>,
    /// Bytes that are to come, where that is known.
    left: Option<u64>,
    /// The application waits for more, so there is no data; or it has let go of the body.
    is_wanted: bool,
    is_gone: bool,
    application: Option<Waker>,
    connection: Option<Waker>,
}

/// The connection's end.
pub struct Inflow(Rc<RefCell<Shared>>);

/// The application's end.
pub struct InflowReader(Rc<RefCell<Shared>>);

/// A body of so many bytes, or of as many as come.
pub fn inflow(length: Option<u64>) -> (Inflow, InflowReader) {
    let shared = Rc::new(RefCell::new(Shared { left: length, ..Shared::default() }));
    (Inflow(shared.clone()), InflowReader(shared))
}

impl Inflow {
    /// Whether the application waits for more. The connection is woken once it does, or lets go of the body.
    pub fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let mut shared = self.0.borrow_mut();
        if !shared.connection.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            shared.connection = Some(cx.waker().clone());
        }
        shared.is_wanted
    }

    /// Whether the application has let go of the body.
    pub fn is_gone(&self) -> bool {
        self.0.borrow().is_gone
    }

    /// Gives what came, at the most once before it is wanted again.
    pub fn give(&self, data: Bytes) {
        let mut shared = self.0.borrow_mut();
        shared.left = shared.left.map(|left| left.saturating_sub(data.len() as u64));
        shared.data = Some(data);
        shared.is_wanted = false;
        wake(shared);
    }

    /// All has come.
    pub fn complete(self) {
        self.end(End::Complete);
    }

    /// No more will come.
    pub fn fail(self, error: impl Into<BodyError>) {
        self.end(End::Broken(error.into()));
    }

    fn end(self, end: End) {
        let mut shared = self.0.borrow_mut();
        shared.end = Some(end);
        wake(shared);
    }
}

fn wake(mut shared: std::cell::RefMut<'_, Shared>) {
    let application = shared.application.take();
    drop(shared);
    if let Some(application) = application {
        application.wake();
    }
}

impl Drop for Inflow {
    /// A connection that ends in the middle of a body has lost its client.
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        shared.end.get_or_insert(End::Broken(BodyError::Incomplete));
        wake(shared);
    }
}

impl InflowReader {
    pub fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.0.borrow_mut();
        if let Some(data) = shared.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match shared.end.take() {
            None => {}
            Some(End::Broken(error)) => {
                shared.end = Some(End::Complete);
                return Poll::Ready(Some(Err(error)));
            }
            complete => {
                shared.end = complete;
                return Poll::Ready(None);
            }
        }
        shared.application = Some(cx.waker().clone());
        shared.is_wanted = true;
        let connection = shared.connection.take();
        drop(shared);
        if let Some(connection) = connection {
            connection.wake();
        }
        Poll::Pending
    }

    pub fn is_end(&self) -> bool {
        let shared = self.0.borrow();
        shared.data.is_none() && matches!(shared.end, Some(End::Complete))
    }

    pub fn size_hint(&self) -> SizeHint {
        let shared = self.0.borrow();
        let here = shared.data.as_ref().map_or(0, Bytes::len) as u64;
        shared.left.map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + here))
    }
}

impl Drop for InflowReader {
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        (shared.is_gone, shared.data) = (true, None);
        let connection = shared.connection.take();
        drop(shared);
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }

    fn data(polled: Poll<Option<Result<Frame<Bytes>, BodyError>>>) -> Option<Bytes> {
        match polled {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
            _ => None,
        }
    }

    #[test]
    fn each_end_is_woken_by_the_other() {
        let (inflow, reader) = inflow(None);
        let (connection, connection_waker) = counted();
        let (application, application_waker) = counted();
        let mut asks = Context::from_waker(&application_waker);
        let gives = Context::from_waker(&connection_waker);
        assert!(!inflow.is_wanted(&gives));
        assert!(reader.poll_frame(&mut asks).is_pending());
        assert_eq!(connection.0.load(Ordering::Relaxed), 1);
        assert!(inflow.is_wanted(&gives));
        inflow.give(Bytes::from_static(b"one"));
        assert_eq!(application.0.load(Ordering::Relaxed), 1);
        assert!(!inflow.is_wanted(&gives), "one at a time");
        assert_eq!(data(reader.poll_frame(&mut asks)).as_deref(), Some(&b"one"[..]));
        assert!(reader.poll_frame(&mut asks).is_pending());
        assert!(inflow.is_wanted(&gives));
        drop(reader);
        assert!(inflow.is_gone());
        assert_eq!(connection.0.load(Ordering::Relaxed), 3, "also while it waits for the client");
    }

    #[test]
    fn the_end_comes_behind_the_data() {
        let (inflow, reader) = inflow(Some(3));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(reader.size_hint().exact(), Some(3));
        inflow.give(Bytes::from_static(b"all"));
        assert_eq!(reader.size_hint().exact(), Some(3));
        inflow.complete();
        assert!(!reader.is_end());
        assert!(data(reader.poll_frame(&mut cx)).is_some());
        assert!(reader.is_end());
        for _ in 0..2 {
            assert!(matches!(reader.poll_frame(&mut cx), Poll::Ready(None)));
        }
    }

    #[test]
    fn a_connection_that_goes_breaks_its_body_off() {
        let (inflow, reader) = inflow(Some(9));
        let mut cx = Context::from_waker(Waker::noop());
        inflow.give(Bytes::from_static(b"half"));
        drop(inflow);
        assert!(data(reader.poll_frame(&mut cx)).is_some());
        assert!(!reader.is_end());
        let broken = reader.poll_frame(&mut cx);
        assert!(matches!(broken, Poll::Ready(Some(Err(BodyError::Incomplete)))));
        assert!(matches!(reader.poll_frame(&mut cx), Poll::Ready(None)));
    }
}
