//! One WebSocket session.
//!
//! - here: its beginning, and what an application receives.
//! - `progress`: how far it has come; `sending`: what an application sends; `ending`: how it ends.
//! - `carrying`: its task; `following`: a WebSocket as one of many that are sent the same.

mod carrying;
mod ending;
mod following;
mod progress;
mod sending;

use std::sync::Arc;

use hoop_net::{OpenConnection, ResponseBody, WebSocket, WebSocketHandshake};
use http::{Response, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use super::audience::{Follower, Memberships};
use super::conversation::Conversation;
use super::denial::Denial;
use super::message::{self, HttpMessage};
use super::reply::{Answer, Replies, Reply, plain};
use super::request_line::RequestLine;
use super::scope::Ends;
use super::server_state::ServerState;
use super::session_events::{disconnected, event, received};
use crate::event_loop::promise::Waiters;
use crate::event_loop::stepwise::Step;
use crate::gil_cell::{GilCell, GilSlot};
use progress::Progress;

/// So many bytes may wait for the client before `send()` waits too.
const SEND_AHEAD: usize = 64 * 1024;
/// RFC 6455 section 7.4.1: there was no close frame.
const ABNORMAL: u16 = 1006;

/// A WebSocket from handshake to end.
pub struct Session {
    server: Arc<ServerState>,
    line: RequestLine,
    progress: GilCell<Progress>,
    reply: Reply,
    receivers: Waiters,
    senders: Waiters,
    /// The rooms that it is in.
    memberships: Memberships,
    /// Until the session's task takes it.
    open: GilCell<Option<OpenConnection>>,
    /// Once it is open, and while its task has nothing to do with it.
    socket: GilSlot<Box<WebSocket>>,
}

/// Enters the application with a handshake; what its connection awaits is its answer.
pub fn begin(
    server: &Arc<ServerState>,
    ends: &Ends,
    mut handshake: WebSocketHandshake,
    open: OpenConnection,
) -> Answer<Session> {
    Python::attach(|py| {
        let (caller, id) = server.caller(py, &handshake.parts, ends);
        let scope = server.scopes.websocket(py, &handshake.parts, ends, &caller, id.as_deref());
        let line = RequestLine::new(py, server, &caller, id, &mut handshake.parts);
        let session = Arc::new(Session {
            server: server.clone(),
            line,
            progress: GilCell::new(Progress { handshake: Some(handshake), ..Progress::default() }),
            reply: Reply::default(),
            receivers: Waiters::default(),
            senders: Waiters::default(),
            memberships: Memberships::default(),
            open: GilCell::new(Some(open)),
            socket: GilSlot::new(None),
        });
        server.remember(py, &session);
        server.start(py, scope, session.clone());
        Answer(session)
    })
}

impl Session {
    fn answer(&self, py: Python<'_>, mut response: Response<ResponseBody>) {
        self.line.stamp(&self.server, response.headers_mut());
        self.progress.borrow_mut(py).status = Some(response.status());
        self.reply.give(py, response);
    }
}

impl Conversation for Session {
    fn receive(self: Arc<Self>, py: Python<'_>) -> PyResult<Step> {
        let mut progress = self.progress.borrow_mut(py);
        if !progress.announced {
            progress.announced = true;
            drop(progress);
            return event(py, intern!(py, "websocket.connect"), |_| Ok(()));
        }
        if let Some(message) = progress.incoming.pop_front() {
            progress.incoming_bytes -= message.size;
            // The connection may be read on.
            let carrier = if progress.held_up && progress.may_take_more() {
                progress.held_up = false;
                progress.carrier.take()
            } else {
                None
            };
            drop(progress);
            if let Some(carrier) = carrier {
                carrier.wake();
            }
            return received(py, message.into_item(py));
        }
        if let Some((code, reason)) = progress.end.clone() {
            drop(progress);
            return disconnected(py, code, &reason);
        }
        progress.is_waiting = true;
        let carrier = if progress.end_is_held { progress.carrier.take() } else { None };
        drop(progress);
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(Step::Wait(self.receivers.wait(self.server.python_loop(py))?))
    }

    fn send(self: Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = message.py();
        let (dict, kind) = message::dict_and_type(message)?;
        match kind.to_str()? {
            "websocket.accept" => self.accept(py, dict),
            "websocket.send" => self.send_message(py, message::websocket_send(dict)?),
            "websocket.http.response.start" => self.begin_denial(py, &HttpMessage::read(message)?),
            "websocket.http.response.body" => {
                let message = HttpMessage::read(message)?;
                self.deny(py, message.body()?, message.more_body()?)
            }
            "websocket.close" => {
                let (code, reason) = message::websocket_close(dict)?;
                if self.progress.borrow(py).end.is_some() {
                    // It crossed with the other side's: nothing is left to close.
                    return Ok(());
                }
                // ASGI WebSocket spec, "Close": before the handshake it means 403.
                self.close(py, code, reason, plain(StatusCode::FORBIDDEN))
            }
            other => Err(PyValueError::new_err(format!(
                "a WebSocket application sends 'websocket.accept', 'websocket.send', 'websocket.close' and \
                 what scope['extensions'] names, not {other:?}"
            ))),
        }
    }

    fn congestion(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let ahead = {
            let progress = self.progress.borrow(py);
            if let Some(stream) = progress.denial.as_ref().and_then(Denial::stream) {
                if stream.buffered() <= SEND_AHEAD as u64 {
                    return Ok(None);
                }
                let session = self.clone();
                stream.when_drained(move || Python::attach(|py| session.senders.wake(py)));
                drop(progress);
                return self.senders.wait(self.server.python_loop(py)).map(Some);
            }
            progress.end.is_none() && progress.unsent() > SEND_AHEAD
        };
        if !ahead {
            return Ok(None);
        }
        self.senders.wait(self.server.python_loop(py)).map(Some)
    }

    fn follower(self: Arc<Self>) -> Arc<dyn Follower> {
        self
    }
}

impl Replies for Session {
    fn reply(&self) -> &Reply {
        &self.reply
    }

    fn abandoned(&self, py: Python<'_>) {
        drop(self.open.take(py));
        self.over(py, ABNORMAL, String::new());
    }
}
