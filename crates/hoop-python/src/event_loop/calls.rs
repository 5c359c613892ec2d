//! Calls from Rust into Python that survive the end of the interpreter.
//!
//! Up to 3.13 CPython ends a daemon thread that comes back for the GIL during finalisation by
//! `pthread_exit`, which unwinds its stack. tokio and pyo3 catch what unwinds, must not catch that, and
//! abort the process. So a thread that is unwound here stops here, as one does in 3.14 (gh-87135).
//!
//! Rules for the unsafe code:
//! 1. The functions are CPython's own, with the signatures of its headers, but allowed to unwind.
//! 2. The caller holds the GIL; arguments are live references for the length of the call.
//! 3. What is returned is a new reference, or null with an exception set.

use std::hint::black_box;
use std::time::Duration;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::errors::internal;

/// More positional arguments than this go in a tuple.
const MOST_ARGUMENTS: usize = 3;

type Vectorcall =
    unsafe extern "C-unwind" fn(*mut PyObject, *const *mut PyObject, usize, *mut PyObject) -> *mut PyObject;
type CallWithTuple =
    unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;

/// `PyObject_Vectorcall` as a function that may unwind. pyo3 declares it as one that does not, and
/// the linker's optimiser believes the stricter of two declarations; it cannot see through this.
#[inline]
fn vectorcall() -> Vectorcall {
    // SAFETY: rule 1: the same signature but for the ABI's promise about unwinding.
    unsafe { std::mem::transmute(black_box(ffi::PyObject_Vectorcall as *const ())) }
}

/// `PyObject_Call` likewise.
#[inline]
fn call_with_tuple() -> CallWithTuple {
    // SAFETY: as above.
    unsafe { std::mem::transmute(black_box(ffi::PyObject_Call as *const ())) }
}

/// `PyObject_VectorcallMethod` likewise: the object is the first argument.
#[inline]
fn vectorcall_method() -> Vectorcall {
    // SAFETY: as above.
    unsafe { std::mem::transmute(black_box(ffi::PyObject_VectorcallMethod as *const ())) }
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
        *pointer = argument.as_ptr();
    }
    let guard = StopIfUnwound;
    // SAFETY: rules 1 and 2; `count` is at most the length of `pointers`.
    let result = unsafe {
        let count = arguments.len().min(MOST_ARGUMENTS);
        vectorcall()(callable.as_ptr(), pointers.as_ptr(), count, std::ptr::null_mut())
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
    let result = unsafe { call_with_tuple()(callable.as_ptr(), arguments.as_ptr(), keywords) };
    std::mem::forget(guard);
    owned(py, result)
}

/// Calls `callable` with keywords alone: as many arguments as there are names.
pub fn call_named(
    py: Python<'_>,
    callable: &Py<PyAny>,
    names: &Bound<'_, PyTuple>,
    arguments: &[Py<PyAny>],
) -> PyResult<Py<PyAny>> {
    if names.len() != arguments.len() {
        return Err(internal("a call with more names than arguments, or fewer"));
    }
    let guard = StopIfUnwound;
    // SAFETY: rules 1 and 2; `Py` is a pointer and nothing else, and there are as many as names.
    let result = unsafe { vectorcall()(callable.as_ptr(), arguments.as_ptr().cast(), 0, names.as_ptr()) };
    std::mem::forget(guard);
    owned(py, result)
}

/// Calls a method with up to three arguments; no bound method is made for it.
#[inline]
pub fn call_method(
    object: &Py<PyAny>,
    name: &Bound<'_, PyString>,
    arguments: &[&Py<PyAny>],
) -> PyResult<Py<PyAny>> {
    let mut pointers = [std::ptr::null_mut(); 1 + MOST_ARGUMENTS];
    debug_assert!(arguments.len() <= MOST_ARGUMENTS, "more arguments go in a tuple");
    for (pointer, argument) in pointers.iter_mut().zip([object].iter().chain(arguments)) {
        *pointer = argument.as_ptr();
    }
    let guard = StopIfUnwound;
    // SAFETY: rules 1 and 2; `count` is at most the length of `pointers`, and at least one.
    let result = unsafe {
        let count = 1 + arguments.len().min(MOST_ARGUMENTS);
        vectorcall_method()(name.as_ptr(), pointers.as_ptr(), count, std::ptr::null_mut())
    };
    std::mem::forget(guard);
    owned(name.py(), result)
}

fn owned(py: Python<'_>, result: *mut PyObject) -> PyResult<Py<PyAny>> {
    // SAFETY: rule 3.
    unsafe { Bound::from_owned_ptr_or_err(py, result) }.map(Bound::unbind)
}
