//! The handshake of a TLS connection, and its time limit.

use pyo3::exceptions::{PyConnectionAbortedError, PyConnectionResetError};
use pyo3::intern;
use pyo3::prelude::*;

use super::phase::{Phase, Told};
use super::session::{Step, is_certificate_error, is_ssl_error};
use super::{TlsProtocol, logger};
use crate::event_loop::calls;
use crate::event_loop::state::LoopState;

impl TlsProtocol {
    pub(super) fn start_handshake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.python_loop.get().get_debug(py) {
            logger(py)?.call_method1("debug", ("%r starts SSL handshake", slf))?;
        }
        {
            let mut link = this.link.borrow_mut(py);
            link.phase = Phase::Handshaking;
            link.handshake_began = LoopState::time();
        }
        Self::set_timeout(slf, this.handshake_timeout, "_handshake_timed_out")?;
        Self::go_on_with_handshake(slf)
    }

    pub(super) fn go_on_with_handshake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match slf.get().session.do_handshake(py) {
            Step::NeedsMore => Self::send(slf),
            Step::Done(()) => Self::handshake_ended(slf, None),
            Step::Failed(error) if is_ssl_error(py, &error) => Self::handshake_ended(slf, Some(error)),
            Step::Failed(error) => Err(error),
        }
    }

    /// The peer has left in the middle of it.
    pub(super) fn handshake_was_cut_off(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::handshake_ended(slf, Some(PyConnectionResetError::new_err(())))
    }

    pub(super) fn end_long_handshake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.phase(py) != Phase::Handshaking {
            return Ok(());
        }
        let error = PyConnectionAbortedError::new_err(format!(
            "SSL handshake is taking longer than {:?} seconds: aborting the connection",
            this.handshake_timeout
        ));
        Self::fatal(slf, "Fatal error on transport", &error)
    }

    fn handshake_ended(slf: &Bound<'_, Self>, error: Option<PyErr>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.cancel_timeout(py);
        let learned = error.map_or_else(|| this.session.describe(py), Err);
        let learned = match learned {
            Ok(learned) => learned,
            Err(error) => return Self::handshake_failed(slf, &error),
        };
        let is_news = {
            let mut link = this.link.borrow_mut(py);
            link.phase = Phase::Wrapped;
            let is_news = link.told == Told::Nothing;
            if is_news {
                link.told = Told::Made;
            }
            is_news
        };
        this.extra.bind(py).update(learned.as_mapping())?;
        if this.python_loop.get().get_debug(py) {
            let took = LoopState::time() - this.link.borrow(py).handshake_began;
            logger(py)?.call_method1("debug", ("%r: SSL handshake took %.1f ms", slf, took * 1e3))?;
        }
        if let Some(application) = this.application(py).filter(|_| is_news) {
            let transport = Self::transport(slf)?;
            calls::call_method(&application, intern!(py, "connection_made"), &[transport.as_any()])?;
        }
        this.tell_waiter(py, None)?;
        Self::read(slf)
    }

    fn handshake_failed(slf: &Bound<'_, Self>, error: &PyErr) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.set_phase(py, Phase::Unwrapped);
        // The alert that tells the peer why.
        Self::send(slf)?;
        let message = if is_certificate_error(py, error) {
            "SSL handshake failed on verifying the certificate"
        } else {
            "SSL handshake failed"
        };
        Self::fatal(slf, message, error)?;
        this.tell_waiter(py, Some(error))
    }
}
