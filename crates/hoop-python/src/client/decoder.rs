//! Content codings undone for bodies that Python has: those of responses which no engine has fetched.

use bytes::Bytes;
use hoop_net::client::{Decoding, Failure};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::failure::unsent;
use super::headers::Headers;
use crate::gil_cell::GilCell;

/// Undoes what a response's Content-Encoding names; bytes of no coding pass as they are.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct BodyDecoder(GilCell<Option<Box<Decoding>>>);

#[pymethods]
impl BodyDecoder {
    #[new]
    fn new(py: Python<'_>, headers: &Bound<'_, Headers>) -> PyResult<Self> {
        let decoding = Decoding::of(&headers.get().0.borrow(py));
        Ok(Self(GilCell::new(decoding.map_err(|failure| unsent(py, &failure))?)))
    }

    /// What comes out of a piece.
    fn feed<'py>(&self, piece: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyBytes>> {
        let py = piece.py();
        let unpacked = self.0.borrow_mut(py).as_mut().map(|decoding| fed(decoding, piece.as_bytes()));
        match unpacked {
            None => Ok(piece.clone()),
            Some(Ok(unpacked)) => Ok(PyBytes::new(py, &unpacked)),
            Some(Err(failure)) => Err(unsent(py, &failure)),
        }
    }

    /// What comes out last. Raises DecodingError if something is missing.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let last = match self.0.take(py) {
            Some(mut decoding) => decoding.finish().map_err(|failure| unsent(py, &failure))?,
            None => Bytes::new(),
        };
        Ok(PyBytes::new(py, &last))
    }
}

fn fed(decoding: &mut Decoding, piece: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut unpacked = Vec::new();
    decoding.push(Bytes::copy_from_slice(piece));
    while let Some(bytes) = decoding.pull()? {
        unpacked.extend_from_slice(&bytes);
    }
    Ok(unpacked)
}
