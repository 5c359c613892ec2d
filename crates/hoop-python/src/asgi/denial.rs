//! A response instead of a WebSocket: the extension 'websocket.http.response'.

use bytes::Bytes;
use hoop_asgi::{BodyStep, Fault, ResponseState};
use hoop_net::{BodySender, ResponseBody};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::message::{self, HttpMessage};

/// How far it has come.
pub struct Denial {
    state: ResponseState,
    head: Option<(StatusCode, HeaderMap)>,
    stream: Option<BodySender>,
}

/// What 'websocket.http.response.start' says.
pub struct DenialStart {
    status: StatusCode,
    headers: HeaderMap,
    declared: Option<u64>,
}

impl Denial {
    pub fn new() -> Self {
        Self { state: ResponseState::new(false), head: None, stream: None }
    }

    /// Reads 'websocket.http.response.start', which may run code of the application's.
    pub fn read_start(message: &HttpMessage<'_, '_>) -> PyResult<DenialStart> {
        let status = message.status()?;
        if status.is_success() {
            // Over HTTP/2 it is what a 101 is over HTTP/1.1 (RFC 8441 section 5).
            return Err(PyValueError::new_err(format!(
                "'websocket.http.response.start': status {} would accept the WebSocket; deny it with 300 to 999",
                status.as_u16()
            )));
        }
        let headers = message.headers()?;
        let declared = message::declared_length(&headers)?;
        Ok(DenialStart { status, headers, declared })
    }

    /// Takes what 'websocket.http.response.start' says.
    pub fn start(&mut self, start: DenialStart) -> PyResult<()> {
        let DenialStart { status, headers, declared } = start;
        self.state.start(status.as_u16(), declared, false).map_err(fault)?;
        self.head = Some((status, headers));
        Ok(())
    }

    /// 'websocket.http.response.body'; the response, when it begins.
    pub fn body(&mut self, bytes: Bytes, more: bool) -> PyResult<Option<Response<ResponseBody>>> {
        let body = match self.state.body(bytes.len() as u64, more).map_err(fault)? {
            BodyStep::Whole => ResponseBody::Whole(bytes),
            BodyStep::Begin => {
                let (sender, body) = ResponseBody::stream(self.state.declared_length());
                sender.push(bytes);
                self.stream = Some(sender);
                body
            }
            BodyStep::Continue => {
                if let Some(stream) = &self.stream {
                    stream.push(bytes);
                }
                return Ok(None);
            }
            BodyStep::End => {
                if let Some(stream) = self.stream.take() {
                    stream.push(bytes);
                    stream.finish();
                }
                return Ok(None);
            }
        };
        let (status, headers) = self.head.take().unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(Some(response))
    }

    /// Where its body goes, while that goes on.
    pub fn stream(&self) -> Option<&BodySender> {
        self.stream.as_ref()
    }
}

/// The rules are those of any response; the names of the messages are longer.
fn fault(fault: Fault) -> PyErr {
    PyRuntimeError::new_err(fault.to_string().replace("'http.response.", "'websocket.http.response."))
}
