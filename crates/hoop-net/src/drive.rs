//! Drives a connection of hyper's to its end, whichever protocol it speaks.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::limiter::WatchedConnection;
use crate::passage::Ending;
use crate::shutdown::{OpenConnection, Phase};

/// Polls `connection` until it ends, the server closes it, its client is to be dropped, or `is_spent`.
/// `wind_down` is called once: when the server stops, or when the connection is to end in order.
pub async fn drive<C: Future>(
    connection: C,
    wind_down: impl Fn(Pin<&mut C>),
    is_spent: impl Fn() -> bool,
    open: OpenConnection,
    watched: WatchedConnection,
) {
    let passage = watched.passage().clone();
    let mut connection = pin!(connection);
    let mut draining = false;
    poll_fn(|cx| {
        open.remember(cx.waker());
        watched.remember(cx.waker());
        let (phase, ending) = (open.phase(), passage.ending());
        // Before the connection is polled: else it would begin on the next pipelined request.
        let stops = match phase {
            Phase::Serving => false,
            Phase::Leaving => !passage.is_idle(),
            Phase::Draining | Phase::Closing => true,
        };
        if (stops || ending.is_some()) && !draining {
            draining = true;
            wind_down(connection.as_mut());
        }
        // Its errors are the peer's: it broke the protocol or left. Both end the connection.
        match connection.as_mut().poll(cx) {
            Poll::Pending if phase != Phase::Closing && ending != Some(Ending::Drop) && !is_spent() => {
                if passage.is_idle() && passage.has_served() && watched.is_to_make_room() {
                    passage.ask_to_leave();
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    })
    .await;
}
