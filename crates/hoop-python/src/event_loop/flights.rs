//! Futures that somebody awaits: one task of the loop polls all of them, in the order in which they were woken.
//!
//! A task for each would be made, scheduled and freed for every request of the client. Here a future takes a
//! place, and a place keeps its waker for the next one: who is woken after he has left finds a stranger, who
//! looks once more and goes on waiting.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pyo3::Python;

use super::state::LoopState;
use crate::gil_cell::GilCell;

/// What waits.
pub trait Flying {
    /// Goes on; ready when it is not to be asked again.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// The loop is closed: nothing will wake it any more.
    fn give_up(&self);
}

/// What waits in one loop.
#[derive(Default)]
pub struct Flights(GilCell<Option<Rc<Places>>>);

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

impl Flights {
    /// A place to wait in.
    pub fn enter(py: Python<'_>, of: &LoopState) -> Seat {
        let known = of.flights.0.borrow(py).clone();
        let places = known.unwrap_or_else(|| {
            let places = Rc::<Places>::default();
            drop(of.flights.0.replace(py, Some(places.clone())));
            of.spawn(py, Tower(places.clone()));
            places
        });
        let (place, waker) = places.take();
        Seat { places, place, waker }
    }
}

/// A place that is taken. Dropped, it is free.
pub struct Seat {
    places: Rc<Places>,
    place: usize,
    waker: Waker,
}

impl Seat {
    /// What has `flight` polled, once it waits here.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Has this polled from now on, when it is woken.
    pub fn wait(&self, flight: Rc<dyn Flying>) {
        if let Some(place) = self.places.table.borrow_mut().all.get_mut(self.place) {
            place.flight = Some(flight);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let left = {
            let mut table = self.places.table.borrow_mut();
            table.free.push(self.place);
            table.all.get_mut(self.place).and_then(|place| place.flight.take())
        };
        drop(left);
    }
}

#[derive(Default)]
struct Places {
    woken: Arc<Woken>,
    table: RefCell<Table>,
}

#[derive(Default)]
struct Table {
    all: Vec<Place>,
    free: Vec<usize>,
}

struct Place {
    alarm: Arc<Alarm>,
    waker: Waker,
    flight: Option<Rc<dyn Flying>>,
}

impl Places {
    fn take(&self) -> (usize, Waker) {
        let mut table = self.table.borrow_mut();
        if let Some(number) = table.free.pop()
            && let Some(place) = table.all.get(number)
        {
            return (number, place.waker.clone());
        }
        let number = table.all.len();
        let alarm = Arc::new(Alarm { woken: self.woken.clone(), number, is_listed: AtomicBool::new(false) });
        let waker = Waker::from(alarm.clone());
        table.all.push(Place { alarm, waker: waker.clone(), flight: None });
        (number, waker)
    }

    fn poll(&self, number: usize) {
        let (flight, waker) = {
            let table = self.table.borrow();
            let Some(place) = table.all.get(number) else { return };
            // Not a store: what the poll reads must not be read before others may list this once more.
            place.alarm.is_listed.swap(false, Ordering::AcqRel);
            let Some(flight) = place.flight.clone() else { return };
            (flight, place.waker.clone())
        };
        // Nothing is borrowed while it runs: it may leave, and others may come.
        let _ = flight.poll(&mut Context::from_waker(&waker));
    }
}

/// Who was woken, from whichever thread.
#[derive(Default)]
struct Woken(Mutex<List>);

#[derive(Default)]
struct List {
    numbers: Vec<usize>,
    tower: Option<Waker>,
}

/// Wakes one place.
struct Alarm {
    woken: Arc<Woken>,
    number: usize,
    is_listed: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let tower = {
            let mut list = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
            list.numbers.push(self.number);
            list.tower.take()
        };
        if let Some(tower) = tower {
            tower.wake();
        }
    }
}

/// The task that polls them, as long as the loop is open.
struct Tower(Rc<Places>);

impl Future for Tower {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let listed = std::mem::take(&mut self.list().numbers);
        for number in &listed {
            self.0.poll(*number);
        }
        let mut list = self.list();
        if list.numbers.is_empty() {
            // Its memory serves again.
            list.numbers = listed;
            list.numbers.clear();
            list.tower = Some(cx.waker().clone());
        } else {
            drop(list);
            // Those that were woken meanwhile have their turn behind what else is ready.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Tower {
    fn list(&self) -> std::sync::MutexGuard<'_, List> {
        self.0.woken.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tower {
    fn drop(&mut self) {
        let left: Vec<_> =
            self.0.table.borrow_mut().all.iter_mut().filter_map(|place| place.flight.take()).collect();
        for flight in left {
            flight.give_up();
        }
    }
}
