//! How many are at work at once, and who is next: first come, first served.

use std::collections::BTreeSet;

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What becomes of one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// There is a place.
    Inside,
    /// There will be one: [`Places::leave`], [`Places::give_up`] or [`Places::resize`] names the ticket.
    Waiting(Ticket),
    /// There is none, not even to wait in.
    Full,
}

/// A number of places, and a queue in front of them. Giving up costs the same wherever one waits, so
/// that thousands may at once.
#[derive(Debug)]
pub struct Places {
    places: usize,
    longest_queue: usize,
    taken: usize,
    queue: BTreeSet<Ticket>,
    next: u64,
    entered: u64,
    refused: u64,
    most_taken: usize,
    most_waiting: usize,
}

impl Places {
    /// So many places, of which there is at least one, and a queue of so many.
    pub fn new(places: usize, longest_queue: usize) -> Self {
        Self {
            places: places.max(1),
            longest_queue,
            taken: 0,
            queue: BTreeSet::new(),
            next: 0,
            entered: 0,
            refused: 0,
            most_taken: 0,
            most_waiting: 0,
        }
    }

    /// One more asks for a place. Nobody overtakes those who wait.
    pub fn enter(&mut self) -> Entrance {
        if self.queue.is_empty() && self.taken < self.places {
            self.seat();
            return Entrance::Inside;
        }
        if self.queue.len() >= self.longest_queue {
            self.refused += 1;
            return Entrance::Full;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.insert(ticket);
        self.most_waiting = self.most_waiting.max(self.queue.len());
        Entrance::Waiting(ticket)
    }

    /// One gives its place up; who has it now.
    pub fn leave(&mut self) -> Option<Ticket> {
        self.taken = self.taken.saturating_sub(1);
        self.admit()
    }

    /// One who waits gives up. If it has a place by now, somebody else may get that.
    pub fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.queue.remove(&ticket) { None } else { self.leave() }
    }

    /// Changes the number of places; call [`Places::admit`] until it names nobody. Nobody is thrown out.
    pub fn resize(&mut self, places: usize) {
        self.places = places.max(1);
    }

    /// The next who has a place now, if there is one to be had.
    pub fn admit(&mut self) -> Option<Ticket> {
        if self.taken >= self.places {
            return None;
        }
        let next = self.queue.pop_first()?;
        self.seat();
        Some(next)
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.places
    }

    /// How many are inside, and how many wait.
    pub fn depth(&self) -> (usize, usize) {
        (self.taken, self.queue.len())
    }

    /// How many ever had a place, and how many were sent away.
    pub fn counts(&self) -> (u64, u64) {
        (self.entered, self.refused)
    }

    /// The most that were inside, and that waited, at once.
    pub fn peaks(&self) -> (usize, usize) {
        (self.most_taken, self.most_waiting)
    }

    fn seat(&mut self) {
        self.taken += 1;
        self.entered += 1;
        self.most_taken = self.most_taken.max(self.taken);
    }
}
