//! How the application's part in an exchange ends: by itself, by an exception, by a deadline.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::StatusCode;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::super::reply::plain;
use super::super::request_body::RequestBody;
use super::super::server_state::{Ending, is_cancellation};
use super::Exchange;

impl Ending for Exchange {
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>) {
        // A reference however weak keeps the memory of it all, and its connection may be idle for long.
        if std::ptr::eq(self.ends.last.borrow(py).as_ptr(), self) {
            drop(self.ends.last.replace(py, Weak::new()));
        }
        let (complete, committed, client_gone, cancelled, stream) = {
            let mut progress = self.progress.borrow_mut(py);
            let complete = progress.state.is_complete();
            let committed = progress.state.is_committed();
            progress.state.finish();
            (complete, committed, progress.client_gone, progress.cancelled, progress.stream.take())
        };
        let status = match &failure {
            Some(error) if self.server.has_cancelled(py, error) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match failure {
            // Asked for, and told already.
            Some(error) if cancelled && is_cancellation(py, &error) => {}
            Some(error) => self.server.application_failed(py, error, &self.line, client_gone),
            None if !complete && !client_gone => {
                let details = (self.line.name(), committed, self.line.id(py));
                self.server.tell(py, "application_stopped_short", details);
            }
            None => {}
        }
        self.set_body(py, RequestBody::Taken);
        // A stream dropped unfinished is an abort: the client must not take it for complete.
        drop(stream);
        if client_gone && !committed {
            // Nobody reads it, but the connection is held until it has an answer.
            self.reply.give(py, plain(status));
        } else if !committed {
            self.answer_plainly(py, status);
        }
        self.finish(py, complete);
        self.memberships.end(py);
        self.receivers.wake(py);
        self.senders.wake(py);
    }

    fn returned(self: Arc<Self>, py: Python<'_>, outcome: PyResult<Py<PyAny>>) {
        let routed = self.routed.take(py);
        match routed {
            Some(routed) => self.returned_by_route(py, routed, outcome),
            None => self.ended(py, outcome.err()),
        }
    }

    fn goes_on(&self, py: Python<'_>, task: &Py<PyAny>) {
        if let Some(routed) = self.routed.borrow_mut(py).as_mut() {
            routed.task = Some(task.clone_ref(py));
        }
    }

    fn request_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.line.id(py)
    }

    fn owes_an_answer(&self, py: Python<'_>) -> bool {
        let progress = self.progress.borrow(py);
        // Whoever waits for the client's body cannot answer; the connection has a limit for that.
        !progress.state.is_committed() && !matches!(progress.body, RequestBody::BeingRead(_))
    }

    fn overdue(&self, py: Python<'_>, limit: Duration) {
        let client_gone = {
            let mut progress = self.progress.borrow_mut(py);
            progress.cancelled = true;
            std::mem::replace(&mut progress.client_gone, true)
        };
        self.server.tally.borrow_mut(py).overdue += 1;
        self.server.tell(py, "overdue", (self.line.name(), limit.as_secs_f64(), self.line.id(py)));
        if !client_gone {
            self.answer_plainly(py, StatusCode::GATEWAY_TIMEOUT);
        }
    }
}
