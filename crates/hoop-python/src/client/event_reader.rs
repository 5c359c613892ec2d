//! Server-sent events of a response, out of its bytes.

use hoop_fetch::{EventLimits, EventReader as Reader};
use pyo3::prelude::*;

use crate::gil_cell::GilCell;

/// An event: its id, type and data, and what it says about connecting again, in milliseconds.
type EventTuple = (String, String, String, Option<u64>);

/// Reads a stream, piece by piece.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct EventReader(GilCell<Reader>);

#[pymethods]
impl EventReader {
    #[new]
    fn new(last_id: &str, line: usize, event: usize) -> Self {
        Self(GilCell::new(Reader::new(EventLimits { line, event }, last_id)))
    }

    /// The events that these bytes complete, as far as there is no fault.
    #[pyo3(signature = (piece, /))]
    fn feed(&self, py: Python<'_>, piece: &[u8]) -> Vec<EventTuple> {
        let mut events = Vec::new();
        // Those that came before a fault are events all the same; the reader keeps it.
        let _ = self.0.borrow_mut(py).feed(piece, &mut events);
        events.into_iter().map(|event| (event.id, event.kind, event.data, event.retry)).collect()
    }

    /// What is wrong with the stream, behind all events that were read: a line or an event is too long. None
    /// if nothing is.
    #[getter]
    fn fault(&self, py: Python<'_>) -> Option<String> {
        self.0.borrow(py).fault().map(|fault| fault.to_string())
    }

    /// The id that a new connection goes on behind.
    #[getter]
    fn last_id(&self, py: Python<'_>) -> String {
        self.0.borrow(py).last_id().to_owned()
    }

    /// The milliseconds to wait before connecting again, as the stream has last said.
    #[getter]
    fn retry(&self, py: Python<'_>) -> Option<u64> {
        self.0.borrow(py).retry()
    }
}
