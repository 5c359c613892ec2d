//! First-in, first-out queue of what may run now, cut into turns as asyncio cuts them.

use std::collections::VecDeque;

/// Callbacks that are ready to run.
///
/// A *turn* runs what was queued when the turn began; what those callbacks add waits for the next
/// one. That rule of asyncio is what keeps a callback that reschedules itself from starving I/O.
#[derive(Debug)]
pub struct ReadyQueue<T> {
    items: VecDeque<T>,
    left_in_turn: usize,
}

impl<T> Default for ReadyQueue<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), left_in_turn: 0 }
    }
}

impl<T> ReadyQueue<T> {
    /// Queues an item behind all others; it runs in the next turn at the earliest.
    pub fn push(&mut self, item: T) {
        self.items.push_back(item);
    }

    /// Begins a turn over everything queued so far and says how much that is.
    pub fn begin_turn(&mut self) -> usize {
        self.left_in_turn = self.items.len();
        self.left_in_turn
    }

    /// The next item of the current turn, or `None` when the turn is over.
    pub fn next_in_turn(&mut self) -> Option<T> {
        if self.left_in_turn == 0 {
            return None;
        }
        self.left_in_turn -= 1;
        self.items.pop_front()
    }

    /// All that is queued, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// Whether nothing at all is queued.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items are queued, those of the current turn included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Empties the queue and hands back what was in it, so that the caller chooses when it is dropped.
    pub fn take_all(&mut self) -> VecDeque<T> {
        self.left_in_turn = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_runs_only_what_was_ready_when_it_began() {
        let mut queue = ReadyQueue::default();
        queue.push(1);
        queue.push(2);
        assert_eq!(queue.begin_turn(), 2);
        assert_eq!(queue.next_in_turn(), Some(1));
        queue.push(3);
        assert_eq!(queue.next_in_turn(), Some(2));
        assert_eq!(queue.next_in_turn(), None);
        assert_eq!(queue.begin_turn(), 1);
        assert_eq!(queue.next_in_turn(), Some(3));
    }

    #[test]
    fn an_interrupted_turn_keeps_the_rest_in_order() {
        let mut queue = ReadyQueue::default();
        for item in 0..4 {
            queue.push(item);
        }
        queue.begin_turn();
        assert_eq!(queue.next_in_turn(), Some(0));
        assert_eq!(queue.begin_turn(), 3);
        let rest: Vec<_> = std::iter::from_fn(|| queue.next_in_turn()).collect();
        assert_eq!(rest, [1, 2, 3]);
    }

    #[test]
    fn taking_all_ends_the_turn() {
        let mut queue = ReadyQueue::default();
        queue.push('a');
        queue.push('b');
        queue.begin_turn();
        assert_eq!(queue.take_all(), ['a', 'b']);
        assert!(queue.is_empty());
        queue.push('c');
        assert_eq!(queue.next_in_turn(), None);
        assert_eq!(queue.len(), 1);
    }
}
