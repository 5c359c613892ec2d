//! TLS by the user's `ssl.SSLContext`: a protocol for the transport below, a transport for the one above.
//!
//! It behaves as `asyncio.sslproto` does, whose tests it passes, and costs a fraction of it: no Python
//! frame lies between the socket and the application, and no buffer belongs to a connection that is
//! idle (docs/adr/0017).

mod below;
mod handshake;
mod incoming;
mod outgoing;
mod phase;
mod session;
mod shutdown;
mod transport;

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use self::below::Below;
use self::phase::{Phase, Told};
use self::session::Session;
pub use self::transport::TlsTransport;
use super::LoopCore;
use super::call::{Arguments, Call, current_context};
use super::endpoint::FlowControl;
use super::handle::TimerHandle;
use super::state::LoopState;
use super::transport::receiver::Receiver;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// asyncio's default of seconds for a handshake.
const HANDSHAKE_SECONDS: f64 = 60.0;
/// asyncio's default of seconds for the exchange of close_notify.
const SHUTDOWN_SECONDS: f64 = 30.0;
/// asyncio's default marks of a TLS connection, in bytes.
const READ_HIGH_WATER: u32 = 256 * 1024;
const WRITE_HIGH_WATER: u32 = 512 * 1024;

/// The protocol that turns the records of the transport below it into an application's data, and back.
#[pyclass(frozen, weakref, module = "hoopsnake", name = "TLSProtocol")]
pub struct TlsProtocol {
    python_loop: Py<LoopCore>,
    state: Arc<LoopState>,
    session: Session,
    /// Seconds.
    handshake_timeout: f64,
    shutdown_timeout: f64,
    extra: Py<PyDict>,
    link: GilCell<Link>,
}

/// What changes of a connection.
struct Link {
    phase: Phase,
    told: Told,
    /// None before `connection_made` and after `connection_lost`.
    below: Option<Below>,
    /// The application's protocol; None once the connection is lost.
    application: Option<Py<PyAny>>,
    /// How it takes data; None until first used after it was set.
    receiver: Option<Receiver>,
    /// The application's side, made when it is first asked for; None once the connection is lost.
    transport: Option<Py<TlsTransport>>,
    /// Whoever waits for the end of the handshake.
    waiter: Option<Py<PyAny>>,
    /// The limit of the handshake, later that of the shutdown.
    timeout: Option<Py<TimerHandle>>,
    handshake_began: f64,
    /// What the application wrote and the session did not take, in order.
    backlog: VecDeque<Py<PyAny>>,
    /// Bytes in there.
    backlog_length: usize,
    end_of_file_received: bool,
    /// The transport below has enough for now.
    below_is_full: bool,
    /// The application wants no data for now.
    reading_paused: bool,
    incoming: FlowControl,
    outgoing: FlowControl,
    writes_after_loss: u32,
}

impl TlsProtocol {
    fn phase(&self, py: Python<'_>) -> Phase {
        self.link.borrow(py).phase
    }

    fn set_phase(&self, py: Python<'_>, phase: Phase) {
        self.link.borrow_mut(py).phase = phase;
    }

    fn below(&self, py: Python<'_>) -> Option<Below> {
        self.link.borrow(py).below.as_ref().map(|below| below.clone_ref(py))
    }

    fn application(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.link.borrow(py).application.as_ref().map(|application| application.clone_ref(py))
    }

    fn set_application(&self, py: Python<'_>, protocol: Py<PyAny>) {
        let replaced = {
            let mut link = self.link.borrow_mut(py);
            (link.application.replace(protocol), link.receiver.take())
        };
        drop(replaced);
    }

    /// What `get_extra_info` answers.
    fn extra_info(&self, py: Python<'_>, name: &str, default: Option<&Py<PyAny>>) -> PyResult<Py<PyAny>> {
        if let Some(known) = self.extra.bind(py).get_item(name)? {
            return Ok(known.unbind());
        }
        match self.below(py) {
            Some(below) => below.object().call_method1(py, "get_extra_info", (name, default)),
            None => Ok(default.map_or_else(|| py.None(), |default| default.clone_ref(py))),
        }
    }

    /// Queues a method of this protocol's.
    fn call_soon(slf: &Bound<'_, Self>, method: &str) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let callback = slf.getattr(method)?.unbind();
        this.state.call_soon_in(py, callback, Arguments::None, current_context(py)?)
    }

    /// Calls a method of this protocol's after so many seconds, unless the timer is replaced.
    fn set_timeout(slf: &Bound<'_, Self>, seconds: f64, method: &str) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let callback = slf.getattr(method)?.unbind();
        let call = Call { callback, arguments: Arguments::None, context: current_context(py)? };
        let timer = this.state.call_at(py, LoopState::time() + seconds, call)?;
        this.cancel_timeout(py);
        this.link.borrow_mut(py).timeout = Some(timer);
        Ok(())
    }

    fn cancel_timeout(&self, py: Python<'_>) {
        let timer = self.link.borrow_mut(py).timeout.take();
        if let Some(timer) = timer {
            TimerHandle::cancel(timer.bind(py));
        }
    }

    /// Tells whoever waits for the handshake how it went.
    fn tell_waiter(&self, py: Python<'_>, error: Option<&PyErr>) -> PyResult<()> {
        let waiter = self.link.borrow_mut(py).waiter.take();
        let Some(waiter) = waiter.map(|waiter| waiter.into_bound(py)) else { return Ok(()) };
        if waiter.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(());
        }
        match error {
            Some(error) => waiter.call_method1(intern!(py, "set_exception"), (error.value(py),)),
            None => waiter.call_method1(intern!(py, "set_result"), (py.None(),)),
        }
        .map(drop)
    }

    /// Ends the connection at once because of an error; one that is not the network's is reported.
    fn fatal(slf: &Bound<'_, Self>, message: &str, error: &PyErr) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let below = this.below(py);
        if let Some(below) = &below {
            below.force_close(py, Some(error.clone_ref(py)))?;
        }
        if error.is_instance_of::<PyOSError>(py) {
            if this.python_loop.get().get_debug(py) {
                let keywords = PyDict::new(py);
                keywords.set_item("exc_info", error.value(py))?;
                logger(py)?.call_method("debug", ("%r: %s", slf, message), Some(&keywords))?;
            }
        } else if !error.is_instance(py, Imports::get(py)?.cancelled_error.bind(py)) {
            let below = below.as_ref().map(Below::object);
            this.report(
                py,
                message,
                error,
                &[("transport", below), ("protocol", Some(slf.as_any().as_unbound()))],
            )?;
        }
        Ok(())
    }

    /// Hands an exception to the loop's exception handler.
    fn report(
        &self,
        py: Python<'_>,
        message: &str,
        error: &PyErr,
        with: &[(&str, Option<&Py<PyAny>>)],
    ) -> PyResult<()> {
        let context = PyDict::new(py);
        for (name, value) in with {
            context.set_item(name, value)?;
        }
        self.state.handle_exception(py, message, error.clone_ref(py), Some(&context));
        Ok(())
    }
}

/// asyncio's logger.
fn logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    Ok(Imports::get(py)?.asyncio_logger.bind(py))
}

/// A limit that a program sets, in seconds.
fn seconds(name: &str, value: Option<f64>, default: f64) -> PyResult<f64> {
    match value {
        None => Ok(default),
        Some(value) if value > 0.0 => Ok(value),
        Some(value) => Err(PyValueError::new_err(format!("{name} should be a positive number, got {value}"))),
    }
}

impl TlsProtocol {
    /// The protocol of an accepted connection, which nobody waits for; timeouts are in seconds.
    pub fn of_server(
        python_loop: &Bound<'_, LoopCore>,
        protocol: Py<PyAny>,
        sslcontext: &Bound<'_, PyAny>,
        (handshake_timeout, shutdown_timeout): (Option<f64>, Option<f64>),
    ) -> PyResult<Self> {
        let (waiter, hostname) = (None, None);
        Self::new(
            python_loop,
            protocol,
            sslcontext,
            waiter,
            true,
            hostname,
            true,
            handshake_timeout,
            shutdown_timeout,
        )
    }
}

#[pymethods]
impl TlsProtocol {
    /// A session of `sslcontext`; the handshake begins with `connection_made`. The arguments are
    /// those of `asyncio.sslproto.SSLProtocol`.
    #[new]
    #[pyo3(signature = (
        python_loop, protocol, sslcontext, waiter, *, server_side=false, server_hostname=None,
        call_connection_made=true, ssl_handshake_timeout=None, ssl_shutdown_timeout=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are asyncio's, each from a keyword of the user's")]
    fn new(
        python_loop: &Bound<'_, LoopCore>,
        protocol: Py<PyAny>,
        sslcontext: &Bound<'_, PyAny>,
        waiter: Option<Py<PyAny>>,
        server_side: bool,
        server_hostname: Option<&str>,
        call_connection_made: bool,
        ssl_handshake_timeout: Option<f64>,
        ssl_shutdown_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        // The name that a server is asked for is of no use to the server itself.
        let server_hostname = server_hostname.filter(|name| !name.is_empty() && !server_side);
        let extra = PyDict::new(py);
        extra.set_item("sslcontext", sslcontext)?;
        Ok(Self {
            python_loop: python_loop.clone().unbind(),
            state: python_loop.get().state.clone(),
            handshake_timeout: seconds("ssl_handshake_timeout", ssl_handshake_timeout, HANDSHAKE_SECONDS)?,
            shutdown_timeout: seconds("ssl_shutdown_timeout", ssl_shutdown_timeout, SHUTDOWN_SECONDS)?,
            session: Session::new(sslcontext, server_side, server_hostname)?,
            extra: extra.unbind(),
            link: GilCell::new(Link {
                phase: Phase::Unwrapped,
                told: if call_connection_made { Told::Nothing } else { Told::Made },
                below: None,
                application: Some(protocol),
                receiver: None,
                transport: None,
                waiter,
                timeout: None,
                handshake_began: 0.0,
                backlog: VecDeque::new(),
                backlog_length: 0,
                end_of_file_received: false,
                below_is_full: false,
                reading_paused: false,
                incoming: FlowControl::with_high_water(READ_HIGH_WATER),
                outgoing: FlowControl::with_high_water(WRITE_HIGH_WATER),
                writes_after_loss: 0,
            }),
        })
    }

    /// What the application writes to.
    #[getter]
    fn transport(slf: &Bound<'_, Self>) -> PyResult<Py<TlsTransport>> {
        let (py, this) = (slf.py(), slf.get());
        if let Some(transport) = &this.link.borrow(py).transport {
            return Ok(transport.clone_ref(py));
        }
        let transport = Py::new(py, TlsTransport::new(this.python_loop.clone_ref(py), slf.clone().unbind()))?;
        this.link.borrow_mut(py).transport = Some(transport.clone_ref(py));
        Ok(transport)
    }

    /// The transport below is there: the handshake begins.
    fn connection_made(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let replaced = slf.get().link.borrow_mut(slf.py()).below.replace(Below::of(transport));
        drop(replaced);
        Self::start_handshake(slf)
    }

    /// The transport below is gone, with an exception or None.
    fn connection_lost(slf: &Bound<'_, Self>, exc: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.cancel_timeout(py);
        let (application, dropped, transport) = {
            let mut link = this.link.borrow_mut(py);
            link.writes_after_loss += 1;
            link.backlog_length = 0;
            let owed = link.phase != Phase::Handshaking && link.told.is_owed_the_loss();
            if owed {
                link.told = Told::Lost;
            }
            link.phase = Phase::Unwrapped;
            let application = link.application.take();
            let dropped = (std::mem::take(&mut link.backlog), link.below.take(), link.receiver.take());
            (application.filter(|_| owed), dropped, link.transport.take())
        };
        drop(dropped);
        // Nobody will collect it any more.
        drop(this.session.collect(py)?);
        if let Some(transport) = transport {
            transport.get().mark_closed(py);
        }
        if let Some(application) = application {
            let callback = application.bind(py).getattr(intern!(py, "connection_lost"))?.unbind();
            let reason = exc.as_ref().map_or_else(|| py.None(), |exc| exc.clone().unbind());
            this.state.call_soon_in(py, callback, Arguments::One(reason), current_context(py)?)?;
        }
        this.tell_waiter(py, exc.map(PyErr::from_value).as_ref())
    }

    /// The transport below has data.
    fn data_received(slf: &Bound<'_, Self>, data: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.session.feed(py, &data)?;
        match this.phase(py) {
            Phase::Wrapped => Self::read(slf),
            Phase::Handshaking => Self::go_on_with_handshake(slf),
            Phase::Flushing => Self::flush(slf),
            Phase::ShuttingDown => Self::go_on_with_shutdown(slf),
            Phase::Unwrapped => Ok(()),
        }
    }

    /// The peer has ended its side without a word of TLS; true keeps the transport below open.
    fn eof_received(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::end_of_file(slf).inspect_err(|_| {
            if let Some(below) = slf.get().below(slf.py()) {
                // The error that is on its way says more than one of closing could.
                drop(below.close(slf.py()));
            }
        })
    }

    /// The transport below has enough for now.
    fn pause_writing(&self, py: Python<'_>) {
        self.link.borrow_mut(py).below_is_full = true;
    }

    /// The transport below takes data again.
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get().link.borrow_mut(slf.py()).below_is_full = false;
        Self::send(slf)
    }

    fn _handshake_timed_out(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::end_long_handshake(slf)
    }

    fn _shutdown_timed_out(&self, py: Python<'_>) -> PyResult<()> {
        self.end_long_shutdown(py)
    }

    /// Reads on after the application's buffer was full.
    fn _read(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::read(slf)
    }

    /// Goes on where `pause_reading()` has stopped.
    fn _resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        match slf.get().phase(slf.py()) {
            Phase::Wrapped => Self::read(slf),
            Phase::Flushing => Self::flush(slf),
            Phase::ShuttingDown => Self::go_on_with_shutdown(slf),
            Phase::Unwrapped | Phase::Handshaking => Ok(()),
        }
    }

    fn _close_below(&self, py: Python<'_>) -> PyResult<()> {
        self.below(py).map_or(Ok(()), |below| below.close(py))
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_protocol.clone_ref(slf.py()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        visit.call(&self.extra)?;
        self.session.visit(&visit)?;
        let Some(link) = self.link.for_collector() else { return Ok(()) };
        visit.call(&link.application)?;
        visit.call(&link.transport)?;
        visit.call(&link.waiter)?;
        link.backlog.iter().try_for_each(|data| visit.call(data))?;
        link.below.as_ref().map_or(Ok(()), |below| below.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        let dropped = {
            let mut link = self.link.borrow_mut(py);
            let objects = (link.application.take(), link.receiver.take(), link.transport.take());
            (objects, link.waiter.take(), link.below.take(), std::mem::take(&mut link.backlog))
        };
        drop(dropped);
    }
}
