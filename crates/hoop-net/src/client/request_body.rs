//! A request's body on its way out, and how far it has come.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::body::{BodyAborted, BodySender, ResponseBody};

/// What a request carries.
pub enum Payload {
    /// Nothing.
    Empty,
    /// All of it, which can be sent once more.
    Whole(Bytes),
    /// Piece by piece, as it is made.
    Stream(PayloadStream),
}

/// The reading end of a streamed payload.
pub struct PayloadStream(ResponseBody);

impl Payload {
    /// A streamed payload and its writing end; `length` is its exact size where that is known.
    pub fn stream(length: Option<u64>) -> (BodySender, Self) {
        let (sender, body) = ResponseBody::stream(length);
        (sender, Self::Stream(PayloadStream(body)))
    }

    /// For one attempt: what can be sent again stays, and a stream is taken.
    pub(super) fn begin(&mut self) -> Option<RequestBody> {
        let body = match self {
            Self::Empty => ResponseBody::Whole(Bytes::new()),
            Self::Whole(bytes) => ResponseBody::Whole(bytes.clone()),
            Self::Stream(stream) => {
                let taken = std::mem::replace(&mut stream.0, ResponseBody::Whole(Bytes::new()));
                if !matches!(taken, ResponseBody::Stream(_)) {
                    return None;
                }
                taken
            }
        };
        Some(RequestBody { body, sending: Rc::default() })
    }
}

/// How far a body has come.
#[derive(Debug, Default)]
pub struct Sending {
    /// When hyper last took a piece.
    pub last: Cell<Option<Instant>>,
    pub ended: Cell<bool>,
}

/// The body of one attempt.
pub struct RequestBody {
    body: ResponseBody,
    sending: Rc<Sending>,
}

impl RequestBody {
    /// To look on.
    pub fn sending(&self) -> Rc<Sending> {
        self.sending.clone()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.sending.ended.set(true);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.sending.last.set(Some(Instant::now()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
