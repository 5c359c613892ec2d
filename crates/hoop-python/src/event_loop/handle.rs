//! Handles: one scheduled callback each, cancellable until it runs.

use pyo3::basic::CompareOp;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyTuple, PyType};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hoop_sched::Cancellable;

use super::call::{Call, leaves_the_loop};
use super::state::LoopState;
use crate::gil_cell::{GilCell, GilSlot};
use crate::imports::Imports;

/// Takes a handle off the garbage collector's list, on which pyo3 puts each object (see
/// [`Handle::visit`]): to walk over a long queue of them takes longer than to run them.
#[inline]
fn not_for_the_collector<T>(handle: &Py<T>) {
    // SAFETY: the GIL is held; the object is new, so no collection is looking at it.
    unsafe { ffi::PyObject_GC_UnTrack(handle.as_ptr().cast()) };
}

/// A callback scheduled by `call_soon` or `add_reader`.
///
/// What it runs is dropped once it has run or was cancelled, so a handle that its own callback
/// refers to is no reference cycle.
#[pyclass(frozen, subclass, weakref, module = "hoopsnake", name = "Handle")]
#[derive(Debug)]
pub struct Handle {
    call: GilSlot<Call>,
    /// Atomic for its size alone: a batch of handles is bound by the memory that it takes.
    cancelled: AtomicBool,
    kind: Kind,
}

/// What an object of the class [`Handle`] looks like, learned from the first one.
///
/// pyo3 makes objects by way of `object.__new__`, the type's own allocator and the collector's list,
/// which takes longer than to run many a callback.
struct Layout {
    class: Py<PyType>,
    size: usize,
    /// Where its contents begin.
    contents: usize,
}

static LAYOUT: PyOnceLock<Layout> = PyOnceLock::new();

impl Layout {
    fn of(handle: &Py<Handle>) -> Self {
        let contents = std::ptr::from_ref(handle.get()).addr() - handle.as_ptr().addr();
        // SAFETY: the GIL is held by whoever has a handle; the object and so its type are alive.
        let (class, size) = unsafe {
            let py = Python::assume_attached();
            let class = ffi::Py_TYPE(handle.as_ptr());
            (Bound::from_borrowed_ptr(py, class.cast()).cast_into_unchecked().unbind(), (*class).tp_basicsize)
        };
        Self { class, size: size.unsigned_abs(), contents }
    }

    /// An object that the collector does not know.
    #[inline]
    fn allocate(&self, py: Python<'_>, handle: Handle) -> PyResult<Py<Handle>> {
        // SAFETY: the GIL is held. The call makes an object of `size` bytes, whose head is filled in;
        // null is an error. All else in it but the contents is one pointer, to weak references, and
        // zeros say that there are none: the class is frozen, so that no borrow is counted, and it
        // may be sent to other threads, so that no thread is noted. Nobody else knows the object.
        unsafe {
            let object = ffi::PyObject_GC_New::<ffi::PyObject>(self.class.as_ptr().cast());
            if object.is_null() {
                return Err(PyErr::fetch(py));
            }
            let head = size_of::<ffi::PyObject>();
            object.cast::<u8>().add(head).write_bytes(0, self.size - head);
            object.byte_add(self.contents).cast::<Handle>().write(handle);
            Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked().unbind())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    /// For file descriptors: may run many times.
    Repeating,
    Timer,
}

impl Handle {
    #[inline]
    fn new(call: Call, kind: Kind) -> Self {
        Self { call: GilSlot::new(Some(call)), cancelled: AtomicBool::new(false), kind }
    }

    /// A handle that runs once.
    #[inline]
    pub fn once(py: Python<'_>, call: Call) -> PyResult<Py<Self>> {
        let handle = Self::new(call, Kind::Once);
        match LAYOUT.get(py) {
            Some(layout) => layout.allocate(py, handle),
            None => {
                let first = Py::new(py, handle).inspect(not_for_the_collector)?;
                LAYOUT.get_or_init(py, || Layout::of(&first));
                Ok(first)
            }
        }
    }

    /// A handle that may run many times, for file descriptors.
    pub fn repeating(py: Python<'_>, call: Call) -> PyResult<Py<Self>> {
        Py::new(py, Self::new(call, Kind::Repeating)).inspect(not_for_the_collector)
    }

    /// Whether nobody but the holder of `handle` knows it, so that it may serve for another callback.
    #[inline]
    pub fn is_spare(handle: &Bound<'_, Self>) -> bool {
        let object = handle.as_ptr();
        // SAFETY: the GIL is held and `object` is a live handle, whose type has a slot for the list
        // of weak references at that offset. Nobody has a weak reference if the list is empty.
        unsafe {
            ffi::Py_REFCNT(object) == 1
                && handle.get().kind == Kind::Once
                && object
                    .byte_offset((*ffi::Py_TYPE(object)).tp_weaklistoffset)
                    .cast::<*mut ffi::PyObject>()
                    .read()
                    .is_null()
        }
    }

    /// Makes a spare handle a new one.
    #[inline]
    pub fn renew(&self, py: Python<'_>, call: Call) {
        drop(self.call.replace(py, Some(call)));
        self.cancelled.store(false, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Marks the handle as cancelled and drops what it would have run; says whether that was news.
    pub fn cancel_now(&self, py: Python<'_>) -> bool {
        let news = !self.cancelled.swap(true, Ordering::Relaxed);
        drop(self.call.take(py));
        news
    }

    /// Drops what it would have run, for a loop that will not run any more.
    pub fn forget(&self, py: Python<'_>) {
        drop(self.call.take(py));
    }

    pub fn is_repeating(&self) -> bool {
        self.kind == Kind::Repeating
    }

    /// Shows the garbage collector what the handle holds, in the name of the loop that holds it.
    ///
    /// Handles are not collected themselves, which keeps them cheap: all that is reachable from one
    /// is given up when it has run or was cancelled. So each must be visited from one place only.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.call.look_for_collector(|call| call.visit(visit)).unwrap_or(Ok(()))
    }

    /// Runs the callback. `Err` is an exception that must leave the loop (SystemExit,
    /// KeyboardInterrupt); every other goes to the loop's exception handler.
    #[inline]
    pub fn run(slf: &Bound<'_, Self>, state: &LoopState) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let call = if this.is_repeating() {
            this.call.look(py, |call| call.clone_ref(py))
        } else {
            this.call.take(py)
        };
        let Some(call) = call else { return Ok(()) };
        match call.invoke(py) {
            Ok(()) => Ok(()),
            Err(error) => Self::failed(slf, state, call, error),
        }
    }

    #[cold]
    fn failed(slf: &Bound<'_, Self>, state: &LoopState, call: Call, error: PyErr) -> PyResult<()> {
        let py = slf.py();
        if leaves_the_loop(py, &error) {
            return Err(error);
        }
        let described = Imports::get(py)?
            .format_callback_source
            .call1(py, (&call.callback, call.arguments.to_tuple(py)?))
            .map_or_else(|_| "a callback that cannot be described".to_owned(), |text| text.to_string());
        let this = slf.get();
        if !this.is_repeating() {
            // The exception handler prints the handle: it should still name the callback.
            drop(this.call.replace(py, Some(call)));
        }
        let context = PyDict::new(py);
        context.set_item("handle", slf)?;
        let outcome =
            state.report_exception(py, &format!("Exception in callback {described}"), error, Some(&context));
        if !this.is_repeating() {
            drop(this.call.take(py));
        }
        outcome
    }

    fn describe(&self, py: Python<'_>, class_name: &str, when: Option<f64>) -> PyResult<String> {
        let mut text = format!("<{class_name}");
        if self.is_cancelled() {
            text.push_str(" cancelled");
        }
        if let Some(when) = when {
            text.push_str(&format!(" when={}", PyFloat::new(py, when).repr()?));
        }
        if let Some(call) = self.call.look(py, |call| call.clone_ref(py)) {
            let source = Imports::get(py)?
                .format_callback_source
                .call1(py, (&call.callback, call.arguments.to_tuple(py)?))?;
            text.push_str(&format!(" {source}"));
        }
        text.push('>');
        Ok(text)
    }
}

#[pymethods]
impl Handle {
    /// Cancels the callback; harmless when it has run or was cancelled already.
    fn cancel(&self, py: Python<'_>) {
        self.cancel_now(py);
    }

    /// Whether the callback was cancelled.
    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    /// The context the callback runs in; None once it has run or was cancelled.
    fn get_context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.call.look(py, |call| call.context.clone_ref(py))
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.is_cancelled()
    }

    #[getter]
    fn _callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.call.look(py, |call| call.callback.clone_ref(py))
    }

    #[getter]
    fn _args(&self, py: Python<'_>) -> PyResult<Option<Py<PyTuple>>> {
        let call = self.call.look(py, |call| call.clone_ref(py));
        call.map(|call| call.arguments.to_tuple(py)).transpose()
    }

    /// `isinstance(handle, asyncio.Handle)` holds, though a native class cannot inherit from it.
    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_handle.clone_ref(slf.py()))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.describe(py, "Handle", None)
    }
}

/// A callback scheduled by `call_later` or `call_at`.
#[pyclass(frozen, extends = Handle, weakref, freelist = 512, module = "hoopsnake", name = "TimerHandle")]
#[derive(Debug)]
pub struct TimerHandle {
    when: f64,
    /// Whether the timer is in the heap, so that cancelling it must be counted there.
    scheduled: GilCell<bool>,
    state: Arc<LoopState>,
}

impl TimerHandle {
    pub fn create(py: Python<'_>, call: Call, when: f64, state: &Arc<LoopState>) -> PyResult<Py<Self>> {
        let own = Self { when, scheduled: GilCell::new(true), state: state.clone() };
        Py::new(py, PyClassInitializer::from(Handle::new(call, Kind::Timer)).add_subclass(own))
            .inspect(not_for_the_collector)
    }

    pub fn left_the_heap(&self, py: Python<'_>) {
        self.scheduled.set(py, false);
    }
}

#[pymethods]
impl TimerHandle {
    /// The loop time at which the callback is due, in seconds.
    fn when(&self) -> f64 {
        self.when
    }

    #[getter]
    fn _when(&self) -> f64 {
        self.when
    }

    /// Cancels the callback; harmless when it has run or was cancelled already.
    pub fn cancel(slf: &Bound<'_, Self>) {
        let py = slf.py();
        if slf.as_super().get().cancel_now(py) && slf.get().scheduled.get(py) {
            slf.get().state.timer_cancelled(py);
        }
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_timer_handle.clone_ref(slf.py()))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.as_super().get().describe(slf.py(), "TimerHandle", Some(slf.get().when))
    }

    fn __richcmp__(slf: &Bound<'_, Self>, other: &Bound<'_, Self>, op: CompareOp) -> bool {
        let (ours, theirs) = (slf.get().when, other.get().when);
        match op {
            CompareOp::Eq => slf.is(other),
            CompareOp::Ne => !slf.is(other),
            _ => op.matches(ours.total_cmp(&theirs)),
        }
    }

    fn __hash__(&self) -> u64 {
        self.when.to_bits()
    }
}

/// A timer in the heap: what [`hoop_sched::TimerHeap`] asks about it is answered under the GIL.
#[derive(Debug)]
pub struct QueuedTimer(pub Py<TimerHandle>);

impl QueuedTimer {
    /// Shows the garbage collector what the handle holds.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs under the GIL; nothing here counts references or runs Python.
        let py = unsafe { Python::assume_attached() };
        self.0.bind(py).as_super().get().visit(visit)
    }
}

impl Cancellable for QueuedTimer {
    fn is_cancelled(&self) -> bool {
        Python::attach(|py| self.0.bind(py).as_super().get().is_cancelled())
    }
}
