//! How many requests are at work at once, and how many wait for their turn.

use std::collections::VecDeque;

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What becomes of one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// There is a place.
    Inside,
    /// There will be one: [`Admission::leave`] and [`Admission::give_up`] name the ticket then.
    Waiting(Ticket),
    /// There is none, not even to wait in.
    Full,
}

/// A number of places, and a queue in front of them that is served in order.
#[derive(Debug)]
pub struct Admission {
    places: usize,
    longest_queue: usize,
    taken: usize,
    queue: VecDeque<Ticket>,
    next: u64,
}

impl Admission {
    /// So many places, of which there is at least one, and a queue of so many.
    pub fn new(places: usize, longest_queue: usize) -> Self {
        Self { places: places.max(1), longest_queue, taken: 0, queue: VecDeque::new(), next: 0 }
    }

    /// One more asks for a place.
    pub fn enter(&mut self) -> Entrance {
        if self.taken < self.places {
            self.taken += 1;
            return Entrance::Inside;
        }
        if self.queue.len() >= self.longest_queue {
            return Entrance::Full;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.push_back(ticket);
        Entrance::Waiting(ticket)
    }

    /// How many have a place, and how many wait for one.
    pub fn depth(&self) -> (usize, usize) {
        (self.taken, self.queue.len())
    }

    /// One gives its place up; who has it now.
    pub fn leave(&mut self) -> Option<Ticket> {
        let next = self.queue.pop_front();
        if next.is_none() {
            self.taken = self.taken.saturating_sub(1);
        }
        next
    }

    /// One who waits gives up. If it has a place by now, somebody else may get that.
    pub fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        match self.queue.iter().position(|each| *each == ticket) {
            Some(at) => {
                self.queue.remove(at);
                None
            }
            None => self.leave(),
        }
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.taken
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_then_the_queue_then_nothing() {
        let mut admission = Admission::new(1, 1);
        assert_eq!(admission.enter(), Entrance::Inside);
        let Entrance::Waiting(ticket) = admission.enter() else { panic!("no queue") };
        assert_eq!(admission.enter(), Entrance::Full);
        assert_eq!(admission.leave(), Some(ticket));
        assert_eq!((admission.inside(), admission.waiting()), (1, 0));
        assert_eq!(admission.leave(), None);
        assert_eq!(admission.inside(), 0);
    }

    #[test]
    fn who_gives_up_leaves_the_queue_or_the_place_it_just_got() {
        let mut admission = Admission::new(1, 2);
        admission.enter();
        let tickets: Vec<Ticket> = (0..2)
            .map(|_| match admission.enter() {
                Entrance::Waiting(ticket) => ticket,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(admission.give_up(tickets[0]), None);
        assert_eq!(admission.leave(), Some(tickets[1]));
        assert_eq!(admission.give_up(tickets[1]), None, "it had the place, and nobody waits");
        assert_eq!((admission.inside(), admission.waiting()), (0, 0));
    }
}
