//! What a transport writes, and how it holds back a protocol that writes too much.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::SocketTransport;
use super::io::{WRITE_FAILED, send};
use crate::event_loop::endpoint::borrow;

impl SocketTransport {
    /// Some output went out: the protocol may resume, a pending close or half-close may happen.
    pub(super) fn output_shrank(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let pending = this.connection.borrow(py).output.len();
        this.endpoint.output_shrank(slf.as_any(), pending);
        let (drained, write_ended) = {
            let connection = this.connection.borrow(py);
            (connection.is_drained(), connection.write_ended)
        };
        if drained {
            this.tell_if_written(py);
        }
        if drained && this.endpoint.is_closing(py) {
            this.endpoint.lose(slf.as_any(), None);
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
        if let Some(registration) = self.endpoint.registration(py) {
            // A peer that is gone is no error here.
            let _ = rustix::net::shutdown(borrow(&registration), rustix::net::Shutdown::Write);
        }
    }

    pub(super) fn after_growth(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.endpoint.wake_up(py);
        let pending = this.connection.borrow(py).output.len();
        this.endpoint.output_grew(slf.as_any(), pending);
    }

    /// Sends what was held back so that many connections' output goes out in a row (ADR 0014).
    pub fn send_held(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(held) = this.connection.borrow_mut(py).held.take() else { return };
        match Self::send_at_once(slf, &held.0).and_then(|sent| held.0.get(sent..)) {
            // It may have been held while the transport was closing: then this was the last of it.
            Some([]) => Self::output_shrank(slf),
            Some(left) => {
                this.connection.borrow_mut(py).output.push(&PyBytes::new(py, left), 0);
                Self::after_growth(slf);
            }
            None => {}
        }
        this.endpoint.state().outputs.give_back(py, held);
    }

    /// Writes `bytes` behind what is pending; small output is held back for a moment.
    pub(super) fn write_bytes(slf: &Bound<'_, Self>, bytes: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let data = bytes.as_bytes();
        if data.is_empty() || this.endpoint.is_written_off(py)? || Self::hold(slf, data) {
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
        let registration = slf.get().endpoint.registration(slf.py())?;
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
        let (state, (_, high_water)) = (this.endpoint.state(), this.endpoint.water_marks(py));
        let mut connection = this.connection.borrow_mut(py);
        if !connection.may_hold(data.len(), high_water) || !state.is_running(py) {
            return false;
        }
        if let Some(held) = &mut connection.held {
            held.0.extend_from_slice(data);
            return true;
        }
        let mut held = state.outputs.buffer(py);
        held.0.extend_from_slice(data);
        connection.held = Some(held);
        drop(connection);
        state.hold_output(py, slf.clone().unbind());
        true
    }
}
