//! What a loop knows: ready callbacks, timers, and how to wake the task that runs them.

use std::cell::RefMut;
use std::future::Future;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::Waker;

use hoop_sched::{LoopMeter, ReadyQueue, TimerHeap};
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::calls;
use super::endpoint::{Dispatcher, Drivable, Driven, Slot, Transports, Woken};
use super::handle::{Arguments, Call, Handle, QueuedTimer, TimerHandle, leaves_the_loop};
use super::runtime::{self, Parking};
use super::transport::SocketTransport;
use super::transport::connection::HeldOutput;
use crate::errors::loop_is_closed;
use crate::gil_cell::GilCell;

/// The most that is read of a stream at once. Blocks of 128 KiB and more glibc asks of the kernel one
/// by one, and each page of them costs a fault; a large read must stay below that.
pub const READ_AT_ONCE: usize = 120 * 1024;
/// The largest datagram that arrives whole, as in asyncio: those of Unix sockets may be that large.
/// One buffer of this size serves all sockets of a loop, as only one reads at a time.
pub const READ_BUFFER: usize = 256 * 1024;

/// So many handles are kept to be used again: as many as another thread may queue while it has the
/// GIL, and no more than 1.5 MB.
const SPARE_HANDLES: usize = 16 * 1024;

/// So many transports' output is held back; then it is sent, that the first may not wait for long.
const OUTPUTS_HELD_AT_MOST: usize = 32;

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
    /// Transports whose output is held back until the callbacks that are running have run.
    held_output: GilCell<Vec<Py<SocketTransport>>>,
    /// Memory for such output, while none of it is in there.
    #[expect(clippy::vec_box, reason = "the boxes go round; connections without output have none")]
    output_buffers: GilCell<Vec<Box<HeldOutput>>>,
    /// The transports that are open, and kept by the loop for as long as they are.
    transports: GilCell<Transports>,
    /// Those of them that have something to do.
    woken: Arc<Woken>,
    /// Whether the task that drives them was started.
    dispatching: GilCell<bool>,
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
            held_output: GilCell::default(),
            output_buffers: GilCell::default(),
            transports: GilCell::default(),
            woken: Arc::default(),
            dispatching: GilCell::new(false),
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
        if !self.dispatching.get(py) {
            self.dispatching.set(py, true);
            self.spawn(py, Dispatcher::new(self.woken.clone()));
        }
        let slot: Arc<dyn Slot> = Arc::new(Driven::new(transport, self.woken.clone()));
        let displaced = self.transports.borrow_mut(py).put(fd, slot);
        if let Some(displaced) = displaced {
            // Somebody has closed its descriptor: it will not hear of anything again.
            displaced.let_go(py);
        }
    }

    /// Lets go of a transport whose connection is lost.
    pub fn forget_driven(&self, fd: RawFd, transport: &Bound<'_, PyAny>) {
        let py = transport.py();
        let slot = self.transports.borrow_mut(py).remove(fd, transport);
        if let Some(slot) = slot {
            slot.let_go(py);
        }
    }

    /// Refuses a new descriptor whose number an open transport has: somebody has closed it there, and
    /// what that one still writes would go to another peer.
    pub fn check_vacant(&self, py: Python<'_>, descriptor: &OwnedFd) -> PyResult<()> {
        let fd = descriptor.as_raw_fd();
        match self.transport_of(py, fd).and_then(|slot| slot.shown(py)) {
            Some(transport) if !transport.call_method0(py, intern!(py, "is_closing"))?.is_truthy(py)? => {
                let shown = transport.bind(py).repr()?;
                Err(PyRuntimeError::new_err(format!("File descriptor {fd} is used by transport {shown}")))
            }
            _ => Ok(()),
        }
    }

    /// The place of the transport that has a descriptor.
    pub fn transport_of(&self, py: Python<'_>, fd: RawFd) -> Option<Arc<dyn Slot>> {
        self.transports.borrow(py).get(fd).cloned()
    }

    /// Whether the loop runs, in whichever thread.
    pub fn is_running(&self, py: Python<'_>) -> bool {
        self.waker.borrow(py).is_some()
    }

    /// Lists a transport whose output is to be sent when the callbacks that are running have run.
    pub fn hold_output(&self, py: Python<'_>, transport: Py<SocketTransport>) {
        let held = {
            let mut held_output = self.held_output.borrow_mut(py);
            held_output.push(transport);
            held_output.len()
        };
        if held >= OUTPUTS_HELD_AT_MOST {
            self.send_held(py);
        } else {
            self.wake(py);
        }
    }

    /// Empty memory for output that is held back.
    pub fn output_buffer(&self, py: Python<'_>) -> Box<HeldOutput> {
        self.output_buffers.borrow_mut(py).pop().unwrap_or_default()
    }

    /// Takes such memory back, to be used once more.
    pub fn give_back_output_buffer(&self, py: Python<'_>, mut buffer: Box<HeldOutput>) {
        buffer.0.clear();
        let mut buffers = self.output_buffers.borrow_mut(py);
        if buffers.len() < OUTPUTS_HELD_AT_MOST {
            buffers.push(buffer);
        }
    }

    /// Sends the output that was held back, of all connections in a row.
    pub fn send_held(&self, py: Python<'_>) {
        while !self.held_output.borrow(py).is_empty() {
            let mut transports = self.held_output.take(py);
            for transport in transports.drain(..) {
                SocketTransport::send_held(transport.bind(py));
            }
            // Nothing was held meanwhile, as a rule: then the list's memory serves once more.
            let mut held_output = self.held_output.borrow_mut(py);
            if held_output.is_empty() {
                *held_output = transports;
            }
        }
    }

    /// The transports that the loop keeps.
    pub fn transports(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.transports.borrow(py).iter().filter_map(|slot| slot.shown(py)).collect()
    }

    /// How many transports there are whose connection is open.
    pub fn open_transports(&self, py: Python<'_>) -> usize {
        let slots: Vec<_> = self.transports.borrow(py).iter().cloned().collect();
        slots.iter().filter(|slot| slot.is_open(py)).count()
    }

    /// Lets go of the runtime of a loop that is closed.
    pub fn forget_runtime(&self, py: Python<'_>) {
        drop(self.runtime.take(py));
    }

    /// Drops all callbacks that have not run, and lets go of transports.
    pub fn clear(&self, py: Python<'_>) {
        drop(self.spare_handles.take(py));
        drop(self.output_buffers.take(py));
        drop(self.held_output.take(py));
        drop(self.woken.take_all());
        let transports = self.transports.take(py);
        for slot in transports.iter() {
            slot.let_go(py);
        }
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
        if let Some(transports) = self.transports.for_collector() {
            transports.iter().try_for_each(|slot| slot.visit(visit))?;
        }
        Ok(())
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
        self.python_loop.replace(py, Some(python_loop));
    }

    /// Forgets what only a running loop has.
    pub fn stopped(&self, py: Python<'_>) -> Option<PyErr> {
        self.forget_waker(py);
        self.awake.set(py, false);
        self.stopping.set(py, false);
        drop(self.python_loop.take(py));
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
