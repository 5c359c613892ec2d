//! The engine's failures as exceptions of `hoopsnake`.

use std::sync::Arc;
use std::time::Duration;

use hoop_net::client::{Failure, Fault, Phase};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::sent::Sent;

/// The name of the class in `hoopsnake._client._errors`.
fn class_of(failure: &Failure) -> &'static str {
    match (failure.fault, failure.phase) {
        (Fault::Timeout, Phase::Pool) => "PoolTimeout",
        (Fault::Timeout, Phase::Connect | Phase::Proxy | Phase::Tls) => "ConnectTimeout",
        (Fault::Timeout, Phase::Write) => "WriteTimeout",
        (Fault::Timeout, Phase::Read) => "ReadTimeout",
        (Fault::Deadline, _) => "TotalTimeout",
        (Fault::Proxy, _) => "ProxyError",
        (Fault::Broken, Phase::Pool | Phase::Connect | Phase::Proxy | Phase::Tls) => "ConnectError",
        (Fault::Broken | Fault::Upload, Phase::Write) => "WriteError",
        (Fault::Broken | Fault::Upload, Phase::Read) => "ReadError",
        (Fault::Upload, _) => "WriteError",
        (Fault::Remote, _) => "RemoteProtocolError",
        (Fault::Local, _) => "LocalProtocolError",
        (Fault::Decoding, _) => "DecodingError",
        (Fault::TooLarge, _) => "ResponseTooLarge",
        (Fault::Closed, _) => "ClientClosed",
    }
}

/// A failure as Python raises it: it names the request, what it was doing, and how long that took.
pub fn raised(py: Python<'_>, failure: &Failure, sent: &Arc<Sent>, elapsed: Duration) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = MAKE.import(py, "hoopsnake._client._errors", "transport_error").and_then(|make| {
        let request = sent.request(py)?;
        let class = class_of(failure);
        let phase = failure.phase.name();
        make.call1((class, &failure.detail, phase, elapsed.as_secs_f64(), request, failure.was_left_alone))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A failure that no request has to do with, as far as is known here.
pub fn unsent(py: Python<'_>, failure: &Failure) -> PyErr {
    named(py, class_of(failure), failure.detail.clone())
}

/// An exception of that name which no exchange has to do with.
pub fn named(py: Python<'_>, class: &str, text: String) -> PyErr {
    let made = py
        .import("hoopsnake._client._errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((text,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
