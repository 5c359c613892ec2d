//! What waits to be sent until all connections that are ready were served, so that it goes out in a row.
//!
//! One task sends for all connections of a server (docs/adr/0035). A connection is through with its answer
//! once that lies here, and its task need not be looked at again to send it.

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A connection that holds output.
pub trait Holding {
    /// Sends it. What cannot be sent now is the connection's own affair again.
    fn send_held(&self);
}

/// The connections of a server that hold output.
#[derive(Default)]
pub struct Outbox(RefCell<Inside>);

#[derive(Default)]
struct Inside {
    holding: Vec<Rc<dyn Holding>>,
    task: Option<Waker>,
    /// Somebody sends what is put in.
    is_served: bool,
}

impl Outbox {
    fn inside(&self) -> RefMut<'_, Inside> {
        self.0.borrow_mut()
    }

    /// Has a connection's output sent soon; or not at all, if nobody does that.
    pub fn put(&self, holding: &Rc<dyn Holding>) -> bool {
        let mut inside = self.inside();
        if !inside.is_served {
            return false;
        }
        inside.holding.push(holding.clone());
        if let (1, Some(task)) = (inside.holding.len(), &inside.task) {
            task.wake_by_ref();
        }
        true
    }

    /// Sends what is put in, until `close`. Of a server's listeners the first does it for all.
    pub async fn serve(self: Rc<Self>) {
        if std::mem::replace(&mut self.inside().is_served, true) {
            return;
        }
        let mut row = Vec::new();
        poll_fn(|cx| {
            {
                let mut inside = self.inside();
                std::mem::swap(&mut row, &mut inside.holding);
                if inside.is_served && !inside.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                    inside.task = Some(cx.waker().clone());
                }
            }
            for holding in row.drain(..) {
                holding.send_held();
            }
            if self.inside().is_served { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// From now on connections send by themselves.
    pub fn close(&self) {
        let mut inside = self.inside();
        inside.is_served = false;
        if let Some(task) = inside.task.take() {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[derive(Default)]
    struct Counter(Cell<usize>);

    impl Holding for Counter {
        fn send_held(&self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn what_is_put_in_is_sent_by_the_next_turn_and_once() {
        let outbox = Rc::new(Outbox::default());
        let counter = Rc::new(Counter::default());
        let holding: Rc<dyn Holding> = counter.clone();
        assert!(!outbox.put(&holding), "nobody sends yet");

        let mut cx = Context::from_waker(Waker::noop());
        let mut serving = pin!(outbox.clone().serve());
        assert!(serving.as_mut().poll(&mut cx).is_pending());
        assert!(outbox.put(&holding) && outbox.put(&holding));
        assert_eq!(counter.0.get(), 0);
        assert!(serving.as_mut().poll(&mut cx).is_pending());
        assert!(serving.as_mut().poll(&mut cx).is_pending());
        assert_eq!(counter.0.get(), 2);

        assert!(outbox.put(&holding));
        outbox.close();
        assert!(!outbox.put(&holding), "nobody sends any more");
        assert!(serving.as_mut().poll(&mut cx).is_ready());
        assert_eq!(counter.0.get(), 3, "what was put in before is sent");
        assert_eq!(Rc::strong_count(&counter), 2, "nothing is kept");
    }

    #[test]
    fn the_second_who_would_serve_has_nothing_to_do() {
        let outbox = Rc::new(Outbox::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(outbox.clone().serve());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(pin!(outbox.clone().serve()).poll(&mut cx).is_ready());
    }
}
