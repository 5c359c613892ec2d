//! Calls from Rust into Python that survive the end of the interpreter.
//!
//! Up to 3.13 CPython ends a daemon thread that comes back for the GIL during finalisation by
//! `pthread_exit`, which unwinds its stack. tokio and pyo3 catch what unwinds, must not catch that, and
//! abort the process. So a thread that is unwound here stops here, as one does in 3.14 (gh-87135).
//!
//! Rules for the unsafe code:
//! 1. The functions are CPython's own, declared as in its headers, but as allowed to unwind.
//! 2. The caller holds the GIL; arguments are live references for the length of the call.
//! 3. What is returned is a new reference, or null with an exception set.

use std::os::raw::c_void;
use std::time::Duration;

use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// More positional arguments than this go in a tuple.
const MOST_ARGUMENTS: usize = 3;

unsafe extern "C-unwind" {
    fn PyObject_Vectorcall(
        callable: *mut c_void,
        arguments: *const *mut c_void,
        count: usize,
        keyword_names: *mut c_void,
    ) -> *mut c_void;
    fn PyObject_Call(callable: *mut c_void, arguments: *mut c_void, keywords: *mut c_void) -> *mut c_void;
}

/// Stops a thread for good when it is unwound by something other than a return.
struct StopIfUnwound;

impl Drop for StopIfUnwound {
    fn drop(&mut self) {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}

/// Calls `callable` with up to three arguments.
#[inline]
pub fn call(py: Python<'_>, callable: &Py<PyAny>, arguments: &[&Py<PyAny>]) -> PyResult<Py<PyAny>> {
    let mut pointers = [std::ptr::null_mut(); MOST_ARGUMENTS];
    debug_assert!(arguments.len() <= MOST_ARGUMENTS, "more arguments go in a tuple");
    for (pointer, argument) in pointers.iter_mut().zip(arguments) {
        *pointer = argument.as_ptr().cast();
    }
    let guard = StopIfUnwound;
    // SAFETY: rules 1 and 2; `count` is at most the length of `pointers`.
    let result = unsafe {
        let count = arguments.len().min(MOST_ARGUMENTS);
        PyObject_Vectorcall(callable.as_ptr().cast(), pointers.as_ptr(), count, std::ptr::null_mut())
    };
    std::mem::forget(guard);
    owned(py, result)
}

/// Calls `callable` with the arguments in a tuple, and perhaps with keywords.
pub fn call_with(
    py: Python<'_>,
    callable: &Py<PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Py<PyAny>> {
    let keywords = keywords.map_or(std::ptr::null_mut(), |keywords| keywords.as_ptr());
    let guard = StopIfUnwound;
    // SAFETY: rules 1 and 2.
    let result =
        unsafe { PyObject_Call(callable.as_ptr().cast(), arguments.as_ptr().cast(), keywords.cast()) };
    std::mem::forget(guard);
    owned(py, result)
}

/// Calls a method with up to three arguments.
pub fn call_method(
    py: Python<'_>,
    object: &Py<PyAny>,
    name: &str,
    arguments: &[&Py<PyAny>],
) -> PyResult<Py<PyAny>> {
    call(py, &object.getattr(py, name)?, arguments)
}

fn owned(py: Python<'_>, result: *mut c_void) -> PyResult<Py<PyAny>> {
    // SAFETY: rule 3.
    unsafe { Bound::from_owned_ptr_or_err(py, result.cast::<PyObject>()) }.map(Bound::unbind)
}
