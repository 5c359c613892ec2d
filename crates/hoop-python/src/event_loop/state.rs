//! What a loop knows: ready callbacks, timers, and how to wake the task that runs them.

use std::cell::RefMut;
use std::future::Future;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::Waker;

use hoop_sched::{LoopMeter, ReadyQueue, TimerHeap};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::call::{Arguments, Call, leaves_the_loop};
use super::calls;
use super::endpoint::Drivable;
use super::flights::Flights;
use super::handle::{Handle, QueuedTimer, TimerHandle};
use super::held_outputs::HeldOutputs;
use super::open_transports::OpenTransports;
use super::runtime::{self, Parking};
use super::transport::SocketTransport;
use crate::errors::loop_is_closed;
use crate::gil_cell::GilCell;

/// The most that is read of a stream at once. Where nothing has told it otherwise, glibc asks the kernel for
/// blocks of 128 KiB and more one by one, and each page of them costs a fault; a large read stays below that.
pub const READ_AT_ONCE: usize = 120 * 1024;
/// The largest datagram that arrives whole, as in asyncio: those of Unix sockets may be that large.
/// One buffer of this size serves all sockets of a loop, as only one reads at a time.
pub const READ_BUFFER: usize = 256 * 1024;

/// So many handles are kept to be used again: as many as another thread may queue while it has the
/// GIL, and no more than 1.5 MB.
const SPARE_HANDLES: usize = 16 * 1024;

/// What a future of a loop is made with.
pub fn future_keywords(python_loop: &Bound<'_, PyAny>) -> PyResult<Py<PyDict>> {
    let py = python_loop.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "loop"), python_loop)?;
    Ok(keywords.unbind())
}

/// The state that a loop shares with its handles, transports and servers.
#[derive(Debug)]
pub struct LoopState {
    pub ready: GilCell<ReadyQueue<Py<Handle>>>,
    pub timers: GilCell<TimerHeap<QueuedTimer>>,
    read_buffer: GilCell<Vec<u8>>,
    /// The pump's waker while the loop runs.
    waker: GilCell<Option<Waker>>,
    /// Whether the pump runs or is about to, so that a further wake-up would be a waste.
    awake: GilCell<bool>,
    pub stopping: GilCell<bool>,
    /// What must leave `run_forever` (SystemExit, KeyboardInterrupt).
    fatal: GilCell<Option<PyErr>>,
    /// Wakers of tasks that wait for the end of the current turn.
    after_turn: GilCell<Vec<Waker>>,
    /// The Python loop object, held only while it runs: its exception handler is called through it.
    python_loop: GilCell<Option<Py<PyAny>>>,
    /// `{"loop": loop}`, what each of its futures is made with; while it runs too.
    future_keywords: GilCell<Option<Py<PyDict>>>,
    pub outputs: HeldOutputs,
    pub transports: OpenTransports,
    /// What is awaited of the engine.
    pub flights: Flights,
    /// Handles that have run and that nobody knows: making one costs more than what it runs.
    spare_handles: GilCell<Vec<Py<Handle>>>,
    pub meter: GilCell<LoopMeter>,
    pub parking: Arc<Parking>,
    /// None once the loop is closed.
    runtime: GilCell<Option<tokio::runtime::Handle>>,
}

impl LoopState {
    pub fn new(runtime: tokio::runtime::Handle, parking: Arc<Parking>) -> Self {
        Self {
            ready: GilCell::default(),
            timers: GilCell::default(),
            read_buffer: GilCell::default(),
            waker: GilCell::default(),
            awake: GilCell::new(false),
            stopping: GilCell::new(false),
            fatal: GilCell::default(),
            after_turn: GilCell::default(),
            python_loop: GilCell::default(),
            future_keywords: GilCell::default(),
            outputs: HeldOutputs::default(),
            transports: OpenTransports::default(),
            flights: Flights::default(),
            spare_handles: GilCell::default(),
            meter: GilCell::default(),
            parking,
            runtime: GilCell::new(Some(runtime)),
        }
    }

    /// The loop's clock, that of `time.monotonic()`, in seconds.
    #[inline]
    pub fn time() -> f64 {
        runtime::nanoseconds() as f64 / 1e9
    }

    /// The memory to read into.
    pub fn read_buffer<'a>(&'a self, py: Python<'a>) -> RefMut<'a, Vec<u8>> {
        let mut buffer = self.read_buffer.borrow_mut(py);
        if buffer.is_empty() {
            buffer.resize(READ_BUFFER, 0);
        }
        buffer
    }

    /// The runtime of a loop that is not closed.
    pub fn runtime(&self, py: Python<'_>) -> PyResult<tokio::runtime::Handle> {
        self.runtime.borrow(py).clone().ok_or_else(loop_is_closed)
    }

    /// Runs `future` on the loop's thread, whenever the loop runs. A closed loop drops it.
    pub fn spawn(
        &self,
        py: Python<'_>,
        future: impl Future<Output = ()> + 'static,
    ) -> Option<tokio::task::AbortHandle> {
        let runtime = self.runtime(py).ok()?;
        Some(runtime::spawn(&runtime, future).abort_handle())
    }

    /// Keeps a transport alive, and drives it, until it is forgotten or the loop is closed.
    pub fn keep_driven<T: Drivable>(&self, py: Python<'_>, fd: RawFd, transport: Py<T>) {
        if let Some(dispatcher) = self.transports.take_dispatcher(py) {
            self.spawn(py, dispatcher);
        }
        self.transports.keep(py, fd, transport);
    }

    /// Whether the loop runs, in whichever thread.
    pub fn is_running(&self, py: Python<'_>) -> bool {
        self.waker.borrow(py).is_some()
    }

    /// Whether `run_forever` is under way: longer than the pump is, which ends before the tasks around it.
    pub fn is_driven(&self, py: Python<'_>) -> bool {
        self.python_loop.borrow(py).is_some()
    }

    /// Lists a transport whose output is to be sent when the callbacks that are running have run.
    pub fn hold_output(&self, py: Python<'_>, transport: Py<SocketTransport>) {
        if self.outputs.hold(py, transport) {
            self.outputs.send(py);
        } else {
            self.wake(py);
        }
    }

    /// Lets go of the runtime of a loop that is closed.
    pub fn forget_runtime(&self, py: Python<'_>) {
        drop(self.runtime.take(py));
    }

    /// Drops all callbacks that have not run, and lets go of transports.
    pub fn clear(&self, py: Python<'_>) {
        drop(self.spare_handles.take(py));
        self.outputs.clear(py);
        self.transports.clear(py);
        let ready = self.ready.borrow_mut(py).take_all();
        let timers = self.timers.borrow_mut(py).take_all();
        for handle in &ready {
            handle.get().forget(py);
        }
        for timer in &timers {
            timer.0.get().left_the_heap(py);
            timer.0.bind(py).as_super().get().forget(py);
        }
    }

    /// Shows the garbage collector what the loop holds. Handles of descriptors are their readers' to
    /// show, also while they are queued here.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(ready) = self.ready.for_collector() {
            for handle in ready.iter().filter(|handle| !handle.get().is_repeating()) {
                handle.get().visit(visit)?;
            }
        }
        if let Some(timers) = self.timers.for_collector() {
            for timer in timers.iter() {
                timer.visit(visit)?;
            }
        }
        self.transports.visit(visit)
    }

    /// A handle that runs `call` once.
    #[inline]
    pub fn handle(&self, py: Python<'_>, call: Call) -> PyResult<Py<Handle>> {
        let spare = self.spare_handles.borrow_mut(py).pop();
        match spare {
            Some(handle) => {
                handle.get().renew(py, call);
                Ok(handle)
            }
            None => Handle::once(py, call),
        }
    }

    /// Takes a handle that has run.
    #[inline]
    pub fn keep_if_spare(&self, handle: Bound<'_, Handle>) {
        if Handle::is_spare(&handle) {
            let mut spare_handles = self.spare_handles.borrow_mut(handle.py());
            if spare_handles.len() < SPARE_HANDLES {
                spare_handles.push(handle.unbind());
            }
        }
    }

    /// Queues a callback for the next turn; callable from every thread that holds the GIL.
    #[inline]
    pub fn push_ready(&self, py: Python<'_>, handle: Py<Handle>) {
        self.ready.borrow_mut(py).push(handle);
        self.wake(py);
    }

    /// Queues an internal callback to run in `context`.
    pub fn call_soon_in(
        &self,
        py: Python<'_>,
        callback: Py<PyAny>,
        arguments: Arguments,
        context: Py<PyAny>,
    ) -> PyResult<()> {
        let call = Call { callback, arguments, context };
        self.push_ready(py, self.handle(py, call)?);
        Ok(())
    }

    /// Queues a callback for the loop time `when`.
    pub fn call_at(self: &Arc<Self>, py: Python<'_>, when: f64, call: Call) -> PyResult<Py<TimerHandle>> {
        let handle = TimerHandle::create(py, call, when, self)?;
        let earliest = {
            let mut timers = self.timers.borrow_mut(py);
            let earliest = timers.next_deadline().is_none_or(|next| when < next);
            timers.push(when, QueuedTimer(handle.clone_ref(py)));
            earliest
        };
        if earliest {
            self.wake(py);
        }
        Ok(handle)
    }

    pub fn timer_cancelled(&self, py: Python<'_>) {
        let swept = self.timers.borrow_mut(py).note_cancelled();
        for timer in &swept {
            timer.0.get().left_the_heap(py);
        }
        drop(swept);
    }

    /// Wakes the pump unless it is awake already.
    #[inline]
    pub fn wake(&self, py: Python<'_>) {
        if self.awake.get(py) {
            return;
        }
        let waker = self.waker.borrow(py).clone();
        if let Some(waker) = waker {
            self.awake.set(py, true);
            self.meter.borrow_mut(py).became_ready(runtime::nanoseconds());
            waker.wake();
        }
    }

    pub fn set_awake(&self, py: Python<'_>, awake: bool) {
        self.awake.set(py, awake);
    }

    /// Remembers how to wake the pump.
    pub fn set_waker(&self, py: Python<'_>, waker: &Waker) {
        let mut slot = self.waker.borrow_mut(py);
        if slot.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// What the garbage collector asks: whether the loop runs, and so is no garbage.
    pub fn is_in_use(&self) -> bool {
        self.python_loop.for_collector().is_none_or(|python_loop| python_loop.is_some())
    }

    /// The pump has ended: nothing holds output back or needs to be woken any more.
    pub fn forget_waker(&self, py: Python<'_>) {
        drop(self.waker.take(py));
    }

    pub fn started(&self, py: Python<'_>, python_loop: Py<PyAny>) {
        self.meter.borrow_mut(py).started(runtime::nanoseconds());
        drop(self.future_keywords.replace(py, future_keywords(python_loop.bind(py)).ok()));
        self.python_loop.replace(py, Some(python_loop));
    }

    /// What a future of this loop is made with, if the loop runs.
    #[inline]
    pub fn future_keywords<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        self.future_keywords.borrow(py).as_ref().map(|keywords| keywords.bind(py).clone())
    }

    /// Forgets what only a running loop has.
    pub fn stopped(&self, py: Python<'_>) -> Option<PyErr> {
        self.forget_waker(py);
        self.awake.set(py, false);
        self.stopping.set(py, false);
        drop((self.python_loop.take(py), self.future_keywords.take(py)));
        self.fatal.take(py)
    }

    /// Ends `run_forever` with an exception.
    pub fn fail(&self, py: Python<'_>, error: PyErr) {
        self.fatal.replace(py, Some(error));
        self.stopping.set(py, true);
        self.wake(py);
    }

    pub fn has_failed(&self, py: Python<'_>) -> bool {
        self.fatal.borrow(py).is_some()
    }

    /// Asks for a wake-up when the turn that is about to run has ended.
    pub fn wake_after_turn(&self, py: Python<'_>, waker: Waker) {
        self.after_turn.borrow_mut(py).push(waker);
    }

    pub fn turn_ended(&self, py: Python<'_>) {
        if self.after_turn.borrow(py).is_empty() {
            return;
        }
        let wakers = std::mem::take(&mut *self.after_turn.borrow_mut(py));
        for waker in wakers {
            waker.wake();
        }
    }

    /// Hands an exception to the loop's exception handler. `Err` is one that must leave the loop.
    pub fn report_exception(
        &self,
        py: Python<'_>,
        message: &str,
        error: PyErr,
        context: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        if leaves_the_loop(py, &error) {
            return Err(error);
        }
        let python_loop = self.python_loop.borrow(py).as_ref().map(|owner| owner.clone_ref(py));
        let Some(python_loop) = python_loop else {
            // The loop stopped in between: print rather than lose it.
            error.print(py);
            return Ok(());
        };
        let details = PyDict::new(py);
        details.set_item("message", message)?;
        details.set_item("exception", error.into_value(py))?;
        if let Some(context) = context {
            details.update(context.as_mapping())?;
        }
        calls::call_method(
            &python_loop,
            intern!(py, "call_exception_handler"),
            &[details.as_any().as_unbound()],
        )
        .map(drop)
    }

    /// Like [`Self::report_exception`], for callers outside the pump: a fatal one stops the loop.
    pub fn handle_exception(
        &self,
        py: Python<'_>,
        message: &str,
        error: PyErr,
        context: Option<&Bound<'_, PyDict>>,
    ) {
        if let Err(fatal) = self.report_exception(py, message, error, context) {
            self.fail(py, fatal);
        }
    }
}
