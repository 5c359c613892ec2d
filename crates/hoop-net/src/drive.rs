//! Drives a connection to its end, whichever protocol it speaks.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::limiter::WatchedConnection;
use crate::passage::Ending;
use crate::shutdown::{OpenConnection, Phase};

/// How a connection was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It has ended, or is to end now.
    Ended,
    /// It has nothing to do, and may rest until its client says something.
    Resting,
}

/// Polls `connection` until it ends, the server closes it, its client is to be dropped, or `is_over` says
/// so, which is asked whenever the connection waits; or until it may rest. `wind_down` is called once:
/// when the server stops, or when the connection is to end in order.
pub async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    wind_down: impl Fn(Pin<&mut C>),
    is_over: impl Fn() -> bool,
    open: &OpenConnection,
    watched: &WatchedConnection,
) -> Left {
    let passage = watched.passage();
    let mut draining = false;
    let mut polled = false;
    let mut requests_before = None;
    poll_fn(|cx| {
        open.remember(cx.waker());
        watched.remember(cx.waker());
        let (phase, ending) = (open.phase(), passage.ending());
        // Before the connection is polled: else it would begin on the next pipelined request.
        let stops = match phase {
            Phase::Serving => false,
            // A request that woke the connection is not read yet, and one that was answered at once shows in the
            // count alone.
            Phase::Leaving => {
                let before = *requests_before.get_or_insert(passage.requests());
                polled && (passage.unanswered() > 0 || passage.requests() != before)
            }
            Phase::Draining | Phase::Closing => true,
        };
        if (stops || ending.is_some()) && !draining {
            draining = true;
            wind_down(connection.as_mut());
        }
        polled = true;
        // Its errors are the peer's: it broke the protocol or left. Both end the connection.
        match connection.as_mut().poll(cx) {
            Poll::Pending if phase != Phase::Closing && ending != Some(Ending::Drop) && !is_over() => {
                let may_leave = ending.is_none() && passage.is_idle() && passage.has_served();
                if may_leave && watched.is_to_make_room() {
                    passage.ask_to_leave();
                    cx.waker().wake_by_ref();
                }
                if !draining && passage.goes_to_rest() { Poll::Ready(Left::Resting) } else { Poll::Pending }
            }
            _ => Poll::Ready(Left::Ended),
        }
    })
    .await
}
