//! Header fields as a multi-dict, over the engine's own table: names in any case, values as text.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyString, PyTuple};

use super::failure::named;
use crate::gil_cell::GilCell;

/// Fields of a request, a response or a client. Who has shared them sees no change: the next makes a copy.
#[pyclass(frozen, mapping, module = "hoopsnake", name = "Headers")]
pub struct Headers(pub GilCell<Arc<HeaderMap>>);

/// A value as text: UTF-8 where it is, else Latin-1, of which every byte is a character.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

fn wrong(py: Python<'_>, what: &str, given: &str) -> PyErr {
    named(py, "LocalProtocolError", format!("{given:?} is no header {what} that may be sent"))
}

fn bytes_of<'a>(given: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes());
    }
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(bytes.as_bytes());
    }
    Err(PyTypeError::new_err(format!("header names and values are str or bytes, not {}", given.get_type())))
}

fn name_of(given: &Bound<'_, PyAny>) -> PyResult<HeaderName> {
    let bytes = bytes_of(given)?;
    HeaderName::from_bytes(bytes).map_err(|_| wrong(given.py(), "name", &String::from_utf8_lossy(bytes)))
}

fn value_of(given: &Bound<'_, PyAny>) -> PyResult<HeaderValue> {
    let bytes = bytes_of(given)?;
    HeaderValue::from_bytes(bytes.trim_ascii())
        .map_err(|_| wrong(given.py(), "value", &String::from_utf8_lossy(bytes)))
}

/// Reads what may be given for headers: a mapping, or pairs.
pub fn fields(given: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let py = given.py();
    if let Ok(headers) = given.cast::<Headers>() {
        return Ok(HeaderMap::clone(&headers.get().0.borrow(py)));
    }
    let mut fields = HeaderMap::new();
    if given.is_none() {
        return Ok(fields);
    }
    let pairs = match given.cast::<PyDict>() {
        Ok(dict) => dict.items().into_any(),
        Err(_) if given.hasattr("items")? => given.call_method0("items")?,
        Err(_) => given.clone(),
    };
    for pair in pairs.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
        fields.append(name_of(&name)?, value_of(&value)?);
    }
    Ok(fields)
}

impl Headers {
    pub fn of(fields: HeaderMap) -> Self {
        Self(GilCell::new(Arc::new(fields)))
    }

    /// The fields as they are now.
    pub fn shared(&self, py: Python<'_>) -> Arc<HeaderMap> {
        self.0.borrow(py).clone()
    }

    /// Changes them, for all but those who have shared them.
    fn change<T>(&self, py: Python<'_>, change: impl FnOnce(&mut HeaderMap) -> T) -> T {
        change(Arc::make_mut(&mut self.0.borrow_mut(py)))
    }

    fn joined(&self, py: Python<'_>, name: &str) -> Option<String> {
        let fields = self.0.borrow(py);
        let mut values = fields.get_all(name).iter();
        let mut joined = text(values.next()?);
        for value in values {
            joined.push_str(", ");
            joined.push_str(&text(value));
        }
        Some(joined)
    }

    fn names(&self, py: Python<'_>) -> Vec<String> {
        self.0.borrow(py).keys().map(|name| name.as_str().to_owned()).collect()
    }
}

#[pymethods]
impl Headers {
    #[new]
    #[pyo3(signature = (headers=None))]
    fn new(headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self::of(headers.map_or_else(|| Ok(HeaderMap::new()), fields)?))
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<String> {
        self.joined(py, name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __setitem__(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, name, value) = (name.py(), name_of(name)?, value_of(value)?);
        self.change(py, |own| own.insert(name, value));
        Ok(())
    }

    fn __delitem__(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let removed = self.change(py, |own| own.remove(name));
        removed.map(drop).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> bool {
        name.cast::<PyString>()
            .is_ok_and(|name| name.to_str().is_ok_and(|name| self.0.borrow(py).contains_key(name)))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.borrow(py).keys_len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.names(py).into_pyobject(py)?.try_iter()
    }

    /// The values of a name, joined by commas; `default` if it has none.
    #[pyo3(signature = (name, default=None))]
    fn get(&self, py: Python<'_>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        match self.joined(py, name) {
            Some(value) => Ok(value.into_pyobject(py)?.into_any().unbind()),
            None => Ok(default.unwrap_or_else(|| py.None())),
        }
    }

    /// The values of a name, each by itself.
    fn get_list(&self, py: Python<'_>, name: &str) -> Vec<String> {
        self.0.borrow(py).get_all(name).iter().map(text).collect()
    }

    /// Names, each once.
    fn keys(&self, py: Python<'_>) -> Vec<String> {
        self.names(py)
    }

    /// Values, those of a name joined by commas.
    fn values(&self, py: Python<'_>) -> Vec<String> {
        self.names(py).iter().filter_map(|name| self.joined(py, name)).collect()
    }

    /// Names and values, each name once.
    fn items(&self, py: Python<'_>) -> Vec<(String, String)> {
        self.names(py)
            .into_iter()
            .filter_map(|name| self.joined(py, &name).map(|value| (name, value)))
            .collect()
    }

    /// Names and values, each value by itself.
    fn multi_items(&self, py: Python<'_>) -> Vec<(String, String)> {
        self.0.borrow(py).iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
    }

    /// Names and values as they go over the wire.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.0
            .borrow(py)
            .iter()
            .map(|(name, value)| {
                let pair = [PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes())];
                PyTuple::new(py, pair)
            })
            .collect()
    }

    /// Sets what is given, in place of what has the same name.
    fn update(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let given = fields(headers)?;
        self.change(headers.py(), |own| {
            for name in given.keys() {
                own.remove(name);
            }
            for (name, value) in &given {
                own.append(name.clone(), value.clone());
            }
        });
        Ok(())
    }

    /// One more value for a name.
    fn append(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, name, value) = (name.py(), name_of(name)?, value_of(value)?);
        self.change(py, |own| own.append(name, value));
        Ok(())
    }

    /// The values of a name, which has them from now on at the latest.
    fn setdefault(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<String> {
        let (py, name, value) = (name.py(), name_of(name)?, value_of(value)?);
        self.change(py, |own| {
            own.entry(name.clone()).or_insert(value);
        });
        Ok(self.joined(py, name.as_str()).unwrap_or_default())
    }

    /// Removes a name, and returns the values it had.
    #[pyo3(signature = (name, *default))]
    fn pop(&self, py: Python<'_>, name: &str, default: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        match self.joined(py, name) {
            Some(value) => {
                self.change(py, |own| own.remove(name));
                Ok(value.into_pyobject(py)?.into_any().unbind())
            }
            None if !default.is_empty() => Ok(default.get_item(0)?.unbind()),
            None => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn copy(&self, py: Python<'_>) -> Self {
        Self(GilCell::new(self.shared(py)))
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> bool {
        fields(other).is_ok_and(|other| {
            let sorted = |fields: &HeaderMap| {
                let mut pairs: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
                pairs.sort();
                pairs
            };
            sorted(&self.0.borrow(py)) == sorted(&other)
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let shown = |(name, value): (String, String)| {
            let is_secret = matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie");
            (name, if is_secret { "[secure]".to_owned() } else { value })
        };
        format!("Headers({:?})", self.multi_items(py).into_iter().map(shown).collect::<Vec<_>>())
    }
}
