//! Calls of `send` and `receive`, and the awaits of what they return, without pyo3's way in.
//!
//! pyo3 gives a class with `__call__` the slot that takes a tuple and a dict, so for each message the
//! interpreter makes a tuple to put one argument in. An application sends two messages for each request
//! and awaits both. Here the classes get a vectorcall (PEP 590) beside that slot, and the awaitable that
//! is always done gets the two slots that `await` uses.
//!
//! Rules for the unsafe code:
//! 1. A class is changed once, under the GIL, before any code but ours has an instance of it. It has no
//!    subclasses. Its other slots stay as pyo3 made them.
//! 2. The vectorcall's place lies in the instance, where [`DirectCall::place`] points. pyo3 lays out all
//!    instances of a class alike, so its distance from the object's beginning is that of any other.
//! 3. The interpreter calls these functions as it calls any of their kind: under the GIL, with an instance
//!    of the class and borrowed arguments that live as long as the call. They return a new reference, or
//!    null: with an exception set, or from `__next__` without one, which means StopIteration(None).
//! 4. No panic leaves them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::PyClass;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::internal;

/// Where an instance keeps the function by which it is called.
pub struct Place(#[expect(dead_code, reason = "the interpreter reads it")] ffi::vectorcallfunc);

impl Place {
    /// For an instance of this class.
    pub fn of<T: DirectCall>() -> Self {
        Self(called::<T>)
    }
}

/// A class whose instances are called without a tuple.
pub trait DirectCall: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync {
    fn place(&self) -> &Place;

    /// The call, if that many arguments are what it takes.
    fn call(&self, py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> Option<PyResult<Py<PyAny>>>;
}

/// A new instance; the first of its class makes the class ready.
pub fn callable<T: DirectCall>(
    py: Python<'_>,
    ready: &PyOnceLock<()>,
    value: impl Into<PyClassInitializer<T>>,
) -> PyResult<Py<T>> {
    let instance = Bound::new(py, value)?;
    ready.get_or_init(py, || {
        let distance = std::ptr::from_ref(instance.get().place()).addr() - instance.as_ptr().addr();
        // SAFETY: rules 1 and 2.
        unsafe {
            let class = (*instance.as_ptr()).ob_type;
            (*class).tp_vectorcall_offset = distance.cast_signed();
            (*class).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
            ffi::PyType_Modified(class);
        }
    });
    Ok(instance.unbind())
}

/// The vectorcall of all these classes.
unsafe extern "C" fn called<T: DirectCall>(
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: usize,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // Not more than an addition where the loop runs: its thread is attached already.
    Python::attach(|py| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: rule 3.
            unsafe {
                call(py, Bound::from_borrowed_ptr(py, slf).cast_unchecked::<T>(), arguments, count, keywords)
            }
        }))
        .unwrap_or_else(|_| Err(internal("a panic in an ASGI call")));
        match result {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                null_mut()
            }
        }
    })
}

/// # Safety
/// The pointers are as rule 3 says; `count` may carry the flag of PEP 590.
#[inline]
unsafe fn call<T: DirectCall>(
    py: Python<'_>,
    slf: &Bound<'_, T>,
    arguments: *const *mut PyObject,
    count: usize,
    keywords: *mut PyObject,
) -> PyResult<Py<PyAny>> {
    // SAFETY: by the function's contract.
    unsafe {
        let count = ffi::PyVectorcall_NARGS(count).unsigned_abs();
        let given = |index: usize| Bound::from_borrowed_ptr(py, *arguments.add(index));
        if keywords.is_null() {
            let called = match count {
                0 => slf.get().call(py, &[]),
                1 => slf.get().call(py, &[given(0)]),
                _ => None,
            };
            if let Some(result) = called {
                return result;
            }
        }
        let named = PyDict::new(py);
        if !keywords.is_null() {
            let keywords = Bound::from_borrowed_ptr(py, keywords).cast_into_unchecked::<PyTuple>();
            for (index, name) in keywords.iter().enumerate() {
                named.set_item(name, given(count + index))?;
            }
        }
        let positional = PyTuple::new(py, (0..count).map(given))?;
        let class = (*slf.as_ptr()).ob_type;
        let Some(general) = (*class).tp_call else { return Err(internal("an ASGI call without its slot")) };
        Ok(Bound::from_owned_ptr_or_err(py, general(slf.as_ptr(), positional.as_ptr(), named.as_ptr()))?
            .unbind())
    }
}

/// Gives the class of an awaitable that is always done, with None, the slots that `await` uses.
pub fn always_done(awaitable: &Bound<'_, PyAny>) {
    // SAFETY: rule 1; pyo3 has given a class with `__await__` its table of asynchronous slots.
    unsafe {
        let class = (*awaitable.as_ptr()).ob_type;
        if let Some(asynchronous) = (*class).tp_as_async.as_mut() {
            asynchronous.am_await = Some(itself);
            (*class).tp_iternext = Some(nothing_more);
            ffi::PyType_Modified(class);
        }
    }
}

unsafe extern "C" fn itself(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: rule 3.
    unsafe { ffi::Py_NewRef(slf) }
}

unsafe extern "C" fn nothing_more(_slf: *mut PyObject) -> *mut PyObject {
    null_mut()
}
