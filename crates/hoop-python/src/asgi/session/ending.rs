//! How a session ends: by its application, by the server, and in the books.

use http::StatusCode;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::super::reply::{client_closed, plain};
use super::super::request_line::Outcome;
use super::super::server_state::Ending;
use super::{ABNORMAL, Session};

/// Close codes of RFC 6455 section 7.4.1 that the server itself sends or reports.
const NORMAL: u16 = 1000;
const INTERNAL_ERROR: u16 = 1011;
/// Registered with IANA: the server restarts or stops.
const SERVICE_RESTART: u16 = 1012;
const STOPPING: &str = "the server is stopping";

impl Session {
    /// It is over, and so is its connection: logs and counts it, once.
    pub(super) fn finish(&self, py: Python<'_>) {
        let outcome = {
            let mut progress = self.progress.borrow_mut(py);
            if std::mem::replace(&mut progress.finished, true) {
                return;
            }
            let code = progress.end.as_ref().map_or(ABNORMAL, |(code, _)| *code);
            Outcome {
                status: progress.status.unwrap_or_else(client_closed),
                received: progress.received,
                sent: progress.sent,
                complete: progress.status.is_some(),
                close_code: progress.accepted.then_some(code),
            }
        };
        {
            let mut tally = self.server.tally.borrow_mut(py);
            match outcome.close_code {
                Some(_) => tally.sockets.closed += 1,
                None => {
                    tally.begin();
                    tally.sockets.denied += 1;
                }
            }
        }
        self.line.finished(py, &self.server, &outcome);
    }

    /// The session is over; whoever waits for it learns it.
    pub(super) fn over(&self, py: Python<'_>, code: u16, reason: String) {
        self.progress.borrow_mut(py).end.get_or_insert((code, reason));
        self.memberships.end(py);
        self.receivers.wake(py);
        self.senders.wake(py);
    }

    /// The server stops: says so to the client and, through it, to the application.
    pub fn going_away(&self, py: Python<'_>) {
        let refusal = plain(StatusCode::SERVICE_UNAVAILABLE);
        // An error here means that the application has closed it already.
        if self.close(py, SERVICE_RESTART, STOPPING.to_owned(), refusal).is_ok() {
            self.over(py, SERVICE_RESTART, STOPPING.to_owned());
        }
    }

    /// The server is out of patience: ends the connection as it is.
    pub fn abort(&self, py: Python<'_>) {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            progress.aborted = true;
            progress.carrier.take()
        };
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        self.over(py, ABNORMAL, String::new());
    }
}

impl Ending for Session {
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>) {
        let (connecting, client_gone) = {
            let progress = self.progress.borrow(py);
            (progress.state.is_connecting(), progress.end.is_some())
        };
        let (code, reason, refusal) = match &failure {
            Some(error) if self.server.has_cancelled(py, error) => {
                (SERVICE_RESTART, STOPPING, StatusCode::SERVICE_UNAVAILABLE)
            }
            Some(_) => (INTERNAL_ERROR, "internal error", StatusCode::INTERNAL_SERVER_ERROR),
            None => (NORMAL, "", StatusCode::INTERNAL_SERVER_ERROR),
        };
        match failure {
            Some(error) => self.server.application_failed(py, error, &self.line, client_gone),
            None if connecting && !client_gone => {
                let details = (self.line.name(), false, self.line.id(py));
                self.server.tell(py, "application_stopped_short", details);
            }
            None => {}
        }
        // A denial that is not complete breaks off.
        let denial = self.progress.borrow_mut(py).denial.take();
        drop(denial);
        // An error here means that the application has closed it, as it should.
        let _ = self.close(py, code, reason.to_owned(), plain(refusal));
        self.memberships.end(py);
        if !self.progress.borrow(py).accepted {
            self.finish(py);
        }
    }

    fn request_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.line.id(py)
    }
}
