//! What a WebSocket application receives (ASGI WebSocket spec, "Connect", "Receive", "Disconnect").

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::event_loop::stepwise::Step;

pub fn event<'py>(
    py: Python<'py>,
    kind: &Bound<'py, PyString>,
    fill: impl FnOnce(&Bound<'py, PyDict>) -> PyResult<()>,
) -> PyResult<Step> {
    let event = PyDict::new(py);
    event.set_item(intern!(py, "type"), kind)?;
    fill(&event)?;
    Ok(Step::Done(event.into_any().unbind()))
}

/// A message: a str under 'text', or bytes under 'bytes'.
pub fn received(py: Python<'_>, (key, value): (&Bound<'_, PyString>, Py<PyAny>)) -> PyResult<Step> {
    event(py, intern!(py, "websocket.receive"), |event| event.set_item(key, value))
}

pub fn disconnected(py: Python<'_>, code: u16, reason: &str) -> PyResult<Step> {
    event(py, intern!(py, "websocket.disconnect"), |event| {
        event.set_item(intern!(py, "code"), code)?;
        event.set_item(intern!(py, "reason"), reason)
    })
}
