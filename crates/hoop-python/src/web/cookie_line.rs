//! What Cookie headers say, for those who look at the request.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The cookies of a header line; of several of one name the last.
#[pyfunction]
pub fn cookies<'py>(py: Python<'py>, line: &str) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, value) in hoop_route::cookies(line) {
        found.set_item(name, &*value)?;
    }
    Ok(found)
}
