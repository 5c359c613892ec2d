//! What an application sends: the answer to the handshake, messages, the end.

use std::sync::Arc;

use bytes::Bytes;
use hoop_asgi::{CloseStep, Fault};
use hoop_net::{BodySender, Message, ResponseBody};
use http::Response;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::super::denial::Denial;
use super::super::message::{self, HttpMessage};
use super::carrying::carry;
use super::progress::payload;
use super::{ABNORMAL, Session};
use crate::errors::client_disconnected;

impl Session {
    pub(super) fn accept(self: &Arc<Self>, py: Python<'_>, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let headers = message::websocket_accept(dict)?;
        let handshake = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.accept().map_err(message::fault)?;
            progress.accepted = true;
            progress.handshake.take()
        };
        let Some(handshake) = handshake else { return Ok(()) };
        self.server.tally.borrow_mut(py).sockets.opened += 1;
        let (response, pending) = handshake.accept(headers, &self.server.websocket);
        self.answer(py, response);
        let (session, open) = (self.clone(), self.open.take(py));
        self.server.spawn(py, async move {
            carry(session.clone(), pending).await;
            Python::attach(|py| session.finish(py));
            drop(open);
        });
        Ok(())
    }

    pub(super) fn send_message(&self, py: Python<'_>, message: Message) -> PyResult<()> {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.send().map_err(message::fault)?;
            progress.sent += payload(&message) as u64;
            progress.push_outgoing(message)
        };
        self.server.tally.borrow_mut(py).sockets.sent += 1;
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(())
    }

    /// Refuses the handshake or sends a close frame, whichever it is time for.
    pub(super) fn close(
        &self,
        py: Python<'_>,
        code: u16,
        reason: String,
        refusal: Response<ResponseBody>,
    ) -> PyResult<()> {
        let (step, ended, carrier) = {
            let mut progress = self.progress.borrow_mut(py);
            let step = progress.state.close().map_err(message::fault)?;
            let ended = progress.end.is_some();
            let carrier = match step {
                CloseStep::Close if !ended => progress.push_outgoing(Message::Close { code, reason }),
                _ => None,
            };
            (step, ended, carrier)
        };
        if step == CloseStep::Refuse && !ended {
            drop(self.progress.borrow_mut(py).handshake.take());
            drop(self.open.take(py));
            self.answer(py, refusal);
            // ASGI: "Disconnect ... also if the connection was refused".
            self.over(py, ABNORMAL, String::new());
        }
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(())
    }

    pub(super) fn begin_denial(&self, py: Python<'_>, message: &HttpMessage<'_, '_>) -> PyResult<()> {
        let start = Denial::read_start(message)?;
        let mut progress = self.progress.borrow_mut(py);
        if progress.end.is_some() {
            drop(progress);
            return Err(client_disconnected(py, &self.line.name()));
        }
        progress.state.deny().map_err(message::fault)?;
        progress.denial.get_or_insert_with(Denial::new).start(start)
    }

    /// Sends a piece of the response that stands for the WebSocket; with the first one it is refused.
    pub(super) fn deny(self: &Arc<Self>, py: Python<'_>, bytes: Bytes, more: bool) -> PyResult<()> {
        let response = {
            let mut progress = self.progress.borrow_mut(py);
            let is_begun = !progress.state.is_connecting();
            let reader_gone =
                progress.denial.as_ref().and_then(Denial::stream).is_some_and(BodySender::is_reader_gone);
            if reader_gone || (progress.end.is_some() && !is_begun) {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            let Some(denial) = &mut progress.denial else {
                return Err(message::fault(Fault::DenialBeforeStart));
            };
            let response = denial.body(bytes, more)?;
            if response.is_some() {
                progress.state.close().map_err(message::fault)?;
                drop(progress.handshake.take());
            }
            response
        };
        if let Some(response) = response {
            drop(self.open.take(py));
            self.answer(py, response);
            self.over(py, ABNORMAL, String::new());
        }
        Ok(())
    }
}
