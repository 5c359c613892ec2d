//! Scopes: what an application is told about a connection (ASGI specs "HTTP" and "WebSocket").

use std::borrow::Cow;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use hoop_net::{Address, ConnectionFacts, InterimResponses, TlsFacts};
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName};
use http::request::Parts;
use http::{Method, Version};
use percent_encoding::percent_decode;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::caller::Caller;
use super::exchange::Exchange;
use super::header_names::HeaderNames;
use super::recurring::{Look, Recurring};
use super::request_id::RequestId;
use super::scope_extensions::{ExtensionTemplates, add_request_id, add_tls};
use crate::gil_cell::GilCell;

/// Dicts with what is the same for every scope of a server; a scope begins as a copy.
#[derive(Debug)]
pub struct ScopeTemplates {
    http: Py<PyDict>,
    websocket: Py<PyDict>,
    extensions: ExtensionTemplates,
    names: HeaderNames,
    /// Copies of `http` that have a target, and an end of ours, by the address of its object.
    targets: Recurring<PyDict>,
    /// Ends of ours.
    ends: Recurring<PyAny>,
    /// Headers, by the address of their name's object.
    pairs: Recurring<PyTuple>,
    root_path: String,
    state: Option<Py<PyDict>>,
}

/// The ends of a connection as scopes show them: the client's is made for each, ours is one for many.
pub struct Ends {
    pub client: Py<PyAny>,
    /// Whether the client is a proxy whose word about its own clients counts.
    pub is_trusted: bool,
    server: Py<PyAny>,
    /// The `tls` extension, over TLS.
    tls: Option<Py<PyDict>>,
    /// Where early hints go, over HTTP/1.
    pub interim: GilCell<Option<InterimResponses>>,
    /// An exchange whose response went out whole while its application still streams a body that
    /// has nowhere to go (HEAD, 304): it ends with the next request, or with the connection.
    pub outlived: GilCell<Option<Weak<Exchange>>>,
    /// The last request, over HTTP/1.
    pub last: GilCell<Weak<Exchange>>,
    /// The client sends nothing more.
    pub has_half_closed: AtomicBool,
}

impl Ends {
    pub fn new(
        py: Python<'_>,
        facts: &ConnectionFacts,
        is_trusted: bool,
        scopes: &ScopeTemplates,
    ) -> PyResult<Self> {
        Ok(Self {
            client: end(py, &facts.peer)?.unbind(),
            is_trusted,
            server: scopes.own_end(py, &facts.local)?.unbind(),
            tls: facts.tls.as_ref().map(|facts| tls_extension(py, facts)).transpose()?,
            interim: GilCell::new(facts.interim.clone()),
            outlived: GilCell::default(),
            last: GilCell::default(),
            has_half_closed: AtomicBool::new(false),
        })
    }

    /// For want of memory: ASGI allows both to be None.
    pub fn unknown(py: Python<'_>) -> Self {
        Self {
            client: py.None(),
            is_trusted: false,
            server: py.None(),
            tls: None,
            interim: GilCell::default(),
            outlived: GilCell::default(),
            last: GilCell::default(),
            has_half_closed: AtomicBool::new(false),
        }
    }

    /// Whether the connection is over TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The client sends nothing more.
    pub fn half_closed(&self, py: Python<'_>) {
        self.has_half_closed.store(true, Ordering::Relaxed);
        let last = self.last.borrow(py).upgrade();
        if let Some(exchange) = last {
            exchange.half_closed(py);
        }
    }

    /// Tells an application that streams into nowhere that nobody waits for it any more.
    pub fn end_outlived(&self, py: Python<'_>) {
        let outlived = self.outlived.take(py);
        if let Some(exchange) = outlived.and_then(|exchange| exchange.upgrade()) {
            exchange.client_left(py);
        }
    }
}

/// What the ASGI specification's TLS extension says of a connection.
fn tls_extension(py: Python<'_>, facts: &TlsFacts) -> PyResult<Py<PyDict>> {
    let extension = PyDict::new(py);
    extension.set_item("server_cert", &*facts.server_certificate)?;
    extension.set_item("client_cert_chain", PyTuple::new(py, &facts.client_certificates)?)?;
    extension.set_item("client_cert_name", facts.client_name.as_deref())?;
    // A certificate that does not hold ends the handshake.
    extension.set_item("client_cert_error", py.None())?;
    extension.set_item("tls_version", facts.version)?;
    extension.set_item("cipher_suite", facts.cipher_suite)?;
    Ok(extension.unbind())
}

fn end<'py>(py: Python<'py>, address: &Address) -> PyResult<Bound<'py, PyAny>> {
    Ok(match address {
        Address::Ip(ip) => (ip.ip().to_string(), ip.port()).into_pyobject(py)?.into_any(),
        // ASGI: "the path of the Unix socket and None".
        Address::Unix(Some(path)) => {
            (path.to_string_lossy().into_owned(), py.None()).into_pyobject(py)?.into_any()
        }
        Address::Unix(None) => py.None().into_bound(py),
    })
}

impl ScopeTemplates {
    pub fn new(py: Python<'_>, root_path: String, state: Option<Py<PyDict>>, debug: bool) -> PyResult<Self> {
        let template = |kind: &str, scheme: &str| -> PyResult<Py<PyDict>> {
            let asgi = PyDict::new(py);
            asgi.set_item("version", "3.0")?;
            asgi.set_item("spec_version", "2.5")?;
            let dict = PyDict::new(py);
            dict.set_item(intern!(py, "type"), kind)?;
            dict.set_item(intern!(py, "asgi"), asgi)?;
            dict.set_item(intern!(py, "http_version"), intern!(py, "1.1"))?;
            dict.set_item(intern!(py, "scheme"), scheme)?;
            dict.set_item(intern!(py, "root_path"), &root_path)?;
            dict.set_item(intern!(py, "query_string"), PyBytes::new(py, b""))?;
            // Here so that the copies need not grow.
            for later in ["server", "client", "path", "raw_path", "headers", "extensions"] {
                dict.set_item(PyString::intern(py, later), py.None())?;
            }
            if kind == "http" {
                dict.set_item(intern!(py, "method"), intern!(py, "GET"))?;
            } else {
                dict.set_item(intern!(py, "subprotocols"), py.None())?;
            }
            if state.is_some() {
                dict.set_item(intern!(py, "state"), py.None())?;
            }
            Ok(dict.unbind())
        };
        Ok(Self {
            http: template("http", "http")?,
            websocket: template("websocket", "ws")?,
            extensions: ExtensionTemplates::new(py, debug)?,
            names: HeaderNames::new(py),
            targets: Recurring::new(),
            ends: Recurring::new(),
            pairs: Recurring::new(),
            root_path,
            state,
        })
    }

    /// Our end of a connection: one object for many, as there are few such addresses.
    fn own_end<'py>(&self, py: Python<'py>, address: &Address) -> PyResult<Bound<'py, PyAny>> {
        let (kind, text) = match address {
            Address::Ip(ip) => (usize::from(ip.port()), ip.ip().to_string()),
            Address::Unix(path) => {
                (usize::MAX, path.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into()))
            }
        };
        match self.ends.look(py, kind, text.as_bytes()) {
            Look::Known(known) => Ok(known),
            Look::Again => end(py, address).inspect(|made| self.ends.keep(py, kind, text.as_bytes(), made)),
            Look::New => end(py, address),
        }
    }

    /// Whether the application has the whole path for itself.
    pub fn has_no_root(&self) -> bool {
        self.root_path.is_empty()
    }

    /// Whether scopes announce 'http.response.debug'.
    pub fn announces_debug(&self) -> bool {
        self.extensions.debug
    }

    pub fn http<'py>(
        &self,
        py: Python<'py>,
        parts: &Parts,
        ends: &Ends,
        caller: &Caller,
        id: Option<&RequestId>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let scope = self.http_with_target(py, parts, &ends.server, prefix(caller))?;
        if parts.method != Method::GET {
            scope.set_item(intern!(py, "method"), method(py, &parts.method))?;
        }
        if caller.is_secure {
            scope.set_item(intern!(py, "scheme"), intern!(py, "https"))?;
        }
        let extensions = self.extensions.http(py, parts)?;
        name(&extensions, id)?;
        self.fill(&scope, parts, ends, caller, &extensions)?;
        Ok(scope)
    }

    pub fn websocket<'py>(
        &self,
        py: Python<'py>,
        parts: &Parts,
        ends: &Ends,
        caller: &Caller,
        id: Option<&RequestId>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let scope = self.websocket.bind(py).copy()?;
        self.set_target(&scope, parts, prefix(caller))?;
        scope.set_item(intern!(py, "server"), &ends.server)?;
        let offered = parts.headers.get_all(http::header::SEC_WEBSOCKET_PROTOCOL);
        let names = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let names =
            PyList::new(py, names.map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>())?;
        scope.set_item(intern!(py, "subprotocols"), names)?;
        if caller.is_secure {
            scope.set_item(intern!(py, "scheme"), intern!(py, "wss"))?;
        }
        let extensions = self.extensions.websocket(py)?;
        name(&extensions, id)?;
        self.fill(&scope, parts, ends, caller, &extensions)?;
        Ok(scope)
    }

    /// The beginning of a scope. Targets with a query are not kept: there may be secrets in it.
    fn http_with_target<'py>(
        &self,
        py: Python<'py>,
        parts: &Parts,
        server: &Py<PyAny>,
        prefix: &str,
    ) -> PyResult<Bound<'py, PyDict>> {
        let make = || {
            let scope = self.http.bind(py).copy()?;
            self.set_target(&scope, parts, prefix)?;
            scope.set_item(intern!(py, "server"), server)?;
            Ok(scope)
        };
        let path = parts.uri.path().as_bytes();
        if parts.uri.query().is_some() || !prefix.is_empty() {
            return make();
        }
        let kind = server.as_ptr().addr();
        match self.targets.look(py, kind, path) {
            Look::Known(template) => template.copy(),
            Look::Again => {
                let template = make()?;
                self.targets.keep(py, kind, path, &template);
                template.copy()
            }
            Look::New => make(),
        }
    }

    /// `prefix` is where a proxy mounts the application.
    fn set_target(&self, scope: &Bound<'_, PyDict>, parts: &Parts, prefix: &str) -> PyResult<()> {
        let py = scope.py();
        let raw_path = parts.uri.path();
        let path = decode_path(raw_path);
        if prefix.is_empty() && self.root_path.is_empty() {
            scope.set_item(intern!(py, "path"), path)?;
        } else {
            scope.set_item(intern!(py, "path"), format!("{prefix}{}{path}", self.root_path))?;
        }
        if !prefix.is_empty() {
            scope.set_item(intern!(py, "root_path"), format!("{prefix}{}", self.root_path))?;
        }
        scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, raw_path.as_bytes()))?;
        if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
            scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query.as_bytes()))?;
        }
        Ok(())
    }

    fn fill(
        &self,
        scope: &Bound<'_, PyDict>,
        parts: &Parts,
        ends: &Ends,
        caller: &Caller,
        extensions: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let py = scope.py();
        let forwarded_host = caller.changed.as_ref().and_then(|changed| changed.host.as_deref());
        scope.set_item(intern!(py, "headers"), self.headers(py, parts, forwarded_host)?)?;
        scope.set_item(intern!(py, "client"), &caller.client)?;
        match parts.version {
            Version::HTTP_10 => scope.set_item(intern!(py, "http_version"), intern!(py, "1.0"))?,
            Version::HTTP_2 => scope.set_item(intern!(py, "http_version"), intern!(py, "2"))?,
            _ => {}
        }
        if let Some(tls) = &ends.tls {
            add_tls(extensions, tls)?;
        }
        scope.set_item(intern!(py, "extensions"), extensions)?;
        if let Some(state) = &self.state {
            // ASGI lifespan: each request gets a shallow copy.
            scope.set_item(intern!(py, "state"), state.bind(py).copy()?)?;
        }
        Ok(())
    }

    /// The headers; `forwarded_host` takes the place of the Host that the proxy sent.
    fn headers<'py>(
        &self,
        py: Python<'py>,
        parts: &Parts,
        forwarded_host: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        // ASGI: what was `:authority` is the first header.
        let from_authority = if parts.version == Version::HTTP_2 { parts.headers.get(HOST) } else { None };
        let first_host =
            forwarded_host.map(str::as_bytes).or(from_authority.map(http::HeaderValue::as_bytes));
        if let Some(host) = first_host {
            list.append((self.names.get(py, &HOST), PyBytes::new(py, host)))?;
        }
        for (name, value) in &parts.headers {
            if first_host.is_some() && name == HOST {
                continue;
            }
            list.append(self.header(py, name, value.as_bytes())?)?;
        }
        Ok(list)
    }

    fn header<'py>(&self, py: Python<'py>, name: &HeaderName, value: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        // What proves who somebody is stays nowhere longer than it has to.
        let common = self.names.common(py, name).filter(|_| name != AUTHORIZATION && name != COOKIE);
        let Some(common) = common else {
            return PyTuple::new(py, [self.names.get(py, name), PyBytes::new(py, value)]);
        };
        let make = || PyTuple::new(py, [common, &PyBytes::new(py, value)]);
        let kind = common.as_ptr().addr();
        match self.pairs.look(py, kind, value) {
            Look::Known(pair) => Ok(pair),
            Look::Again => make().inspect(|pair| self.pairs.keep(py, kind, value, pair)),
            Look::New => make(),
        }
    }
}

fn name(extensions: &Bound<'_, PyDict>, id: Option<&RequestId>) -> PyResult<()> {
    id.map_or(Ok(()), |id| add_request_id(extensions, &id.text))
}

fn prefix(caller: &Caller) -> &str {
    caller.changed.as_ref().map_or("", |changed| &changed.prefix)
}

/// Percent-decoded and read as UTF-8; what is not UTF-8 is replaced, as other servers do.
fn decode_path(raw: &str) -> Cow<'_, str> {
    percent_decode(raw.as_bytes()).decode_utf8_lossy()
}

fn method<'py>(py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
    match *method {
        Method::POST => intern!(py, "POST").clone(),
        Method::PUT => intern!(py, "PUT").clone(),
        Method::DELETE => intern!(py, "DELETE").clone(),
        Method::PATCH => intern!(py, "PATCH").clone(),
        Method::HEAD => intern!(py, "HEAD").clone(),
        Method::OPTIONS => intern!(py, "OPTIONS").clone(),
        _ => PyString::new(py, method.as_str()),
    }
}
