//! What a handle runs: a callback, its arguments, and the context that it runs in.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::calls;

/// Positional arguments of a callback. C tasks pass none or one, which then cost no tuple.
#[derive(Debug)]
pub enum Arguments {
    None,
    One(Py<PyAny>),
    Many(Py<PyTuple>),
}

impl Arguments {
    pub fn from_tuple(args: &Bound<'_, PyTuple>) -> Self {
        match args.len() {
            0 => Self::None,
            1 => args.get_item(0).map_or_else(|_| Self::None, |only| Self::One(only.unbind())),
            _ => Self::Many(args.clone().unbind()),
        }
    }

    pub fn to_tuple(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(match self {
            Self::None => PyTuple::empty(py).unbind(),
            Self::One(only) => PyTuple::new(py, [only])?.unbind(),
            Self::Many(all) => all.clone_ref(py),
        })
    }
}

/// What a handle runs, and in which context.
#[derive(Debug)]
pub struct Call {
    pub callback: Py<PyAny>,
    pub arguments: Arguments,
    pub context: Py<PyAny>,
}

impl Call {
    /// Calls the callback inside its context.
    #[inline]
    pub fn invoke(&self, py: Python<'_>) -> PyResult<()> {
        in_context(py, &self.context, || {
            match &self.arguments {
                Arguments::None => calls::call(py, &self.callback, &[]),
                Arguments::One(only) => calls::call(py, &self.callback, &[only]),
                Arguments::Many(all) => calls::call_with(py, &self.callback, all.bind(py), None),
            }
            .map(drop)
        })
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callback)?;
        visit.call(&self.context)?;
        match &self.arguments {
            Arguments::None => Ok(()),
            Arguments::One(only) => visit.call(only),
            Arguments::Many(all) => visit.call(all),
        }
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            callback: self.callback.clone_ref(py),
            arguments: match &self.arguments {
                Arguments::None => Arguments::None,
                Arguments::One(only) => Arguments::One(only.clone_ref(py)),
                Arguments::Many(all) => Arguments::Many(all.clone_ref(py)),
            },
            context: self.context.clone_ref(py),
        }
    }
}

/// Runs `work` with `context` entered (PEP 567), and leaves it whatever happens.
#[inline]
pub fn in_context<T>(py: Python<'_>, context: &Py<PyAny>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: the GIL is held and `context` is a live object; a wrong type is an error, not a crash.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    let result = work();
    // SAFETY: as above; no exception is set, for `work` fetched its own.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    result
}

/// A copy of the current context, which asyncio takes whenever the caller names none.
#[inline]
pub fn current_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: the GIL is held; the call returns a new reference or null with an exception set.
    Ok(unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }?.unbind())
}

/// Whether an exception must leave `run_forever` instead of going to the exception handler.
pub fn leaves_the_loop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py)
}
