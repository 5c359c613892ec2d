//! Which extensions of ASGI a scope announces: those that work for this very request.

use http::header::TE;
use http::request::Parts;
use http::{HeaderMap, Version};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What `scope["extensions"]` begins as. Each scope gets a copy: middleware takes things out.
#[derive(Debug)]
pub struct ExtensionTemplates {
    /// HTTP/1.0, and HTTP/1.1 for a client that takes no trailers.
    old: Py<PyDict>,
    http1: Py<PyDict>,
    http1_with_trailers: Py<PyDict>,
    http2: Py<PyDict>,
    websocket: Py<PyDict>,
    /// Whether 'http.response.debug' is announced.
    pub debug: bool,
}

const DEBUG: &str = "http.response.debug";

impl ExtensionTemplates {
    /// With `debug` somebody looks at what applications say for their developers alone.
    pub fn new(py: Python<'_>, debug: bool) -> PyResult<Self> {
        let named = |names: &[&str]| -> PyResult<Py<PyDict>> {
            let extensions = PyDict::new(py);
            if debug && names.first() != Some(&"websocket.http.response") {
                extensions.set_item(DEBUG, PyDict::new(py))?;
            }
            for name in names {
                extensions.set_item(name, PyDict::new(py))?;
            }
            Ok(extensions.unbind())
        };
        let (path, file) = ("http.response.pathsend", "http.response.zerocopysend");
        let (hints, trailers) = ("http.response.early_hint", "http.response.trailers");
        Ok(Self {
            old: named(&[path, file])?,
            http1: named(&[path, file, hints])?,
            http1_with_trailers: named(&[path, file, hints, trailers])?,
            // hyper sends no interim responses over HTTP/2.
            http2: named(&[path, file, trailers])?,
            websocket: named(&["websocket.http.response"])?,
            debug,
        })
    }

    pub fn http<'py>(&self, py: Python<'py>, parts: &Parts) -> PyResult<Bound<'py, PyDict>> {
        let template = match parts.version {
            Version::HTTP_2 => &self.http2,
            // RFC 9110 section 15.2: 1.0 knows no interim responses, nor chunks.
            Version::HTTP_10 => &self.old,
            _ if takes_trailers(&parts.headers) => &self.http1_with_trailers,
            _ => &self.http1,
        };
        template.bind(py).copy()
    }

    pub fn websocket<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.websocket.bind(py).copy()
    }
}

/// RFC 9110 section 6.5.1: trailers are for clients that ask for them.
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get(TE).is_some_and(|te| {
        te.as_bytes()
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// Adds what the request is called.
pub fn add_request_id(extensions: &Bound<'_, PyDict>, id: &Py<PyString>) -> PyResult<()> {
    let py = extensions.py();
    let extension = PyDict::new(py);
    extension.set_item(intern!(py, "id"), id)?;
    extensions.set_item(intern!(py, "hoopsnake.request_id"), extension)
}

/// Adds what TLS has shown.
pub fn add_tls(extensions: &Bound<'_, PyDict>, tls: &Py<PyDict>) -> PyResult<()> {
    let py = extensions.py();
    extensions.set_item(intern!(py, "tls"), tls.bind(py).copy()?)
}
