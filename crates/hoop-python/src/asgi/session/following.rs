//! A WebSocket as one of many that are sent the same.

use std::sync::Arc;

use hoop_net::{AtOnce, Message, SharedMessage};
use http::StatusCode;
use pyo3::prelude::*;

use super::super::audience::{Delivery, Follower, Memberships};
use super::super::reply::plain;
use super::Session;
use super::progress::Progress;

impl Session {
    /// Hands a message to the system without the session's task, if that has nothing in front of it.
    fn send_at_once(&self, py: Python<'_>, progress: &mut Progress, message: &SharedMessage) -> AtOnce {
        if progress.is_flushing || progress.unsent() > 0 {
            return AtOnce::Refused;
        }
        let Some(mut socket) = self.socket.take(py) else { return AtOnce::Refused };
        let outcome = socket.send_at_once(message);
        progress.buffered = socket.unsent();
        progress.is_flushing = outcome == AtOnce::Waits;
        self.socket.replace(py, Some(socket));
        outcome
    }
}

impl Follower for Session {
    fn offer(&self, py: Python<'_>, message: &SharedMessage, limit: usize) -> Delivery {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() || progress.state.send().is_err() {
                return Delivery::Gone;
            }
            if progress.unsent() > limit {
                return Delivery::Full;
            }
            progress.sent += message.payload().len() as u64;
            match self.send_at_once(py, &mut progress, message) {
                AtOnce::Sent => None,
                AtOnce::Waits => progress.carrier.take(),
                AtOnce::Refused => progress.push_outgoing(Message::Shared(message.clone())),
            }
        };
        self.server.tally.borrow_mut(py).sockets.sent += 1;
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Delivery::Taken
    }

    fn is_behind(&self, py: Python<'_>, limit: usize) -> bool {
        let progress = self.progress.borrow(py);
        progress.end.is_none() && progress.unsent() > limit
    }

    fn caught_up(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let waits = {
            let progress = self.progress.borrow(py);
            progress.end.is_none() && progress.unsent() > 0
        };
        if waits { self.senders.wait(self.server.python_loop(py)).map(Some) } else { Ok(None) }
    }

    fn dismiss(&self, py: Python<'_>, code: u16, reason: &str) {
        // An error here means that the application has closed it already.
        if self.close(py, code, reason.to_owned(), plain(StatusCode::FORBIDDEN)).is_ok() {
            self.over(py, code, reason.to_owned());
        }
    }

    fn memberships(&self) -> &Memberships {
        &self.memberships
    }
}
