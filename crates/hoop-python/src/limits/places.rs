//! `Places`: how many are at work at once, and who is next.

use hoop_guard::{Entrance, Ticket};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::gil_cell::GilCell;

/// What `enter` says when there is no place, not even to wait in.
const FULL: i64 = -1;

/// The places of one limit. Those who wait have tickets, which are numbers from 0.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Places(GilCell<hoop_guard::Places>);

#[pymethods]
impl Places {
    #[new]
    #[pyo3(signature = (places, longest_queue=None))]
    fn new(places: usize, longest_queue: Option<usize>) -> PyResult<Self> {
        at_least_one(places)?;
        Ok(Self(GilCell::new(hoop_guard::Places::new(places, longest_queue.unwrap_or(usize::MAX)))))
    }

    /// None for a place, a ticket for one who has to wait, -1 if there is no room to wait.
    fn enter(&self, py: Python<'_>) -> Option<i64> {
        match self.0.borrow_mut(py).enter() {
            Entrance::Inside => None,
            Entrance::Waiting(ticket) => number(ticket),
            Entrance::Full => Some(FULL),
        }
    }

    /// Whether there was a place to be had at once; it is taken then.
    fn enter_at_once(&self, py: Python<'_>) -> bool {
        let mut places = self.0.borrow_mut(py);
        let (inside, waiting) = places.depth();
        waiting == 0 && inside < places.places() && places.enter() == Entrance::Inside
    }

    /// One leaves; the ticket of the one who has the place now.
    fn leave(&self, py: Python<'_>) -> Option<i64> {
        self.0.borrow_mut(py).leave().and_then(number)
    }

    /// One who waits gives up; the ticket of the one who has the place, if it was given one meanwhile.
    fn give_up(&self, py: Python<'_>, ticket: u64) -> Option<i64> {
        self.0.borrow_mut(py).give_up(Ticket(ticket)).and_then(number)
    }

    /// Another number of places; the tickets of those who have one now.
    fn resize(&self, py: Python<'_>, places: usize) -> PyResult<Vec<i64>> {
        at_least_one(places)?;
        let mut all = self.0.borrow_mut(py);
        all.resize(places);
        Ok(std::iter::from_fn(|| all.admit()).filter_map(number).collect())
    }

    /// Places, how many are inside, how many wait.
    fn depth(&self, py: Python<'_>) -> (usize, usize, usize) {
        let places = self.0.borrow(py);
        let (inside, waiting) = places.depth();
        (places.places(), inside, waiting)
    }

    /// How many ever had a place, how many were sent away, the most inside and waiting at once.
    fn counts(&self, py: Python<'_>) -> (u64, u64, usize, usize) {
        let places = self.0.borrow(py);
        let ((entered, refused), (inside, waiting)) = (places.counts(), places.peaks());
        (entered, refused, inside, waiting)
    }
}

fn at_least_one(places: usize) -> PyResult<()> {
    if places == 0 { Err(PyValueError::new_err("there has to be at least one place")) } else { Ok(()) }
}

fn number(ticket: Ticket) -> Option<i64> {
    i64::try_from(ticket.0).ok()
}
