//! `Door`: the way into an application of `hoopsnake.web` for a server that has no need of ASGI.
//!
//! The application opens it with its routes, and closes it when something is put around them. While it is
//! open, a request's route is found and its parameters are read before any Python runs; what is wrong
//! with them is answered here.

use std::borrow::Cow;
use std::sync::Arc;

use hoop_route::{Destination, Request, report};
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{HeaderName, StatusCode};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::breach::errors;
use super::routes::{Routes, Table};
use super::way::Way;
use crate::gil_cell::GilCell;

/// `hoopsnake.web._door.Opening`: what the server has to know of an application.
#[derive(FromPyObject)]
struct Opening {
    routes: Py<Routes>,
    /// The application's own list of routes: if it has grown, what we know is out of date.
    declared: Py<PyList>,
    /// One for each route; None for what is reached by ASGI.
    ways: Vec<Option<Way>>,
    /// Whether nobody has said how requests are refused.
    refuses_plainly: bool,
    redirects: bool,
    /// Makes the coroutine that answers a request in general: `(number, arrival)`.
    answer: Py<PyAny>,
    /// Makes the one that answers after a handler has failed: `(number, arrival, error)`.
    recover: Py<PyAny>,
    /// Makes the one that sends a response of any kind: `(arrival, response)`.
    finish: Py<PyAny>,
    /// Returns the response for an exception, if that is simple.
    response_to: Py<PyAny>,
    /// `Response` and those of its classes that are nothing but status, headers and body.
    whole: Vec<Py<PyAny>>,
    /// What stands for a value that has no JSON of its own.
    other: Py<PyAny>,
}

/// An application as it was when the door was opened.
pub struct Opened {
    table: Arc<Table>,
    known: usize,
    opening: Opening,
}

/// The door of one application.
#[pyclass(frozen, module = "hoopsnake._native")]
#[derive(Default)]
pub struct Door(GilCell<Option<Arc<Opened>>>);

#[pymethods]
impl Door {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Lets requests in.
    fn open(&self, py: Python<'_>, opening: Opening) {
        let table = opening.routes.get().table(py);
        let known = opening.declared.bind(py).len();
        drop(self.0.replace(py, Some(Arc::new(Opened { table, known, opening }))));
    }

    /// From now on requests come by ASGI.
    fn close(&self, py: Python<'_>) {
        drop(self.0.replace(py, None));
    }
}

/// Where a request leads.
pub enum Found {
    /// To a handler.
    Route(Matched),
    /// Nowhere, or to one that cannot be called with it.
    Refused(Refusal),
}

/// A request's route, and its arguments as far as the engine has read them.
pub struct Matched {
    pub opened: Arc<Opened>,
    pub number: usize,
    pub arguments: Vec<Py<PyAny>>,
    /// What is wrong with some of them.
    pub errors: Option<Py<PyList>>,
}

/// An answer that needs no Python.
pub struct Refusal {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Door {
    /// Finds a request's way. None if ASGI is the way, for whatever reason.
    pub fn find(&self, py: Python<'_>, parts: &Parts) -> Option<Found> {
        let opened = self.0.borrow(py).clone()?;
        if opened.opening.declared.bind(py).len() != opened.known {
            return None;
        }
        let path = parts.uri.path();
        match opened.table.router.find(parts.method.as_str(), path) {
            Destination::Route { route, captured } => opened.clone().route(py, parts, route, captured),
            _ if !opened.opening.refuses_plainly => None,
            Destination::OtherMethods(methods) => {
                let mut refusal = Refusal::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
                refusal.headers.insert(ALLOW, HeaderValue::from_str(&methods.join(", ")).ok()?);
                Some(Found::Refused(refusal))
            }
            Destination::Nothing if opened.redirects(path) => None,
            Destination::Nothing => Some(Found::Refused(Refusal::plain(StatusCode::NOT_FOUND, "Not Found"))),
        }
    }
}

impl Refusal {
    fn plain(status: StatusCode, detail: &str) -> Self {
        Self::json(status, format!(r#"{{"detail":"{detail}"}}"#).into_bytes())
    }

    fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body }
    }
}

impl Opened {
    fn route(
        self: Arc<Self>,
        py: Python<'_>,
        parts: &Parts,
        number: usize,
        captured: Vec<Cow<'_, str>>,
    ) -> Option<Found> {
        let way = self.way(number)?;
        let compiled = self.table.routes.get(number)?;
        let query = parts.uri.query().unwrap_or_default();
        let sent = Sent { captured, query, headers: &parts.headers };
        let (found, breaches) = compiled.plan.extract(&sent);
        let parameters = compiled.plan.parameters();
        if !breaches.is_empty() && way.refuses_alone && self.opening.refuses_plainly {
            let body = report(parameters, &breaches);
            return Some(Found::Refused(Refusal::json(StatusCode::UNPROCESSABLE_ENTITY, body)));
        }
        // What fails here for want of memory is told by the other way.
        let errors = (!breaches.is_empty()).then(|| errors(py, parameters, breaches)).transpose().ok()?;
        let mut arguments = Vec::with_capacity(found.len() + 1);
        for (objects, argument) in compiled.objects.iter().zip(found) {
            arguments.push(objects.argument(py, argument).ok()?.unbind());
        }
        let errors = errors.map(Bound::unbind);
        Some(Found::Route(Matched { opened: self.clone(), number, arguments, errors }))
    }

    /// Whether a path that leads nowhere leads somewhere with a slash more, or less, at its end.
    fn redirects(&self, path: &str) -> bool {
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/").into(), Cow::Borrowed);
        self.opening.redirects && path != "/" && self.table.router.knows(&other)
    }

    pub fn way(&self, number: usize) -> Option<&Way> {
        self.opening.ways.get(number)?.as_ref()
    }

    pub fn answer(&self) -> &Py<PyAny> {
        &self.opening.answer
    }

    pub fn recover(&self) -> &Py<PyAny> {
        &self.opening.recover
    }

    pub fn finish(&self) -> &Py<PyAny> {
        &self.opening.finish
    }

    pub fn response_to(&self) -> &Py<PyAny> {
        &self.opening.response_to
    }

    pub fn other(&self) -> &Py<PyAny> {
        &self.opening.other
    }

    /// Whether a value is a response that is nothing but status, headers and body.
    pub fn is_whole(&self, value: &Bound<'_, PyAny>) -> bool {
        let class = value.get_type();
        self.opening.whole.iter().any(|known| class.is(known))
    }

    /// Whether a value is a response at all.
    pub fn is_response(&self, value: &Bound<'_, PyAny>) -> bool {
        let base = self.opening.whole.first();
        base.is_some_and(|base| value.is_instance(base.bind(value.py())).unwrap_or(false))
    }
}

/// A request as the engine has it.
struct Sent<'r> {
    captured: Vec<Cow<'r, str>>,
    query: &'r str,
    headers: &'r HeaderMap,
}

impl<'r> Request<'r> for Sent<'r> {
    fn captured(&self) -> &[Cow<'r, str>] {
        &self.captured
    }

    fn query(&self) -> &'r str {
        self.query
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = Cow<'r, str>> {
        // A name that no header can have is in none.
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let values = name.map(|name| self.headers.get_all(name).iter());
        values.into_iter().flatten().map(|value| latin1(value.as_bytes()))
    }
}

/// Values are read as Latin-1, as ASGI's users do.
fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}
