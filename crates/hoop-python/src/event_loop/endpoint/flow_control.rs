//! How a protocol that writes faster than its socket takes is held back.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Endpoint;
use crate::event_loop::calls;

/// asyncio's default high-water mark, in bytes.
const HIGH_WATER: usize = 64 * 1024;

/// The marks, and what the protocol was last told.
pub struct FlowControl {
    protocol_paused: bool,
    high_water: usize,
    low_water: usize,
}

impl Default for FlowControl {
    fn default() -> Self {
        Self { protocol_paused: false, high_water: HIGH_WATER, low_water: HIGH_WATER / 4 }
    }
}

impl FlowControl {
    /// Whether the protocol must be told to stop writing; true once until it is told to resume.
    fn must_pause(&mut self, pending: usize) -> bool {
        let must = pending > self.high_water && !self.protocol_paused;
        self.protocol_paused |= must;
        must
    }

    /// Whether the protocol may be told to write again; true once until it is paused.
    fn may_resume(&mut self, pending: usize) -> bool {
        let may = self.protocol_paused && pending <= self.low_water;
        self.protocol_paused &= !may;
        may
    }

    /// Sets the marks as asyncio derives one from the other; they come back if they contradict.
    fn set_marks(&mut self, high: Option<i64>, low: Option<i64>) -> Result<(), (i64, i64)> {
        let high = high.unwrap_or_else(|| low.map_or(HIGH_WATER as i64, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if !(0 <= low && low <= high) {
            return Err((high, low));
        }
        self.high_water = usize::try_from(high).unwrap_or(usize::MAX);
        self.low_water = usize::try_from(low).unwrap_or(usize::MAX);
        Ok(())
    }
}

impl Endpoint {
    /// Tells the protocol to stop writing if `pending` bytes are too many.
    pub fn output_grew(&self, transport: &Bound<'_, PyAny>, pending: usize) {
        if self.link.borrow_mut(transport.py()).flow.must_pause(pending) {
            self.tell_protocol(transport, intern!(transport.py(), "pause_writing"));
        }
    }

    /// Tells the protocol to write on if `pending` bytes are few enough.
    pub fn output_shrank(&self, transport: &Bound<'_, PyAny>, pending: usize) {
        if self.link.borrow_mut(transport.py()).flow.may_resume(pending) {
            self.tell_protocol(transport, intern!(transport.py(), "resume_writing"));
        }
    }

    /// Sets the marks, in bytes; they count at once.
    pub fn set_water_marks(
        &self,
        transport: &Bound<'_, PyAny>,
        high: Option<i64>,
        low: Option<i64>,
        pending: usize,
    ) -> PyResult<()> {
        self.link.borrow_mut(transport.py()).flow.set_marks(high, low).map_err(|(high, low)| {
            PyValueError::new_err(format!("high ({high:?}) must be >= low ({low:?}) must be >= 0"))
        })?;
        self.output_grew(transport, pending);
        Ok(())
    }

    /// The low and the high mark, in bytes.
    pub fn water_marks(&self, py: Python<'_>) -> (usize, usize) {
        let flow = &self.link.borrow(py).flow;
        (flow.low_water, flow.high_water)
    }

    /// Whether the protocol was told to stop writing.
    pub fn is_protocol_paused(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).flow.protocol_paused
    }

    /// Calls a protocol method that flow control needs; its exceptions go to the handler.
    fn tell_protocol(&self, transport: &Bound<'_, PyAny>, method: &Bound<'_, PyString>) {
        let py = transport.py();
        let protocol = self.protocol(py);
        let told =
            in_context_or_bare(py, &self.context, || calls::call_method(&protocol, method, &[]).map(drop));
        if let Err(error) = told {
            self.report(transport, &format!("protocol.{method}() failed"), error);
        }
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
