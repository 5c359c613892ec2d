//! A Python socket as a transport holds it: open, and known to the reactor, until it is handed back.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use pyo3::prelude::*;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::errors::os_error;
use crate::event_loop::state::LoopState;

/// A socket's descriptor, which the Python socket object owns and closes.
///
/// The transport holds a reference on that object (`_io_refs`), so the number stays open for as
/// long as the registration lives, whatever the user does to the socket object.
#[derive(Debug)]
pub struct SocketFd(pub RawFd);

impl AsRawFd for SocketFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

pub type Registration = Rc<AsyncFd<SocketFd>>;

/// The descriptor, for a system call.
pub fn borrow(registration: &Registration) -> BorrowedFd<'_> {
    // SAFETY: see `SocketFd`: open for as long as the registration lives.
    unsafe { BorrowedFd::borrow_raw(registration.as_raw_fd()) }
}

/// What a non-blocking call did; `None` if it would have blocked.
pub fn settle<T>(outcome: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Makes sure that the Python socket stays open, and registers it.
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

/// Registers a socket of which a reference is held, as [`take_over`] does it.
pub fn register(py: Python<'_>, state: &LoopState, fd: RawFd, interest: Interest) -> PyResult<Registration> {
    let runtime = state.runtime(py)?;
    let _context = runtime.enter();
    // SAFETY: the caller holds a reference on the Python socket that keeps `fd` open until the
    // registration is dropped (see `SocketFd`).
    let registration = unsafe { AsyncFd::register_with_interest(SocketFd(fd), interest) };
    Ok(Rc::new(registration.map_err(|error| os_error(&error.into()))?))
}

/// Gives the reference back and closes the socket, whose registration is gone.
pub fn hand_back(py: Python<'_>, socket: &Py<PyAny>) -> PyResult<()> {
    if socket.bind(py).hasattr("_decref_socketios")? {
        socket.call_method0(py, "_decref_socketios")?;
    }
    socket.call_method0(py, "close").map(drop)
}
