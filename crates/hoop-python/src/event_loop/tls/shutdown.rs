//! The end of a TLS connection: what is pending goes out, then each side says that it has ended.

use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;

use super::TlsProtocol;
use super::phase::Phase;
use super::session::{Step, is_ssl_error};

impl TlsProtocol {
    /// The application has closed, or the peer has said that it has ended.
    pub(super) fn start_shutdown(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        match this.phase(py) {
            Phase::Unwrapped | Phase::Flushing | Phase::ShuttingDown => return Ok(()),
            Phase::Handshaking => {
                this.mark_transport_closed(py);
                return this.abort(py, None);
            }
            Phase::Wrapped => this.mark_transport_closed(py),
        }
        this.set_phase(py, Phase::Flushing);
        Self::set_timeout(slf, this.shutdown_timeout, "_shutdown_timed_out")?;
        Self::flush(slf)
    }

    /// Delivers what has arrived, sends what is pending, and goes on to the shutdown itself.
    pub(super) fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::read(slf)?;
        // The application may have ended it all while it was told what has arrived.
        if slf.get().phase(slf.py()) == Phase::Flushing {
            slf.get().set_phase(slf.py(), Phase::ShuttingDown);
        }
        Self::go_on_with_shutdown(slf)
    }

    pub(super) fn go_on_with_shutdown(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.phase(py) != Phase::ShuttingDown {
            return Ok(());
        }
        let unwrapped =
            if this.link.borrow(py).end_of_file_received { Step::Done(()) } else { this.session.unwrap(py) };
        match unwrapped {
            Step::NeedsMore => Self::send(slf),
            Step::Failed(error) if is_ssl_error(py, &error) => {
                this.cancel_timeout(py);
                Self::fatal(slf, "Fatal error on transport", &error)
            }
            Step::Failed(error) => Err(error),
            Step::Done(()) => {
                Self::send(slf)?;
                Self::tell_end_of_file(slf)?;
                this.cancel_timeout(py);
                Self::call_soon(slf, "_close_below")
            }
        }
    }

    /// The transport below has no more to read: true keeps it open.
    pub(super) fn end_of_file(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        this.link.borrow_mut(py).end_of_file_received = true;
        if this.python_loop.get().get_debug(py) {
            super::logger(py)?.call_method1("debug", ("%r received EOF", slf))?;
        }
        match this.phase(py) {
            Phase::Handshaking => Self::handshake_was_cut_off(slf)?,
            Phase::Wrapped => {
                this.set_phase(py, Phase::Flushing);
                if this.link.borrow(py).reading_paused {
                    return Ok(true);
                }
                Self::flush(slf)?;
            }
            Phase::Flushing => {
                Self::write_backlog(slf)?;
                this.set_phase(py, Phase::ShuttingDown);
                Self::go_on_with_shutdown(slf)?;
            }
            Phase::ShuttingDown => Self::go_on_with_shutdown(slf)?,
            Phase::Unwrapped => {}
        }
        Ok(false)
    }

    pub(super) fn end_long_shutdown(&self, py: Python<'_>) -> PyResult<()> {
        match (self.phase(py), self.below(py)) {
            (Phase::Flushing | Phase::ShuttingDown, Some(below)) => {
                below.force_close(py, Some(PyTimeoutError::new_err("SSL shutdown timed out")))
            }
            _ => Ok(()),
        }
    }

    /// Ends it at once; what is pending is lost.
    pub(super) fn abort(&self, py: Python<'_>, reason: Option<PyErr>) -> PyResult<()> {
        self.set_phase(py, Phase::Unwrapped);
        self.below(py).map_or(Ok(()), |below| below.force_close(py, reason))
    }

    fn mark_transport_closed(&self, py: Python<'_>) {
        let transport = self.link.borrow(py).transport.as_ref().map(|transport| transport.clone_ref(py));
        if let Some(transport) = transport {
            transport.get().mark_closed(py);
        }
    }
}
