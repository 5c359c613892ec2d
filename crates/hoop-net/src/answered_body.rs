//! A response's body over HTTP/2, which tells its connection when hyper is done with it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{BodyAborted, ResponseBody};
use crate::passage::Passage;

/// A request under way; it counts as answered when this is dropped.
pub struct Answered(Rc<Passage>);

impl Answered {
    pub fn new(passage: Rc<Passage>) -> Self {
        Self(passage)
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// A body on its way through hyper, which drops it once the last of it was taken or none will be.
pub struct AnsweredBody {
    body: ResponseBody,
    #[expect(dead_code, reason = "held for what its drop does")]
    answered: Answered,
    /// Who is told while a piece waits to be taken. hyper takes one before there is a window for it, and asks
    /// for the next, or lets go of the body, once it has sent it.
    told: Rc<Passage>,
    waits: bool,
}

impl AnsweredBody {
    /// A body whose connection is told while a piece of it waits.
    pub fn new(body: ResponseBody, answered: Answered, told: Rc<Passage>) -> Self {
        Self { body, answered, told, waits: false }
    }

    fn tell(&mut self, waits: bool) {
        if waits != self.waits {
            self.told.body_waits(waits);
            self.waits = waits;
        }
    }
}

impl Drop for AnsweredBody {
    fn drop(&mut self) {
        self.tell(false);
    }
}

impl Body for AnsweredBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        self.tell(false);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.tell(frame.data_ref().is_some_and(|data| !data.is_empty()));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
