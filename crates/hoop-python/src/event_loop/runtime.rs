//! The tokio runtime under a loop: the GIL is held while anything runs and given up only to park.
//!
//! Access rules for the unsafe code here:
//! 1. The runtime is driven only by `LoopCore::run`, which holds the GIL when it enters `block_on`.
//! 2. The park hook saves the thread state and the unpark hook of the same thread restores it; no
//!    code of ours runs in between, so every task is polled and dropped under the GIL.
//! 3. Because of 2, futures that are not `Send` may be spawned: whichever thread runs the loop is
//!    the only one that touches them, and the GIL orders the threads.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use pyo3::ffi;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle, Runtime};

thread_local! {
    /// While this thread is parked: its Python thread state, and since when.
    static PARKED: Cell<(*mut ffi::PyThreadState, u64)> = const { Cell::new((std::ptr::null_mut(), 0)) };
    /// The process in which this thread drives a runtime; 0 while it drives none.
    static DRIVEN_IN: Cell<u32> = const { Cell::new(0) };
}

/// Drives a runtime until `future` is done.
pub fn drive<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    let enclosing = DRIVEN_IN.replace(std::process::id());
    let outcome = runtime.block_on(future);
    DRIVEN_IN.set(enclosing);
    outcome
}

/// Whether this thread drives a runtime already, so that it cannot drive another.
pub fn is_driving() -> bool {
    Handle::try_current().is_ok()
}

/// Whether it does so only in the parent from which this process was forked: the memory of it was
/// copied, and tokio has no way to forget.
pub fn drives_in_parent_only() -> bool {
    is_driving() && DRIVEN_IN.get() != std::process::id()
}

/// How long a runtime was parked, and then waited for the GIL. Atomic only because tokio wants its
/// hooks `Sync`: one thread writes at a time.
#[derive(Debug, Default)]
pub struct Parking {
    parked: AtomicU64,
    waited_for_gil: AtomicU64,
}

impl Parking {
    /// Seconds in which the loop had nothing to do.
    pub fn parked_seconds(&self) -> f64 {
        self.parked.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Seconds in which it had, but another thread of Python's had the GIL.
    pub fn gil_seconds(&self) -> f64 {
        self.waited_for_gil.load(Ordering::Relaxed) as f64 / 1e9
    }
}

/// Builds the runtime of one event loop.
pub fn build(parking: Arc<Parking>) -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .on_thread_park(release_gil)
        .on_thread_unpark(move || take_gil(&parking))
        .build()
}

/// `time.monotonic_ns()`.
pub fn nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

fn release_gil() {
    // SAFETY: rule 1: this thread holds the GIL whenever its runtime is about to park.
    PARKED.set((unsafe { ffi::PyEval_SaveThread() }, nanoseconds()));
}

fn take_gil(parking: &Parking) {
    let (state, since) = PARKED.replace((std::ptr::null_mut(), 0));
    if state.is_null() {
        return;
    }
    let woken = nanoseconds();
    // SAFETY: rule 2: the pointer came from PyEval_SaveThread in this very thread.
    unsafe { ffi::PyEval_RestoreThread(state) };
    parking.parked.fetch_add(woken.saturating_sub(since), Ordering::Relaxed);
    parking.waited_for_gil.fetch_add(nanoseconds().saturating_sub(woken), Ordering::Relaxed);
}

/// A future of the loop's thread, which tokio may treat as `Send` by rule 3.
struct OnLoopThread<F>(F);

// SAFETY: rule 3.
unsafe impl<F> Send for OnLoopThread<F> {}

impl<F: Future<Output = ()>> Future for OnLoopThread<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: structural pinning of the only field; it is never moved out.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx)
    }
}

/// Spawns a task on a loop's runtime; it runs when the loop does. The caller holds the GIL.
pub fn spawn(handle: &Handle, future: impl Future<Output = ()> + 'static) -> tokio::task::JoinHandle<()> {
    // Unconstrained: what tokio holds back for fairness it forgets when the loop stops, and the task
    // would sleep for ever. Our tasks and hyper's bound by themselves what they do at once.
    handle.spawn(tokio::task::unconstrained(OnLoopThread(future)))
}
