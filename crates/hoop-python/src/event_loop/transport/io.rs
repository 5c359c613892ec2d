//! What drives one connection: reads while the protocol wants data, writes while output is pending.

use std::io;
use std::mem::MaybeUninit;
use std::task::{Context, Poll};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use super::receiver::{Delivery, Receiver, lend};
use super::{ARRIVALS_AND_ROOM, SocketTransport};
use crate::event_loop::call::in_context;
use crate::event_loop::endpoint::{Registration, borrow, settle};
use crate::event_loop::state::{LoopState, READ_AT_ONCE};

/// After a read as large as this the next is expected to be large too.
const LARGE_READ: usize = 16 * 1024;

pub const WRITE_FAILED: &str = "Fatal write error on socket transport";

/// Sends without blocking and without SIGPIPE; would-block counts as nothing sent.
pub fn send(registration: &Registration, bytes: &[u8]) -> io::Result<usize> {
    let sent = rustix::net::send(borrow(registration), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    Ok(settle(sent)?.unwrap_or(0))
}

/// Writes what is pending, as far as the socket takes it.
pub fn flush(transport: &Bound<'_, SocketTransport>, cx: &mut Context<'_>) {
    let (py, this) = (transport.py(), transport.get());
    loop {
        if this.connection.borrow(py).output.is_empty() || !hears_of_room(transport) {
            return;
        }
        let Some(registration) = this.endpoint.registration(py) else { return };
        let Poll::Ready(Ok(mut guard)) = registration.poll_write_ready(cx) else { return };
        let written = this.connection.borrow_mut(py).output.write_with(py, |pieces| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let no_descriptors = &mut SendAncillaryBuffer::default();
            settle(rustix::net::sendmsg(borrow(&registration), pieces, no_descriptors, flags))
                .map(Option::unwrap_or_default)
        });
        match written {
            Ok((0, _)) => guard.clear_ready(),
            Ok((_, done)) => {
                // Not while the connection is borrowed: to drop Python objects may run anything.
                drop(done);
                SocketTransport::output_shrank(transport);
            }
            Err(error) => {
                SocketTransport::io_failed(transport, WRITE_FAILED, &error);
                return;
            }
        }
    }
}

/// Has the reactor tell of room to write, if it does not yet. Says whether it does.
fn hears_of_room(transport: &Bound<'_, SocketTransport>) -> bool {
    let (py, this) = (transport.py(), transport.get());
    if !std::mem::replace(&mut this.connection.borrow_mut(py).told_of_room, true)
        && let Err(error) = this.endpoint.register_anew(py, ARRIVALS_AND_ROOM)
    {
        SocketTransport::fatal(transport, WRITE_FAILED, error);
        return false;
    }
    true
}

/// Reads and delivers, until nothing is left, the protocol has enough or the connection is gone.
pub fn read(transport: &Bound<'_, SocketTransport>, cx: &mut Context<'_>) {
    let (py, this) = (transport.py(), transport.get());
    loop {
        let Some(registration) = this.endpoint.registration(py) else { return };
        if !this.wants_data(py) {
            return;
        }
        let mut guard = match registration.poll_read_ready(cx) {
            Poll::Ready(Ok(guard)) => guard,
            Poll::Ready(Err(error)) => {
                SocketTransport::io_failed(transport, "Fatal read error on socket transport", &error);
                return;
            }
            Poll::Pending => return,
        };
        match receive(transport, &registration) {
            Received::Data { delivery, filled } => {
                // A read that did not fill its buffer has emptied the socket; the next byte is a
                // new edge. (tokio's own streams rely on the same.) Not so over Unix sockets, where
                // a read stops at a message with descriptors.
                if !filled && !this.connection.borrow(py).is_unix {
                    guard.clear_ready();
                }
                deliver(transport, delivery);
                if filled || this.connection.borrow(py).is_unix {
                    // More is waiting: callbacks get their turn before the next read, as in asyncio.
                    cx.waker().wake_by_ref();
                    return;
                }
            }
            Received::Nothing => guard.clear_ready(),
            Received::EndOfFile => SocketTransport::end_of_file(transport),
            Received::Failed(error) => {
                SocketTransport::io_failed(transport, "Fatal read error on socket transport", &error);
            }
            Received::ProtocolFailed(message, error) => SocketTransport::fatal(transport, message, error),
        }
    }
}

enum Received {
    Data { delivery: Delivery, filled: bool },
    Nothing,
    EndOfFile,
    Failed(io::Error),
    ProtocolFailed(&'static str, PyErr),
}

unsafe extern "C" {
    /// Part of CPython's stable interface for all its underscore; pyo3 does not declare it.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> std::ffi::c_int;
}

type BytesReceived = PyResult<rustix::io::Result<(usize, Py<PyBytes>)>>;

/// Reads by way of the loop's own buffer: how much comes is not known, and small objects are cheap.
fn receive_and_copy(py: Python<'_>, state: &LoopState, registration: &Registration) -> BytesReceived {
    let mut buffer = state.read_buffer(py);
    let memory = buffer.get_mut(..READ_AT_ONCE).unwrap_or_default();
    Ok(rustix::net::recv(borrow(registration), memory, RecvFlags::DONTWAIT)
        .map(|(count, _)| (count, PyBytes::new(py, buffer.get(..count).unwrap_or_default()).unbind())))
}

/// Reads into a new object, cut to length afterwards: copying much costs more than that.
fn receive_in_place(py: Python<'_>, registration: &Registration) -> BytesReceived {
    // SAFETY: a null pointer asks for memory that is not initialised; null is an error, and handled.
    let mut object = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), READ_AT_ONCE as isize) };
    if object.is_null() {
        return Err(PyErr::fetch(py));
    }
    // SAFETY: the object is new, of that size, and nobody else knows it.
    let memory = unsafe {
        let start = ffi::PyBytes_AsString(object).cast::<MaybeUninit<u8>>();
        std::slice::from_raw_parts_mut(start, READ_AT_ONCE)
    };
    let count = match rustix::net::recv(borrow(registration), memory, RecvFlags::DONTWAIT) {
        Ok(((filled, _), _)) => filled.len(),
        Err(error) => {
            // SAFETY: the only reference, given up.
            unsafe { ffi::Py_DECREF(object) };
            return Ok(Err(error));
        }
    };
    // SAFETY: nobody else knows the object; `count` bytes of it are initialised. On failure the call
    // has given the object up, set `object` to null and an exception.
    unsafe {
        _PyBytes_Resize(&raw mut object, count as isize);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?;
        Ok(Ok((count, bytes.cast_into_unchecked::<PyBytes>().unbind())))
    }
}

fn receive(transport: &Bound<'_, SocketTransport>, registration: &Registration) -> Received {
    let (py, this) = (transport.py(), transport.get());
    let receiver = match this.receiver(py) {
        Ok(receiver) => receiver,
        Err(error) => {
            return Received::ProtocolFailed("Fatal error: the protocol cannot receive data.", error);
        }
    };
    let outcome = match receiver {
        Receiver::Streaming => {
            let expected = this.connection.borrow(py).last_read as usize;
            let received = if expected < LARGE_READ {
                receive_and_copy(py, this.endpoint.state(), registration)
            } else {
                receive_in_place(py, registration)
            };
            match received {
                Ok(received) => received.map(|(count, bytes)| {
                    this.connection.borrow_mut(py).last_read = u32::try_from(count).unwrap_or(u32::MAX);
                    (count, count == READ_AT_ONCE, Delivery::Bytes(bytes))
                }),
                Err(error) => return Received::ProtocolFailed("Fatal read error on socket transport", error),
            }
        }
        Receiver::Buffered => {
            let protocol = this.endpoint.protocol(py);
            let memory = match in_context(py, &this.endpoint.context, || lend(py, &protocol)) {
                Ok(memory) => memory,
                Err(error) => {
                    return Received::ProtocolFailed(
                        "Fatal error: protocol.get_buffer() call failed.",
                        error,
                    );
                }
            };
            // SAFETY: `lend` made sure that the memory is writable and contiguous; the buffer is
            // held over the call, so it stays, and the GIL is held, so nobody else writes to it.
            let bytes =
                unsafe { std::slice::from_raw_parts_mut(memory.buf_ptr().cast::<u8>(), memory.len_bytes()) };
            let room = bytes.len();
            rustix::net::recv(borrow(registration), bytes, RecvFlags::DONTWAIT)
                .map(|(count, _)| (count, count == room, Delivery::Count(count)))
        }
    };
    match outcome {
        Ok((0, ..)) => Received::EndOfFile,
        Ok((_, filled, delivery)) => Received::Data { delivery, filled },
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Received::Nothing,
        Err(error) => Received::Failed(error.into()),
    }
}

fn deliver(transport: &Bound<'_, SocketTransport>, delivery: Delivery) {
    let (py, this) = (transport.py(), transport.get());
    let (protocol, failure) = (this.endpoint.protocol(py), delivery.failure());
    if let Err(error) = in_context(py, &this.endpoint.context, || delivery.call(py, &protocol)) {
        SocketTransport::fatal(transport, failure, error);
    }
}
