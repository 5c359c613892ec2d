//! What a WebSocket application receives (ASGI WebSocket spec, "Connect", "Receive", "Disconnect").

use hoop_net::Message;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

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

pub fn received(py: Python<'_>, message: Message) -> PyResult<Step> {
    match message {
        Message::Text(text) => {
            event(py, intern!(py, "websocket.receive"), |event| event.set_item(intern!(py, "text"), text))
        }
        Message::Binary(bytes) => event(py, intern!(py, "websocket.receive"), |event| {
            event.set_item(intern!(py, "bytes"), PyBytes::new(py, &bytes))
        }),
        Message::Shared(shared) => event(py, intern!(py, "websocket.receive"), |event| {
            event.set_item(intern!(py, "bytes"), PyBytes::new(py, shared.payload()))
        }),
        Message::Close { code, reason } => disconnected(py, code, &reason),
    }
}

pub fn disconnected(py: Python<'_>, code: u16, reason: &str) -> PyResult<Step> {
    event(py, intern!(py, "websocket.disconnect"), |event| {
        event.set_item(intern!(py, "code"), code)?;
        event.set_item(intern!(py, "reason"), reason)
    })
}
