//! Heap of timers ordered by deadline, then by age; cancelled ones are dropped in bulk.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Below this many cancelled timers a sweep is not worth its walk (asyncio uses the same figure).
const SWEEP_AT_LEAST: usize = 100;

/// Something that may have been cancelled while it waited.
pub trait Cancellable {
    /// Whether its owner no longer wants it to run.
    fn is_cancelled(&self) -> bool;
}

#[derive(Debug)]
struct Timer<T> {
    deadline: f64,
    age: u64,
    item: T,
}

impl<T> Ord for Timer<T> {
    /// Reversed, because [`BinaryHeap`] hands out the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.deadline.total_cmp(&self.deadline).then_with(|| other.age.cmp(&self.age))
    }
}

impl<T> PartialOrd for Timer<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Timer<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Timer<T> {}

/// Timers by deadline. Times are seconds on whatever clock the caller keeps; equal deadlines fire
/// in the order in which they were added.
#[derive(Debug)]
pub struct TimerHeap<T> {
    heap: BinaryHeap<Timer<T>>,
    added: u64,
    cancelled: usize,
}

impl<T> Default for TimerHeap<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), added: 0, cancelled: 0 }
    }
}

impl<T: Cancellable> TimerHeap<T> {
    /// Adds a timer that is due at `deadline`.
    pub fn push(&mut self, deadline: f64, item: T) {
        let age = self.added;
        self.added += 1;
        self.heap.push(Timer { deadline, age, item });
    }

    /// Tells the heap that one of its timers was cancelled. Once the cancelled ones are the
    /// majority they are all removed and returned, so that the caller chooses when to drop them.
    pub fn note_cancelled(&mut self) -> Vec<T> {
        self.cancelled += 1;
        if self.cancelled < SWEEP_AT_LEAST || self.cancelled * 2 < self.heap.len() {
            return Vec::new();
        }
        self.cancelled = 0;
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.heap).into_iter().partition(|timer| timer.item.is_cancelled());
        self.heap = kept.into();
        gone.into_iter().map(|timer| timer.item).collect()
    }

    /// Removes and returns the earliest timer whose deadline is not after `now`, cancelled or not.
    pub fn pop_due(&mut self, now: f64) -> Option<T> {
        if self.heap.peek()?.deadline > now {
            return None;
        }
        let timer = self.heap.pop()?;
        if timer.item.is_cancelled() {
            self.cancelled = self.cancelled.saturating_sub(1);
        }
        Some(timer.item)
    }

    /// All that wait, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|timer| &timer.item)
    }

    /// When the earliest timer is due, cancelled ones included.
    pub fn next_deadline(&self) -> Option<f64> {
        self.heap.peek().map(|timer| timer.deadline)
    }

    /// Whether no timer waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How many timers wait to run.
    pub fn pending(&self) -> usize {
        self.heap.len().saturating_sub(self.cancelled)
    }

    /// How many timers are held, cancelled ones included until they are swept.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Empties the heap and hands back its items in no particular order.
    pub fn take_all(&mut self) -> Vec<T> {
        self.cancelled = 0;
        std::mem::take(&mut self.heap).into_iter().map(|timer| timer.item).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Item {
        number: usize,
        cancelled: Rc<Cell<bool>>,
    }

    impl Cancellable for Item {
        fn is_cancelled(&self) -> bool {
            self.cancelled.get()
        }
    }

    fn item(number: usize) -> Item {
        Item { number, ..Item::default() }
    }

    #[test]
    fn equal_deadlines_fire_in_the_order_they_were_added() {
        let mut heap = TimerHeap::default();
        for number in 0..50 {
            heap.push(1.0, item(number));
        }
        let fired: Vec<_> = std::iter::from_fn(|| heap.pop_due(1.0)).map(|i| i.number).collect();
        assert_eq!(fired, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_fires_before_its_deadline() {
        let mut heap = TimerHeap::default();
        heap.push(2.0, item(0));
        assert!(heap.pop_due(1.999).is_none());
        assert_eq!(heap.next_deadline(), Some(2.0));
        assert!(heap.pop_due(2.0).is_some());
        assert!(heap.is_empty());
    }

    #[test]
    fn a_deadline_that_is_not_a_number_never_fires_and_harms_no_other() {
        let mut heap = TimerHeap::default();
        heap.push(f64::NAN, item(0));
        heap.push(1.0, item(1));
        assert_eq!(heap.pop_due(f64::MAX).map(|i| i.number), Some(1));
    }

    #[test]
    fn a_majority_of_cancelled_timers_is_swept() {
        let mut heap = TimerHeap::default();
        let items: Vec<_> = (0..300).map(item).collect();
        for timer in &items {
            heap.push(timer.number as f64, timer.clone());
        }
        let mut swept = 0;
        for timer in items.iter().skip(100) {
            timer.cancelled.set(true);
            swept += heap.note_cancelled().len();
        }
        assert!(swept >= 150, "only {swept} of 200 cancelled timers were swept");
        assert_eq!(heap.len() + swept, 300);
        let fired: Vec<_> = std::iter::from_fn(|| heap.pop_due(1e9))
            .filter(|timer| !timer.is_cancelled())
            .map(|timer| timer.number)
            .collect();
        assert_eq!(fired, (0..100).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn timers_fire_sorted_by_deadline_then_age(deadlines in prop::collection::vec(0u8..20, 0..200)) {
            let mut heap = TimerHeap::default();
            for (number, deadline) in deadlines.iter().enumerate() {
                heap.push(f64::from(*deadline), item(number));
            }
            let mut expected: Vec<_> = deadlines.iter().copied().enumerate().collect();
            expected.sort_by_key(|(number, deadline)| (*deadline, *number));
            let fired: Vec<_> = std::iter::from_fn(|| heap.pop_due(f64::INFINITY)).map(|i| i.number).collect();
            prop_assert_eq!(fired, expected.into_iter().map(|(number, _)| number).collect::<Vec<_>>());
        }
    }
}
