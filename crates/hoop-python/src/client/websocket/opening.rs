//! The handshake: what Python asks for, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use hoop_net::client::{Opened, Opening, Patience, Refused};
use hoop_net::{DeflateOffer, WebSocketOptions};
use http::Method;
use pyo3::intern;
use pyo3::prelude::*;

use super::socket::ClientWebSocket;
use super::talk::Talk;
use crate::client::call::Call;
use crate::client::core::ClientCore;
use crate::client::failure::raised;
use crate::client::headers::fields;
use crate::client::response::Response;
use crate::client::sent::Sent;
use crate::client::settings::{TimeoutTuple, duration, timeouts};

/// `hoopsnake._client._websocket.Terms`.
#[derive(FromPyObject)]
pub struct Terms {
    subprotocols: Vec<String>,
    /// server_no_context_takeover, client_no_context_takeover, server_max_window_bits, client_max_window_bits.
    compression: Option<(bool, bool, u8, u8)>,
    max_message: usize,
    ping_interval: Option<f64>,
    ping_timeout: Option<f64>,
    close_timeout: f64,
}

impl Terms {
    fn opening(self) -> PyResult<(Opening, Duration)> {
        let offer = self.compression.map(|(server_forgets, client_forgets, server_window, client_window)| {
            DeflateOffer { server_forgets, client_forgets, server_window, client_window }
        });
        let options = WebSocketOptions {
            largest_message: self.max_message,
            compress: offer.is_some(),
            ping_interval: self.ping_interval.map(duration).transpose()?,
            ping_timeout: self.ping_timeout.map(duration).transpose()?,
        };
        let opening = Opening { offer, subprotocols: self.subprotocols, options };
        Ok((opening, duration(self.close_timeout)?))
    }
}

/// Opens a WebSocket by a `hoopsnake.Request`: a coroutine that returns a ClientWebSocket. `sni_hostname` is the
/// name that TLS is to be with, if not that of the URL.
#[pyfunction]
#[pyo3(signature = (core, request, limits, terms, sni_hostname=None))]
pub fn open_websocket(
    core: &Bound<'_, ClientCore>,
    request: &Bound<'_, PyAny>,
    limits: Option<TimeoutTuple>,
    terms: Terms,
    sni_hostname: Option<&str>,
) -> PyResult<Call> {
    let py = core.py();
    let headers = fields(&request.getattr(intern!(py, "headers"))?)?;
    let target = core.get().target_by_name(&request.getattr(intern!(py, "url"))?, sni_hostname)?;
    let sent = Arc::new(Sent::new(Method::GET, target, Arc::new(headers), Some(request.clone().unbind())));
    let mut timeouts = limits.map_or(Ok(core.get().timeouts), timeouts)?;
    let (opening, close_timeout) = terms.opening()?;
    let core = core.clone().unbind();
    Ok(Call::new(move |python_loop| {
        let client = core.get().client(python_loop)?;
        core.get().heed_deadline(python_loop.py(), &mut timeouts)?;
        let python_loop = python_loop.clone().unbind();
        Ok(Box::pin(async move {
            let mut patience = Patience::new(timeouts);
            let destination = sent.target.destination.clone();
            let opened = client.open_websocket(&destination, &sent.headers, &opening, &mut patience).await;
            let elapsed = patience.elapsed();
            Python::attach(|py| match opened {
                Ok(Ok(Opened { socket, head, subprotocol })) => {
                    let response = Response::complete(head, sent, Default::default(), elapsed);
                    let response = Py::new(py, response)?;
                    let talk = Talk::begin(py, python_loop, socket, close_timeout);
                    Ok(Py::new(py, ClientWebSocket::new(talk, response, subprotocol))?.into_any())
                }
                Ok(Err(Refused { head, body, reason })) => {
                    let response = Py::new(py, Response::complete(head, sent, body, elapsed))?;
                    let errors = py.import("hoopsnake._client._websocket_errors")?;
                    let error = errors.call_method1("refused", (reason, response, elapsed.as_secs_f64()))?;
                    Err(PyErr::from_value(error))
                }
                Err(failure) => Err(raised(py, &failure, &sent, elapsed)),
            })
        }))
    }))
}
