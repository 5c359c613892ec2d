//! `FormReader`: a form that is read as its chunks arrive.

use hoop_form::{Form, FormKind, Limits, Value};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::errors::form_error;
use crate::gil_cell::GilCell;

/// What is to be written now: numbers of entries, and bytes.
type Pieces<'py> = Vec<(usize, Bound<'py, PyBytes>)>;

/// Reads a form; what is wrong with one is a ValueError of a text and of whether it is only too large.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct FormReader(GilCell<Option<Form>>);

#[pymethods]
impl FormReader {
    /// The reader for a Content-Type; None if that announces no form.
    #[staticmethod]
    fn for_type(
        content_type: &[u8],
        max_fields: usize,
        max_files: usize,
        max_part_size: usize,
        file_in_memory: usize,
    ) -> PyResult<Option<Self>> {
        let limits = Limits {
            fields: max_fields,
            files: max_files,
            field_size: max_part_size,
            file_in_memory,
            ..Limits::default()
        };
        let kind = FormKind::of(content_type).map_err(form_error)?;
        Ok(kind.map(|kind| Self(GilCell::new(Some(Form::new(kind, limits))))))
    }

    /// Reads a chunk; returns what of files that do not stay in memory is to be written now.
    fn feed<'py>(&self, py: Python<'py>, chunk: PyBackedBytes) -> PyResult<Option<Pieces<'py>>> {
        self.read(py, &chunk)?;
        self.overflow(py)
    }

    /// What of files that do not stay in memory is to be written now.
    fn overflow<'py>(&self, py: Python<'py>) -> PyResult<Option<Pieces<'py>>> {
        let overflow = self.0.borrow_mut(py).as_mut().ok_or_else(ended)?.overflow();
        if overflow.is_empty() {
            return Ok(None);
        }
        let pieces = overflow.into_iter().map(|piece| (piece.entry, PyBytes::new(py, &piece.bytes)));
        Ok(Some(pieces.collect()))
    }

    /// All fields, in their order: names with texts, or with file name, headers, size and content of files.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let form = self.0.replace(py, None).ok_or_else(ended)?;
        let list = PyList::empty(py);
        for entry in form.finish().map_err(form_error)? {
            let value = match entry.value {
                Value::Text(text) => PyString::new(py, &text).into_any(),
                Value::File(file) => {
                    let bytes = |bytes: &Vec<u8>| PyBytes::new(py, bytes);
                    let headers: Vec<_> =
                        file.headers.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
                    let content = file.content.as_ref().map(bytes);
                    let file: Bound<'py, PyTuple> =
                        (file.filename, headers, file.size, content).into_pyobject(py)?;
                    file.into_any()
                }
            };
            list.append((entry.name, value))?;
        }
        Ok(list)
    }
}

impl FormReader {
    /// Reads a chunk; whether something is to be written now.
    pub fn read(&self, py: Python<'_>, chunk: &[u8]) -> PyResult<bool> {
        let mut form = self.0.borrow_mut(py);
        let form = form.as_mut().ok_or_else(ended)?;
        form.feed(chunk).map_err(form_error)?;
        Ok(form.overflows())
    }
}

fn ended() -> PyErr {
    PyRuntimeError::new_err("the form has ended")
}
