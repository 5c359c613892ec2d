//! An upload that goes on after the head of its answer has come, whether or not somebody reads the answer.
//!
//! A task sends it, and it alone: the socket and the body each wake one writer. It ends with the lease.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::sync::oneshot;

use super::lease::ExclusiveLease;
use super::surroundings::Surroundings;

/// The lease of a connection on which a request is still being sent.
pub struct SendingLease {
    lease: Rc<RefCell<ExclusiveLease>>,
    /// Dropped with it, it wakes the task for the last time.
    _until: oneshot::Sender<()>,
}

impl SendingLease {
    /// From now on a task sends the rest of the request.
    pub fn begin(mut lease: ExclusiveLease, surroundings: &Rc<dyn Surroundings>) -> Self {
        if let Some(connection) = lease.connection() {
            connection.http1.send_apart();
        }
        let lease = Rc::new(RefCell::new(lease));
        let (until, mut ended) = oneshot::channel();
        // Weak: what drops the lease closes the connection, now and not when the task is next polled.
        let sending = Rc::downgrade(&lease);
        surroundings.spawn(Box::pin(poll_fn(move |cx| {
            if Pin::new(&mut ended).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let Some(lease) = sending.upgrade() else { return Poll::Ready(()) };
            let mut lease = lease.borrow_mut();
            match lease.connection() {
                Some(connection) => connection.http1.poll_rest(cx),
                None => Poll::Ready(()),
            }
        })));
        Self { lease, _until: until }
    }

    /// For whoever reads the answer.
    pub fn with<T>(&self, act: impl FnOnce(&mut ExclusiveLease) -> T) -> T {
        act(&mut self.lease.borrow_mut())
    }
}
