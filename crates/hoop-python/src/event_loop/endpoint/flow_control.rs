//! How a protocol that writes faster than its socket takes is held back.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Endpoint;
use crate::event_loop::calls;

/// asyncio's default high-water mark of a socket, in bytes.
const HIGH_WATER: u32 = 64 * 1024;

/// The marks, and what the writing side was last told.
pub struct FlowControl {
    is_paused: bool,
    default_high_water: u32,
    /// The low and the high mark, where the program has set them: few do.
    marks: Option<Box<(usize, usize)>>,
}

impl Default for FlowControl {
    fn default() -> Self {
        Self::with_high_water(HIGH_WATER)
    }
}

impl FlowControl {
    /// Marks of that default, in bytes.
    pub const fn with_high_water(default: u32) -> Self {
        Self { is_paused: false, default_high_water: default, marks: None }
    }

    /// Whether the writing side was told to stop.
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// The low and the high mark, in bytes.
    pub fn marks(&self) -> (usize, usize) {
        let default = self.default_high_water as usize;
        self.marks.as_ref().map_or((default / 4, default), |marks| **marks)
    }

    /// Whether the writing side must be told to stop; true once until it is told to resume.
    pub fn must_pause(&mut self, pending: usize) -> bool {
        let must = pending > self.marks().1 && !self.is_paused;
        self.is_paused |= must;
        must
    }

    /// Whether the writing side may be told to write again; true once until it is paused.
    pub fn may_resume(&mut self, pending: usize) -> bool {
        let may = self.is_paused && pending <= self.marks().0;
        self.is_paused &= !may;
        may
    }

    /// Sets the marks, in bytes, as asyncio derives one from the other.
    pub fn set_marks(&mut self, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let default = i64::from(self.default_high_water);
        let high = high.unwrap_or_else(|| low.map_or(default, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if !(0 <= low && low <= high) {
            return Err(PyValueError::new_err(format!(
                "high ({high:?}) must be >= low ({low:?}) must be >= 0"
            )));
        }
        let bytes = |mark: i64| usize::try_from(mark).unwrap_or(usize::MAX);
        self.marks = Some(Box::new((bytes(low), bytes(high))));
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
        self.link.borrow_mut(transport.py()).flow.set_marks(high, low)?;
        self.output_grew(transport, pending);
        Ok(())
    }

    /// The low and the high mark, in bytes.
    pub fn water_marks(&self, py: Python<'_>) -> (usize, usize) {
        self.link.borrow(py).flow.marks()
    }

    /// Whether the protocol was told to stop writing.
    pub fn is_protocol_paused(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).flow.is_paused()
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
