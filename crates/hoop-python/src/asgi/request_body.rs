//! A request's body, read as the application asks for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoop_net::{BodyError, IncomingBody};
use http_body::Body;
use tokio::task::AbortHandle;

/// The body, as far as it was read.
pub enum RequestBody {
    /// Some or all of it is still with the connection.
    Unread(IncomingBody),
    /// A task of ours waits for the next chunk; none if the loop is closed.
    BeingRead(#[expect(dead_code, reason = "held for what its drop does")] Option<Reading>),
    /// A chunk that nobody has taken yet, and the rest, if there is any.
    Arrived(Bytes, Option<IncomingBody>),
    /// All of it was taken.
    Taken,
}

impl RequestBody {
    pub fn new(body: IncomingBody) -> Self {
        // An empty body is still one event for the application.
        if body.is_end_stream() { Self::Arrived(Bytes::new(), None) } else { Self::Unread(body) }
    }

    /// What a chunk that was read from `body` makes of it. `Err` if the client has gone.
    pub fn after(body: IncomingBody, chunk: Option<Result<Bytes, BodyError>>) -> Result<Self, BodyError> {
        Ok(match chunk.transpose()? {
            Some(bytes) => {
                let rest = (!body.is_end_stream()).then_some(body);
                Self::Arrived(bytes, rest)
            }
            None => Self::Arrived(Bytes::new(), None),
        })
    }
}

/// A task that waits for the next chunk; it ends when nobody wants the body any more.
pub struct Reading(pub AbortHandle);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The next chunk of a body; trailers have no place in ASGI's events and are passed over.
pub fn poll_chunk(body: &mut IncomingBody, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
    loop {
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { return Poll::Pending };
        match frame {
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}
