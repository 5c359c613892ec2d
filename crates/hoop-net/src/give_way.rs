//! Yielding to other tasks in a way that survives a runtime that is stopped and driven again.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the other tasks run first. tokio's own `yield_now` keeps the wake-up with the run of the
/// runtime, and forgets it if that ends meanwhile; an event loop is stopped and run again at will.
pub async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
