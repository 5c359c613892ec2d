//! One session of Python's `ssl`: an `SSLObject` between two memory buffers, its methods looked up once.

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMemoryView, PyType};

use crate::event_loop::calls;

/// The most plain text that one TLS record carries (RFC 8446 section 5.1), so that a read takes the
/// whole of it, and OpenSSL keeps nothing back that was decrypted.
const RECORD: usize = 16 * 1024;

/// What a step of the session came to.
pub enum Step<T> {
    Done(T),
    /// The peer has to send more first.
    NeedsMore,
    Failed(PyErr),
}

/// What is used of the module `ssl`, which not every Python has, and not every program needs.
struct SslModule {
    memory_buffer: Py<PyType>,
    ssl_object: Py<PyType>,
    error: Py<PyType>,
    certificate_error: Py<PyType>,
    /// The exceptions that mean [`Step::NeedsMore`].
    needs_more: (Py<PyType>, Py<PyType>),
    record: Py<PyAny>,
}

static SSL: PyOnceLock<SslModule> = PyOnceLock::new();

impl SslModule {
    fn get(py: Python<'_>) -> PyResult<&'static Self> {
        SSL.get_or_try_init(py, || {
            let ssl = py.import("ssl")?;
            let class = |name: &str| -> PyResult<Py<PyType>> {
                Ok(ssl.getattr(name)?.cast_into::<PyType>()?.unbind())
            };
            Ok(Self {
                memory_buffer: class("MemoryBIO")?,
                ssl_object: class("SSLObject")?,
                error: class("SSLError")?,
                certificate_error: class("CertificateError")?,
                needs_more: (class("SSLWantReadError")?, class("SSLSyscallError")?),
                record: RECORD.into_pyobject(py)?.into_any().unbind(),
            })
        })
    }
}

/// Whether an exception is OpenSSL's word on the connection, and not a fault of the program.
pub fn is_ssl_error(py: Python<'_>, error: &PyErr) -> bool {
    SslModule::get(py).is_ok_and(|ssl| error.is_instance(py, ssl.error.bind(py)))
}

/// Whether an exception says that the peer's certificate is not good enough.
pub fn is_certificate_error(py: Python<'_>, error: &PyErr) -> bool {
    SslModule::get(py).is_ok_and(|ssl| error.is_instance(py, ssl.certificate_error.bind(py)))
}

/// A TLS session without a socket.
#[derive(Debug)]
pub struct Session {
    /// The `ssl.SSLObject` that applications ask for.
    object: Py<PyAny>,
    incoming: Py<PyAny>,
    outgoing: Py<PyAny>,
    write_incoming: Py<PyAny>,
    read_outgoing: Py<PyAny>,
    read: Py<PyAny>,
    write: Py<PyAny>,
    record: Py<PyAny>,
}

impl Session {
    /// A session of `context`, an `ssl.SSLContext`; nothing is sent yet.
    pub fn new(
        context: &Bound<'_, PyAny>,
        server_side: bool,
        server_hostname: Option<&str>,
    ) -> PyResult<Self> {
        let py = context.py();
        let ssl = SslModule::get(py)?;
        let (incoming, outgoing) = (ssl.memory_buffer.bind(py).call0()?, ssl.memory_buffer.bind(py).call0()?);
        let keywords = PyDict::new(py);
        keywords.set_item("server_side", server_side)?;
        keywords.set_item("server_hostname", server_hostname)?;
        let object = context.call_method("wrap_bio", (&incoming, &outgoing), Some(&keywords))?;
        // `SSLObject` hands each call on to an object in C. A class of the program's own may do more.
        let is_plain = object.get_type().is(ssl.ssl_object.bind(py));
        let inner = if is_plain { object.getattr("_sslobj")? } else { object.clone() };
        Ok(Self {
            write_incoming: incoming.getattr("write")?.unbind(),
            read_outgoing: outgoing.getattr("read")?.unbind(),
            read: inner.getattr("read")?.unbind(),
            write: inner.getattr("write")?.unbind(),
            record: ssl.record.clone_ref(py),
            object: object.unbind(),
            incoming: incoming.unbind(),
            outgoing: outgoing.unbind(),
        })
    }

    pub fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }

    /// Takes in what the peer sent.
    #[inline]
    pub fn feed(&self, py: Python<'_>, data: &Py<PyAny>) -> PyResult<()> {
        calls::call(py, &self.write_incoming, &[data]).map(drop)
    }

    /// Hands out what is to be sent to the peer; empty bytes if that is nothing.
    #[inline]
    pub fn collect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(calls::call(py, &self.read_outgoing, &[])?.into_bound(py).cast_into::<PyBytes>()?)
    }

    /// Decrypts the next record; empty bytes mean that the peer has ended its side.
    #[inline]
    pub fn read<'py>(&self, py: Python<'py>) -> Step<Bound<'py, PyBytes>> {
        step(py, calls::call(py, &self.read, &[&self.record]))
            .and_then(|data| data.into_bound(py).cast_into::<PyBytes>().map_err(PyErr::from))
    }

    /// Decrypts into the beginning of a buffer; says how many bytes, 0 as above.
    pub fn read_into(&self, py: Python<'_>, size: usize, buffer: &Py<PyAny>) -> Step<usize> {
        let size = match size.into_pyobject(py) {
            Ok(size) => size.into_any().unbind(),
            Err(never) => match never {},
        };
        step(py, calls::call(py, &self.read, &[&size, buffer])).and_then(|count| count.extract(py))
    }

    /// Encrypts what a bytes-like object holds, or the first of it; says how many bytes.
    #[inline]
    pub fn write(&self, py: Python<'_>, data: &Py<PyAny>) -> Step<usize> {
        step(py, calls::call(py, &self.write, &[data])).and_then(|count| count.extract(py))
    }

    pub fn do_handshake(&self, py: Python<'_>) -> Step<()> {
        step(py, calls::call_method(&self.object, intern!(py, "do_handshake"), &[])).and_then(|_| Ok(()))
    }

    /// Sends a close_notify, and is done when the peer's has come.
    pub fn unwrap(&self, py: Python<'_>) -> Step<()> {
        step(py, calls::call_method(&self.object, intern!(py, "unwrap"), &[])).and_then(|_| Ok(()))
    }

    /// Bytes of the peer's that were not decrypted yet.
    #[inline]
    pub fn incoming_pending(&self, py: Python<'_>) -> PyResult<usize> {
        self.incoming.bind(py).getattr(intern!(py, "pending"))?.extract()
    }

    /// Bytes that were encrypted and not collected yet.
    pub fn outgoing_pending(&self, py: Python<'_>) -> PyResult<usize> {
        self.outgoing.bind(py).getattr(intern!(py, "pending"))?.extract()
    }

    /// What `get_extra_info` tells of a finished handshake, as a dict.
    pub fn describe<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let object = self.object(py);
        let told = PyDict::new(py);
        told.set_item("peercert", object.call_method0("getpeercert")?)?;
        told.set_item("cipher", object.call_method0("cipher")?)?;
        told.set_item("compression", object.call_method0("compression")?)?;
        told.set_item("ssl_object", object)?;
        Ok(told)
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [
            &self.object,
            &self.incoming,
            &self.outgoing,
            &self.write_incoming,
            &self.read_outgoing,
            &self.read,
            &self.write,
        ]
        .into_iter()
        .try_for_each(|held| visit.call(held))
    }
}

#[inline]
fn step(py: Python<'_>, outcome: PyResult<Py<PyAny>>) -> Step<Py<PyAny>> {
    match outcome {
        Ok(value) => Step::Done(value),
        Err(error) => refused(py, error),
    }
}

#[cold]
fn refused(py: Python<'_>, error: PyErr) -> Step<Py<PyAny>> {
    match SslModule::get(py) {
        Ok(ssl)
            if error.is_instance(py, ssl.needs_more.0.bind(py))
                || error.is_instance(py, ssl.needs_more.1.bind(py)) =>
        {
            Step::NeedsMore
        }
        _ => Step::Failed(error),
    }
}

impl<T> Step<T> {
    #[inline]
    fn and_then<U>(self, then: impl FnOnce(T) -> PyResult<U>) -> Step<U> {
        match self {
            Self::Done(value) => match then(value) {
                Ok(value) => Step::Done(value),
                Err(error) => Step::Failed(error),
            },
            Self::NeedsMore => Step::NeedsMore,
            Self::Failed(error) => Step::Failed(error),
        }
    }
}

/// The rest of some bytes, without a copy.
pub fn rest<'py>(data: &Bound<'py, PyAny>, from: usize) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let all = py.get_type::<PyMemoryView>().call1((data,))?;
    // Not by a `PySlice` of pyo3 0.30, which leaks the numbers that it is made of.
    // SAFETY: the GIL is held and `all` is alive; the result is a new reference, or null with an
    // exception set.
    unsafe {
        let rest = ffi::PySequence_GetSlice(all.as_ptr(), isize::try_from(from)?, isize::MAX);
        Bound::from_owned_ptr_or_err(py, rest)
    }
}
