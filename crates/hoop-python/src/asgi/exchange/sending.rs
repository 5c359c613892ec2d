//! What an application sends: its messages checked, and brought to the connection.

use std::sync::Arc;

use bytes::Bytes;
use hoop_asgi::BodyStep;
use hoop_net::{Piece, ResponseBody};
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Response, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::super::message::{self, HttpMessage};
use super::Exchange;
use crate::errors::client_disconnected;

impl Exchange {
    pub(super) fn start_response(&self, message: &HttpMessage<'_, '_>) -> PyResult<()> {
        let (dict, status) = (message.dict, message.status()?);
        let mut headers = message.headers()?;
        // Nearly always the three keys are type, status and headers.
        let trailers = (dict.len() != 3 || headers.is_empty()) && message::trailers(dict)?;
        if trailers {
            // In HTTP/1.1 trailers follow chunks, and what has a length has no chunks.
            headers.remove(CONTENT_LENGTH);
        }
        self.begin_response(dict.py(), status, headers, trailers)
    }

    fn begin_response(
        &self,
        py: Python<'_>,
        status: StatusCode,
        headers: HeaderMap,
        trailers: bool,
    ) -> PyResult<()> {
        let declared = message::declared_length(&headers)?;
        let mut progress = self.progress.borrow_mut(py);
        progress.state.start(status.as_u16(), declared, trailers).map_err(message::fault)?;
        progress.head = Some((status, headers));
        Ok(())
    }

    /// Sends a response that is there at once.
    pub(super) fn respond(
        self: &Arc<Self>,
        py: Python<'_>,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> PyResult<()> {
        self.begin_response(py, status, headers, false)?;
        self.send_body(py, body.into(), false)
    }

    pub(super) fn send_body(self: &Arc<Self>, py: Python<'_>, piece: Piece, more: bool) -> PyResult<()> {
        let is_complete;
        let step = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone && !progress.state.is_complete() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            let step = progress.state.body(piece.len(), more).map_err(message::fault)?;
            if !progress.state.is_bodyless() {
                progress.sent += piece.len();
            }
            is_complete = progress.state.is_complete();
            step
        };
        match (step, piece) {
            (BodyStep::Whole, Piece::Bytes(bytes)) => {
                let response = self.with_head(py, ResponseBody::Whole(bytes));
                self.answer(py, response);
            }
            (BodyStep::Whole, file @ Piece::File(_)) => {
                let length = file.len();
                self.begin_stream(py, file, Some(length));
                self.end_stream(py, None);
            }
            (BodyStep::Begin, piece) => {
                let length = self.progress.borrow(py).state.declared_length();
                self.begin_stream(py, piece, length);
            }
            (BodyStep::Continue, piece) => {
                if let Some(stream) = &self.progress.borrow(py).stream {
                    stream.push(piece);
                }
            }
            (BodyStep::End, piece) => self.end_stream(py, Some(piece)),
        }
        if is_complete {
            self.complete(py);
        }
        Ok(())
    }

    pub(super) fn send_trailers(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let fields = message::headers(dict)?;
        let more = message::more_trailers(dict)?;
        let last = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone && !progress.state.is_complete() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.trailers(more).map_err(message::fault)?;
            progress.trailers.get_or_insert_default().extend(fields);
            if more {
                return Ok(());
            }
            progress.stream.take().zip(progress.trailers.take())
        };
        if let Some((stream, trailers)) = last {
            stream.finish_with(*trailers);
        }
        self.complete(py);
        Ok(())
    }

    pub(super) fn send_hint(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let links = message::links(dict)?;
        let is_given_up = {
            let progress = self.progress.borrow(py);
            progress.state.hint().map_err(message::fault)?;
            progress.client_gone || progress.cancelled
        };
        // Where it was not announced it is left out: a hint may be. So is that of a request whose client has had
        // another answer, as the next one may be at work.
        if self.takes_interim
            && !is_given_up
            && let Some(interim) = &*self.ends.interim.borrow(py)
        {
            interim.early_hints(&links);
            self.reply.nudge(py);
        }
        Ok(())
    }

    /// What an application says for its developers alone (ASGI extension "Debug").
    pub(super) fn send_debug(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let Some(info) = dict.get_item(intern!(py, "info"))? else {
            return Err(PyValueError::new_err("'http.response.debug' needs 'info'"));
        };
        self.progress.borrow(py).state.debug().map_err(message::fault)?;
        self.server.tell(py, "debug_info", (self.line.name(), info, self.line.id(py)));
        Ok(())
    }

    fn begin_stream(self: &Arc<Self>, py: Python<'_>, piece: Piece, length: Option<u64>) {
        let (sender, body) = ResponseBody::stream(length);
        let exchange = self.clone();
        sender.when_gone(move || Python::attach(|py| exchange.stream_gone(py)));
        if self.progress.borrow(py).state.is_bodyless() {
            drop(self.ends.outlived.replace(py, Some(Arc::downgrade(self))));
        }
        sender.push(piece);
        self.progress.borrow_mut(py).stream = Some(sender);
        let response = self.with_head(py, body);
        self.answer(py, response);
    }

    fn end_stream(&self, py: Python<'_>, last: Option<Piece>) {
        let stream = self.progress.borrow_mut(py).stream.take();
        if let Some(stream) = stream {
            if let Some(piece) = last {
                stream.push(piece);
            }
            stream.finish();
        }
    }

    fn with_head(&self, py: Python<'_>, body: ResponseBody) -> Response<ResponseBody> {
        let (status, headers) = self.progress.borrow_mut(py).head.take().unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The connection let go of the streamed body: either all of it went out, or the client has gone.
    fn stream_gone(&self, py: Python<'_>) {
        let left = {
            let state = &self.progress.borrow(py).state;
            // Where no body goes, nobody has a use for the stream from the start.
            !state.is_complete() && !state.is_bodyless()
        };
        if left {
            self.client_left(py);
        }
    }
}
