//! The one registry of Python objects that the engine calls into, looked up once per process.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyType};

/// Python objects resolved at first use.
#[derive(Debug)]
pub struct Imports {
    pub asyncio_future: Py<PyAny>,
    pub asyncio_task: Py<PyAny>,
    /// Methods of `asyncio.Task`, to call on an instance without looking them up there.
    pub task_done: Py<PyAny>,
    pub task_result: Py<PyAny>,
    pub cancelled_error: Py<PyAny>,
    pub asyncio_handle: Py<PyType>,
    pub asyncio_logger: Py<PyAny>,
    pub asyncio_timer_handle: Py<PyType>,
    /// The subclass of `asyncio.Transport` that the stdlib's fallback for `sendfile` asks for.
    pub asyncio_transport: Py<PyType>,
    /// Like asyncio's own, it is a `Transport` and a `DatagramTransport`.
    pub asyncio_datagram_transport: Py<PyType>,
    pub asyncio_protocol: Py<PyType>,
    pub asyncio_buffered_protocol: Py<PyType>,
    pub format_callback_source: Py<PyAny>,
    /// Turns exceptions of `concurrent.futures` into asyncio's.
    pub convert_future_exception: Py<PyAny>,
    pub debug_handle: Py<PyAny>,
    pub debug_timer_handle: Py<PyAny>,
    pub transport_socket: Py<PyAny>,
    /// `socket.socket`, and what C does of its making and unmaking.
    pub python_socket: Py<PyAny>,
    pub python_socket_init: Py<PyAny>,
    pub python_socket_detach: Py<PyAny>,
    /// A Python function that does nothing; calling it lets other threads have the GIL.
    pub share_gil: Py<PyAny>,
    pub client_disconnected: Py<PyAny>,
    pub server_error: Py<PyAny>,
    pub listen_error: Py<PyAny>,
    /// The context variable that has the name of the request at work.
    pub request_id_variable: Py<PyAny>,
    /// `{"eager_start": True}` where tasks can start eagerly (Python 3.12), else empty.
    pub eager_start: Py<PyDict>,
}

static IMPORTS: PyOnceLock<Imports> = PyOnceLock::new();
static ASYNCIO_TLS_TRANSPORT: PyOnceLock<Py<PyType>> = PyOnceLock::new();

impl Imports {
    /// The registry; an error here means a Python without a working asyncio.
    pub fn get(py: Python<'_>) -> PyResult<&'static Imports> {
        IMPORTS.get_or_try_init(py, || Self::resolve(py))
    }

    /// What asyncio's own transport of a TLS connection is. Not among the others: its module loads
    /// `ssl`, which a server without TLS of asyncio's can do without (ADR 0034).
    pub fn asyncio_tls_transport(py: Python<'_>) -> PyResult<&Py<PyType>> {
        ASYNCIO_TLS_TRANSPORT.get_or_try_init(py, || {
            Ok(py.import("asyncio.sslproto")?.getattr("_SSLProtocolTransport")?.cast_into()?.unbind())
        })
    }

    fn resolve(py: Python<'_>) -> PyResult<Self> {
        let asyncio = py.import("asyncio")?;
        let events = py.import("asyncio.events")?;
        let debug = py.import("hoopsnake._debug")?;
        let errors = py.import("hoopsnake._errors")?;
        let class = |module: &Bound<'_, PyModule>, name: &str| -> PyResult<Py<PyType>> {
            Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        let transports = py.import("asyncio.transports")?;
        let datagram_bases = (class(&transports, "Transport")?, class(&transports, "DatagramTransport")?);
        let native_socket = py.import("_socket")?.getattr("socket")?;
        let eager_start = PyDict::new(py);
        if py.version_info() >= (3, 12) {
            eager_start.set_item("eager_start", true)?;
        }
        let task = asyncio.getattr("Task")?;
        Ok(Self {
            task_done: task.getattr("done")?.unbind(),
            task_result: task.getattr("result")?.unbind(),
            asyncio_future: asyncio.getattr("Future")?.unbind(),
            cancelled_error: asyncio.getattr("CancelledError")?.unbind(),
            asyncio_task: task.unbind(),
            asyncio_handle: class(&events, "Handle")?,
            asyncio_logger: py.import("asyncio.log")?.getattr("logger")?.unbind(),
            asyncio_timer_handle: class(&events, "TimerHandle")?,
            asyncio_transport: class(&transports, "_FlowControlMixin")?,
            asyncio_datagram_transport: py
                .get_type::<PyType>()
                .call1((
                    "DatagramTransport",
                    datagram_bases,
                    [("__module__", "hoopsnake")].into_py_dict(py)?,
                ))?
                .cast_into::<PyType>()?
                .unbind(),
            asyncio_protocol: class(&asyncio, "Protocol")?,
            asyncio_buffered_protocol: class(&asyncio, "BufferedProtocol")?,
            format_callback_source: py
                .import("asyncio.format_helpers")?
                .getattr("_format_callback_source")?
                .unbind(),
            convert_future_exception: py.import("asyncio.futures")?.getattr("_convert_future_exc")?.unbind(),
            debug_handle: debug.getattr("debug_handle")?.unbind(),
            debug_timer_handle: debug.getattr("debug_timer_handle")?.unbind(),
            transport_socket: py.import("hoopsnake._transport_socket")?.getattr("TransportSocket")?.unbind(),
            python_socket: py.import("socket")?.getattr("socket")?.unbind(),
            python_socket_init: native_socket.getattr("__init__")?.unbind(),
            python_socket_detach: native_socket.getattr("detach")?.unbind(),
            share_gil: py.eval(c"lambda: None", None, None)?.unbind(),
            client_disconnected: errors.getattr("ClientDisconnected")?.unbind(),
            server_error: errors.getattr("ServerError")?.unbind(),
            listen_error: errors.getattr("ListenError")?.unbind(),
            request_id_variable: py.import("hoopsnake._request_id")?.getattr("request_id_variable")?.unbind(),
            eager_start: eager_start.unbind(),
        })
    }
}
