//! What is wrong with a request, as the `detail` of FastAPI's 422 answers has it.

use hoop_route::{Breach, Detail, Input, Number, Parameter};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The errors of a request: for each breach the number of its parameter, and a dict.
pub fn errors<'py>(
    py: Python<'py>,
    parameters: &[Parameter],
    breaches: Vec<Breach<'_>>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for breach in breaches {
        let Some(parameter) = parameters.get(breach.parameter) else { continue };
        list.append((breach.parameter, error(py, parameter, &breach)?))?;
    }
    Ok(list)
}

fn error<'py>(py: Python<'py>, parameter: &Parameter, breach: &Breach<'_>) -> PyResult<Bound<'py, PyDict>> {
    let place = PyList::new(py, [parameter.place.name(), &*parameter.name])?;
    if let Some(item) = breach.item {
        place.append(item)?;
    }
    let error = PyDict::new(py);
    error.set_item(intern!(py, "type"), breach.complaint.kind())?;
    error.set_item(intern!(py, "loc"), place)?;
    error.set_item(intern!(py, "msg"), breach.complaint.to_string())?;
    match &breach.input {
        Input::Nothing => error.set_item(intern!(py, "input"), py.None())?,
        Input::Text(text) => error.set_item(intern!(py, "input"), &**text)?,
        Input::Texts(texts) => {
            error.set_item(intern!(py, "input"), PyList::new(py, texts.iter().map(|text| &**text))?)?;
        }
    }
    let details = breach.complaint.details();
    if !details.is_empty() {
        let context = PyDict::new(py);
        for (name, detail) in details {
            match detail {
                Detail::Number(Number::Integer(number)) => context.set_item(name, number)?,
                Detail::Number(Number::Float(number)) => context.set_item(name, number)?,
                Detail::Count(count) => context.set_item(name, count)?,
                Detail::Text(text) => context.set_item(name, text)?,
            }
        }
        error.set_item(intern!(py, "ctx"), context)?;
    }
    Ok(error)
}
