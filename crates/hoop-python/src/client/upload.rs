//! Request bodies that are made as they go, by a coroutine that waits when it is too far ahead.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use hoop_net::BodySender;
use hoop_net::client::Payload;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

use crate::event_loop::LoopCore;
use crate::event_loop::awaitable::Running;
use crate::event_loop::promise::Promise;
use crate::gil_cell::GilCell;

use super::call::running_loop;

/// The coroutine may run ahead of the connection by so many bytes.
const AHEAD: u64 = 64 * 1024;

/// Where the coroutine puts the pieces.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct UploadSink(GilCell<Option<BodySender>>);

#[pymethods]
impl UploadSink {
    /// Queues a piece. Whether there is room for another; if not, `room()` is to be awaited.
    fn write(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> bool {
        let sender = self.0.borrow(py);
        let Some(sender) = &*sender else { return true };
        sender.push(Bytes::copy_from_slice(piece.as_bytes()));
        sender.buffered() < AHEAD
    }

    /// A future that is done once all that was queued is on its way, or nobody wants it.
    fn room(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let promise = Promise::new(&running_loop(py)?)?;
        let awaited = promise.awaitable(py);
        let settle = move || {
            Python::attach(|py| {
                if let Err(error) = promise.settle(py, py.None()) {
                    error.write_unraisable(py, None);
                }
            });
        };
        match &*self.0.borrow(py) {
            Some(sender) if sender.buffered() > 0 && !sender.is_reader_gone() => sender.when_drained(settle),
            _ => settle(),
        }
        Ok(awaited)
    }

    /// The body is complete.
    fn finish(&self, py: Python<'_>) {
        if let Some(sender) = self.0.take(py) {
            sender.finish();
        }
    }
}

/// A body that `hoopsnake._client._upload.feed` makes of an asynchronous iterator.
pub fn begin(
    python_loop: &Bound<'_, LoopCore>,
    content: &Py<PyAny>,
    length: Option<u64>,
) -> PyResult<(Payload, Running)> {
    static FEED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = python_loop.py();
    let (sender, payload) = Payload::stream(length);
    let sink = Py::new(py, UploadSink(GilCell::new(Some(sender))))?;
    let coroutine = FEED.import(py, "hoopsnake._client._upload", "feed")?.call1((content, sink))?;
    Ok((payload, Running::start(python_loop, &coroutine)?))
}

/// Awaits `future` while the coroutine makes the body; an exception of its ends both.
pub async fn fed<T>(
    feeding: &mut Option<Running>,
    mut future: Pin<&mut impl Future<Output = T>>,
) -> PyResult<T> {
    poll_fn(|cx| {
        if let Some(running) = feeding
            && let Poll::Ready(outcome) = Pin::new(running).poll(cx)
        {
            *feeding = None;
            outcome?;
        }
        future.as_mut().poll(cx).map(Ok)
    })
    .await
}
