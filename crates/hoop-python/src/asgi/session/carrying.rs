//! The session's task: it carries messages between the connection and what waits on both sides.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hoop_net::{Message, PendingWebSocket, WebSocket};
use pyo3::prelude::*;
use tokio::time::{sleep, timeout};

use super::progress::{Arrived, payload, size};
use super::{ABNORMAL, Session};

/// How long the application may take to answer what came right before the client's close frame.
const LAST_ANSWERS: Duration = Duration::from_millis(250);
/// How long a client may take to answer a close frame.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Moves messages both ways until nothing can be moved. Ready once the session is over.
    fn carry_some(&self, py: Python<'_>, socket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.progress.borrow(py).aborted {
                return Poll::Ready(());
            }
            self.write_some(py, socket, cx);
            let (may_take_more, is_caught_up) = {
                let progress = self.progress.borrow(py);
                // Once the application has closed, only the peer's own close is of interest.
                let is_closed = progress.state.is_closed();
                (progress.may_take_more() || is_closed, progress.is_waiting || is_closed)
            };
            if is_caught_up {
                socket.caught_up();
            }
            self.progress.borrow_mut(py).held_up = !may_take_more;
            if !may_take_more {
                break;
            }
            match socket.poll_receive(cx) {
                Poll::Ready(Some(Message::Close { code, reason })) => {
                    self.over(py, code, reason);
                    return Poll::Ready(());
                }
                Poll::Ready(Some(message)) => {
                    let payload = payload(&message) as u64;
                    // An application that has closed reads nothing any more.
                    if !self.progress.borrow(py).state.is_closed()
                        && let Some(arrived) = Arrived::of(py, message)
                    {
                        let mut progress = self.progress.borrow_mut(py);
                        progress.is_waiting = false;
                        progress.incoming_bytes += arrived.size;
                        progress.received += payload;
                        progress.incoming.push_back(arrived);
                        self.server.tally.borrow_mut(py).sockets.received += 1;
                    }
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let has_news = !self.progress.borrow(py).incoming.is_empty();
        if has_news {
            self.receivers.wake(py);
        }
        let mut progress = self.progress.borrow_mut(py);
        progress.end_is_held = socket.holds_end();
        progress.carrier = Some(cx.waker().clone());
        Poll::Pending
    }

    fn write_some(&self, py: Python<'_>, socket: &mut WebSocket, cx: &mut Context<'_>) {
        {
            let mut progress = self.progress.borrow_mut(py);
            progress.is_flushing |= progress.unsent() > 0;
            if !progress.is_flushing {
                return;
            }
        }
        loop {
            let next = self.progress.borrow_mut(py).pop_outgoing();
            let Some(message) = next else { break };
            if let Err(message) = socket.queue(cx, message) {
                let mut progress = self.progress.borrow_mut(py);
                progress.queued += size(&message);
                progress.outgoing.push_front(message);
                progress.buffered = socket.unsent();
                return;
            }
        }
        let is_flushed = socket.poll_flush(cx).is_ready();
        {
            let mut progress = self.progress.borrow_mut(py);
            progress.buffered = socket.unsent();
            progress.is_flushing = !is_flushed;
        }
        if is_flushed {
            self.senders.wake(py);
        }
    }
}

/// A session whose WebSocket is open. It goes when the session's task does, early or not.
struct Open<'a>(&'a Session);

impl Open<'_> {
    fn take(&self) -> Option<Box<WebSocket>> {
        Python::attach(|py| self.0.socket.take(py))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// The session's task: opens the WebSocket, then carries messages until it is over.
pub(super) async fn carry(session: Arc<Session>, pending: PendingWebSocket) {
    let Some(socket) = pending.open().await else {
        return Python::attach(|py| session.over(py, ABNORMAL, String::new()));
    };
    Python::attach(|py| session.socket.replace(py, Some(Box::new(socket))));
    let open = Open(&session);
    let (mut patience, mut last_answers) = (None, None);
    poll_fn(|cx| {
        Python::attach(|py| {
            let Some(mut socket) = session.socket.take(py) else { return Poll::Ready(()) };
            let mut carry_on = || {
                if session.carry_some(py, &mut socket, cx).is_ready() {
                    return Poll::Ready(());
                }
                if socket.holds_end() {
                    let last_answers = last_answers.get_or_insert_with(|| Box::pin(sleep(LAST_ANSWERS)));
                    if last_answers.as_mut().poll(cx).is_ready() {
                        socket.caught_up();
                        return session.carry_some(py, &mut socket, cx);
                    }
                }
                if !session.progress.borrow(py).state.is_closed() {
                    return Poll::Pending;
                }
                let patience = patience.get_or_insert_with(|| Box::pin(sleep(CLOSING_PATIENCE)));
                patience.as_mut().poll(cx)
            };
            let carried = carry_on();
            session.socket.replace(py, Some(socket));
            carried
        })
    })
    .await;
    let aborted = Python::attach(|py| {
        session.over(py, ABNORMAL, String::new());
        session.progress.borrow(py).aborted
    });
    if let Some(mut socket) = open.take().filter(|_| !aborted) {
        // The last words, such as the answer to the client's close, should reach it.
        let last_words = async {
            poll_fn(|cx| socket.poll_flush(cx)).await;
            poll_fn(|cx| socket.poll_shutdown(cx)).await;
        };
        let _ = timeout(CLOSING_PATIENCE, last_words).await;
    }
}
