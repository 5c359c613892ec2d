//! `call_soon` without the general way to read arguments: each step of each task comes through here.
//!
//! pyo3 makes a tuple of the positional arguments and compares keywords by their letters. asyncio's
//! tasks and futures always pass `context` by keyword, and one argument at the most. That is read here
//! by hand; whatever else somebody writes goes to the method that pyo3 made.
//!
//! Rules for the unsafe code:
//! 1. The interpreter calls [`call_soon`] as it calls any METH_FASTCALL | METH_KEYWORDS method: under the
//!    GIL, with an instance of the class (its method descriptor looks), `count` arguments, and behind
//!    them the values of the keywords, whose names are a tuple of strings, or null if there are none.
//! 2. All of those are borrowed for the length of the call; what is returned is a new reference, or null
//!    with an exception set.
//! 3. No panic leaves it.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use super::LoopCore;
use super::call::Arguments;
use crate::errors::internal;

const NAME: &CStr = c"call_soon";
const DOCUMENTATION: &CStr = c"call_soon($self, callback, *args, context=None)\n--\n\n\
    Calls the callback in the next turn; returns its handle (asyncio).";

/// The method that pyo3 made.
static GENERAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Puts the method in the place of pyo3's.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<LoopCore>();
    let name = intern!(py, "call_soon");
    GENERAL.get_or_try_init(py, || class.getattr(name).map(Bound::unbind))?;
    // It lives as long as the class does: for ever.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: NAME.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call_soon },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: DOCUMENTATION.as_ptr().cast::<c_char>(),
    }));
    // SAFETY: the GIL is held, the class is alive and the definition is never freed.
    let method = unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_ptr().cast(), definition))
    }?;
    class.setattr(name, method)
}

unsafe extern "C" fn call_soon(
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // Not more than an addition where the loop runs: its thread is attached already.
    Python::attach(|py| {
        let queued = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: rules 1 and 2.
            unsafe { queue(py, slf, arguments, count.unsigned_abs(), keywords) }
        }))
        .unwrap_or_else(|_| Err(internal("a panic in call_soon()")));
        match queued {
            Ok(handle) => handle.into_ptr(),
            Err(error) => {
                error.restore(py);
                null_mut()
            }
        }
    })
}

/// Queues the callback.
///
/// # Safety
/// The pointers are as rules 1 and 2 say.
#[inline]
unsafe fn queue(
    py: Python<'_>,
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: usize,
    keywords: *mut PyObject,
) -> PyResult<Py<PyAny>> {
    // SAFETY: by the function's contract.
    unsafe {
        let given = |index: usize| Bound::from_borrowed_ptr(py, *arguments.add(index));
        let context = match keywords.is_null() {
            true => None,
            false if is_context_alone(py, keywords) => Some(given(count).unbind()),
            false => return call_general(py, slf, arguments, count, keywords),
        };
        let callback_arguments = match count {
            0 => return call_general(py, slf, arguments, count, keywords),
            1 => Arguments::None,
            2 => Arguments::One(given(1).unbind()),
            _ => Arguments::Many(PyTuple::new(py, (1..count).map(given))?.unbind()),
        };
        let slf = Bound::from_borrowed_ptr(py, slf).cast_into_unchecked::<LoopCore>();
        LoopCore::queue_soon(&slf, "call_soon", given(0), callback_arguments, context)
    }
}

/// Whether the only keyword is `context`. Python code interns such a name; asyncio's tasks and futures
/// in C do not.
///
/// # Safety
/// `keywords` is a tuple of strings.
#[inline]
unsafe fn is_context_alone(py: Python<'_>, keywords: *mut PyObject) -> bool {
    // SAFETY: by the function's contract; the first item exists where the size is one.
    unsafe {
        if ffi::PyTuple_GET_SIZE(keywords) != 1 {
            return false;
        }
        let name = ffi::PyTuple_GET_ITEM(keywords, 0);
        name == intern!(py, "context").as_ptr()
            || ffi::PyUnicode_CompareWithASCIIString(name, c"context".as_ptr()) == 0
    }
}

/// Hands the call on as it came.
///
/// # Safety
/// The pointers are as rules 1 and 2 say.
#[cold]
unsafe fn call_general(
    py: Python<'_>,
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: usize,
    keywords: *mut PyObject,
) -> PyResult<Py<PyAny>> {
    let Some(general) = GENERAL.get(py) else { return Err(internal("call_soon() is not installed")) };
    // SAFETY: by the function's contract.
    unsafe {
        let named = if keywords.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(keywords).unsigned_abs() };
        let all: Vec<*mut PyObject> =
            std::iter::once(slf).chain((0..count + named).map(|index| *arguments.add(index))).collect();
        let result = ffi::PyObject_Vectorcall(general.as_ptr(), all.as_ptr(), count + 1, keywords);
        Ok(Bound::from_owned_ptr_or_err(py, result)?.unbind())
    }
}
