//! `add_reader` and `add_writer`: level-triggered callbacks for file descriptors of the user's.

use std::collections::HashMap;
use std::future::poll_fn;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::Poll;

use hoop_net::{LevelPoller, Readiness, give_way};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::handle::Handle;
use super::state::LoopState;
use crate::errors::os_error;
use crate::gil_cell::GilCell;

/// Which way a callback waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
}

/// A descriptor as the user names it.
pub struct Source {
    number: RawFd,
    /// What it belongs to, if that was given. It is kept, as `selectors` does: a socket that is
    /// watched stays open, and is still known when its `close()` has made its number -1.
    object: Option<Py<PyAny>>,
}

impl From<RawFd> for Source {
    fn from(number: RawFd) -> Self {
        Self { number, object: None }
    }
}

impl Source {
    pub fn of(fd: &Bound<'_, PyAny>) -> PyResult<Self> {
        let object = (!fd.is_instance_of::<PyInt>()).then(|| fd.clone().unbind());
        Ok(Self { number: file_descriptor(fd)?, object })
    }
}

struct Watch {
    handle: Py<Handle>,
    object: Option<Py<PyAny>>,
}

#[derive(Default)]
struct Watched {
    reader: Option<Watch>,
    writer: Option<Watch>,
}

impl Watched {
    fn slot(&mut self, direction: Direction) -> &mut Option<Watch> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn interest(&self) -> Readiness {
        Readiness { readable: self.reader.is_some(), writable: self.writer.is_some() }
    }

    fn both(&self) -> impl Iterator<Item = &Watch> {
        [&self.reader, &self.writer].into_iter().flatten()
    }

    fn belongs_to(&self, object: &Bound<'_, PyAny>) -> bool {
        self.both().filter_map(|watch| watch.object.as_ref()).any(|known| known.is(object))
    }
}

/// The file descriptors that a loop watches for its user.
pub struct Readers {
    poller: LevelPoller,
    watched: GilCell<HashMap<RawFd, Watched>>,
}

impl Readers {
    /// Must be made inside the loop's runtime context.
    pub fn start(py: Python<'_>, state: &Arc<LoopState>) -> PyResult<Arc<Self>> {
        let runtime = state.runtime(py)?;
        let _context = runtime.enter();
        let poller = LevelPoller::new().map_err(|error| os_error(&error))?;
        let readers = Arc::new(Self { poller, watched: GilCell::default() });
        let (task_readers, task_state) = (readers.clone(), state.clone());
        state.spawn(py, async move { task_readers.dispatch(&task_state).await });
        Ok(readers)
    }

    /// Sets the callback of one direction, cancelling the one it takes the place of.
    pub fn add(
        &self,
        py: Python<'_>,
        source: Source,
        direction: Direction,
        handle: Py<Handle>,
    ) -> PyResult<()> {
        let (fd, watch) = (source.number, Watch { handle, object: source.object });
        let (displaced, outcome) = {
            let mut watched = self.watched.borrow_mut(py);
            let entry = watched.entry(fd).or_default();
            let known = entry.interest();
            let replaced = entry.slot(direction).replace(watch);
            let wanted = entry.interest();
            // Also if nothing changes: the descriptor that had the number may have been closed.
            let outcome = self.poller.watch(fd, wanted);
            if outcome.is_err() {
                let refused = std::mem::replace(entry.slot(direction), replaced);
                if !known.any() {
                    watched.remove(&fd);
                }
                (refused, outcome)
            } else {
                (replaced, outcome)
            }
        };
        // Only now, when nothing is borrowed: what is let go of here may run code of Python's.
        if let Some(displaced) = displaced {
            displaced.handle.get().cancel_now(py);
        }
        outcome.map_err(|error| os_error(&error))
    }

    /// What a descriptor is watched for.
    pub fn interest(&self, py: Python<'_>, fd: RawFd) -> Readiness {
        self.watched.borrow(py).get(&fd).map(Watched::interest).unwrap_or_default()
    }

    /// Shows the garbage collector what the watching handles hold.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(watched) = self.watched.for_collector() else { return Ok(()) };
        for watch in watched.values().flat_map(Watched::both) {
            watch.handle.get().visit(visit)?;
            visit.call(&watch.object)?;
        }
        Ok(())
    }

    /// Lets go of all handles.
    pub fn clear(&self, py: Python<'_>) {
        for entry in self.watched.take(py).into_values() {
            for watch in entry.both() {
                watch.handle.get().forget(py);
            }
        }
    }

    /// Removes and cancels the callback of one direction; says whether there was one.
    pub fn remove(&self, py: Python<'_>, fd: RawFd, direction: Direction) -> bool {
        let removed = {
            let mut watched = self.watched.borrow_mut(py);
            let Some(entry) = watched.get_mut(&fd) else { return false };
            let removed = entry.slot(direction).take();
            let wanted = entry.interest();
            if !wanted.any() {
                watched.remove(&fd);
            }
            if removed.is_some() {
                // A descriptor that was closed meanwhile has left the poller by itself.
                let _ = self.poller.narrow(fd, wanted);
            }
            removed
        };
        if let Some(removed) = &removed {
            removed.handle.get().cancel_now(py);
        }
        removed.is_some()
    }

    /// The number under which an object is watched that knows it no more.
    pub fn number_of_closed(&self, object: &Bound<'_, PyAny>) -> Option<RawFd> {
        let watched = self.watched.borrow(object.py());
        watched.iter().find(|(_, entry)| entry.belongs_to(object)).map(|(number, _)| *number)
    }

    /// Queues the callbacks of whatever is ready, once a turn for as long as it stays ready.
    async fn dispatch(&self, state: &Arc<LoopState>) {
        let mut events = Vec::new();
        while self.poller.wait(&mut events).await.is_ok() {
            let queued = Python::attach(|py| {
                let mut queued = false;
                for (fd, ready) in events.drain(..) {
                    queued |= self.queue(py, state, fd, ready);
                }
                queued
            });
            if queued {
                end_of_turn(state).await;
            } else {
                give_way().await;
            }
        }
    }

    fn queue(&self, py: Python<'_>, state: &LoopState, fd: RawFd, ready: Readiness) -> bool {
        let (reader, writer) = {
            let watched = self.watched.borrow(py);
            let Some(entry) = watched.get(&fd) else { return false };
            (
                entry.reader.as_ref().filter(|_| ready.readable).map(|watch| watch.handle.clone_ref(py)),
                entry.writer.as_ref().filter(|_| ready.writable).map(|watch| watch.handle.clone_ref(py)),
            )
        };
        let mut queued = false;
        for handle in [reader, writer].into_iter().flatten() {
            state.push_ready(py, handle);
            queued = true;
        }
        queued
    }
}

/// Waits until the pump has run the callbacks queued so far.
async fn end_of_turn(state: &LoopState) {
    let mut asked = false;
    poll_fn(|cx| {
        if asked {
            return Poll::Ready(());
        }
        asked = true;
        Python::attach(|py| state.wake_after_turn(py, cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// The number behind an int or an object with `fileno()`.
pub fn file_descriptor(fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    let number: RawFd = match fd.extract() {
        Ok(number) => number,
        // The words of `selectors`.
        Err(_) => fd.call_method0("fileno").and_then(|number| number.extract()).map_err(|_| {
            let shown = fd.repr().map_or_else(|_| "it".to_owned(), |text| text.to_string());
            PyValueError::new_err(format!("Invalid file object: {shown}"))
        })?,
    };
    if number < 0 {
        return Err(PyValueError::new_err(format!("Invalid file descriptor: {number}")));
    }
    Ok(number)
}
