//! The way into the application: so many requests at once, a queue, and no more.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hoop_limits::{Admission, Ticket};

/// Lets requests into the application.
#[derive(Clone)]
pub struct Entrance(Option<Rc<RefCell<Queue>>>);

struct Queue {
    admission: Admission,
    /// Tasks of those who wait.
    tasks: HashMap<Ticket, Waker>,
    /// Those who may enter and do not know it yet.
    admitted: HashSet<Ticket>,
    refused: u64,
}

impl Queue {
    fn admit(&mut self, next: Option<Ticket>) -> Option<Waker> {
        let ticket = next?;
        self.admitted.insert(ticket);
        self.tasks.remove(&ticket)
    }
}

impl Entrance {
    /// An entrance for so many at once, or for all.
    pub fn new(places: Option<usize>, queue: usize) -> Self {
        Self(places.map(|places| {
            Rc::new(RefCell::new(Queue {
                admission: Admission::new(places, queue),
                tasks: HashMap::new(),
                admitted: HashSet::new(),
                refused: 0,
            }))
        }))
    }

    /// Waits for a place; `Err` if too many wait already.
    pub async fn enter(&self) -> Result<Place, Overloaded> {
        let Some(queue) = &self.0 else { return Ok(Place(None)) };
        let entrance = queue.borrow_mut().admission.enter();
        match entrance {
            hoop_limits::Entrance::Inside => {}
            hoop_limits::Entrance::Waiting(ticket) => {
                Waiting { queue: queue.clone(), ticket, inside: false }.await;
            }
            hoop_limits::Entrance::Full => {
                queue.borrow_mut().refused += 1;
                return Err(Overloaded);
            }
        }
        Ok(Place(Some(queue.clone())))
    }

    /// How many are inside, and how many wait; nobody counts where there is no limit.
    pub fn depth(&self) -> (usize, usize) {
        self.0.as_ref().map_or((0, 0), |queue| queue.borrow().admission.depth())
    }

    /// How many were not let in since the last call.
    pub fn take_refused(&self) -> u64 {
        self.0.as_ref().map_or(0, |queue| std::mem::take(&mut queue.borrow_mut().refused))
    }
}

/// There is no place, and no place to wait for one.
#[derive(Debug)]
pub struct Overloaded;

/// A place inside, given up when it is dropped.
pub struct Place(Option<Rc<RefCell<Queue>>>);

impl Drop for Place {
    fn drop(&mut self) {
        let Some(queue) = &self.0 else { return };
        let task = {
            let mut queue = queue.borrow_mut();
            let next = queue.admission.leave();
            queue.admit(next)
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// One who waits; whoever drops it before its turn gives up.
struct Waiting {
    queue: Rc<RefCell<Queue>>,
    ticket: Ticket,
    inside: bool,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ticket = self.ticket;
        let admitted = {
            let mut queue = self.queue.borrow_mut();
            let admitted = queue.admitted.remove(&ticket);
            if !admitted {
                queue.tasks.insert(ticket, cx.waker().clone());
            }
            admitted
        };
        self.inside = admitted;
        if admitted { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.inside {
            return;
        }
        let task = {
            let mut queue = self.queue.borrow_mut();
            queue.tasks.remove(&self.ticket);
            queue.admitted.remove(&self.ticket);
            let next = queue.admission.give_up(self.ticket);
            queue.admit(next)
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn places_pass_from_one_to_the_next() {
        let entrance = Entrance::new(Some(1), 2);
        let Poll::Ready(Ok(first)) = poll(pin!(entrance.enter())) else { panic!("no place") };
        let mut second = pin!(entrance.enter());
        let mut third = pin!(entrance.enter());
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert_eq!(entrance.depth(), (1, 2));
        assert!(matches!(poll(pin!(entrance.enter())), Poll::Ready(Err(Overloaded))));
        assert_eq!((entrance.take_refused(), entrance.take_refused()), (1, 0));
        drop(first);
        assert!(poll(third.as_mut()).is_pending(), "in order");
        let Poll::Ready(Ok(second)) = poll(second) else { panic!("its turn") };
        drop(second);
        assert!(matches!(poll(third), Poll::Ready(Ok(_))));
    }

    #[test]
    fn who_gives_up_with_a_place_on_its_way_passes_it_on() {
        let entrance = Entrance::new(Some(1), 2);
        let Poll::Ready(Ok(first)) = poll(pin!(entrance.enter())) else { panic!("no place") };
        let mut second = Box::pin(entrance.enter());
        let mut third = pin!(entrance.enter());
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        drop(second);
        assert!(matches!(poll(third), Poll::Ready(Ok(_))));
    }

    #[test]
    fn without_a_limit_all_may_enter() {
        let entrance = Entrance::new(None, 0);
        let places: Vec<_> = (0..100).map(|_| poll(pin!(entrance.enter()))).collect();
        assert!(places.iter().all(|place| matches!(place, Poll::Ready(Ok(_)))));
    }
}
