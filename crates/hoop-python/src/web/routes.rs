//! `Routes`: what an application answers, compiled; asked once for each request.

use std::borrow::Cow;
use std::sync::Arc;

use hoop_route::{Destination, Pattern, Plan, Request, Router};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::breach::errors;
use super::declared::{Declared, Objects};
use crate::gil_cell::GilCell;

/// The routes themselves. Whoever asks them holds them as they are, so that none is borrowed while
/// Python's collector runs somebody's code.
#[derive(Default)]
pub struct Table {
    pub router: Router,
    pub routes: Vec<Compiled>,
}

/// What the handler of a route is given.
pub struct Compiled {
    pub plan: Plan,
    pub objects: Vec<Objects>,
}

/// The routes of an application and what their handlers are given.
#[pyclass(frozen, module = "hoopsnake._native")]
#[derive(Default)]
pub struct Routes(GilCell<Arc<Table>>);

#[pymethods]
impl Routes {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds a route for methods, or for all of them; returns its number.
    fn add(
        &self,
        py: Python<'_>,
        pattern: &str,
        methods: Option<Vec<String>>,
        parameters: Vec<Declared>,
    ) -> PyResult<usize> {
        let pattern = Pattern::parse(pattern).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut compiled = Vec::with_capacity(parameters.len());
        let mut objects = Vec::with_capacity(parameters.len());
        for declared in parameters {
            let (parameter, of_parameter) = declared.into_parts(py, pattern.names())?;
            compiled.push(parameter);
            objects.push(of_parameter);
        }
        let methods: Option<Vec<&str>> =
            methods.as_ref().map(|methods| methods.iter().map(String::as_str).collect());
        let mut table = self.0.borrow_mut(py);
        let Some(table) = Arc::get_mut(&mut table) else {
            return Err(PyRuntimeError::new_err("routes that are asked already take no more of them"));
        };
        table.routes.push(Compiled { plan: Plan::new(compiled), objects });
        Ok(table.router.add(&pattern, methods.as_deref()))
    }

    /// The names of the parameters of a path.
    #[staticmethod]
    fn path_names(pattern: &str) -> PyResult<Vec<String>> {
        let pattern = Pattern::parse(pattern).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(pattern.names().to_vec())
    }

    /// Finds the route of a request: its number, and what its path's parameters take. Where there is
    /// none: None, and the methods that there are routes for.
    fn find<'py>(&self, py: Python<'py>, method: &str, path: &str) -> PyResult<Bound<'py, PyTuple>> {
        let table = self.table(py);
        match table.router.find(method, path) {
            Destination::Route { route, captured } => {
                (route, captured.iter().map(|text| &**text).collect::<Vec<_>>()).into_pyobject(py)
            }
            Destination::OtherMethods(methods) => (py.None(), methods).into_pyobject(py),
            Destination::Nothing => (py.None(), py.None()).into_pyobject(py),
        }
    }

    /// Whether a path leads anywhere, whatever the method.
    fn knows(&self, py: Python<'_>, path: &str) -> bool {
        self.table(py).router.knows(path)
    }

    /// Reads what a handler is given: a list of arguments, and a list of errors or None. Each error
    /// comes with the number of its parameter; such a parameter's argument is its default.
    fn read<'py>(
        &self,
        py: Python<'py>,
        route: usize,
        captured: Vec<String>,
        query: &Bound<'py, PyBytes>,
        headers: &Bound<'py, PyList>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let table = self.table(py);
        let Some(compiled) = table.routes.get(route) else {
            return Err(PyValueError::new_err(format!("there is no route {route}")));
        };
        let query = String::from_utf8_lossy(query.as_bytes());
        let sent = Sent {
            captured: captured.iter().map(|text| Cow::Borrowed(text.as_str())).collect(),
            query: &query,
            headers,
        };
        let (arguments, breaches) = compiled.plan.extract(&sent);
        let list = PyList::empty(py);
        for (objects, argument) in compiled.objects.iter().zip(arguments) {
            list.append(objects.argument(py, argument)?)?;
        }
        if breaches.is_empty() {
            return (list, py.None()).into_pyobject(py);
        }
        (list, errors(py, compiled.plan.parameters(), breaches)?).into_pyobject(py)
    }
}

impl Routes {
    /// The routes as they are now.
    pub fn table(&self, py: Python<'_>) -> Arc<Table> {
        self.0.borrow(py).clone()
    }
}

/// A request as an ASGI scope has it.
struct Sent<'r, 'py> {
    captured: Vec<Cow<'r, str>>,
    query: &'r str,
    headers: &'r Bound<'py, PyList>,
}

impl<'r> Request<'r> for Sent<'r, '_> {
    fn captured(&self) -> &[Cow<'r, str>] {
        &self.captured
    }

    fn query(&self) -> &'r str {
        self.query
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = Cow<'r, str>> {
        let values = self.headers.iter().filter_map(|pair| value_of(&pair, name.as_bytes()));
        values.collect::<Vec<_>>().into_iter().map(Cow::Owned)
    }
}

/// The value of a header, if it has this name. Values are read as Latin-1, as ASGI's users do.
fn value_of(pair: &Bound<'_, PyAny>, name: &[u8]) -> Option<String> {
    let known = pair.get_item(0).ok()?.cast_into::<PyBytes>().ok()?;
    if known.as_bytes() != name {
        return None;
    }
    let value = pair.get_item(1).ok()?.cast_into::<PyBytes>().ok()?;
    Some(value.as_bytes().iter().map(|&byte| char::from(byte)).collect())
}
