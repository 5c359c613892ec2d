//! A response as Python has it; what is not asked for is not made.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hoop_net::client::{Failure, Whole as WholeBody};
use http::header::{CONTENT_TYPE, LOCATION};
use http::response::Parts;
use http::{HeaderMap, Version};
use hyper::ext::ReasonPhrase;
use pyo3::exceptions::{PyLookupError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDelta, PyDict, PyList, PyString};

use super::byte_stream::ByteStream;
use super::failure::{raised, unsent};
use super::headers::{Headers, fields};
use super::response_body::{Body, Content, Reading};
use super::sent::Sent;
use super::url::Url;
use crate::gil_cell::GilCell;

/// What was answered.
enum Asked {
    /// By the engine.
    Sent(Arc<Sent>),
    /// By Python, which may not have told yet what.
    Told(GilCell<Option<Py<PyAny>>>),
}

/// The answer to a request.
#[pyclass(frozen, module = "hoopsnake", name = "Response")]
pub struct Response {
    status: u16,
    version: Version,
    reason: Option<Bytes>,
    asked: Asked,
    fields: GilCell<Option<HeaderMap>>,
    headers: GilCell<Option<Py<Headers>>>,
    extensions: GilCell<Option<Py<PyDict>>>,
    history: GilCell<Option<Py<PyList>>>,
    pub(super) body: GilCell<Body>,
    pub(super) trailers: GilCell<Option<HeaderMap>>,
    pub(super) elapsed: GilCell<Duration>,
    pub(super) received: GilCell<u64>,
}

impl Response {
    /// With its content, if that was read.
    pub fn new(head: Parts, sent: Arc<Sent>, content: Option<Content>, mut reading: Reading) -> Self {
        let elapsed = reading.download.elapsed();
        let received = reading.download.received();
        let trailers = reading.download.trailers();
        let body = match content {
            Some(Content::Whole(bytes)) => Body::Shown(bytes),
            Some(Content::Pieces(pieces)) => Body::Whole(pieces),
            None => Body::Unread(Box::new(reading)),
        };
        let mut response = Self::of(head, sent, body, elapsed, received);
        *response.trailers.get_mut() = trailers;
        response
    }

    /// One that is all there: the answer to a handshake.
    pub fn complete(head: Parts, sent: Arc<Sent>, content: WholeBody, elapsed: Duration) -> Self {
        let received = content.length();
        Self::of(head, sent, Body::Whole(content), elapsed, received)
    }

    fn of(head: Parts, sent: Arc<Sent>, body: Body, elapsed: Duration, received: u64) -> Self {
        let reason =
            head.extensions.get::<ReasonPhrase>().map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
        Self {
            status: head.status.as_u16(),
            version: head.version,
            reason,
            asked: Asked::Sent(sent),
            fields: GilCell::new(Some(head.headers)),
            headers: GilCell::new(None),
            extensions: GilCell::new(None),
            history: GilCell::new(None),
            body: GilCell::new(body),
            trailers: GilCell::new(None),
            elapsed: GilCell::new(elapsed),
            received: GilCell::new(received),
        }
    }

    /// A failure of the exchange that this belongs to.
    pub(super) fn raised(&self, py: Python<'_>, failure: &Failure) -> PyErr {
        match &self.asked {
            Asked::Sent(sent) => raised(py, failure, sent, self.elapsed.get(py)),
            Asked::Told(_) => unsent(py, failure),
        }
    }

    fn charset(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let headers = self.headers(py)?;
        let fields = headers.get().0.borrow(py);
        let Some(kind) = fields.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
            return Ok(None);
        };
        Ok(kind.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
        }))
    }
}

impl Response {
    /// The body, piece by piece: as the engine reads it, or by Python where it is cut or made there.
    fn pieces(slf: Bound<'_, Self>, chunk_size: Option<usize>, raw: bool) -> PyResult<Bound<'_, PyAny>> {
        let py = slf.py();
        // What is in memory asks no loop for anything.
        let is_here = !raw && slf.get().read_already(py).is_some();
        if chunk_size.is_none() && !is_here && slf.get().made(py).is_none() {
            return Ok(Bound::new(py, ByteStream::new(slf.unbind(), raw))?.into_any());
        }
        streamed(py)?.call_method1(if raw { "raw_bytes_of" } else { "bytes_of" }, (slf, chunk_size))
    }
}

#[pymethods]
impl Response {
    #[new]
    #[pyo3(signature = (
        status_code, *, headers=None, content=None, text=None, html=None, json=None, stream=None,
        request=None, extensions=None, history=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "what httpx's users know, all of it by name")]
    fn new_made<'py>(
        py: Python<'py>,
        status_code: u16,
        headers: Option<&Bound<'py, PyAny>>,
        content: Option<Bound<'py, PyAny>>,
        text: Option<Bound<'py, PyAny>>,
        html: Option<Bound<'py, PyAny>>,
        json: Option<Bound<'py, PyAny>>,
        stream: Option<Bound<'py, PyAny>>,
        request: Option<Py<PyAny>>,
        extensions: Option<&Bound<'py, PyDict>>,
        history: Option<Py<PyList>>,
    ) -> PyResult<Self> {
        static BODY_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if !(100..=999).contains(&status_code) {
            return Err(PyValueError::new_err(format!(
                "a status is a number of three digits, not {status_code}"
            )));
        }
        let headers = Py::new(py, Headers::of(headers.map_or_else(|| Ok(HeaderMap::new()), fields)?))?;
        let body = BODY_OF
            .import(py, "hoopsnake._client._made", "body_of")?
            .call1((&headers, content, text, html, json, stream))?;
        let extensions = extensions.map(|given| given.copy()).transpose()?;
        let named = |name: &str| -> PyResult<Option<Bytes>> {
            let Some(value) = extensions.as_ref().map(|given| given.get_item(name)).transpose()?.flatten()
            else {
                return Ok(None);
            };
            Ok(Some(Bytes::copy_from_slice(value.cast::<PyBytes>()?.as_bytes())))
        };
        Ok(Self {
            status: status_code,
            version: match named("http_version")?.as_deref() {
                Some(b"HTTP/1.0") => Version::HTTP_10,
                Some(b"HTTP/2" | b"HTTP/2.0") => Version::HTTP_2,
                Some(b"HTTP/3" | b"HTTP/3.0") => Version::HTTP_3,
                _ => Version::HTTP_11,
            },
            reason: named("reason_phrase")?,
            asked: Asked::Told(GilCell::new(request)),
            fields: GilCell::new(None),
            headers: GilCell::new(Some(headers)),
            extensions: GilCell::new(extensions.map(Bound::unbind)),
            history: GilCell::new(history),
            body: GilCell::new(match body.cast_into::<PyBytes>() {
                Ok(bytes) => Body::Shown(bytes.unbind()),
                Err(made) => Body::Made(made.into_inner().unbind()),
            }),
            trailers: GilCell::new(None),
            elapsed: GilCell::new(Duration::ZERO),
            received: GilCell::new(0),
        })
    }

    /// The status, as a number.
    #[getter]
    fn status_code(&self) -> u16 {
        self.status
    }

    /// What the server calls the status; what the standard calls it where the protocol has no words.
    #[getter]
    fn reason_phrase(&self) -> String {
        match &self.reason {
            Some(reason) => String::from_utf8_lossy(reason).into_owned(),
            None => http::StatusCode::from_u16(self.status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// Whether it is a redirect that says where to.
    #[getter]
    fn has_redirect_location(&self, py: Python<'_>) -> PyResult<bool> {
        let headers = self.headers(py)?;
        let leads = headers.get().0.borrow(py).contains_key(LOCATION);
        Ok(leads && matches!(self.status, 301 | 302 | 303 | 307 | 308))
    }

    /// "HTTP/1.1", "HTTP/2", …
    #[getter]
    fn http_version(&self) -> &'static str {
        match self.version {
            Version::HTTP_3 => "HTTP/3",
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }

    /// The header fields.
    #[getter]
    fn headers(&self, py: Python<'_>) -> PyResult<Py<Headers>> {
        if let Some(headers) = &*self.headers.borrow(py) {
            return Ok(headers.clone_ref(py));
        }
        let headers = Py::new(py, Headers::of(self.fields.take(py).unwrap_or_default()))?;
        drop(self.headers.replace(py, Some(headers.clone_ref(py))));
        Ok(headers)
    }

    /// What followed the body; empty before its end.
    #[getter]
    fn trailers(&self, py: Python<'_>) -> Headers {
        Headers::of(self.trailers.borrow(py).clone().unwrap_or_default())
    }

    /// The URL that answered.
    #[getter]
    fn url(&self, py: Python<'_>) -> PyResult<Url> {
        match &self.asked {
            Asked::Sent(sent) => Ok(Url(sent.target.url.clone())),
            Asked::Told(_) => Url::of(self.request(py)?.bind(py).getattr(intern!(py, "url"))?.as_any()),
        }
    }

    /// The request that was answered. Raises RuntimeError for a response that answers none yet.
    #[getter]
    fn request(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.asked {
            Asked::Sent(sent) => sent.request(py),
            Asked::Told(request) => match &*request.borrow(py) {
                Some(request) => Ok(request.clone_ref(py)),
                None => Err(PyRuntimeError::new_err(
                    "this response answers no request yet: give it one, Response(…, request=request)",
                )),
            },
        }
    }

    #[setter]
    fn set_request(&self, py: Python<'_>, request: Py<PyAny>) {
        match &self.asked {
            Asked::Sent(sent) => sent.set_request(py, request),
            Asked::Told(told) => drop(told.replace(py, Some(request))),
        }
    }

    /// The redirects that led here, the first first.
    #[getter]
    fn history(&self, py: Python<'_>) -> Py<PyList> {
        if let Some(history) = &*self.history.borrow(py) {
            return history.clone_ref(py);
        }
        PyList::empty(py).unbind()
    }

    fn _set_history(&self, py: Python<'_>, history: Py<PyList>) {
        drop(self.history.replace(py, Some(history)));
    }

    /// The cookies that the response sets, as a `Cookies`.
    #[getter]
    fn cookies<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("hoopsnake._client._cookies")?.call_method1("of_response", (slf,))
    }

    /// The request that a redirect asks for; None if the response is none.
    #[getter]
    fn next_request<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let request = slf.get().request(slf.py())?;
        slf.py().import("hoopsnake._client._redirects")?.call_method1("next_request", (request, slf))
    }

    /// From the request's beginning to the end of the body, or to the last that was read of it.
    #[getter]
    fn elapsed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDelta>> {
        self.elapsed.get(py).into_pyobject(py)
    }

    /// What a response that no engine has read tells of its reading.
    #[pyo3(signature = (received, elapsed, trailers=None))]
    fn _note(
        &self,
        py: Python<'_>,
        received: u64,
        elapsed: Duration,
        trailers: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.received.set(py, received);
        self.elapsed.set(py, elapsed);
        if let Some(trailers) = trailers {
            drop(self.trailers.replace(py, Some(fields(&trailers)?)));
        }
        Ok(())
    }

    /// Takes the content that was read of it.
    fn _complete(&self, py: Python<'_>, content: Py<PyBytes>) {
        drop(self.body.replace(py, Body::Shown(content)));
    }

    /// Bytes of the body that came over the wire, before they were unpacked.
    #[getter]
    fn num_bytes_downloaded(&self, py: Python<'_>) -> u64 {
        self.received.get(py)
    }

    /// What has no attribute of its own, by name; who has more to say of the response puts it there.
    #[getter]
    fn extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if let Some(extensions) = &*self.extensions.borrow(py) {
            return Ok(extensions.bind(py).clone());
        }
        let extensions = PyDict::new(py);
        extensions.set_item("http_version", PyBytes::new(py, self.http_version().as_bytes()))?;
        if let Some(reason) = &self.reason {
            extensions.set_item("reason_phrase", PyBytes::new(py, reason))?;
        }
        drop(self.extensions.replace(py, Some(extensions.clone().unbind())));
        Ok(extensions)
    }

    /// The body, unpacked. Raises ResponseNotRead if it has not been read.
    #[getter]
    fn content(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        self.whole(py)
    }

    /// The body's encoding: what Content-Type names, else UTF-8.
    #[getter]
    fn encoding(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.charset(py)?.unwrap_or_else(|| "utf-8".to_owned()))
    }

    /// The body as text; what cannot be decoded is replaced.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let content = self.content(py)?;
        let content = content.bind(py);
        let decode = |charset: &str| content.call_method1(intern!(py, "decode"), (charset, "replace"));
        match self.charset(py)? {
            None => Ok(PyString::from_encoded_object(content, Some(c"utf-8"), Some(c"replace"))?.into_any()),
            Some(charset) => match decode(&charset) {
                Err(error) if error.is_instance_of::<PyLookupError>(py) => decode("utf-8"),
                decoded => decoded,
            },
        }
    }

    /// The body as JSON. Keyword arguments are those of `json.loads`.
    #[pyo3(signature = (**keywords))]
    fn json<'py>(
        &self,
        py: Python<'py>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        LOADS.import(py, "json", "loads")?.call((self.content(py)?,), keywords)
    }

    #[getter]
    fn is_informational(&self) -> bool {
        self.status / 100 == 1
    }

    /// Whether the status is 2xx.
    #[getter]
    fn is_success(&self) -> bool {
        self.status / 100 == 2
    }

    /// Whether the status is 3xx.
    #[getter]
    fn is_redirect(&self) -> bool {
        self.status / 100 == 3
    }

    /// Whether the status is 4xx.
    #[getter]
    fn is_client_error(&self) -> bool {
        self.status / 100 == 4
    }

    /// Whether the status is 5xx.
    #[getter]
    fn is_server_error(&self) -> bool {
        self.status / 100 == 5
    }

    /// Whether the status is 4xx or 5xx.
    #[getter]
    fn is_error(&self) -> bool {
        matches!(self.status / 100, 4 | 5)
    }

    /// Whether nothing more can be read.
    #[getter]
    fn is_closed(&self, py: Python<'_>) -> bool {
        self.body.borrow(py).is_closed()
    }

    /// Returns the response if its status is 2xx, and raises HTTPStatusError if not.
    fn raise_for_status(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if slf.get().is_success() {
            return Ok(slf);
        }
        let module = slf.py().import("hoopsnake._client._errors")?;
        Err(PyErr::from_value(module.getattr("status_error")?.call1((&slf,))?))
    }

    /// Reads the body to its end, and returns it.
    fn aread(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Self::read(slf)
    }

    /// The next piece of the body, unpacked unless `raw`; None at its end.
    fn _chunk(slf: &Bound<'_, Self>, raw: bool) -> PyResult<Py<PyAny>> {
        Self::chunk(slf, raw)
    }

    /// Closes the response: what was not read of it is not read any more.
    fn aclose(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Self::close(slf)
    }

    /// Keeps `object` until there is no more to be read, or nobody does; whether it is kept.
    fn _tie(&self, py: Python<'_>, object: Py<PyAny>) -> PyResult<bool> {
        self.tie(py, object)
    }

    fn _close(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py)
    }

    /// The body as it is unpacked, piece by piece, in pieces of `chunk_size` bytes if that is given.
    #[pyo3(signature = (chunk_size=None))]
    fn aiter_bytes<'py>(slf: Bound<'py, Self>, chunk_size: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        Self::pieces(slf, chunk_size, false)
    }

    /// The body as it comes over the wire.
    #[pyo3(signature = (chunk_size=None))]
    fn aiter_raw<'py>(slf: Bound<'py, Self>, chunk_size: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        Self::pieces(slf, chunk_size, true)
    }

    /// The body as text, piece by piece.
    fn aiter_text<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        streamed(slf.py())?.call_method1("text_of", (slf,))
    }

    /// The body as lines, without their ends.
    fn aiter_lines<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        streamed(slf.py())?.call_method1("lines_of", (slf,))
    }

    /// The body as server-sent events.
    fn aiter_events<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("hoopsnake._client._events")?.call_method1("events_of", (slf,))
    }

    fn __repr__(&self) -> String {
        format!("<Response [{} {}]>", self.status, self.reason_phrase())
    }
}

fn streamed(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("hoopsnake._client._streams")
}
