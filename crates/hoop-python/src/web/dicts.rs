//! Dicts looked at without asking Python: pair by pair, and those in which objects keep their attributes.
//!
//! Rules for the unsafe code:
//! 1. Both functions are called with the GIL held and on live objects.
//! 2. `PyDict_Next` looks at the dict's own bounds each time, so that a dict that changes in between shows
//!    pairs that it has, or none.
//! 3. What it shows is borrowed from the dict, and owned here before any other code runs.
//! 4. `PyObject_GenericGetDict` returns a new reference, or null with an exception set.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The next pair of a dict, from `position` on.
pub fn next_pair<'py>(
    dict: &Bound<'py, PyDict>,
    position: &mut ffi::Py_ssize_t,
) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: rules 1 to 3.
    unsafe {
        if ffi::PyDict_Next(dict.as_ptr(), position, &raw mut key, &raw mut value) == 0 {
            return None;
        }
        let py = dict.py();
        Some((Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, value)))
    }
}

/// The value of a name that is most likely the next one from `position` on; else it is looked for.
pub fn value_of<'py>(
    dict: &Bound<'py, PyDict>,
    position: &mut ffi::Py_ssize_t,
    name: &Py<PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match next_pair(dict, position) {
        Some((key, value)) if key.is(name) => Ok(Some(value)),
        _ => dict.get_item(name),
    }
}

/// Where an object keeps its attributes: its `__dict__`, whatever its class makes of attributes. None if it
/// has none.
pub fn attributes_of<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    let py = object.py();
    // SAFETY: rules 1 and 4.
    let dict = unsafe {
        let dict = ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, dict)
    };
    // Without one the error says so.
    dict.ok()?.cast_into::<PyDict>().ok()
}
