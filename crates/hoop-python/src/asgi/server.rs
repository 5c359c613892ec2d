//! `Server`: accepts, and brings what arrives to the application.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hoop_net::{
    Address, Application, ClientCertificates, Compression, ConnectionFacts, Executor, HandshakeFailure,
    Http2Options, IncomingBody, Limiter, Refusal, Renewal, ResponseBody, ServeSettings, Shutdown,
    StaticFiles, TlsError, TlsFiles, TlsIdentity, WebSocketHandshake, WebSocketOptions, give_way,
};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use super::caller::{CallerRules, CallerSettings};
use super::content_settings::ContentSettings;
use super::deadlines::Deadlines;
use super::limit_settings::LimitSettings;
use super::listen_sockets::ListenSockets;
use super::open_ends::OpenEnds;
use super::request_line::{self, RequestLine};
use super::scope::{Ends, ScopeTemplates};
use super::server_state::{Observed, ServerState};
use super::{exchange, session};
use crate::errors::{files_error, tls_error};
use crate::event_loop::LoopCore;
use crate::event_loop::awaitable::{Outcome, awaitable};
use crate::event_loop::state::LoopState;
use crate::gil_cell::GilCell;

/// What of a `hoopsnake.ServerConfig` concerns the engine.
#[derive(FromPyObject)]
struct Settings {
    root_path: String,
    log_level: String,
    access_log: bool,
    limits: LimitSettings,
    ssl_certfile: Option<PathBuf>,
    ssl_keyfile: Option<PathBuf>,
    ssl_ca_certs: Option<PathBuf>,
    ssl_cert_reqs: Option<String>,
    http2: bool,
    h2_max_concurrent_streams: u32,
    h2_ping_interval: Option<f64>,
    h2_ping_timeout: f64,
    handshake_timeout: f64,
    ws_max_size: usize,
    ws_per_message_deflate: bool,
    ws_ping_interval: Option<f64>,
    ws_ping_timeout: Option<f64>,
}

impl Settings {
    fn serve_settings(&self) -> Result<ServeSettings, TlsError> {
        let files = self.ssl_certfile.as_ref().map(|certificate| TlsFiles {
            certificate: certificate.clone(),
            key: self.ssl_keyfile.as_ref().unwrap_or(certificate).clone(),
            authorities: self.ssl_ca_certs.clone(),
            // Whoever says who vouches for clients wants them vouched for.
            clients: match (self.ssl_cert_reqs.as_deref(), &self.ssl_ca_certs) {
                (Some("none"), _) | (None, None) => ClientCertificates::None,
                (Some("optional"), _) => ClientCertificates::Optional,
                _ => ClientCertificates::Required,
            },
            http2: self.http2,
        });
        Ok(ServeSettings {
            tls: files.map(TlsIdentity::load).transpose()?.map(Rc::new),
            http2: self.http2.then(|| Http2Options {
                streams_at_once: self.h2_max_concurrent_streams,
                ping_interval: self.h2_ping_interval.map(seconds),
                ping_timeout: seconds(self.h2_ping_timeout),
            }),
            handshake_timeout: seconds(self.handshake_timeout),
            limiter: Limiter::new(self.limits.into()),
        })
    }

    fn websocket_options(&self) -> WebSocketOptions {
        WebSocketOptions {
            largest_message: self.ws_max_size,
            compress: self.ws_per_message_deflate,
            ping_interval: self.ws_ping_interval.map(seconds),
            ping_timeout: self.ws_ping_timeout.map(seconds),
        }
    }
}

/// What Python has checked to be above 0; so long that nobody sees its end where it is too long.
fn seconds(seconds: f64) -> Duration {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    Duration::try_from_secs_f64(seconds).map_or(CENTURY, |duration| duration.min(CENTURY))
}

/// The engine's half of `hoopsnake.serve`.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Server {
    state: Arc<ServerState>,
    settings: GilCell<Option<ServeSettings>>,
    files: GilCell<Option<Rc<StaticFiles>>>,
    compression: GilCell<Option<Rc<Compression>>>,
    shutdown: GilCell<Shutdown>,
    /// Where it accepts connections, once it does.
    addresses: GilCell<Vec<String>>,
}

#[pymethods]
impl Server {
    /// Makes ready; nothing is accepted until `start()`.
    #[new]
    fn new(
        python_loop: &Bound<'_, LoopCore>,
        application: Py<PyAny>,
        config: &Bound<'_, PyAny>,
        journal: Py<PyAny>,
        lifespan_state: Option<Py<PyDict>>,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        let settings: Settings = config.extract()?;
        let callers: CallerSettings = config.extract()?;
        let serve_settings = settings.serve_settings().map_err(|error| tls_error(py, &error))?;
        let websocket = settings.websocket_options();
        let content: ContentSettings = config.extract()?;
        let files = content.files(&settings.root_path).map_err(|error| files_error(py, &error))?.map(Rc::new);
        let compression = content.compression().map(Rc::new);
        let scopes =
            ScopeTemplates::new(py, settings.root_path, lifespan_state, settings.log_level == "debug")?;
        let observed = Observed {
            access_log: settings.access_log,
            measures: GilCell::default(),
            callers: CallerRules::new(py, &callers)?,
        };
        let deadlines = Deadlines::new(serve_settings.limiter.limits().answer);
        let state =
            ServerState::new(python_loop, application, journal, observed, websocket, scopes, deadlines)?;
        Ok(Self {
            state: Arc::new(state),
            settings: GilCell::new(Some(serve_settings)),
            files: GilCell::new(files),
            compression: GilCell::new(compression),
            shutdown: GilCell::default(),
            addresses: GilCell::default(),
        })
    }

    /// Where clients find it, once it accepts connections: URLs, or `unix:` and a path.
    #[getter]
    fn addresses(&self, py: Python<'_>) -> Vec<String> {
        self.addresses.borrow(py).clone()
    }

    /// Begins to accept connections from these sockets, and keeps them.
    fn start(&self, py: Python<'_>, sockets: &ListenSockets) -> PyResult<()> {
        let shutdown = self.shutdown.borrow(py).clone();
        let bridge = Rc::new(Bridge {
            state: self.state.clone(),
            shutdown: shutdown.clone(),
            files: self.files.borrow(py).clone(),
            compression: self.compression.borrow(py).clone(),
        });
        let executor = LoopTasks(self.state.python_loop(py).get().state.clone());
        let Some(settings) = self.settings.borrow(py).clone() else { return Ok(()) };
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        drop(self.addresses.replace(py, sockets.addresses(scheme)));
        for listener in sockets.take(py, &executor.0)? {
            let accepting = hoop_net::serve(
                listener,
                bridge.clone(),
                executor.clone(),
                shutdown.clone(),
                settings.clone(),
            );
            self.state.spawn(py, accepting);
        }
        Ok(())
    }

    /// Reads certificate, key and authorities again; open connections keep theirs.
    fn renew_certificates(&self, py: Python<'_>) {
        if let Some(identity) = self.identity(py) {
            self.state.tell_renewal(py, &identity.renew());
        }
    }

    /// Stops accepting; idle connections close, requests go on, WebSockets are told to leave.
    ///
    /// With `linger`, connections that wait for a request stay open for so many seconds more, and end
    /// with the next one's answer: where other processes go on serving, no request is to be lost.
    #[pyo3(signature = (linger = 0.0))]
    fn drain(&self, py: Python<'_>, linger: f64) {
        self.state.stop(py);
        let shutdown = self.shutdown.borrow(py).clone();
        if linger > 0.0 {
            shutdown.leave();
            let state = self.state.clone();
            self.state.spawn(py, async move {
                tokio::time::sleep(seconds(linger)).await;
                shutdown.drain();
                // Some have opened meanwhile.
                Python::attach(|py| state.tell_sessions_to_leave(py));
            });
        } else {
            shutdown.drain();
        }
        self.state.tell_sessions_to_leave(py);
    }

    /// A future that is done once nothing listens, no connection is open and no task of the application is left.
    fn drained(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (shutdown, state) = (self.shutdown.borrow(py).clone(), self.state.clone());
        awaitable(self.state.python_loop(py), async move {
            shutdown.listeners_closed().await;
            shutdown.drained().await;
            while let Some(task) = Python::attach(|py| state.any_task(py)) {
                let outcome = Python::attach(|py| Outcome::of(py, task))?;
                // How it ended is told by `TaskEnd`: where it has ended before we asked, that is a
                // callback that the loop still has to come to.
                let _ = outcome.await;
                give_way().await;
            }
            Ok(Python::attach(|py| py.None()))
        })
    }

    /// Application tasks that have not ended.
    fn tasks(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.state.tasks(py)
    }

    /// Requests and WebSockets that were brought to the application so far.
    #[getter]
    fn requests(&self, py: Python<'_>) -> u64 {
        self.state.tally.borrow(py).calls()
    }

    /// Connections that are open, WebSockets among them.
    #[getter]
    fn open_connections(&self, py: Python<'_>) -> usize {
        self.shutdown.borrow(py).open_connections()
    }

    /// From now on the durations of requests are counted too, which asks for the time twice each.
    fn measure(&self, py: Python<'_>) {
        self.state.observed.measures.set(py, true);
    }

    /// What it has counted, for `hoopsnake._metrics`.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = self.state.tally.borrow(py).clone();
        let snapshot = tally.snapshot(py)?;
        let limiter = self.settings.borrow(py).as_ref().map(|settings| settings.limiter.clone());
        if let Some(limiter) = limiter {
            let (at_work, waiting) = limiter.depth();
            snapshot.set_item("requests_at_work", at_work)?;
            snapshot.set_item("requests_waiting", waiting)?;
            snapshot.set_item("received_bytes", limiter.traffic().received())?;
            snapshot.set_item("sent_bytes", limiter.traffic().sent())?;
        }
        let open = tally.open_connections(self.open_connections(py));
        snapshot.set_item("connections_open", open.into_py_dict(py)?)?;
        Ok(snapshot)
    }

    /// Drops all connections.
    fn abort(&self, py: Python<'_>) {
        self.shutdown.borrow(py).close();
        for session in self.state.sessions(py) {
            session.abort(py);
        }
    }
}

impl Server {
    /// Who the server is, if it speaks TLS.
    fn identity(&self, py: Python<'_>) -> Option<Rc<TlsIdentity>> {
        self.settings.borrow(py).as_ref().and_then(|settings| settings.tls.clone())
    }
}

/// Runs the engine's tasks on the loop.
#[derive(Clone)]
struct LoopTasks(Arc<LoopState>);

impl Executor for LoopTasks {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        Python::attach(|py| self.0.spawn(py, task));
    }
}

/// Brings requests from `hoop_net` to the application.
struct Bridge {
    state: Arc<ServerState>,
    shutdown: Shutdown,
    files: Option<Rc<StaticFiles>>,
    compression: Option<Rc<Compression>>,
}

impl Application for Bridge {
    type Connection = OpenEnds;

    fn connected(&self, facts: &ConnectionFacts) -> OpenEnds {
        Python::attach(|py| {
            let is_trusted = self.state.observed.callers.trusts(&facts.peer);
            let ends = Ends::new(py, facts, is_trusted, &self.state.scopes).unwrap_or_else(|error| {
                error.write_unraisable(py, None);
                Ends::unknown(py)
            });
            OpenEnds::new(py, &self.state, ends, facts)
        })
    }

    fn respond(
        self: &Rc<Self>,
        ends: &Rc<OpenEnds>,
        request: Request<IncomingBody>,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static {
        exchange::begin(&self.state, &ends.ends, request)
    }

    fn websocket(
        self: &Rc<Self>,
        ends: &Rc<OpenEnds>,
        handshake: WebSocketHandshake,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static {
        session::begin(&self.state, &ends.ends, handshake, self.shutdown.opened())
    }

    fn files(&self) -> Option<&StaticFiles> {
        self.files.as_deref()
    }

    fn answered_with_file(&self, ends: &OpenEnds, mut request: Parts, response: &mut Response<ResponseBody>) {
        let sent = if request.method == Method::HEAD { 0 } else { response.body().size_hint().lower() };
        Python::attach(|py| {
            let (caller, id) = self.state.caller(py, &request, &ends.ends);
            let line = RequestLine::new(py, &self.state, &caller, id, &mut request);
            line.stamp(&self.state, response.headers_mut());
            let status = response.status();
            let outcome =
                request_line::Outcome { status, received: 0, sent, complete: true, close_code: None };
            self.state.tally.borrow_mut(py).begin();
            line.finished(py, &self.state, &outcome);
        });
    }

    fn compression(&self) -> Option<&Compression> {
        self.compression.as_deref()
    }

    fn half_closed(&self, ends: &OpenEnds) {
        Python::attach(|py| ends.ends.half_closed(py));
    }

    fn refused(&self, ends: &OpenEnds, refusal: Refusal) {
        Python::attach(|py| {
            self.state.tally.borrow_mut(py).refused(refusal);
            self.state.tell(py, "refused", (&ends.ends.client, refusal.to_string()));
        });
    }

    fn overloaded(&self, requests: u64) {
        Python::attach(|py| {
            self.state.tally.borrow_mut(py).overloaded += requests;
            self.state.tell(py, "overloaded", (requests,));
        });
    }

    fn tick(&self, now: Duration) {
        self.state.tick(now);
    }

    fn handshake_failed(&self, peer: &Address, failure: &HandshakeFailure) {
        let client = match peer {
            Address::Ip(address) => Some((address.ip().to_string(), address.port())),
            Address::Unix(_) => None,
        };
        Python::attach(|py| {
            self.state.tally.borrow_mut(py).handshake_failed(failure);
            self.state.tell(py, "handshake_failed", (client, failure.to_string()));
        });
    }

    fn certificates_renewed(&self, renewal: &Renewal) {
        Python::attach(|py| self.state.tell_renewal(py, renewal));
    }

    fn accept_failed(&self, error: &io::Error) {
        Python::attach(|py| {
            self.state.tally.borrow_mut(py).accepts_failed += 1;
            self.state.tell(py, "accept_failed", (error.to_string(),));
        });
    }
}
