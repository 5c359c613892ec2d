//! What a transport writes, and how it holds back a protocol that writes too much.

use std::os::fd::BorrowedFd;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use super::SocketTransport;
use super::io::{WRITE_FAILED, send};
use crate::event_loop::calls;

/// asyncio warns when a program keeps writing to a connection that is gone.
const WRITES_AFTER_LOSS_BEFORE_WARNING: u32 = 5;

impl SocketTransport {
    /// Calls a protocol method that flow control needs; its exceptions go to the handler.
    pub(super) fn tell_protocol(slf: &Bound<'_, Self>, method: &str) {
        let (py, this) = (slf.py(), slf.get());
        let protocol = this.protocol(py);
        let told = in_context_or_bare(py, &this.context, || {
            calls::call_method(py, &protocol, method, &[]).map(drop)
        });
        if let Err(error) = told {
            Self::report(slf, &format!("protocol.{method}() failed"), error);
        }
    }

    /// Some output went out: the protocol may resume, a pending close or half-close may happen.
    pub(super) fn output_shrank(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        if this.connection.borrow_mut(py).may_resume_writing() {
            Self::tell_protocol(slf, "resume_writing");
        }
        let (drained, closing, write_ended) = {
            let connection = this.connection.borrow(py);
            (connection.is_drained(), connection.closing, connection.write_ended)
        };
        if drained {
            this.tell_if_written(py);
        }
        if drained && closing {
            Self::lose(slf, None);
        } else if drained && write_ended {
            this.shut_down_writing(py);
        }
    }

    /// Tells whoever waits to send a file that the way is free.
    pub(super) fn tell_if_written(&self, py: Python<'_>) {
        let waiter = {
            let connection = self.connection.borrow(py);
            connection.when_written.as_ref().filter(|_| connection.is_drained()).map(|it| it.clone_ref(py))
        };
        if let Some(Err(error)) = waiter.map(|waiter| waiter.settle(py, py.None())) {
            error.write_unraisable(py, None);
        }
    }

    pub(super) fn shut_down_writing(&self, py: Python<'_>) {
        if let Some(registration) = self.registration(py) {
            // SAFETY: the registration keeps the descriptor open. A peer that is gone is no error here.
            let fd = unsafe { BorrowedFd::borrow_raw(registration.get_ref().0) };
            let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
        }
    }

    pub(super) fn after_growth(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let pause = {
            let mut connection = this.connection.borrow_mut(py);
            connection.wake_task();
            connection.must_pause_writing()
        };
        if pause {
            Self::tell_protocol(slf, "pause_writing");
        }
    }

    /// Sends what was held back so that many connections' output goes out in a row (ADR 0014).
    pub fn send_held(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(held) = this.connection.borrow_mut(py).held.take() else { return };
        match Self::send_at_once(slf, &held).and_then(|sent| held.get(sent..)) {
            // It may have been held while the transport was closing: then this was the last of it.
            Some([]) => Self::output_shrank(slf),
            Some(left) => {
                this.connection.borrow_mut(py).output.push(&PyBytes::new(py, left), 0);
                Self::after_growth(slf);
            }
            None => {}
        }
        this.state.give_back_output_buffer(py, held);
    }

    /// Writes `bytes` behind what is pending; small output is held back for a moment.
    pub(super) fn write_bytes(slf: &Bound<'_, Self>, bytes: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let data = bytes.as_bytes();
        if data.is_empty() || this.is_written_off(py)? || Self::hold(slf, data) {
            return Ok(());
        }
        Self::send_held(slf);
        let is_first = this.connection.borrow(py).output.is_empty();
        let sent = if is_first { Self::send_at_once(slf, data) } else { Some(0) };
        if let Some(sent) = sent.filter(|sent| *sent < data.len()) {
            this.connection.borrow_mut(py).output.push(bytes, sent);
            Self::after_growth(slf);
        }
        Ok(())
    }

    /// Says how much of `data` the socket took; nothing if the connection is gone.
    fn send_at_once(slf: &Bound<'_, Self>, data: &[u8]) -> Option<usize> {
        let registration = slf.get().registration(slf.py())?;
        match send(&registration, data) {
            Ok(sent) => Some(sent),
            Err(error) => {
                Self::io_failed(slf, WRITE_FAILED, &error);
                None
            }
        }
    }

    /// Holds small output back; says whether it did.
    fn hold(slf: &Bound<'_, Self>, data: &[u8]) -> bool {
        let (py, this) = (slf.py(), slf.get());
        let mut connection = this.connection.borrow_mut(py);
        if !connection.may_hold(data.len()) || !this.state.is_running(py) {
            return false;
        }
        if let Some(held) = &mut connection.held {
            held.extend_from_slice(data);
            return true;
        }
        let mut held = this.state.output_buffer(py);
        held.extend_from_slice(data);
        connection.held = Some(held);
        drop(connection);
        this.state.hold_output(py, slf.clone().unbind());
        true
    }

    /// Whether the connection is lost, so that what is written now goes nowhere, as in asyncio.
    pub(super) fn is_written_off(&self, py: Python<'_>) -> PyResult<bool> {
        let writes = {
            let mut connection = self.connection.borrow_mut(py);
            if !connection.lost {
                return Ok(false);
            }
            connection.writes_after_loss += 1;
            connection.writes_after_loss
        };
        if writes >= WRITES_AFTER_LOSS_BEFORE_WARNING {
            py.import("asyncio.log")?
                .getattr("logger")?
                .call_method1("warning", ("socket.send() raised exception.",))?;
        }
        Ok(true)
    }
}

/// Flow-control callbacks come from `write()` too, where the context is often entered already.
fn in_context_or_bare<T>(py: Python<'_>, context: &Py<PyAny>, work: impl Fn() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: the GIL is held and the context is a live object.
    if unsafe { pyo3::ffi::PyContext_Enter(context.as_ptr()) } < 0 {
        drop(PyErr::take(py));
        return work();
    }
    let result = work();
    // SAFETY: as above; it was entered by this function.
    if unsafe { pyo3::ffi::PyContext_Exit(context.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    result
}

/// Accepts what asyncio accepts; mutable buffers are copied, as the caller may change them.
pub(super) fn as_bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
        return Ok(data.py().get_type::<PyBytes>().call1((data,))?.cast_into::<PyBytes>()?);
    }
    Err(PyTypeError::new_err(format!(
        "data argument must be a bytes-like object, not {:?}",
        data.get_type().name()?.to_string()
    )))
}
