//! A client's engine on the loop that runs, and how a request of Python's becomes one of the engine's.

use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hoop_net::client::{Client, Destination, Download, Outgoing, Patience, Payload, Proxy, Timeouts};
use http::header::{CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderValue, Method};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use super::call::{Call, Work};
use super::cookies::CookieJar;
use super::failure::{named, raised};
use super::headers::{Headers, fields};
use super::proxies::ProxyTable;
use super::response::Response;
use super::response_body::{Content, Reading};
use super::room::BytesRoom;
use super::sent::{Sent, Target};
use super::settings::{Settings, TimeoutTuple, timeouts};
use super::standing::StandingHeaders;
use super::surroundings::OnLoop;
use super::upload;
use super::url::Url;
use crate::event_loop::LoopCore;
use crate::event_loop::state::LoopState;
use crate::gil_cell::GilCell;

/// So many URLs are remembered as what was made of them.
const URLS_REMEMBERED: usize = 1024;

/// Memory is set aside at once for what a server says it will send, up to so much.
const LARGEST_ROOM: u64 = 64 * 1024 * 1024;

/// The native half of `hoopsnake.Client`.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct ClientCore {
    settings: Settings,
    pub(super) timeouts: Timeouts,
    headers: StandingHeaders,
    cookies: Py<CookieJar>,
    proxies: ProxyTable,
    targets: GilCell<HashMap<Box<str>, Arc<Target>>>,
    /// The last of them, found by the string itself.
    latest: GilCell<Option<(Py<PyString>, Arc<Target>)>>,
    engine: GilCell<Option<Engine>>,
    is_closed: GilCell<bool>,
}

struct Engine {
    client: Rc<Client>,
    of: Arc<LoopState>,
}

/// A request as far as Python has made it.
struct Prepared {
    sent: Arc<Sent>,
    content: Sending,
    timeouts: Timeouts,
    /// Whether the whole body is read before the response is there.
    reads: bool,
    max_content: u64,
    /// Where the response's cookies go, if not Python sees to that.
    cookies: Option<Py<CookieJar>>,
}

enum Sending {
    None,
    Bytes(Bytes),
    Iterator(Py<PyAny>, Option<u64>),
}

impl ClientCore {
    pub(super) fn target(&self, url: &Bound<'_, PyAny>) -> PyResult<Arc<Target>> {
        let py = url.py();
        if let Ok(url) = url.cast::<Url>() {
            return self.made(py, url.get().0.clone());
        }
        let Ok(text) = url.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!("a URL is a str or a URL, not {}", url.get_type())));
        };
        if let Some((known, target)) = &*self.latest.borrow(py)
            && known.is(text)
        {
            return Ok(target.clone());
        }
        let target = self.target_of(py, text.to_str()?)?;
        drop(self.latest.replace(py, Some((text.clone().unbind(), target.clone()))));
        Ok(target)
    }

    /// The same, where TLS may be to be with another name.
    pub(super) fn target_by_name(
        &self,
        url: &Bound<'_, PyAny>,
        tls_name: Option<&str>,
    ) -> PyResult<Arc<Target>> {
        let target = self.target(url)?;
        Ok(match tls_name {
            Some(name) => Arc::new(target.with_tls_name(name)),
            None => target,
        })
    }

    fn target_of(&self, py: Python<'_>, text: &str) -> PyResult<Arc<Target>> {
        if let Some(known) = self.targets.borrow(py).get(text) {
            return Ok(known.clone());
        }
        let target = self.made(py, self.absolute(py, text)?)?;
        let mut targets = self.targets.borrow_mut(py);
        if targets.len() >= URLS_REMEMBERED {
            targets.clear();
        }
        targets.insert(text.into(), target.clone());
        Ok(target)
    }

    fn made(&self, py: Python<'_>, url: hoop_net::client::Url) -> PyResult<Arc<Target>> {
        let proxy = self.proxies.for_url(&url).map_err(|fault| named(py, "ProxyError", fault.to_owned()))?;
        let destination = destination(py, &url, proxy)?;
        Ok(Arc::new(Target { destination: Arc::new(destination), url }))
    }

    /// What `base_url` makes of a URL: it is put in front of one that has no scheme.
    fn absolute(&self, py: Python<'_>, text: &str) -> PyResult<hoop_net::client::Url> {
        match &self.settings.base_url {
            Some(base) if !has_scheme(text) => {
                let joined = format!("{}/{}", base.trim_end_matches('/'), text.trim_start_matches('/'));
                super::url::parsed(py, if text.is_empty() { base } else { &joined })
            }
            _ => super::url::parsed(py, text),
        }
    }

    /// The engine, which is made for the loop that runs first.
    pub(super) fn client(&self, python_loop: &Bound<'_, LoopCore>) -> PyResult<Rc<Client>> {
        let (py, state) = (python_loop.py(), &python_loop.get().state);
        if self.is_closed.get(py) {
            return Err(named(py, "ClientClosed", "the client is closed; make another one".to_owned()));
        }
        if let Some(engine) = &*self.engine.borrow(py) {
            if Arc::ptr_eq(&engine.of, state) {
                return Ok(engine.client.clone());
            }
            if engine.of.runtime(py).is_ok() {
                return Err(PyRuntimeError::new_err(
                    "this client works on another event loop; make one for each loop",
                ));
            }
        }
        let client = Client::new(self.settings.options(py)?, Rc::new(OnLoop(state.clone())));
        drop(self.engine.replace(py, Some(Engine { client: client.clone(), of: state.clone() })));
        Ok(client)
    }

    /// Leaves what begins now no more time than its caller has, unless the client is not to.
    pub(super) fn heed_deadline(&self, py: Python<'_>, timeouts: &mut Timeouts) -> PyResult<()> {
        if self.settings.heeds_deadlines { super::deadline::shorten(py, timeouts) } else { Ok(()) }
    }

    fn call(slf: &Bound<'_, Self>, prepared: Prepared) -> Call {
        let core = slf.clone().unbind();
        Call::new(move |python_loop| {
            let client = core.get().client(python_loop)?;
            let mut prepared = prepared;
            core.get().heed_deadline(python_loop.py(), &mut prepared.timeouts)?;
            begin(python_loop, client, prepared)
        })
    }
}

/// Sends a request as far as it goes at once; the rest is the future's.
fn begin(python_loop: &Bound<'_, LoopCore>, client: Rc<Client>, prepared: Prepared) -> PyResult<Work> {
    let Prepared { sent, content, timeouts, reads, max_content, cookies } = prepared;
    let mut feeding = None;
    let payload = match content {
        Sending::None => Payload::Empty,
        Sending::Bytes(bytes) => Payload::Whole(bytes),
        Sending::Iterator(iterator, length) => {
            let (payload, running) = upload::begin(python_loop, &iterator, length)?;
            feeding = Some(running);
            payload
        }
    };
    let outgoing = Outgoing {
        method: sent.method.clone(),
        destination: sent.target.destination.clone(),
        headers: sent.headers.clone(),
        payload,
    };
    Ok(Box::pin(async move {
        // In a block of its own: what it needs is not kept beside what comes after it.
        let answered = {
            let sending = pin!(client.send(outgoing, Patience::new(timeouts)));
            upload::fed(&mut feeding, sending).await?
        };
        let response = answered.map_err(|(failure, patience)| {
            Python::attach(|py| raised(py, &failure, &sent, patience.elapsed()))
        })?;
        let (head, mut download) = response.into_parts();
        if let Some(cookies) = cookies.filter(|_| head.headers.contains_key(SET_COOKIE)) {
            Python::attach(|py| cookies.get().keep(py, &sent.target.url, &head.headers));
        }
        let mut content = None;
        let mut outcome = download.decode(&head.headers);
        let room = if reads && outcome.is_ok() { room_for(&download, max_content) } else { None };
        if let Some(mut room) = room {
            let filled = upload::fed(&mut feeding, pin!(download.fill(&mut room))).await?;
            match filled {
                Ok(()) => content = room.finish().map(Content::Whole),
                Err(failure) => outcome = Err(failure),
            }
        } else if reads && outcome.is_ok() {
            match upload::fed(&mut feeding, pin!(download.whole(max_content))).await? {
                Ok(whole) => content = Some(Content::Pieces(whole)),
                Err(failure) => outcome = Err(failure),
            }
        }
        Python::attach(|py| {
            if let Err(failure) = outcome {
                return Err(raised(py, &failure, &sent, download.elapsed()));
            }
            let reading = Reading { download, feeding, max_content, tied: None };
            Ok(Py::new(py, Response::new(head, sent, content, reading))?.into_any())
        })
    }))
}

/// Where a body is read to whose length is known, and such that memory may be set aside for a server's word.
fn room_for(download: &Download, most: u64) -> Option<BytesRoom> {
    let length = download.length().filter(|length| *length <= most.min(LARGEST_ROOM))?;
    Python::attach(|py| BytesRoom::new(py, usize::try_from(length).ok()?).ok())
}

#[pymethods]
impl ClientCore {
    #[new]
    fn new(
        py: Python<'_>,
        settings: Settings,
        headers: Py<Headers>,
        cookies: Py<CookieJar>,
    ) -> PyResult<Self> {
        Ok(Self {
            timeouts: timeouts(settings.timeouts)?,
            headers: StandingHeaders::new(headers),
            cookies,
            proxies: ProxyTable::new(py, &settings.proxies)?,
            settings,
            targets: GilCell::default(),
            latest: GilCell::default(),
            engine: GilCell::default(),
            is_closed: GilCell::new(false),
        })
    }

    /// A request that has nothing of its own but a body: the client's headers and cookies, and the response
    /// read whole unless it is to be read as it comes.
    /// None if there is more to tell in a header: who asks, as the URL says, or that the body is empty.
    #[pyo3(signature = (method, url, content=None, reads=true))]
    fn plain(
        slf: &Bound<'_, Self>,
        method: &str,
        url: &Bound<'_, PyAny>,
        content: Option<PyBackedBytes>,
        reads: bool,
    ) -> PyResult<Option<Call>> {
        let this = slf.get();
        let target = this.target(url)?;
        // That it has no bytes is told in a header as well.
        if content.as_ref().is_some_and(|bytes| bytes.is_empty())
            || !target.url.username().is_empty()
            || target.url.password().is_some()
        {
            return Ok(None);
        }
        let standing = this.headers.now(slf.py());
        let with_cookies = this.cookies.get().added(slf.py(), &target.url, &standing);
        let headers = with_cookies.map_or(standing, Arc::new);
        let sent = Sent::new(method_of(slf.py(), method)?, target, headers, None);
        Ok(Some(Self::call(
            slf,
            Prepared {
                sent: Arc::new(sent),
                content: content.map_or(Sending::None, |bytes| Sending::Bytes(Bytes::from_owner(bytes))),
                timeouts: this.timeouts,
                reads,
                max_content: this.settings.max_content,
                cookies: Some(this.cookies.clone_ref(slf.py())),
            },
        )))
    }

    /// Sends a `hoopsnake.Request` as it is. `length` is that of a `content` which is an iterator;
    /// `sni_hostname` is the name that TLS is to be with, if not that of the URL.
    #[pyo3(signature = (request, method, url, headers, content, length, limits, reads, sni_hostname=None))]
    #[expect(clippy::too_many_arguments, reason = "the request's own parts, read by Python where they lie")]
    fn send(
        slf: &Bound<'_, Self>,
        request: Py<PyAny>,
        method: &str,
        url: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        content: &Bound<'_, PyAny>,
        length: Option<u64>,
        limits: Option<TimeoutTuple>,
        reads: bool,
        sni_hostname: Option<&str>,
    ) -> PyResult<Call> {
        let this = slf.get();
        let mut headers = fields(headers)?;
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONTENT_LENGTH);
        let content = match content.cast::<PyBytes>() {
            Ok(bytes) => Sending::Bytes(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))),
            Err(_) if content.is_none() => Sending::None,
            Err(_) => Sending::Iterator(content.clone().unbind(), length),
        };
        let is_empty = match &content {
            Sending::None => true,
            Sending::Bytes(bytes) => bytes.is_empty(),
            Sending::Iterator(..) => false,
        };
        let method = method_of(slf.py(), method)?;
        // Who gets one of these expects a body, and is told that there is none (RFC 9110 section 8.6).
        if is_empty && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let target = this.target_by_name(url, sni_hostname)?;
        let sent = Sent::new(method, target, Arc::new(headers), Some(request));
        Ok(Self::call(
            slf,
            Prepared {
                sent: Arc::new(sent),
                content,
                timeouts: limits.map_or(Ok(this.timeouts), timeouts)?,
                reads,
                max_content: this.settings.max_content,
                cookies: None,
            },
        ))
    }

    /// The URL that a request to `url` goes to.
    fn url(&self, url: &Bound<'_, PyAny>) -> PyResult<Url> {
        if self.proxies.has_faults()
            && let Ok(text) = url.cast::<PyString>()
        {
            // What carries the request may need no proxy, so that a fault counts only as it is sent.
            let url = self.absolute(url.py(), text.to_str()?)?;
            destination(text.py(), &url, None)?;
            return Ok(Url(url));
        }
        Ok(Url(self.target(url)?.url.clone()))
    }

    /// Counters of the pool: opened, reused, open, idle, streams, waiting.
    fn counters(&self, py: Python<'_>) -> (u64, u64, usize, usize, usize, usize) {
        let counted =
            self.engine.borrow(py).as_ref().map(|engine| engine.client.counters()).unwrap_or_default();
        (counted.opened, counted.reused, counted.open, counted.idle, counted.streams, counted.waiting)
    }

    /// Takes no more requests, and drops all connections that nobody uses.
    fn close(&self, py: Python<'_>) {
        self.is_closed.set(py, true);
        if let Some(engine) = self.engine.take(py) {
            // Calls that are under way hold it as well.
            engine.client.close();
        }
    }

    #[getter]
    fn is_closed(&self, py: Python<'_>) -> bool {
        self.is_closed.get(py)
    }
}

/// Whether a URL says itself how it is fetched (RFC 3986 section 3.1); one in its query says nothing of it.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn destination(
    py: Python<'_>,
    url: &hoop_net::client::Url,
    proxy: Option<&Arc<Proxy>>,
) -> PyResult<Destination> {
    Destination::of(url, proxy).map_err(|fault| {
        let shown = super::url::shown(url);
        named(py, "UnsupportedProtocol", format!("'{shown}' cannot be fetched: {fault}"))
    })
}

fn method_of(py: Python<'_>, given: &str) -> PyResult<Method> {
    if given == "CONNECT" {
        return Err(named(py, "LocalProtocolError", "CONNECT is for proxies, not for requests".to_owned()));
    }
    Method::from_bytes(given.as_bytes())
        .map_err(|_| named(py, "LocalProtocolError", format!("{given:?} is no method of HTTP")))
}
