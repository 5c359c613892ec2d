//! The transports that were woken, and the one task that drives them in that order.
//!
//! A task of tokio's for each transport would cost a quarter of a KiB for every open connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::prelude::*;

use super::driven::Slot;

/// Who waits to be driven. The reactor adds to it without the GIL, so it has a lock of its own.
#[derive(Debug, Default)]
pub struct Woken(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    slots: Vec<Arc<dyn Slot>>,
    /// Whom to wake for the first; there is none before the first transport.
    dispatcher: Option<Waker>,
    asleep: bool,
}

impl Woken {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that could panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a transport, which is not in the list.
    pub fn push(&self, slot: Arc<dyn Slot>) {
        let mut waiting = self.lock();
        waiting.slots.push(slot);
        if std::mem::take(&mut waiting.asleep)
            && let Some(dispatcher) = &waiting.dispatcher
        {
            dispatcher.wake_by_ref();
        }
    }

    /// Forgets all of them, for a loop that will not run any more.
    pub fn take_all(&self) -> Vec<Arc<dyn Slot>> {
        std::mem::take(&mut self.lock().slots)
    }

    /// Waits for the next, unless there is one.
    fn sleep(&self, cx: &Context<'_>) {
        let mut waiting = self.lock();
        if waiting.dispatcher.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            waiting.dispatcher = Some(cx.waker().clone());
        }
        waiting.asleep = waiting.slots.is_empty();
        if !waiting.asleep {
            // Callbacks get their turn before those that were woken meanwhile.
            cx.waker().wake_by_ref();
        }
    }
}

/// Drives whoever is woken, for as long as the loop is there.
pub struct Dispatcher {
    woken: Arc<Woken>,
    batch: Vec<Arc<dyn Slot>>,
}

impl Dispatcher {
    pub fn new(woken: Arc<Woken>) -> Self {
        Self { woken, batch: Vec::new() }
    }
}

impl Future for Dispatcher {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        std::mem::swap(&mut this.woken.lock().slots, &mut this.batch);
        Python::attach(|py| {
            for slot in this.batch.drain(..) {
                slot.drive(py);
            }
        });
        this.woken.sleep(cx);
        Poll::Pending
    }
}
