//! A response's body that tells its connection when hyper is done with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{BodyAborted, ResponseBody};
use crate::passage::Passage;

/// A request under way; it counts as answered when this is dropped.
pub struct Answered(Arc<Passage>);

impl Answered {
    pub fn new(passage: Arc<Passage>) -> Self {
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
}

impl AnsweredBody {
    pub fn new(body: ResponseBody, answered: Answered) -> Self {
        Self { body, answered }
    }
}

impl Body for AnsweredBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
