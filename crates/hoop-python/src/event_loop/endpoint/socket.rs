//! The socket under a transport: who owns its descriptor, and who closes it.
//!
//! Rules (ADR 0016), on which the unsafe code here and every system call of a transport rely:
//! 1. A descriptor has one owner: the engine, or one Python socket object. Nobody else closes it.
//! 2. What the engine has accepted it owns until somebody asks for the Python socket. Then that object
//!    is made and owns it from there on; it never comes back.
//! 3. Nothing of Python's runs between the moment when the new object knows the number and the one when
//!    the engine has let go of it. Had somebody else been quicker, the new object is made to forget it.
//! 4. A Python socket that owns the descriptor is held open by one of its references (`_io_refs`),
//!    which is given back once, when the connection has ended.
//! 5. The reactor forgets the number before the owner closes it: a registration goes first, where a
//!    connection ends as well as where a transport is dropped.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use pyo3::exceptions::PyResourceWarning;
use pyo3::intern;
use pyo3::prelude::*;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Endpoint;
use crate::errors::os_error;
use crate::event_loop::state::LoopState;
use crate::imports::Imports;

/// A socket's number, open for as long as it is registered (rule 5).
#[derive(Debug)]
pub struct SocketFd(pub RawFd);

impl AsRawFd for SocketFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

pub type Registration = Rc<AsyncFd<SocketFd>>;

/// What Python's sockets are made with.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub family: u16,
    pub kind: u16,
    pub protocol: i32,
}

/// The owner of a descriptor (rule 1).
#[derive(Debug)]
pub enum Socket {
    Engine(OwnedFd, Kind),
    /// Kept when the connection is lost: `get_extra_info` still tells it.
    Python(Py<PyAny>),
    /// The engine has closed it.
    Closed(Kind),
}

/// The descriptor, for a system call.
pub fn borrow(registration: &Registration) -> BorrowedFd<'_> {
    // SAFETY: rule 5.
    unsafe { BorrowedFd::borrow_raw(registration.as_raw_fd()) }
}

/// What a non-blocking call did; `None` if it would have blocked.
pub fn settle<T>(outcome: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Makes sure that a Python socket stays open (rule 4), and registers it.
pub fn take_over(
    py: Python<'_>,
    state: &LoopState,
    socket: &Py<PyAny>,
    interest: Interest,
) -> PyResult<Registration> {
    let fd: RawFd = socket.call_method0(py, "fileno")?.extract(py)?;
    let references = socket.getattr(py, "_io_refs").ok();
    if let Some(references) = &references {
        socket.setattr(py, "_io_refs", references.bind(py).add(1)?)?;
    }
    match (register(py, state, fd, interest), references) {
        (Err(error), Some(references)) => {
            socket.setattr(py, "_io_refs", references)?;
            Err(error)
        }
        (registration, _) => registration,
    }
}

/// Registers a socket whose owner keeps it open until the registration is dropped.
pub fn register(py: Python<'_>, state: &LoopState, fd: RawFd, interest: Interest) -> PyResult<Registration> {
    let runtime = state.runtime(py)?;
    let _context = runtime.enter();
    // SAFETY: rule 5, which binds the caller.
    let registration = unsafe { AsyncFd::register_with_interest(SocketFd(fd), interest) };
    Ok(Rc::new(registration.map_err(|error| os_error(&error.into()))?))
}

/// Gives the reference back (rule 4) and closes the socket, whose registration is gone.
pub fn hand_back(py: Python<'_>, socket: &Py<PyAny>) -> PyResult<()> {
    if socket.bind(py).hasattr("_decref_socketios")? {
        socket.call_method0(py, "_decref_socketios")?;
    }
    socket.call_method0(py, "close").map(drop)
}

/// A Python socket that knows `number` already when it is returned.
///
/// It is put together by calls into C alone, the one that takes the number last (rule 3): its own
/// `__init__` is Python code, which a signal may end in the middle, and then it would close the number.
fn python_socket(py: Python<'_>, kind: Kind, number: RawFd) -> PyResult<Bound<'_, PyAny>> {
    let imports = Imports::get(py)?;
    let class = imports.python_socket.bind(py);
    let socket = class.call_method1(intern!(py, "__new__"), (class,))?;
    socket.setattr(intern!(py, "_closed"), false)?;
    socket.setattr(intern!(py, "_io_refs"), 1)?;
    let arguments = (&socket, kind.family, kind.kind, kind.protocol, number);
    imports.python_socket_init.call1(py, arguments)?;
    Ok(socket)
}

/// A Python socket that is closed, as that of a lost connection is.
fn closed_python_socket(py: Python<'_>, kind: Kind) -> PyResult<Bound<'_, PyAny>> {
    let class = Imports::get(py)?.python_socket.bind(py);
    let socket = class.call1((kind.family, kind.kind, kind.protocol))?;
    socket.call_method0("close")?;
    Ok(socket)
}

impl Endpoint {
    /// The Python socket, which is made when it is first asked for.
    pub fn socket(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (number, kind) = match &self.link.borrow(py).socket {
            Socket::Python(socket) => return Ok(socket.clone_ref(py)),
            Socket::Engine(descriptor, kind) => (Some(descriptor.as_raw_fd()), *kind),
            Socket::Closed(kind) => (None, *kind),
        };
        let made = match number {
            Some(number) => python_socket(py, kind, number)?,
            None => closed_python_socket(py, kind)?,
        };
        let mut link = self.link.borrow_mut(py);
        match (&link.socket, number) {
            (Socket::Engine(..), Some(_)) | (Socket::Closed(_), None) => {}
            _ => {
                // Made in another thread meanwhile, or the connection has ended: see rule 3.
                drop(link);
                Imports::get(py)?.python_socket_detach.call1(py, (made,))?;
                return self.socket(py);
            }
        }
        if let Socket::Engine(descriptor, _) =
            std::mem::replace(&mut link.socket, Socket::Python(made.clone().unbind()))
        {
            let _now_of_the_socket = descriptor.into_raw_fd();
        }
        drop(link);
        if number.is_some() {
            // It is non-blocking; the object has to know.
            made.call_method1(intern!(py, "setblocking"), (false,))?;
        }
        Ok(made.unbind())
    }

    /// Closes the socket of a connection that has ended (rule 5: `registration` is its own).
    pub(super) fn close_socket(&self, py: Python<'_>, registration: Option<Registration>) -> PyResult<()> {
        drop(registration);
        let python = {
            let mut link = self.link.borrow_mut(py);
            match &link.socket {
                Socket::Python(socket) => Some(socket.clone_ref(py)),
                Socket::Engine(_, kind) => {
                    let closed = Socket::Closed(*kind);
                    link.socket = closed;
                    None
                }
                Socket::Closed(_) => None,
            }
        };
        python.map_or(Ok(()), |socket| hand_back(py, &socket))
    }

    /// Closes the socket of a transport of which nobody knows yet.
    pub fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let registration = self.link.borrow_mut(py).registration.take();
        self.close_socket(py, registration)
    }

    /// Warns that a transport is dropped whose connection was never closed. Of a Python socket its own
    /// class warns.
    pub fn warn_if_unclosed(&mut self, class_name: &str) {
        let link = self.link.get_mut();
        if !matches!(link.socket, Socket::Engine(..)) {
            return;
        }
        let text = format!("unclosed transport <{class_name} fd={}>", link.number);
        Python::attach(|py| {
            // Objects are dropped at any moment, also while an exception is on its way.
            let on_its_way = PyErr::take(py);
            let warned = std::ffi::CString::new(text)
                .map_err(PyErr::from)
                .and_then(|text| PyErr::warn(py, py.get_type::<PyResourceWarning>().as_any(), &text, 1));
            if let Err(error) = warned {
                error.write_unraisable(py, None);
            }
            if let Some(error) = on_its_way {
                error.restore(py);
            }
        });
    }
}
