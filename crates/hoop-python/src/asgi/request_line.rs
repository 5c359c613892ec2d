//! What the logs say of a request, and what is counted of it.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Instant;

use http::header::{HeaderMap, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, Version};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::caller::Caller;
use super::request_id::RequestId;
use super::server_state::ServerState;

/// What the access log needs, kept only if there is one.
struct Access {
    client: Py<PyAny>,
    version: &'static str,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
}

/// The request's first line.
pub struct RequestLine {
    method: Method,
    uri: Uri,
    id: Option<Box<RequestId>>,
    /// When it came, where somebody wants to know how long it takes.
    began: Option<Instant>,
    access: Option<Box<Access>>,
}

/// How a request has ended.
pub struct Outcome {
    pub status: StatusCode,
    /// Bytes of its body that the application has taken, and of the response's that it has given.
    pub received: u64,
    pub sent: u64,
    /// Whether the response did not break off.
    pub complete: bool,
    /// If it has become a WebSocket: its close code.
    pub close_code: Option<u16>,
}

impl RequestLine {
    /// Takes method and target out of `parts`, which nobody needs any more.
    pub fn new(
        py: Python<'_>,
        server: &ServerState,
        caller: &Caller,
        id: Option<Box<RequestId>>,
        parts: &mut Parts,
    ) -> Self {
        let access = server.observed.access_log.then(|| {
            Box::new(Access {
                client: caller.client.clone_ref(py),
                version: match parts.version {
                    Version::HTTP_10 => "1.0",
                    Version::HTTP_2 => "2",
                    _ => "1.1",
                },
                user_agent: parts.headers.get(USER_AGENT).cloned(),
                referer: parts.headers.get(REFERER).cloned(),
            })
        });
        Self {
            method: std::mem::take(&mut parts.method),
            uri: std::mem::take(&mut parts.uri),
            id,
            began: (server.observed.measures.get(py) || access.is_some()).then(Instant::now),
            access,
        }
    }

    fn target(&self) -> Cow<'_, str> {
        self.uri.path_and_query().map_or("*".into(), |target| printable(target.as_str().as_bytes()))
    }

    /// For error messages: method and target.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.target())
    }

    /// What it is called in all logs, if it is called anything.
    pub fn id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.id.as_ref().map(|id| id.text.clone_ref(py))
    }

    /// The same, for a scope.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.id.as_deref()
    }

    /// Tells the client what its request is called.
    pub fn stamp(&self, server: &ServerState, headers: &mut HeaderMap) {
        if let (Some(id), Some(ids)) = (&self.id, server.observed.callers.ids()) {
            ids.stamp(id, headers);
        }
    }

    /// Counts the request, and tells the access log, if there is one, how it ended.
    pub fn finished(&self, py: Python<'_>, server: &ServerState, outcome: &Outcome) {
        let duration = self.began.map(|began| began.elapsed());
        if outcome.close_code.is_none() {
            let bytes = (outcome.received, outcome.sent);
            server.tally.borrow_mut(py).finish(
                &self.method,
                outcome.status,
                duration,
                bytes,
                outcome.complete,
            );
        }
        let Some(access) = &self.access else { return };
        let seconds = duration.unwrap_or_default().as_secs_f64();
        match self.fields(py, access, outcome, seconds) {
            Ok(fields) => server.tell(py, "access", (fields,)),
            Err(error) => error.write_unraisable(py, None),
        }
    }

    fn fields<'py>(
        &self,
        py: Python<'py>,
        access: &Access,
        outcome: &Outcome,
        seconds: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item(intern!(py, "client"), &access.client)?;
        fields.set_item(intern!(py, "method"), self.method.as_str())?;
        fields.set_item(intern!(py, "target"), self.target())?;
        fields.set_item(intern!(py, "protocol"), access.version)?;
        fields.set_item(intern!(py, "status"), outcome.status.as_u16())?;
        fields.set_item(intern!(py, "duration"), seconds)?;
        fields.set_item(intern!(py, "request_bytes"), outcome.received)?;
        fields.set_item(intern!(py, "response_bytes"), outcome.sent)?;
        fields.set_item(intern!(py, "complete"), outcome.complete)?;
        if let Some(id) = &self.id {
            fields.set_item(intern!(py, "request_id"), &id.text)?;
        }
        if let Some(agent) = &access.user_agent {
            fields.set_item(intern!(py, "user_agent"), printable(agent.as_bytes()))?;
        }
        if let Some(referer) = &access.referer {
            fields.set_item(intern!(py, "referer"), printable(referer.as_bytes()))?;
        }
        if let Some(code) = outcome.close_code {
            fields.set_item(intern!(py, "close_code"), code)?;
        }
        Ok(fields)
    }
}

/// What a client wrote, so that no log and no terminal takes it for anything else: what is not printable
/// ASCII is escaped, and so are the quotes that a line has around it.
fn printable(bytes: &[u8]) -> Cow<'_, str> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if let (true, Ok(text)) = (bytes.iter().all(plain), str::from_utf8(bytes)) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for byte in bytes {
        if plain(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}
