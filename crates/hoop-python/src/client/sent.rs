//! The request that was sent, as far as its response and its errors tell of it.

use std::sync::Arc;

use hoop_net::client::Destination;
use http::{HeaderMap, Method};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::headers::Headers;
use super::url::Url;
use crate::gil_cell::GilCell;

/// A URL, and what is made of it once.
pub struct Target {
    pub url: hoop_net::client::Url,
    pub destination: Arc<Destination>,
}

impl Target {
    /// The same URL, where TLS is to be with this name.
    pub fn with_tls_name(&self, name: &str) -> Self {
        Self { url: self.url.clone(), destination: Arc::new(self.destination.with_tls_name(name)) }
    }
}

/// The request that was sent.
pub struct Sent {
    pub method: Method,
    pub target: Arc<Target>,
    pub headers: Arc<HeaderMap>,
    /// The `hoopsnake.Request`, if there is one yet.
    request: GilCell<Option<Py<PyAny>>>,
}

impl Sent {
    pub fn new(
        method: Method,
        target: Arc<Target>,
        headers: Arc<HeaderMap>,
        request: Option<Py<PyAny>>,
    ) -> Self {
        Self { method, target, headers, request: GilCell::new(request) }
    }

    /// The `hoopsnake.Request`.
    pub fn request(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if let Some(request) = &*self.request.borrow(py) {
            return Ok(request.clone_ref(py));
        }
        let class = CLASS.import(py, "hoopsnake._client._request", "Request")?;
        let mut sent = HeaderMap::clone(&self.headers);
        sent.entry(http::header::HOST).or_insert_with(|| self.target.destination.host.clone());
        let request =
            class.call1((self.method.as_str(), Url(self.target.url.clone()), Headers::of(sent)))?.unbind();
        self.set_request(py, request.clone_ref(py));
        Ok(request)
    }

    /// What is to be told as the request from now on.
    pub fn set_request(&self, py: Python<'_>, request: Py<PyAny>) {
        drop(self.request.replace(py, Some(request)));
    }
}
