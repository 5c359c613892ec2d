//! What is called for a request whose route is known, and what its result is as a response.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::door::Opened;
use super::json::json_of;
use crate::asgi::message;
use crate::event_loop::calls;

/// `hoopsnake.web._door.Way`: how the requests of one route are answered.
#[derive(FromPyObject)]
pub struct Way {
    /// Whether the request's body has to be there first.
    pub needs_body: bool,
    /// Whether the engine finds all that can be wrong with a request, so that it refuses alone.
    pub refuses_alone: bool,
    /// Whether the handler is cancelled when its client leaves.
    pub cancels: bool,
    /// For handlers that need nothing but what the engine reads.
    plain: Option<Plain>,
}

/// `hoopsnake.web._door.Plain`: a coroutine function that is called right away.
#[derive(FromPyObject)]
struct Plain {
    handler: Py<PyAny>,
    /// Its parameters, and which of the arguments they get.
    names: Py<PyTuple>,
    positions: Vec<usize>,
    /// Makes the body's argument of bytes, which is the last one.
    validate: Option<Py<PyAny>>,
    /// Writes the result; None where that is the engine's.
    encode: Option<Py<PyAny>>,
    status: u16,
}

/// What came of a result.
pub enum Made {
    /// A response.
    Whole(StatusCode, HeaderMap, Bytes),
    /// A response that somebody has to send piece by piece, or after which something follows.
    Other,
}

impl Way {
    /// Whether results are what handlers return, and not what `answer` does.
    pub fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// Calls the handler, if that can be called straight with these arguments.
    pub fn call(
        &self,
        py: Python<'_>,
        arguments: &[Py<PyAny>],
        body: Option<&Py<PyBytes>>,
    ) -> Option<PyResult<Py<PyAny>>> {
        let plain = self.plain.as_ref()?;
        let body = match (&plain.validate, body) {
            // What is wrong with it is found again, and told, in general.
            (Some(validate), Some(body)) => Some(calls::call(py, validate, &[body.as_any()]).ok()?),
            _ => None,
        };
        let all = || arguments.iter().chain(&body);
        let given: Vec<_> = plain
            .positions
            .iter()
            .filter_map(|&position| all().nth(position).map(|argument| argument.clone_ref(py)))
            .collect();
        Some(calls::call_named(py, &plain.handler, plain.names.bind(py), &given))
    }

    /// The response of what the handler returned.
    pub fn made(&self, opened: &Opened, value: &Bound<'_, PyAny>) -> PyResult<Made> {
        let py = value.py();
        if opened.is_response(value) {
            return made_of_response(opened, value);
        }
        let Some(plain) = &self.plain else { return Ok(Made::Other) };
        let body = match &plain.encode {
            None => Bytes::from(json_of(value, opened.other().bind(py))?),
            Some(encode) => {
                let encoded = calls::call(py, encode, &[value.as_unbound()])?;
                message::bytes_of(encoded.bind(py), "what an encoder returns")?
            }
        };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let status = StatusCode::from_u16(plain.status).unwrap_or_default();
        Ok(Made::Whole(status, headers, body))
    }
}

/// What a response of `hoopsnake.web` says, if it says all at once.
pub fn made_of_response(opened: &Opened, response: &Bound<'_, PyAny>) -> PyResult<Made> {
    let py = response.py();
    if !opened.is_whole(response) || !response.getattr(intern!(py, "background"))?.is_none() {
        return Ok(Made::Other);
    }
    let status = message::status_of(&response.getattr(intern!(py, "status_code"))?)?;
    let pairs = response.getattr(intern!(py, "headers"))?.getattr(intern!(py, "raw"))?;
    let headers = message::headers_of(&pairs)?;
    let body = message::bytes_of(&response.getattr(intern!(py, "body"))?, "the body of a response")?;
    Ok(Made::Whole(status, headers, body))
}
