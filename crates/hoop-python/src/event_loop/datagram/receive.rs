//! What drives one datagram socket: receives while the protocol wants data.

use std::task::{Context, Poll};

use pyo3::exceptions::{PyBlockingIOError, PyInterruptedError, PyOSError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rustix::net::RecvFlags;
use tokio::io::Ready;

use super::{ARRIVALS, DatagramTransport};
use crate::errors::os_error;
use crate::event_loop::call::in_context;
use crate::event_loop::calls;
use crate::event_loop::endpoint::{Registration, borrow, settle};
use crate::event_loop::state::READ_BUFFER;

/// So many datagrams are received before others get their turn.
const DATAGRAMS_AT_ONCE: usize = 32;

const READ_FAILED: &str = "Fatal read error on datagram transport";

/// Receives and delivers, until nothing is left, the protocol has enough or the endpoint is gone.
pub fn receive(transport: &Bound<'_, DatagramTransport>, cx: &mut Context<'_>) {
    let (py, this) = (transport.py(), transport.get());
    let (endpoint, state) = (&this.endpoint, this.endpoint.state());
    for _ in 0..DATAGRAMS_AT_ONCE {
        let Some(registration) = endpoint.registration(py) else { return };
        if !endpoint.wants_data(py) {
            return;
        }
        match receive_one(this, py, &registration, cx) {
            Received::Datagram(data, sender) => {
                deliver(transport, intern!(py, "datagram_received"), &[&data, &sender])
            }
            Received::Nothing(told) if told.is_read_closed() => {
                // Somebody has shut the socket down for reading: nothing comes any more, and tokio,
                // who does not forget that, would call the socket readable for ever.
                return;
            }
            Received::Nothing(told) if told.is_write_closed() => {
                // An error was told of, and is dealt with. tokio would not forget this either.
                drop(registration);
                if let Err(error) = endpoint.register_anew(py, ARRIVALS) {
                    DatagramTransport::fatal(transport, READ_FAILED, error);
                }
            }
            Received::Nothing(_) => {}
            Received::NotReady => return,
            Received::Failed(error) if error.is_instance_of::<PyOSError>(py) => {
                let error = error.into_value(py).into_any();
                deliver(transport, intern!(py, "error_received"), &[&error]);
            }
            Received::Failed(error) => DatagramTransport::fatal(transport, READ_FAILED, error),
        }
        if state.stopping.get(py) {
            // The rest is for when the loop runs again.
            state.wake_after_turn(py, cx.waker().clone());
            return;
        }
    }
    // More may be waiting: others get their turn before it is received.
    cx.waker().wake_by_ref();
}

enum Received {
    Datagram(Py<PyAny>, Py<PyAny>),
    /// There was nothing, against what the reactor had told.
    Nothing(Ready),
    /// The reactor will wake the task.
    NotReady,
    Failed(PyErr),
}

fn receive_one(
    this: &DatagramTransport,
    py: Python<'_>,
    registration: &Registration,
    cx: &mut Context<'_>,
) -> Received {
    // Registered for reading alone, a socket is told to be writable only when there is an error
    // and nothing to read: that error is received.
    let ready = registration.poll_read_ready(cx);
    let ready = if ready.is_pending() { registration.poll_write_ready(cx) } else { ready };
    let mut guard = match ready {
        Poll::Ready(Ok(guard)) => guard,
        // An error means that the runtime is shut down, and this task with it.
        Poll::Ready(Err(_)) | Poll::Pending => return Received::NotReady,
    };
    let received = match this.family {
        Some(_) => take_datagram(this, py, registration),
        None => ask_python(this, py),
    };
    match received {
        Ok(Some((data, sender))) => Received::Datagram(data, sender),
        Ok(None) => {
            let told = guard.ready();
            guard.clear_ready();
            Received::Nothing(told)
        }
        Err(error) => Received::Failed(error),
    }
}

/// A datagram and its sender; `None` if there is none.
type Arrival = Option<(Py<PyAny>, Py<PyAny>)>;

fn take_datagram(this: &DatagramTransport, py: Python<'_>, registration: &Registration) -> PyResult<Arrival> {
    let received = {
        let mut buffer = this.endpoint.state().read_buffer(py);
        let received = rustix::net::recvfrom(borrow(registration), &mut **buffer, RecvFlags::DONTWAIT);
        settle(received).map(|received| {
            received.map(|(length, _, sender)| {
                (PyBytes::new(py, buffer.get(..length).unwrap_or_default()), sender)
            })
        })
    };
    match received {
        Ok(Some((data, sender))) => Ok(Some((data.into_any().unbind(), this.sender(py, sender)?))),
        Ok(None) => Ok(None),
        Err(error) => Err(os_error(&error)),
    }
}

/// Receives with the socket's own method.
fn ask_python(this: &DatagramTransport, py: Python<'_>) -> PyResult<Arrival> {
    match this.endpoint.socket(py)?.call_method1(py, "recvfrom", (READ_BUFFER,)) {
        Ok(received) => received.extract(py).map(Some),
        Err(error) if would_block(py, &error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a non-blocking method of a Python socket asks to be called again.
pub(super) fn would_block(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyBlockingIOError>(py) || error.is_instance_of::<PyInterruptedError>(py)
}

/// Calls a method of the protocol; its exceptions go to the loop's exception handler.
fn deliver(transport: &Bound<'_, DatagramTransport>, method: &Bound<'_, PyString>, arguments: &[&Py<PyAny>]) {
    let (py, this) = (transport.py(), transport.get());
    let protocol = this.endpoint.protocol(py);
    let told =
        in_context(py, &this.endpoint.context, || calls::call_method(&protocol, method, arguments).map(drop));
    if let Err(error) = told {
        this.endpoint.report(transport.as_any(), &format!("Exception in protocol.{method}()"), error);
    }
}
