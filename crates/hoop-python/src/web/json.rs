//! JSON of what a handler returns (RFC 8259), written in one go.

use hoop_route::{write_float, write_integer, write_text};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::dicts::next_pair;

/// Deeper than this is a value that holds itself.
const DEEPEST: usize = 500;

/// Writes an object as JSON. What has no JSON of its own goes to `other`, which returns an object that
/// has, or bytes that are JSON already.
#[pyfunction]
pub fn encode_json<'py>(
    value: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &json_of(value, other)?))
}

/// The same, for the engine itself.
pub fn json_of<'py>(value: &Bound<'py, PyAny>, other: &Bound<'py, PyAny>) -> PyResult<Vec<u8>> {
    let mut encoder = Encoder { bytes: Vec::with_capacity(256), other, depth: 0 };
    encoder.write(value)?;
    Ok(encoder.bytes)
}

struct Encoder<'a, 'py> {
    bytes: Vec<u8>,
    other: &'a Bound<'py, PyAny>,
    depth: usize,
}

impl<'py> Encoder<'_, 'py> {
    fn write(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if value.is_none() {
            self.bytes.extend_from_slice(b"null");
        } else if let Ok(text) = value.cast_exact::<PyString>() {
            write_text(&mut self.bytes, text.to_str()?);
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            self.bytes.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.integer(number)?;
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            write_float(&mut self.bytes, number.value());
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.nested(|encoder| encoder.dict(dict))?;
        } else if let Ok(list) = value.cast::<PyList>() {
            self.nested(|encoder| encoder.sequence(list.iter()))?;
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.nested(|encoder| encoder.sequence(tuple.iter()))?;
        } else {
            self.nested(|encoder| encoder.something_else(value))?;
        }
        Ok(())
    }

    fn nested(&mut self, work: impl FnOnce(&mut Self) -> PyResult<()>) -> PyResult<()> {
        if self.depth == DEEPEST {
            return Err(PyValueError::new_err(format!(
                "the value is nested more than {DEEPEST} deep, or holds itself: it cannot be written as JSON"
            )));
        }
        self.depth += 1;
        work(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn integer(&mut self, number: &Bound<'py, PyInt>) -> PyResult<()> {
        match number.extract::<i64>() {
            Ok(number) => write_integer(&mut self.bytes, number),
            // Larger ones have as many digits as they need, in JSON too.
            Err(_) => self.bytes.extend_from_slice(number.str()?.to_str()?.as_bytes()),
        }
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<()> {
        self.bytes.push(b'{');
        let size = dict.len();
        let mut position = 0;
        let mut is_first = true;
        while let Some((key, value)) = next_pair(dict, &mut position) {
            if !std::mem::take(&mut is_first) {
                self.bytes.push(b',');
            }
            self.key(&key)?;
            self.bytes.push(b':');
            self.write(&value)?;
            // A value of the application's own may run code that changes the dict.
            if dict.len() != size {
                return Err(PyRuntimeError::new_err("a dict changed its size while it was written as JSON"));
            }
        }
        self.bytes.push(b'}');
        Ok(())
    }

    /// Keys are texts; numbers, truth values and None are written as such, as Python's `json` does.
    fn key(&mut self, key: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Ok(text) = key.cast_exact::<PyString>() {
            write_text(&mut self.bytes, text.to_str()?);
            return Ok(());
        }
        let mut inner = Encoder { bytes: Vec::new(), other: self.other, depth: self.depth + 1 };
        inner.write(key)?;
        match inner.bytes.first() {
            Some(b'"') => self.bytes.extend_from_slice(&inner.bytes),
            Some(b'{' | b'[') | None => {
                return Err(PyTypeError::new_err(format!(
                    "{} cannot be a key in JSON",
                    key.get_type().name()?
                )));
            }
            _ => {
                self.bytes.push(b'"');
                self.bytes.extend_from_slice(&inner.bytes);
                self.bytes.push(b'"');
            }
        }
        Ok(())
    }

    fn sequence(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<()> {
        self.bytes.push(b'[');
        let mut is_first = true;
        for item in items {
            if !std::mem::take(&mut is_first) {
                self.bytes.push(b',');
            }
            self.write(&item)?;
        }
        self.bytes.push(b']');
        Ok(())
    }

    fn something_else(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let replaced = self.other.call1((value,))?;
        match replaced.cast::<PyBytes>() {
            Ok(json) => {
                self.bytes.extend_from_slice(json.as_bytes());
                Ok(())
            }
            Err(_) => self.write(&replaced),
        }
    }
}
