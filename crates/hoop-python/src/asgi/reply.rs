//! The way of a response from the application to its connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hoop_net::ResponseBody;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use pyo3::Python;

use crate::gil_cell::GilCell;

#[derive(Default)]
struct Slot {
    response: Option<Response<ResponseBody>>,
    connection: Option<Waker>,
    given: bool,
}

/// Where the application's side leaves the response and the connection's side finds it.
#[derive(Default)]
pub struct Reply(GilCell<Slot>);

impl Reply {
    /// Hands the response to the connection.
    pub fn give(&self, py: Python<'_>, response: Response<ResponseBody>) {
        let connection = {
            let mut slot = self.0.borrow_mut(py);
            slot.response = Some(response);
            slot.given = true;
            slot.connection.take()
        };
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

impl Reply {
    /// Has the connection looked after, whose reply is still to come.
    pub fn nudge(&self, py: Python<'_>) {
        let connection = self.0.borrow_mut(py).connection.take();
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

/// What owes a connection a reply.
pub trait Replies: Send + Sync + 'static {
    fn reply(&self) -> &Reply;

    /// Nobody wants the reply any more: the client has gone.
    fn abandoned(&self, py: Python<'_>);
}

/// The response as its connection awaits it. Dropped unanswered, it tells the application's side.
pub struct Answer<T: Replies>(pub Arc<T>);

impl<T: Replies> Future for Answer<T> {
    type Output = Response<ResponseBody>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Python::attach(|py| {
            let mut slot = self.0.reply().0.borrow_mut(py);
            match slot.response.take() {
                Some(response) => Poll::Ready(response),
                None => {
                    slot.connection = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl<T: Replies> Drop for Answer<T> {
    fn drop(&mut self) {
        Python::attach(|py| {
            let (given, untaken) = {
                let mut slot = self.0.reply().0.borrow_mut(py);
                (slot.given, slot.response.take())
            };
            if !given || untaken.is_some() {
                self.0.abandoned(py);
            }
            // A streamed body tells its writer that it goes, so no borrow may be alive here.
            drop(untaken);
        });
    }
}

/// What a client gets in the application's stead.
pub fn plain(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// What other servers log for a client that left before its answer; nobody ever receives it.
pub fn client_closed() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
