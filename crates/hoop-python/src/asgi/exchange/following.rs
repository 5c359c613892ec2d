//! A streamed response as one of many that are sent the same.

use std::sync::Arc;

use bytes::Bytes;
use hoop_net::SharedMessage;
use pyo3::prelude::*;

use super::super::audience::{Delivery, Follower, Memberships};
use super::Exchange;

impl Exchange {
    /// The server stops: what is streamed without an end is ended.
    pub fn going_away(self: &Arc<Self>, py: Python<'_>) {
        // An error here means that it has ended already.
        let _ = self.send_body(py, Bytes::new().into(), false);
        self.memberships.end(py);
    }
}

impl Follower for Exchange {
    fn offer(&self, py: Python<'_>, message: &SharedMessage, limit: usize) -> Delivery {
        let mut progress = self.progress.borrow_mut(py);
        let progress = &mut *progress;
        let Some(stream) = progress.stream.as_ref().filter(|_| !progress.client_gone) else {
            return Delivery::Gone;
        };
        if stream.buffered() > limit as u64 {
            return Delivery::Full;
        }
        let length = message.payload().len() as u64;
        if stream.is_reader_gone() || progress.state.body(length, true).is_err() {
            return Delivery::Gone;
        }
        progress.sent += length;
        stream.push_shared(message);
        Delivery::Taken
    }

    fn is_behind(&self, py: Python<'_>, limit: usize) -> bool {
        self.progress.borrow(py).stream.as_ref().is_some_and(|stream| stream.buffered() > limit as u64)
    }

    fn caught_up(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        {
            let progress = self.progress.borrow(py);
            let Some(stream) = progress.stream.as_ref().filter(|stream| stream.buffered() > 0) else {
                return Ok(None);
            };
            let exchange = self.clone();
            stream.when_drained(move || Python::attach(|py| exchange.senders.wake(py)));
        }
        self.senders.wait(self.server.python_loop(py)).map(Some)
    }

    fn joined(self: Arc<Self>, py: Python<'_>) {
        self.server.remember_stream(py, &self);
    }

    fn dismiss(&self, py: Python<'_>, _code: u16, _reason: &str) {
        let stream = self.progress.borrow_mut(py).stream.take();
        // Dropped unfinished it is an abort: the client must not take it for complete.
        drop(stream);
        self.client_left(py);
    }

    fn memberships(&self) -> &Memberships {
        &self.memberships
    }
}
