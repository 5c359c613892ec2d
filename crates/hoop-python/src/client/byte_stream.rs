//! A response's body as `async for` reads it: the pieces that the engine has, with nothing of Python's between.

use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;

use super::call::Call;
use super::response::Response;
use super::response_body::next_chunk;
use crate::gil_cell::GilCell;

/// What `Response.aiter_bytes()` and `aiter_raw()` return. Who breaks off closes the response.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct ByteStream {
    response: Py<Response>,
    raw: bool,
    progress: GilCell<Progress>,
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Fresh,
    Reads,
    Over,
}

impl ByteStream {
    pub fn new(response: Py<Response>, raw: bool) -> Self {
        Self { response, raw, progress: GilCell::new(Progress::Fresh) }
    }

    /// What a response that was read already has, which is there in one piece.
    fn whole(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        if self.progress.get(py) != Progress::Fresh {
            return None;
        }
        self.response.get().read_already(py).map(Py::into_any)
    }
}

#[pymethods]
impl ByteStream {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next piece. Raises what reading it runs into.
    fn __anext__(slf: Py<Self>) -> Call {
        Call::new(move |python_loop| {
            let (py, stream) = (python_loop.py(), slf.get());
            if !stream.raw
                && let Some(whole) = stream.whole(py)
            {
                stream.progress.set(py, Progress::Over);
                let is_empty = whole.bind(py).is_empty()?;
                return Ok(Box::pin(async move {
                    if is_empty { Err(PyStopAsyncIteration::new_err(())) } else { Ok(whole) }
                }));
            }
            if stream.progress.get(py) == Progress::Over {
                return Err(PyStopAsyncIteration::new_err(()));
            }
            let reading = next_chunk(py, &stream.response, stream.raw)?;
            stream.progress.set(py, Progress::Reads);
            Ok(Box::pin(async move {
                let chunk = reading.await?;
                let Some(bytes) = chunk else {
                    Python::attach(|py| slf.get().progress.set(py, Progress::Over));
                    return Err(PyStopAsyncIteration::new_err(()));
                };
                Ok(bytes.into_any())
            }))
        })
    }

    /// Closes the response.
    fn aclose(slf: Py<Self>) -> Call {
        Call::new(move |python_loop| {
            let (py, stream) = (python_loop.py(), slf.get());
            stream.progress.set(py, Progress::Over);
            stream.response.get().end(py)?;
            Ok(Box::pin(async { Ok(Python::attach(|py| py.None())) }))
        })
    }
}

impl Drop for ByteStream {
    fn drop(&mut self) {
        Python::attach(|py| {
            if self.progress.get(py) == Progress::Reads
                && let Err(error) = self.response.get().end(py)
            {
                error.write_unraisable(py, None);
            }
        });
    }
}
